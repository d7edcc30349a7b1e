"""Sizes, times, plans and reports as text; pure, shared by the command line and the screens.

Everything that may come from outside goes through ``clean``; no result holds a control
character or a newline.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from sbctui.engine.model.amounts import size as size
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.plan import Plan, Report, Unit, UnitResult

_WINDOW = 60.0
_NAMED = re.compile(r"\S*\d\S*")
UNKNOWN = "--"
"""What stands for a time or rate nobody can tell yet."""

Span = tuple[str, str]
"""A piece of a screen line: clean text and a tone."""
Line = tuple[Span, ...]
"""A screen line; tones are ``""``, ``dim``, ``good``, ``warn``, ``bad``, ``head`` and ``key``."""


def age(seconds: float) -> str:
    """A span in its largest unit, at most four characters: ``3s``, ``14m``, ``5h``, ``12d``."""
    left = max(0, int(seconds))
    for unit, length in (("y", 365 * 86400), ("d", 86400), ("h", 3600), ("m", 60)):
        if left >= 2 * length or (unit != "y" and left >= length):
            return f"{left // length}{unit}"
    return f"{left}s"


def duration(seconds: float | None) -> str:
    """A span as a clock: ``0:09``, ``1:12``, ``2:03:00``; ``--`` for None."""
    if seconds is None:
        return UNKNOWN
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def rate(samples: Sequence[tuple[float, float]]) -> float | None:
    """Work per second over the last 60 s of ``(time, done)`` samples; None while unknown."""
    if not samples:
        return None
    last, done = samples[-1]
    first, before = next((s for s in samples if last - s[0] <= _WINDOW), samples[-1])
    if last - first < 1.0 or done <= before:
        return None
    return (done - before) / (last - first)


def eta(samples: Sequence[tuple[float, float]], total: float) -> float | None:
    """Seconds until ``total``, from ``(time, done)`` samples; None while unknown."""
    speed = rate(samples)
    if speed is None or total <= 0:
        return None
    return max(0.0, (total - samples[-1][1]) / speed)


def bar(done: float, total: float, width: int) -> str:
    """A bar in ASCII, ``width`` characters with its brackets: ``[####......]``."""
    inner = max(1, width - 2)
    full = int(inner * min(1.0, done / total)) if total > 0 else 0
    return "[" + "#" * full + "." * (inner - full) + "]"


def plural(count: int, noun: str) -> str:
    """``1 leaf``, ``3 leaves``, ``0 jobs``."""
    if count == 1:
        return f"1 {noun}"
    stem = noun[:-1] + "ves" if noun.endswith("f") else noun + "s"
    return f"{count} {stem}"


def cut(text: str, width: int) -> str:
    """The text in at most ``width`` characters; ``~`` at the end says that some is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "~"[: max(0, width)]


def says(text: str, query: str) -> bool:
    """Whether a text has all words of a filter, and none of those that begin with ``!``."""
    text = text.lower()
    return all(
        (t[1:] not in text) if t.startswith("!") and t[1:] else t in text
        for t in query.lower().split()
    )


def wrapped(lines: Iterable[Line], width: int) -> list[Line]:
    """The same lines in at most ``width`` columns; what is continued stands under its text."""
    made: list[Line] = []
    for line in lines:
        if sum(len(t) for t, _ in line) <= width:
            made.append(line)
        else:
            made += _continued(line, width)
    return made


def _continued(line: Line, width: int) -> Iterable[Line]:
    head, (text, tone) = line[:-1], line[-1]
    used = sum(len(t) for t, _ in head)
    blanks = len(text) - len(text.lstrip())
    indent = used if 0 < used < width // 2 else blanks + 2 * bool(blanks)
    first, *rest = textwrap.wrap(
        text.lstrip(),
        max(width, used + blanks + 10, indent + 10),
        initial_indent=" " * (used + blanks),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    ) or [""]
    yield (*head, (first[used:], tone))
    for part in rest:
        yield ((" " * indent, ""), (part[indent:], tone))


def plan_lines(plan: Plan, most: int = 12) -> list[str]:
    """The preview of a plan, one sentence a line, of its units at most ``most`` lines."""
    lines = [clean(plan.title)]
    lines += _elided([_unit(u) for u in plan.units if not u.always], most)
    lines += [_unit(u) for u in plan.units if u.always]
    if plan.needs:
        lines.append(f"  needs {size(plan.needs)} of disk")
    if plan.frees:
        lines.append(f"  frees {size(plan.frees)} of disk")
    lines += _notes(plan.notes)
    if plan.command:
        lines.append(f"  $ {clean(plan.command)}")
    return lines


_OF_BYTES = ("data", "bytes", "fetched", "kept")
"""What units tell of themselves in bytes."""


def report_lines(report: Report) -> list[str]:
    """What became of a plan: the counts first, then whatever did not stand, with its reason."""
    done, failed, skipped = (report.of(o) for o in ("done", "failed", "skipped"))
    counts = [f"{len(done)} done"]
    counts += [f"{len(failed)} failed"] if failed else []
    counts += [f"{len(skipped)} skipped"] if skipped else []
    lines = [f"{clean(report.title)}: {', '.join(counts)}"]
    lines += [f"  {clean(report.error)}"] if report.error else []
    lines += [f"  failed   {_result(r)}: {clean(r.error.removeprefix(_said(r)))}" for r in failed]
    lines += [f"  skipped  {_result(r)}" for r in skipped]
    said: dict[tuple[str, str], list[UnitResult]] = {}
    for result in done:
        for item in result.data.items():
            said.setdefault(item, []).append(result)
    for (key, value), those in said.items():
        who = _result(those[0]) + (f" and {len(those) - 1} more" if len(those) > 1 else "")
        shown = size(int(value)) if key in _OF_BYTES and value.isdecimal() else clean(value)
        lines.append(f"  {who}: {clean(key)} {shown}")
    return lines


def _said(result: UnitResult) -> str:
    """How an error begins that names its unit itself."""
    return f"{result.title}: "


def _notes(notes: Sequence[str]) -> list[str]:
    """The notes; of many that differ in names and numbers only, the first two."""
    lines: list[str] = []
    for _, alike in groupby(notes, lambda note: _NAMED.sub("", note)):
        those = list(alike)
        lines += [f"  note: {clean(note)}" for note in those[:2]]
        if len(those) > 2:
            lines.append(f"  ... {len(those) - 2} more notes like these ...")
    return lines


def _unit(unit: Unit) -> str:
    detail = f"  {clean(unit.detail)}" if unit.detail else ""
    return f"  {clean(unit.title)}{detail}"


def _result(result: UnitResult) -> str:
    return clean(result.title or result.node)


def _elided(lines: list[str], most: int) -> list[str]:
    if len(lines) <= max(3, most):
        return lines
    head = max(1, most - 2)
    left = len(lines) - head - 1
    return [*lines[:head], f"  ... {left} more ...", lines[-1]]
