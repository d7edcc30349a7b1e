"""Findings of the audit as text; pure, shared by the command line and the screens.

Everything that may come from outside was cleaned when the finding was made.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sbctui import format as fmt
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.model.site import Site
    from sbctui.engine.services.port import Status

NOTHING = "nothing disagrees"
KEPT = "kept"
GROUPS = {
    "orphan": "orphans: leaves that no root lists",
    "mis-parented": "mis-parented: roots in somebody's children",
    "broken": "broken: configurations that can't be used",
    "half-made": "half-made: begun and never finished",
    "stray": "strays: things that are no nodes",
    "conflict": "conflicts: two claim the same",
    "missing": "missing: what a node needs and has not",
    "drift": "drift: what the services read differs from the nodes",
    "service": "services: what is not running, or should not be used any more",
    KEPT: "kept: left as they are by somebody's word, and not counted",
}
"""Every group with its heading, in the order in which they are shown."""
SAFE, ASKS, STUCK = "+", "?", "-"
"""Signs before a suggested act: loses nothing; may lose something; there is none."""
_LABEL = 8


def group(finding: Finding) -> str:
    """The group it is shown in."""
    return KEPT if finding.kept else finding.group


def open_ones(findings: Iterable[Finding]) -> list[Finding]:
    """Those that count: nobody keeps them as they are."""
    return [one for one in findings if one.kept is None]


def heading(name: str, members: Sequence[Finding]) -> str:
    """A group's heading with its count and size."""
    held = sum(one.bytes for one in members)
    return f"{GROUPS[name]} ({len(members)}{f', {fmt.size(held)}' if held else ''})"


def counts(findings: Sequence[Finding]) -> str:
    """``3 findings, 4.8G, 2 kept``."""
    counted = open_ones(findings)
    held, kept = sum(one.bytes for one in counted), len(findings) - len(counted)
    parts = [fmt.plural(len(counted), "finding")]
    parts += [fmt.size(held)] if held else []
    parts += [f"{kept} kept"] if kept else []
    return ", ".join(parts)


def act(finding: Finding) -> tuple[str, str]:
    """Sign and words of what is suggested."""
    if finding.kept is not None:
        return " ", f"kept until {finding.kept.until}"
    if finding.fix is None:
        return STUCK, "no fix: see why"
    return (SAFE if finding.safe else ASKS), finding.fix_title


def age(finding: Finding, now: float) -> str:
    """How long it has been so, as far as can be told."""
    return fmt.age(now - finding.since) if finding.since else "-"


def command(finding: Finding) -> str:
    """What an admin would type to mend it; empty when it can't be mended so."""
    return f"sbctui audit --fix {finding.id}" if finding.fix else ""


def story(finding: Finding, now: float) -> list[tuple[str, str]]:
    """Label and sentence of everything there is to say, but for its title."""
    told = [("why", finding.why), ("proof", finding.proof), *_size(finding, now)]
    if finding.kept is not None:
        kept = finding.kept
        who = f"by {kept.by}, " if kept.by else ""
        told.append(("kept", f"until {kept.until}, {who}on {kept.made:%Y-%m-%d}: {kept.note}"))
    if finding.lapsed:
        told.append(("again", finding.lapsed))
    if finding.fix is None:
        told.append(("no fix", finding.unfixable))
    else:
        word = "loses nothing" if finding.safe else "look at the plan first"
        told.append(("fix", f"{finding.fix_title} ({word})"))
    return [(label, text) for label, text in told if text]


def _size(finding: Finding, now: float) -> Iterable[tuple[str, str]]:
    if finding.bytes:
        yield "size", f"{fmt.size(finding.bytes)} on disk"
    if finding.since:
        yield "since", f"{_moment(finding.since)}, {fmt.age(now - finding.since)} ago"


def checked(site: Site, services: Sequence[Status]) -> list[str]:
    """What an audit of this site looks at, with the numbers."""
    boards = sum(1 for node in site.nodes.values() if node.config.mac is not None)
    listed = sum(len(root.config.children) for root in site.roots)
    network = site.settings.network.subnet or "no network is set"
    facts = site.facts
    daemons = ", ".join(f"{clean(s.name)} {s.state}" for s in services) or "none"
    nodes = len(site.nodes) + len(site.broken)
    return [
        f"nodes      {nodes} ({fmt.plural(len(site.roots), 'root')}, "
        f"{len(site.leaves)} leaves): config.json, disk, boot folder of each",
        f"families   {listed} leaves listed by {fmt.plural(len(site.roots), 'root')}, "
        "and who lists whom",
        f"addresses  {fmt.plural(boards, 'board')}: MAC, address and name only once; {network}",
        f"dnsmasq    {fmt.plural(boards, 'host line')}, {fmt.plural(len(facts.leases), 'lease')}",
        f"TFTP       {fmt.plural(boards, 'link')}, and the boot script of each",
        f"NBD        {fmt.plural(boards, 'export')}, "
        f"{fmt.plural(len(facts.sessions), 'open session')}",
        f"services   {daemons}",
        f"leftovers  strays, half-made nodes, {len(site.trash)} in the trash",
    ]


def lines(findings: Sequence[Finding], site: Site, services: Sequence[Status]) -> list[str]:
    """All of it, for a terminal or a file; ends with what was looked at when all is well."""
    now = site.facts.now
    told: list[str] = []
    for name in GROUPS:
        members = [one for one in findings if group(one) == name]
        if members:
            told.append(heading(name, members))
        for one in members:
            told.append(f"  {one.title}")
            told += [f"    {label:<{_LABEL}}{text}" for label, text in story(one, now)]
            told += [f"    {'':<{_LABEL}}{command(one)}"] if one.fix else []
    if not open_ones(findings):
        told.append(NOTHING)
        told += [f"  {line}" for line in checked(site, services)]
    return told


def report(findings: Sequence[Finding], site: Site, services: Sequence[Status]) -> str:
    """A report to keep or to send, as plain text."""
    now = site.facts.now
    told = [f"Audit of {clean(str(site.path))}, {_moment(now)}", counts(findings), ""]
    told += lines(findings, site, services)
    if open_ones(findings):
        told += ["", "looked at", *(f"  {line}" for line in checked(site, services))]
    return "".join(f"{row}\n" for line in told for row in _folded(line))


def _folded(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip()))
    more = indent + " " * _LABEL if indent == "    " else indent
    return textwrap.wrap(line, 100, subsequent_indent=more, break_long_words=False,
                         break_on_hyphens=False) or [""]  # fmt: skip


def report_json(findings: Sequence[Finding], site: Site) -> str:
    """The same as JSON, the findings as ``sbctui audit --json`` prints them."""
    document = {
        "site": str(site.path),
        "at": _iso(datetime.fromtimestamp(site.facts.now, UTC)),
        "findings": [as_json(one) for one in findings],
    }
    return json.dumps(document, indent=2) + "\n"


def as_json(one: Finding) -> dict[str, Any]:
    """The ``finding`` object of docs/cli.md."""
    since = datetime.fromtimestamp(one.since, UTC) if one.since else None
    kept = one.kept
    return {
        "id": one.id,
        "group": one.group,
        "subject": one.subject,
        "title": one.title,
        "why": one.why,
        "proof": one.proof,
        "bytes": one.bytes,
        "since": _iso(since) if since else None,
        "fixable": one.fix is not None,
        "fix": one.fix_title,
        "safe": one.safe,
        "unfixable": one.unfixable,
        "trash": one.trash.title if one.trash else None,
        "kept": {"note": kept.note, "until": kept.until.isoformat(), "made": _iso(kept.made),
                 "by": kept.by} if kept else None,
        "lapsed": one.lapsed,
    }  # fmt: skip


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M}"
