"""Checks of what the daemons read and do: derived files, leases, sessions, health. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from sbctui.engine.audit.drift import Drift, How, Off
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import changed, config_path, finding, fixed
from sbctui.engine.model.site import Lease, Session, Site
from sbctui.engine.plan import RefreshServices, WithdrawExport

_WORDS: dict[How, str] = {
    "missing": "is missing",
    "different": "says something else than the node",
    "extra": "is there for no node",
    "tombstone": "still tells dnsmasq to ignore the board",
}


def derived(site: Site, drift: Drift) -> Iterator[Finding]:
    """Files that don't follow from the nodes, of the daemons and in boot folders: one row a node.

    A config edited by hand shows in several of them at once, so they are one finding.
    """
    off = (*drift.derived, *drift.boot)
    owners = {one.key: one.node for one in off if one.node}
    rows: dict[tuple[str, str], list[Off]] = {}
    for one in off:
        node = owners.get(one.key, "")
        rows.setdefault((node or one.key, node), []).append(one)
    for (subject, node), row in sorted(rows.items()):
        yield _derived(site, subject, node, row)


def _derived(site: Site, subject: str, node: str, row: list[Off]) -> Finding:
    said = ", ".join(f"{PurePosixPath(o.path).name} {_WORDS[o.how]}" for o in row)
    found = finding(
        "derived",
        "drift",
        subject,
        f"{subject}: {said}",
        "What the daemons read and the board loads follows from the nodes alone, and can be "
        "derived again at any time.",
        proof="; ".join(f"{one.path}: {one.how}" for one in row),
        since=max(one.since for one in row),
        nodes=dict.fromkeys((subject, *(one.key for one in row))),
    )
    gone = any(o.how in ("extra", "tombstone") and o.path.startswith("derived/") for o in row)
    names = (node,) if node in site.nodes and not gone else ()
    return fixed(found, "derive it again", RefreshServices(names=names), node=node, safe=True)


def unserved(site: Site, drift: Drift) -> Iterator[Finding]:
    """Boards that can't be served for a reason that no other check names."""
    if drift.template:
        path = re.split(", line |: ", drift.template, maxsplit=1)[0]
        yield finding(
            "template",
            "missing",
            path.removeprefix("templates/"),
            "one of the site's own boot files can't be used",
            f"{drift.template}. What was derived before stays in force, and nothing new is served.",
            proof=path,
            unfixable=f"mend {path}, or move it away to use the built-in one",
        )
    for name, reason in sorted(drift.refused.items()):
        if site.nodes[name].config.ip is not None:
            yield finding(
                "unserved",
                "missing",
                name,
                f"{site.nodes[name].config.hostname} can't be served",
                f"{reason}.",
                proof=config_path(name),
                since=changed(site.nodes[name]),
                nodes=(name,),
                unfixable="mend what the sentence names, then: sbctui services apply",
            )


def leases(site: Site, drift: Drift) -> Iterator[Finding]:
    """Leases in force that keep a board from its own address."""
    now = site.facts.now
    for lease in site.facts.leases:
        if lease.expires and lease.expires < now:
            continue
        names = site.by_mac.get(lease.mac, ())
        node = site.nodes[names[0]] if len(names) == 1 else None
        if node is not None and node.config.ip not in (None, lease.ip):
            why = (
                f"Its address is {node.config.ip}; it gets that when the lease is given back or "
                "ends."
            )
            yield _lease(site, lease, f"{node.config.hostname} still holds {lease.ip}", why, names)
        elif not names and (owners := site.by_ip.get(lease.ip, ())):
            why = f"{lease.ip} belongs to {owners[0]}, which can't have it until the lease ends."
            title = f"{lease.mac}, which is no node's, holds {lease.ip}"
            yield _lease(site, lease, title, why, owners)


def _lease(site: Site, lease: Lease, title: str, why: str, nodes: Iterable[str]) -> Finding:
    interface = site.settings.network.interface or "INTERFACE"
    return finding(
        "lease",
        "drift",
        lease.mac,
        title,
        why,
        proof=f"state/dnsmasq.leases: ... {lease.mac} {lease.ip} ...",
        nodes=nodes,
        unfixable="reboot the board, or give the lease back for it: "
        f"dhcp_release {interface} {lease.ip} {lease.mac}",
    )


def draining(site: Site, drift: Drift) -> Iterator[Finding]:
    """Boards that are still connected to an export which no node has any more."""
    known = {node.config.export for node in site.nodes.values()} | set(site.broken)
    for export, sessions in sorted(site.sessions_of.items()):
        if export not in known:
            yield _draining(export, sessions)


def _draining(export: str, sessions: tuple[Session, ...]) -> Finding:
    where = sessions[0].address
    found = finding(
        "draining",
        "service",
        export,
        f"draining: the board at {where} still uses {export}, which no node has",
        "It was deallocated or deleted while its board was running; the board keeps its disk "
        "until it lets go.",
        proof=f"an open session of {where} on {export}",
        since=sessions[0].since,
    )
    action = WithdrawExport(export=export, cut=True)
    return fixed(found, "pull the disk from under the board", action, safe=False)


def services(site: Site, drift: Drift) -> Iterator[Finding]:
    """Daemons that are not running though there are boards to serve."""
    boards = sum(1 for node in site.nodes.values() if node.config.mac is not None)
    if boards and not site.facts.serving:
        yield finding(
            "services",
            "service",
            "services",
            f"the services are not running, and {boards} {_boards(boards)} wait for them",
            "Without them no board gets an address, its boot files or its disk.",
            proof="no supervisor answers",
            unfixable="start them: sbctui services start",
        )
        return
    for status in drift.status:
        if status.state in ("failing", "stopped") and boards:
            yield finding(
                "service",
                "service",
                status.name,
                f"{status.name} is {status.state}",
                status.detail or "Its log says why.",
                proof=f"state/{status.name}.log",
                since=status.since,
                unfixable="look at the log, mend the cause, then: sbctui services apply",
            )


def _boards(count: int) -> str:
    return "board" if count == 1 else "boards"


def writable(site: Site, drift: Drift) -> Iterator[Finding]:
    """A site that can't be written."""
    if not site.facts.writable:
        yield finding(
            "read-only",
            "service",
            "site",
            "the site can't be written",
            "Its file system is mounted read-only, or it belongs to somebody else; nothing can "
            "be changed, and what boards write may be lost.",
            proof=f"{site.path}: read-only",
            unfixable="mount it read-write (after a look at dmesg for errors), or run as its owner",
        )
