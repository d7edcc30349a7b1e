"""The status line, the footer and the services' lines; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.actions import BY_NAME, FOOTERS
from sbctui.engine.model.text import clean
from sbctui.format import Line, Span
from sbctui.screens.help import keys_that_fit
from sbctui.screens.home_lines import calm_age, wrong
from sbctui.screens.totals import once_per

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site
    from sbctui.engine.services.port import Status
    from sbctui.messages import World
    from sbctui.screens.offers import Offer

_TONES = {"running": "good", "failing": "bad", "stopped": "warn", "starting": "warn", "off": "dim"}
_COUNTED = {"orphan": "orphans", "broken": "broken", "stray": "strays"}


def status(world: World, width: int, audit: str) -> tuple[Line, Line]:
    """What is wrong, always in view, and at the right the jobs that run; ``audit`` is its key."""
    faults = _faults(world)
    running = [j for j in world.jobs if j.running]
    right: Line = ()
    if running:
        part = sum(j.done + j.failed for j in running), sum(j.total for j in running)
        right = ((f" {fmt.plural(len(running), 'job')} {part[0]}/{part[1]} ", "key"),)
    if faults:
        hint = f"   {audit}: audit" if audit else ""
        room = width - sum(len(t) for t, _ in right) - len(hint) - 1
        return ((f" {_that_fits(faults, room)}", "bad"), (hint, "dim")), right
    if world.site is None or world.findings is None:
        return ((" looking ...", "dim"),), right
    return ((" ok: nothing wrong found", "good"),), right


Fault = tuple[str, str]
"""What is wrong, and what can be left out where there is little room."""


def _that_fits(faults: Sequence[Fault], room: int) -> str:
    """All of it; without what can be left out; or the first, and how many more there are."""
    whole = "  ".join(f"! {text}{more}" for text, more in faults)
    if len(whole) <= room:
        return whole
    for count in range(len(faults), 0, -1):
        text = "  ".join(f"! {short}" for short, _ in faults[:count])
        left = len(faults) - count
        text += f"  ! {left} more" if left else ""
        if len(text) <= room:
            return text
    return fmt.cut(f"! {faults[0][0]}", room)


def _faults(world: World) -> list[Fault]:
    parts: list[Fault] = [(f"{name} can't be read", "") for name in world.errors]
    groups, left = _found(world)
    counts = wrong(world.site, left) if world.site else {}
    for name, (count, size) in counts.items():
        noun = name.removesuffix("s") if count == 1 else name
        parts.append((f"{count} {noun}", f" {fmt.size(size)}"))
    parts += [(text, "") for text in _down(world.services)]
    interrupted = sum(1 for j in world.jobs if j.undone)
    parts += [(f"{fmt.plural(interrupted, 'job')} interrupted", "")] if interrupted else []
    return parts + [(text, "") for text in _findings(groups, counts)]


def _down(services: Sequence[Status]) -> list[str]:
    if {s.state for s in services} - {"off"} == {"stopped"}:
        return ["services stopped"]
    down = [s for s in services if s.state in ("failing", "stopped")]
    return [f"{clean(s.name)} {s.state}" for s in down]


def _findings_of(world: World) -> tuple[object, ...]:
    return (world.findings,)


@once_per(_findings_of)
def _found(world: World) -> tuple[Mapping[str, int], frozenset[str]]:
    """Counts of the audit's groups, and what somebody keeps as it is."""
    groups: dict[str, int] = {}
    left: set[str] = set()
    for finding in world.findings or ():
        if finding.kept:
            left |= {finding.subject, *finding.nodes}
        else:
            groups[finding.group] = groups.get(finding.group, 0) + 1
    return groups, frozenset(left)


def _findings(groups: Mapping[str, int], counted: Mapping[str, tuple[int, int]]) -> list[str]:
    """The audit's groups that a look at the folders alone does not give."""
    own = {g: n for g, n in groups.items() if g != "service" and _COUNTED.get(g) not in counted}
    return [f"{count} {group}" for group, count in own.items()]


def kind(world: World, row: str) -> str:
    """What a row of home is, as ``actions.FOOTERS`` has it."""
    of, _, name = row.partition(":")
    site = world.site
    if of == "job":
        job = next((j for j in world.jobs if j.id == name), None)
        if job is None:
            return "job"
        return "running" if job.running else "undone" if job.undone else "job"
    if of == "leaf" and site is not None and site.state(name) == "orphan":
        return "orphan"
    return of if of in FOOTERS else ""


def footer(
    site: Site | None,
    names: Sequence[str],
    kind: str,
    first: Mapping[str, str],
    width: int,
    read_only: bool,
) -> Line:
    """The keys that apply now, as many as fit; what is not possible in brackets, if it fits.

    ``names`` are the nodes acted on, ``kind`` what the cursor stands on, ``first`` the keys shown
    for actions. Pure, for a thread.
    """

    def offer(name: str) -> Offer:
        action = BY_NAME[name]
        if not action.changes:
            return action, None
        if site is None or read_only:
            return action, "not now"
        from sbctui.screens.reasons import why_not  # loads the engine's rules

        return action, why_not(action.id, site, names)

    return keys_that_fit((offer(name) for name in ("any.help", *FOOTERS[kind])), first, width)


_UNASKED = ("http", "off")
"""Nobody misses it where the settings don't ask for it."""


def service_rows(services: Sequence[Status]) -> list[tuple[str, ...]]:
    """Names of services per line: those that run share one, and those that say the same."""
    rows: dict[tuple[str, str], tuple[str, ...]] = {}
    told = [s for s in services if (s.name, s.state) != _UNASKED]
    for service in sorted(told, key=lambda s: s.state == "running"):
        says = "" if service.state == "running" else service.detail
        rows[service.state, says] = (*rows.get((service.state, says), ()), service.name)
    return list(rows.values())


def service_line(services: Sequence[Status], names: Sequence[str], now: float) -> Line:
    """One line for the services of one row."""
    told = [s for s in services if s.name in names]
    if told and told[0].state != "running":
        state, detail = told[0].state, clean(told[0].detail)
        listed = ", ".join(clean(s.name) for s in told)
        return ((f"{listed} ", ""), (state, _TONES[state]), (f": {detail}" if detail else "", ""))
    spans: list[Span] = []
    for service in told:
        spans += [(f"{clean(service.name)} ", ""), ("running", _TONES["running"])]
        if service.since:
            spans.append((f" {calm_age(now - service.since):<4}", "dim"))
        if service.restarts:
            spans.append((f" {fmt.plural(service.restarts, 'restart')}", "warn"))
        spans.append(("  ", ""))
    return tuple(spans[:-1])
