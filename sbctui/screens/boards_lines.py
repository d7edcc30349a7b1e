"""The wall of boards: which rows, in what order, and their lines; pure.

A key is ``ask:MAC``, ``ignored:MAC``, ``boot:MAC`` or ``group:WHAT``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line, Span
from sbctui.screens import seen_lines
from sbctui.screens.boot_lines import LEGEND, TONES, cell, files, name, newest, took
from sbctui.screens.home_lines import asking, calm_age, name_of
from sbctui.screens.totals import once_per, totals

if TYPE_CHECKING:
    from sbctui.engine.model.boots import Timeline
    from sbctui.engine.model.roster import Ignored
    from sbctui.engine.model.site import Seen, Site
    from sbctui.messages import World

ORDERS = ("state", "name", "age", "time")
"""What the boards can be sorted by."""
_STAGES = ("ASKED", "ADDR", "FILES", "DISK", "WRITE", "UP")
_URGENT = ("stopped", "booting", "running", "up", "off", "none")
_NAME, _STATE, _AGE = 12, 8, 5
_REASON = 24
_LABEL = 9


def _ignored_in(site: Site) -> tuple[object, ...]:
    return (site.roster,)


@once_per(_ignored_in)
def ignored(site: Site) -> Mapping[str, Ignored]:
    """MAC → the board that is ignored."""
    return {one.mac: one for one in site.roster.ignored}


def owner(site: Site, mac: str) -> str:
    """The folder of the node with a MAC; empty when there is none."""
    return next(iter(site.by_mac.get(mac, ())), "")


def called(world: World, mac: str) -> str:
    """A board's shown name, else its MAC."""
    node = owner(world.site, mac) if world.site else ""
    return clean(world.site.nodes[node].config.hostname) if world.site and node else mac


# ── which rows ────────────────────────────────────────────────────────────────────────────


def rows(world: World, order: str, query: str, *, with_ignored: bool) -> Sequence[str]:
    """The keys of all rows that a filter lets through: who asks, who is ignored, the boards."""
    site = world.site
    if site is None:
        return ()
    groups = [
        ("asking", [f"ask:{mac}" for mac in asking(site)]),
        ("ignored", [f"ignored:{mac}" for mac in ignored(site)] if with_ignored else ()),
        ("boards", _boards((world, order))),
    ]
    keys: list[str] = []
    for group, members in groups:
        left = [k for k in members if fmt.says(_text(world, k), query)] if query else members
        keys += [f"group:{group}", *left] if left else []
    return keys


def _asked(asked: tuple[World, str]) -> tuple[object, ...]:
    world, order = asked
    return world.boots, world.site.nodes if world.site else None, order


@once_per(_asked)
def _boards(asked: tuple[World, str]) -> Sequence[str]:
    """Every board that has a node or had a boot, in an order."""
    world, order = asked
    site, known = world.site, newest(world)
    if site is None:
        return ()
    rank = totals(site).rank
    place = {mac: rank[names[0]] for mac, names in site.by_mac.items() if mac}
    macs = sorted(known.keys() | place.keys(), key=lambda mac: (place.get(mac, len(rank)), mac))
    if order == "state":
        macs.sort(key=lambda mac: _URGENT.index(state(known.get(mac))))
    elif order == "age":
        macs.sort(key=lambda mac: -known[mac].began if mac in known else 0)
    elif order == "time":
        macs.sort(key=lambda mac: -known[mac].seconds if mac in known else 0)
    return [f"boot:{mac}" for mac in macs]


def state(line: Timeline | None) -> str:
    """A boot's state in one word; ``none`` when no boot is known."""
    return line.state if line else "none"


def counts(world: World) -> str:
    """How many boards stopped, boot, run: only what occurs."""
    found: dict[str, int] = {}
    for line in world.boots or ():
        found[line.state] = found.get(line.state, 0) + 1
    return ", ".join(f"{found[one]} {one}" for one in _URGENT if one in found)


def _text(world: World, key: str) -> str:
    kind, mac, site = key.partition(":")[0], name_of(key), world.site
    assert site is not None
    if kind == "ask":
        return f"{mac} asks {seen_lines.tells(asking(site)[mac])}"
    if kind == "ignored":
        return f"{mac} ignored {ignored(site)[mac].note}"
    line = newest(world).get(mac)
    said = f"{line.ip} {line.stage} {line.reason}" if line else ""
    return f"{mac} {called(world, mac)} {state(line)} {said}"


# ── their lines ───────────────────────────────────────────────────────────────────────────


def head(width: int) -> Line:
    """The column names of the boards."""
    wide, stage, why = _widths(width)
    titles = "".join(f"{fmt.cut(title, stage - 1):<{stage}}" for title in _STAGES)
    tail = f"{'STATE':<{_STATE}}{'AGE':>{_AGE - 1}} {'WHY' if why else ''}"
    return ((f"{'BOARD':<{wide}}{titles}{tail}", "dim"),)


def _widths(width: int) -> tuple[int, int, int]:
    """Columns of the name, of one stage, and of the reason, which may have no room."""
    stage = 8 if width >= 100 else 7 if width >= _NAME + 42 + _STATE + _AGE else 5
    room = width - 6 * stage - _STATE - _AGE
    if room >= 18 + _REASON:
        return 18, stage, room - 18
    return max(6, room), stage, 0


def draw(world: World, key: str, width: int) -> Line:
    """One row."""
    kind, mac, site = key.partition(":")[0], name_of(key), world.site
    if site is None:
        return ()
    if kind == "group":
        return ((_heading(world, mac), "head"),)
    if kind == "ask":
        unknown = asking(site).get(mac)
        return _asks(unknown, site.facts.now) if unknown else ()
    if kind == "ignored":
        one = ignored(site).get(mac)
        return _is_ignored(one, site.facts.now) if one else ()
    return _board(world, site, mac, width)


def _heading(world: World, group: str) -> str:
    site = world.site
    assert site is not None
    if group == "asking":
        return f"{len(asking(site))} unknown, asking  TIMES   AGO  WHAT IT TELLS"
    if group == "ignored":
        return f"{len(ignored(site))} ignored         SINCE  NOTE"
    told = counts(world)
    return "Boards" + (f": {told}" if told else "")


def _asks(seen: Seen, now: float) -> Line:
    ago = calm_age(now - seen.last)
    count = f"{min(seen.count, 99_999)}x"
    return (
        (f"{clean(seen.mac):<18}", "warn"),
        (f"{count:>6} {ago:>5}  ", "dim"),
        (seen_lines.tells(seen) or "nothing but its MAC", ""),
    )


def _is_ignored(one: Ignored, now: float) -> Line:
    since = calm_age(now - one.made.timestamp())
    return ((f"{one.mac:<18}", "dim"), (f"{since:>4}  ", "dim"), (clean(one.note), "dim"))


def _board(world: World, site: Site, mac: str, width: int) -> Line:
    wide, stage, why = _widths(width)
    line = newest(world).get(mac)
    first: Span = (f"{fmt.cut(called(world, mac), wide - 1):<{wide}}", "" if line else "dim")
    if line is None:
        return (first, ("no boot seen yet", "dim"))
    spans: list[Span] = [first]
    for one in line.stages:
        text, tone = cell(line, one, stage - 1)
        spans.append((f"{text:<{stage}}", tone))
    spans.append((f"{line.state:<{_STATE}}", TONES[line.state]))
    spans.append((f"{calm_age(site.facts.now - line.began):>{_AGE - 1}} ", "dim"))
    if why:
        spans.append((fmt.cut(clean(line.reason), why), "" if line.state == "stopped" else "dim"))
    return tuple(spans)


# ── the one under the cursor ──────────────────────────────────────────────────────────────


def story(world: World, key: str) -> list[Line]:
    """What the foot says of a row, the most wanted first: the room is small."""
    kind, mac, site = key.partition(":")[0], name_of(key), world.site
    if site is None or not key:
        return []
    if kind == "ask" and mac in asking(site):
        return list(_story_of_unknown(asking(site)[mac], site.facts.now))
    if kind == "ignored" and mac in ignored(site):
        note = clean(ignored(site)[mac].note)
        said = "ignored: not shown when it asks" + (f" ({note})" if note else "")
        return [((mac, "key"), (f"  {said}", "")), (("i lets it be seen again", "dim"),)]
    if kind == "boot":
        return list(_story_of_board(world, site, mac))
    return [((LEGEND.strip(), "dim"),)]


def _story_of_unknown(seen: Seen, now: float) -> Iterator[Line]:
    first, last = (calm_age(now - at) for at in (seen.first, seen.last))
    yield ((clean(seen.mac), "key"), ("  asks for an address and has no node", "warn"))
    yield _labelled("asked", f"{seen_lines.times(seen)}, first {first} ago, last {last} ago")
    for label, text in seen_lines.told(seen):
        yield _labelled(label, text)


def _story_of_board(world: World, site: Site, mac: str) -> Iterator[Line]:
    line = newest(world).get(mac)
    node = owner(site, mac)
    ip = f"  {line.ip}" if line and line.ip else ""
    what = "" if node else "  has no node any more"
    yield ((called(world, mac), "key"), (f"  {mac}{ip}{what}" if node else f"{ip}{what}", "dim"))
    if line is None:
        yield (("no boot of it is known; boots are followed while the services run", "dim"),)
        return
    said = f": {clean(line.reason)}" if line.reason else f" after {took(line.seconds)}"
    yield ((line.state, TONES[line.state]), (said, ""))
    if told := files(line):
        yield _labelled("files", told)
    missing = [clean(one.path) for one in line.files if one.outcome != "sent"]
    if missing and line.state != "up":
        yield _labelled("! not got", ", ".join(missing))


def _labelled(label: str, text: str) -> Line:
    return ((f"{label:<{_LABEL}} ", "dim"), (clean(text), ""))


def copied(world: World, keys: Iterable[str]) -> tuple[str, str]:
    """What ``y`` copies of rows: the whole story of one, the MACs of many; and its name."""
    chosen = [key for key in keys if not key.startswith("group:")]
    if len(chosen) != 1:
        return "\n".join(map(name_of, chosen)), f"{len(chosen)} MACs"
    mac = name_of(chosen[0])
    line = newest(world).get(mac)
    if line is not None and chosen[0].startswith("boot:"):
        from sbctui import bootlines

        return "\n".join(bootlines.lines(line)), f"the boot of {name(line)}"
    told = ["".join(text for text, _ in one).strip() for one in story(world, chosen[0])]
    return "\n".join(told), mac
