"""One boot as lines: its stages, its files, where it stopped and why; pure.

Every sign can be read without colour.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line, Span
from sbctui.screens.home_lines import calm_age
from sbctui.screens.totals import once_per

if TYPE_CHECKING:
    from sbctui.engine.model.boots import Fetched, Stage, Timeline
    from sbctui.messages import World

SIGNS = {"done": "=", "now": "..", "failed": "!", "waiting": "-"}
TONES = {
    "stopped": "bad",
    "booting": "warn",
    "running": "good",
    "up": "good",
    "off": "dim",
    "done": "",
    "now": "warn",
    "failed": "bad",
    "waiting": "dim",
}
"""Tones of boots' states and of stages'."""
LEGEND = " = done  .. now  ! stopped here  - not yet "
_HOUR = 3600


def _boots(world: World) -> tuple[object, ...]:
    return (world.boots,)


@once_per(_boots)
def newest(world: World) -> Mapping[str, Timeline]:
    """MAC → its newest boot."""
    return {line.mac: line for line in world.boots or ()}


def boot_of(world: World, name: str) -> Timeline | None:
    """The newest boot of a node (by its folder), if one is known."""
    node = world.site.nodes.get(name) if world.site else None
    return newest(world).get(node.config.mac or "") if node else None


def took(seconds: float) -> str:
    """A duration in at most five characters: ``0.4s``, ``41s``, ``1:12``, ``2h``."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    if seconds < 99.5:
        return f"{seconds:.0f}s"
    return fmt.duration(seconds) if seconds < _HOUR else fmt.age(seconds)


def cell(line: Timeline, stage: Stage, room: int = 8) -> Span:
    """A stage's sign in ``room`` columns, with its seconds where they tell something.

    Those of a board that only does not answer by ssh would count for as long as it runs.
    """
    sign, tone = SIGNS[stage.state], TONES[stage.state]
    counts = stage.state == "done" or (stage.state == "now" and line.state == "booting")
    if not counts or stage.seconds is None:
        return sign, tone
    text = sign + took(stage.seconds)
    if len(text) > room:
        text = sign + fmt.age(stage.seconds)
    return fmt.cut(text, room), tone


def name(line: Timeline) -> str:
    """What a board is called: its shown name, else its MAC."""
    return clean(line.hostname) or line.mac


def title_of(line: Timeline) -> str:
    """The stage where it is or stopped, in words."""
    return next(stage.title for stage in line.stages if stage.name == line.stage)


def brief(line: Timeline, now: float) -> str:
    """A boot in one sentence: how it stands, since when, and why it stopped."""
    ago = f"{calm_age(now - line.began)} ago"
    why = f": {clean(line.reason)}" if line.reason else ""
    if line.state == "stopped":
        return f"stopped at {title_of(line)}, began {ago}{why}"
    if line.state == "booting":
        return f"booting, at {title_of(line)}{why}"
    if line.state == "up":
        return f"up after {took(line.seconds)}, began {ago}"
    return f"{line.state}, began {ago}{why}"


def whole(line: Timeline) -> Iterator[Line]:
    """A whole boot: when, how it stands, why; a line a stage, a line a file."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.began))
    address = f" with {clean(line.ip)}" if line.ip else ""
    state = f"{line.state} at {title_of(line)}" if line.state == "stopped" else line.state
    yield ((f"Boot of {when}{address}: ", "key"), (state, TONES[line.state]))
    if line.reason:
        yield (("  ", ""), (clean(line.reason), TONES[line.state]))
    for stage in line.stages:
        yield from _stage(line, stage)


def _stage(line: Timeline, stage: Stage) -> Iterator[Line]:
    sign, tone = cell(line, stage)
    yield ((f"  {stage.title:<12}", ""), (f"{sign:<8}", tone), (_detail(line, stage), "dim"))
    if stage.name == "files":
        wide = max((len(clean(one.path)) for one in line.files), default=0)
        for file in line.files:
            yield _file(file, min(32, wide))
        if line.left_out:
            yield ((f"      {line.left_out} more files were not kept", "dim"),)


def _detail(line: Timeline, stage: Stage) -> str:
    return files(line) if stage.name == "files" else clean(stage.detail)


def files(line: Timeline) -> str:
    """Its files as counts: ``23 sent, 21M, 2 not there``; empty without any."""
    sent = [one for one in line.files if one.outcome == "sent"]
    counts = [f"{len(sent)} sent, {fmt.size(sum(one.size or 0 for one in sent))}"] if sent else []
    for outcome, words in (("missing", "not there"), ("failed", "failed")):
        count = sum(1 for one in line.files if one.outcome == outcome)
        counts += [f"{count} {words}"] if count else []
    return ", ".join(counts)


def _file(file: Fetched, wide: int) -> Line:
    path = f"{clean(file.path):<{wide}}"
    times = f"  {file.times} times" if file.times > 1 else ""
    if file.outcome != "sent":
        what = "not there" if file.outcome == "missing" else f"failed: {clean(file.why)}"
        tone = "warn" if file.outcome == "missing" else "bad"
        return ((f"    ! {path}  ", tone), (what + times, tone))
    size = fmt.size(file.size) if file.size is not None else "-"
    seconds = took(file.seconds) if file.seconds is not None else "-"
    return ((f"    = {path}  ", ""), (f"{size:>5} {seconds:>5}{times}", "dim"))
