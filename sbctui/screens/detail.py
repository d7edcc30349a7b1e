"""Everything one would ask about a row of the home screen, as lines; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.home_lines import asking, board, calm_age, name_of, seen, up_in
from sbctui.screens.looking import File, Look
from sbctui.screens.seen_lines import times, told
from sbctui.screens.totals import kept, totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sbctui.engine.jobfolder import Job
    from sbctui.engine.model.boots import Timeline
    from sbctui.engine.model.site import Node, Site

RULES = {
    "explicit": "given by hand",
    "resolver": "from the system's resolver",
    "number": "from the name's number",
    "next": "the next free one",
}
"""The rules that choose an address, in words."""
STATE_WORDS = {
    "unallocated": "a root, not allocated",
    "allocated": "a root, allocated to one board",
    "parent": "a root with leaves",
    "leaf": "a leaf",
    "orphan": "an ORPHAN: a leaf that no root lists; the audit (o) has the fix",
    "mis-parented": "MIS-PARENTED: a root that stands in another's children; see the audit (o)",
    "broken": "BROKEN; see the audit (o)",
    "half-made": "half-made",
}
"""The derived states in words."""
_BOARDS = {"dhcp": "has an address, but not its disk", "down": "not connected"}


@dataclass(frozen=True)
class About:
    """A node, the site it stands in, what was looked up for it, its board's newest boot."""

    site: Site
    node: Node
    look: Look
    boot: Timeline | None


def detail(site: Site, key: str, look: Look, boot: Timeline | None = None) -> list[Line]:
    """The lines for a key of ``home_lines``; one line when it is gone.

    ``boot`` is the newest one of the node's board, if any is known.
    """
    kind, name = key.partition(":")[0], name_of(key)
    if name in site.broken and kind != "group":
        broken = site.broken[name]
        return [_head(name), _row("state", STATE_WORDS["broken"]), _row("why", broken.reason)]
    if name in site.nodes:
        about = About(site, site.nodes[name], look, boot)
        return [line for part in PARTS for line in part(about)]
    if kind == "seen":
        return list(_seen(site, name))
    if kind == "stray":
        return [_head(name), _row("what", "no node: reported, never deleted unasked")]
    if kind == "group":
        return [_head(name), _row("what", "enter opens; o shows each with its fix")]
    return [_head(name or "nothing"), _row("state", "gone")] if name else []


def address(site: Site, key: str) -> str:
    """The name, MAC and address of a row, to be pasted elsewhere."""
    node = site.nodes.get(name_of(key))
    if node is None:
        return "" if key.startswith("group:") else clean(name_of(key))
    parts = (node.config.hostname, node.config.mac or "", str(node.config.ip or ""))
    return " ".join(filter(None, map(clean, parts)))


def _head(text: str) -> Line:
    return ((clean(text), "head"),)


def _row(label: str, text: str, tone: str = "") -> Line:
    return ((f"{label:<8} ", "dim"), (clean(text), tone))


def _rows(label: str, *texts: str, tone: str = "") -> Iterator[Line]:
    for place, text in enumerate(texts):
        yield _row(label if not place else "", text, tone)


def _identity(about: About) -> Iterator[Line]:
    site, c = about.site, about.node.config
    state = site.state(c.name)
    yield _head(c.hostname if c.hostname == c.name else f"{c.hostname}  ({c.name})")
    bad = "bad" if state in ("orphan", "mis-parented") else ""
    yield _row("state", STATE_WORDS[state], bad)
    if c.kind == "leaf":
        listed = site.listed_by.get(c.name, ())
        yield _row("root", ", ".join(listed) or f"none (was {c.parent})")
    elif c.children:
        up = up_in(site).get(c.name, 0)
        held = fmt.size(totals(site).held[c.name])
        yield _row("leaves", f"{len(c.children)}, {up} up, {held} on disk")
    if c.mac:
        yield _row("MAC", c.mac)
        rule = f", {RULES[c.ip_rule]}" if c.ip_rule else ""
        yield _row("address", f"{c.ip}{rule}" if c.ip else "none: the site has no subnet")


def _board(about: About) -> Iterator[Line]:
    site, node = about.site, about.node
    for session in site.sessions_of.get(node.config.export, ()):
        since = calm_age(site.facts.now - session.since)
        moved = f"{fmt.size(session.bytes_read)} read, {fmt.size(session.bytes_written)} written"
        yield from _rows("board", f"up {since} from {session.address}", moved, tone="good")
        return
    state = board(site, node)
    if state:
        heard = seen(site, node)
        ago = "" if heard == "-" else f", seen {heard} ago"
        yield _row("board", _BOARDS[state] + ago, "warn" if state == "dhcp" else "")


def _boot(about: About) -> Iterator[Line]:
    if about.boot is not None:
        from sbctui.screens.boot_lines import TONES, brief

        tone = TONES[about.boot.state] if about.boot.state == "stopped" else ""
        yield _row("boot", brief(about.boot, about.site.facts.now), tone)


def _words(about: About) -> Iterator[Line]:
    c = about.node.config
    for label, value in (("group", c.group), ("notes", c.notes)):
        if value:
            yield _row(label, value)


def _disk(about: About) -> Iterator[Line]:
    node = about.node
    spec = node.config.disk
    if node.disk is None:
        yield _row("disk", f"MISSING: {spec.file}", "bad")
        return
    base = f" on {spec.base}" if spec.base else ""
    how = f", {node.config.store}" if node.config.store else ""
    own = about.look.exclusive
    alone = f", {fmt.size(own)} of it alone" if own is not None and own != kept(node) else ""
    yield from _rows(
        "disk",
        f"{spec.file}{base}{how}, {spec.filesystem or 'no file system'}",
        f"{fmt.size(spec.size)}, of which it holds {fmt.size(kept(node))}{alone}",
    )
    if node.config.promise == "crash-consistent":
        yield _row("", "copied while in use: as after a power cut, repaired and checked", "warn")


def _laid(about: About) -> Iterator[Line]:
    for place, (text, tone) in enumerate(about.look.laid):
        yield _row("overlay" if not place else "", text, tone)


def _made(about: About) -> Iterator[Line]:
    c = about.node.config
    origin = f" from {c.cloned_from}" if c.cloned_from else ""
    yield _row("made", f"{c.created:%Y-%m-%d %H:%M} UTC{origin}")
    if c.personalised:
        yield _row("own", ", ".join(c.personalised))
    if c.boot.kernel:
        yield _row("boots", " ".join(filter(None, (c.boot.kernel, c.boot.initramfs, c.boot.arch))))


def _files(about: About) -> Iterator[Line]:
    look = about.look
    yield _row("files", str(about.site.node_path(about.node.name)))
    if look.late:
        yield _row("", f"no answer for {look.late} s", "bad")
    if look.trouble:
        yield _row("", look.trouble, "bad")
    wide = max((len(clean(f.name)) for f in look.files), default=0)
    for file in look.files:
        yield _row("", f"{clean(file.name):<{min(24, wide)}}  {_size(file)}")


def _size(file: File) -> str:
    if file.name.endswith("/"):
        return f"{fmt.plural(file.inside, 'file')}, {fmt.size(file.apparent)}"
    holes = file.allocated < file.apparent - 4096
    return fmt.size(file.apparent) + (f", {fmt.size(file.allocated)} on disk" if holes else "")


def _history(about: About) -> Iterator[Line]:
    yield from jobs(about.look.history, about.site.facts.now)


def jobs(found: Iterable[Job], now: float) -> Iterator[Line]:
    """The last jobs about a node: when, how they ended, what they were."""
    from sbctui.screens.job_view import outcome, view

    for place, job in enumerate(found):
        ended = "running" if not job.finished else outcome(view(job))
        when = calm_age(now - job.started)
        yield _row("jobs" if not place else "", f"{when:>3} ago  {ended}  {job.title}")


PARTS: tuple[Callable[[About], Iterator[Line]], ...] = (
    _identity, _board, _boot, _words, _disk, _laid, _made, _files, _history,
)  # fmt: skip
"""What is told of a node, in order; a part without anything to say gives no line."""


def _seen(site: Site, mac: str) -> Iterator[Line]:
    seen = asking(site).get(mac)
    yield _head(mac)
    yield _row("state", "an unknown board: it asks for an address and has no node", "warn")
    if seen is not None:
        first, last = (fmt.age(site.facts.now - t) for t in (seen.first, seen.last))
        yield _row("asked", f"{times(seen)}, first {first} ago, last {last} ago")
        for label, text in told(seen):
            yield _row(label, text)
    yield _row("then", "b makes it a leaf, a on a root gives it that root; w shows all boards")
