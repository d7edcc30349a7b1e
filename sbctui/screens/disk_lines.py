"""The disk pane: the file system, where its free space is going, and who holds what; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.home_lines import wrong
from sbctui.screens.totals import Totals, kept, totals

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

Sample = tuple[float, int]
"""Epoch seconds and free bytes."""

_EVERY, _SAMPLES = 60.0, 24 * 60
_LEAST_SPAN = 600.0
_RAMP = "_.-=+*#"
_TIGHT = 20
"""The disk is tight when less than a twentieth is free."""


def sampled(samples: tuple[Sample, ...], site: Site) -> tuple[Sample, ...]:
    """The samples with this moment's, at most one a minute, of at most a day."""
    now = site.facts.now
    if samples and now - samples[-1][0] < _EVERY:
        return samples
    return (*samples[-_SAMPLES:], (now, site.facts.free_bytes))


def disk_lines(site: Site, samples: Sequence[Sample], width: int) -> list[Line]:
    """The pane's lines, the most wanted first."""
    first = (_file_system(site, width), _sums(site))
    return [*first, *_trend(site, samples, width), *_held(site, width)]


def _file_system(site: Site, width: int) -> Line:
    facts = site.facts
    used = facts.total_bytes - facts.free_bytes
    where = f"{facts.filesystem or '?'}, {facts.store} "
    percent = 100 * used // max(1, facts.total_bytes)
    tail = f" {percent}% of {fmt.size(facts.total_bytes)}, {fmt.size(facts.free_bytes)} free"
    length = max(8, min(40, width - len(where) - len(tail)))
    tight = facts.free_bytes * _TIGHT < facts.total_bytes
    return (
        (where, ""),
        (fmt.bar(used, facts.total_bytes, length), "head"),
        (tail, "bad" if tight else ""),
    )


def _sums(site: Site) -> Line:
    lost = wrong(site).get("orphans", (0, 0))[1]
    trash = sum(t.allocated for t in site.trash)
    sums = totals(site)
    parts = [
        f"roots {fmt.size(sums.roots)}",
        f"leaves {fmt.size(sums.leaves)} of {fmt.size(sums.sparse)}",
        *([f"trash {fmt.size(trash)}"] if site.trash else []),
    ]
    return (("  ".join(parts), ""), (f"  orphans {fmt.size(lost)}" if lost else "", "bad"))


def _trend(site: Site, samples: Sequence[Sample], width: int) -> Iterator[Line]:
    """How free space went since the console began; nothing before there is something to say."""
    if len(samples) < 2 or samples[-1][0] - samples[0][0] < _LEAST_SPAN:
        return
    span = samples[-1][0] - samples[0][0]
    less = samples[0][1] - samples[-1][1]
    if abs(less) * 1000 < site.facts.total_bytes:
        return
    text = f" {fmt.size(abs(less))} {'less' if less > 0 else 'more'} free in {fmt.age(span)}"
    if less > 0:
        text += f", full in {fmt.age(site.facts.free_bytes * span / less)} at this rate"
    length = max(0, min(24, width - len(text) - 8))
    yield (("used  ", "dim"), (_spark(site, samples, length), "head"), (text, ""))


def _spark(site: Site, samples: Sequence[Sample], length: int) -> str:
    """Used space from left to right, between its least and its most, in ASCII."""
    if length < 8:
        return ""
    used = [site.facts.total_bytes - free for _, free in samples]
    low, high = min(used), max(used)
    picked = (used[i * (len(used) - 1) // (length - 1)] for i in range(length))
    steps = len(_RAMP) - 1
    shown = "".join(_RAMP[(u - low) * steps // max(1, high - low)] for u in picked)
    return f"[{shown}]"


def _held(site: Site, width: int) -> Iterator[Line]:
    """A bar for each root: its own disk, and what its leaves hold."""
    sums = totals(site)
    largest = max((_whole(sums, r) for r in site.roots), default=0)
    room = max(8, min(20, width - 40))
    for root in sorted(site.roots, key=lambda r: _whole(sums, r), reverse=True):
        text = f" {fmt.size(kept(root))} of {fmt.size(root.config.disk.size)}"
        count = len(sums.inside[root.name])
        if count:
            text += f" + {fmt.size(sums.held[root.name])} in {fmt.plural(count, 'leaf')}"
        length = min(32, width - room - 1 - len(text))
        shown = _parts(kept(root), sums.held[root.name], largest, length) if length >= 8 else ""
        yield ((f"{fmt.cut(clean(root.name), room):<{room}} ", ""), (shown, "head"), (text, "dim"))


def _whole(sums: Totals, root: Node) -> int:
    return kept(root) + sums.held[root.name]


def _parts(own: int, held: int, largest: int, width: int) -> str:
    """``#`` is the root's own disk, ``=`` its leaves', beside the largest root."""
    inner = width - 2
    whole = inner * (own + held) // max(1, largest)
    first = min(whole, -(-inner * own // max(1, largest)))
    return "[" + ("#" * first + "=" * (whole - first)).ljust(inner, ".") + "]"
