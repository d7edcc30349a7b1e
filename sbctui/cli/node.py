"""``sbctui node``: everything about one node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.disks.port import Usage
    from sbctui.engine.engine import Job
    from sbctui.engine.model.site import Node, Site

_LAST = 10
"""Past jobs shown."""
_RULES = {
    "explicit": "given by hand",
    "resolver": "the resolver's answer for its name",
    "number": "the number at the end of its name",
    "next": "the next free address of the pool",
}


@click.group(no_args_is_help=False)
def node() -> None:
    """One node, root or leaf."""


@node.command()
@click.argument("name", type=options.NODE)
@options.output_option
@click.pass_obj
def show(place: Place, name: str, json: bool) -> int:
    """Show all about NAME (a name, alias, MAC or address) and its last jobs; measures its disk."""
    engine = place.engine()
    site = engine.site()
    from sbctui.cli import show as shown

    folder = shown.find(site, name)
    if folder in site.broken:
        return _broken(site, folder, json)
    found = site.nodes[folder]
    usage = engine.usage(folder) if found.disk is not None else None
    document = _document(site, found, usage)
    document["history"] = [_past(job) for job in engine.history(folder, _LAST)]
    if json:
        output.document({"node": document})
    else:
        _print(document)
    return 0


def _broken(site: Site, name: str, json: bool) -> int:
    from sbctui import format as words
    from sbctui.cli import show as shown

    broken = site.broken[name]
    if json:
        output.document({"node": shown.broken_json(broken)})
    else:
        output.pairs([
            ("name", name),
            ("state", "broken"),
            ("reason", broken.reason),
            ("allocated", words.size(broken.allocated)),
            ("see", "sbctui audit"),
        ])  # fmt: skip
    return 0


def _document(site: Site, found: Node, usage: Usage | None) -> dict[str, Any]:
    from sbctui.cli import show as shown

    config = found.config
    return {
        **shown.node_json(site, found),
        "path": str(site.node_path(found.name)),
        "export": config.export or None,
        "children": dict(config.children),
        "disk": {
            "file": config.disk.file,
            "format": config.disk.format,
            "base": config.disk.base,
            "filesystem": config.disk.filesystem,
            "usage": shown.usage_json(usage) if usage else None,
        },
        "boot": config.boot.model_dump(mode="json"),
        "cloned_from": config.cloned_from or None,
        "store": config.store or None,
        "promise": config.promise or None,
        "personalised": list(config.personalised),
        "sessions": [_session(s) for s in site.sessions_of.get(config.export, ())],
        "lease": next((_lease(x) for x in site.facts.leases if x.mac == config.mac), None),
        "blocked": _blocked(site, found),
    }


def _past(job: Job) -> dict[str, Any]:
    return {
        "job": job.id,
        "title": job.title,
        "state": job.state,
        "started": output.when(job.started),
        "finished": output.when(job.finished),
        "user": job.user,
    }


def _session(session: Any) -> dict[str, Any]:
    return {
        "address": session.address,
        "since": output.when(session.since),
        "read": session.bytes_read,
        "written": session.bytes_written,
    }


def _lease(lease: Any) -> dict[str, Any]:
    return {"ip": str(lease.ip), "expires": output.when(lease.expires)}


def _blocked(site: Site, found: Node) -> dict[str, str | None]:
    """Every verb that could be meant for this node, with what stands in its way."""
    from sbctui.engine import rules

    if found.is_root:
        checks = {
            "root clone": rules.can_clone,
            "root allocate": rules.can_allocate,
            "root deallocate": rules.can_deallocate,
            "root resize": rules.can_resize,
            "root rename": rules.can_rename,
            "root delete": rules.can_delete,
            "leaf create": rules.can_create_leaves,
        }
    else:
        checks = {"leaf delete": rules.can_delete_leaf, "leaf attach": rules.can_attach}
    return {verb: rule(site, found.name) for verb, rule in checks.items()}


def _print(one: dict[str, Any]) -> None:
    from sbctui import format as words

    disk, usage = one["disk"], one["disk"]["usage"]
    rule = f" ({_RULES[one['ip_rule']]})" if one["ip_rule"] else ""
    on = f" on the disk of {disk['base']}" if disk["base"] else ""
    figures = (
        f"{words.size(one['size'])}, allocated {words.size(usage['allocated'])}, "
        f"only its own {words.size(usage['exclusive'])}"
        if usage
        else "missing"
    )
    origin = f"{one['cloned_from']} by {one['store']}" if one["store"] else one["cloned_from"]
    boot = ", ".join(f"{key} {value}" for key, value in one["boot"].items() if value)
    output.pairs([
        ("name", one["name"]),
        ("kind", one["kind"]),
        ("state", one["state"]),
        ("host name", one["hostname"]),
        ("alias", one["alias"]),
        ("group", one["group"]),
        ("notes", one["notes"]),
        ("MAC", one["mac"] or ""),
        ("address", f"{one['ip']}{rule}" if one["ip"] else ""),
        ("parent", one["parent"] or ""),
        ("leaves", str(one["leaves"]) if one["kind"] == "root" else ""),
        ("disk", f"{disk['file']} ({disk['format']}{on})"),
        ("size", figures),
        ("file system", disk["filesystem"]),
        ("boot", boot),
        ("export", one["export"] or ""),
        ("created", one["created"]),
        ("cloned from", origin or ""),
        ("promise", one["promise"] or ""),
        ("personalised", ", ".join(one["personalised"])),
        ("path", one["path"]),
        *_now(one),
    ])  # fmt: skip


def _now(one: dict[str, Any]) -> list[tuple[str, str]]:
    """Who is connected, what can't be done, and what was, newest first."""
    from sbctui import format as words

    items = [
        ("connected", f"{s['address']} since {s['since']}, read {words.size(s['read'])}, "
         f"written {words.size(s['written'])}")
        for s in one["sessions"]
    ]  # fmt: skip
    if one["lease"]:
        items.append(("lease", f"{one['lease']['ip']} until {one['lease']['expires'] or 'ever'}"))
    items += [(f"no {verb}", reason) for verb, reason in one["blocked"].items() if reason]
    items += [(j["started"], f"{j['title']}: {j['state']}") for j in one["history"]]
    return items
