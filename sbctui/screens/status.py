"""The status line, the footer and the services' lines; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.actions import BY_ID, FOOTER
from sbctui.engine.model.text import clean
from sbctui.format import Line, Span
from sbctui.screens.home_lines import wrong

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.model.site import Site
    from sbctui.engine.services.port import Status
    from sbctui.messages import World

_TONES = {"running": "good", "failing": "bad", "stopped": "warn", "starting": "warn", "off": "dim"}
_COUNTED = {"orphan": "orphans", "broken": "broken", "stray": "strays"}


def status(world: World) -> tuple[Line, Line]:
    """What is wrong, always in view, and at the right the jobs that run."""
    faults = [f"! {text}" for text in _faults(world)]
    running = [j for j in world.jobs if j.running]
    right: Line = ()
    if running:
        part = sum(j.done + j.failed for j in running), sum(j.total for j in running)
        right = ((f"{fmt.plural(len(running), 'job')} {part[0]}/{part[1]} ", "key"),)
    if faults:
        return ((f" {'  '.join(faults)}", "bad"), ("   o: audit", "dim")), right
    if world.site is None or world.findings is None:
        return ((" looking ...", "dim"),), right
    return ((" ok: nothing wrong found", "good"),), right


def _faults(world: World) -> list[str]:
    parts: list[str] = []
    counts = wrong(world.site) if world.site else {}
    for name, (count, size) in counts.items():
        noun = name.removesuffix("s") if count == 1 else name
        parts.append(f"{count} {noun} {fmt.size(size)}")
    parts += _findings(world.findings or (), counts)
    down = [s for s in world.services if s.state in ("failing", "stopped")]
    parts += [f"{clean(s.name)} {s.state}" for s in down]
    interrupted = sum(1 for j in world.jobs if j.state == "interrupted")
    parts += [f"{fmt.plural(interrupted, 'job')} interrupted"] if interrupted else []
    return parts


def _findings(findings: Sequence[Finding], counted: dict[str, tuple[int, int]]) -> list[str]:
    """Counts of the audit's groups that a look at the folders alone does not give."""
    groups: dict[str, int] = {}
    for finding in findings:
        if _COUNTED.get(finding.group) not in counted and finding.group != "service":
            groups[finding.group] = groups.get(finding.group, 0) + 1
    return [f"{count} {group}" for group, count in groups.items()]


def footer(site: Site | None, names: Sequence[str], width: int) -> Line:
    """The keys that apply now, as many as fit; what is not possible stands in brackets."""
    from sbctui.screens.reasons import why_not

    spans: list[Span] = []
    used = 0
    for name in FOOTER:
        action = BY_ID[name]
        length = len(action.shown) + len(action.label) + 3
        if used + length > width:
            break
        used += length
        if site is not None and why_not(name, site, names) is None:
            spans += [(" ", ""), (action.shown, "head"), (f" {action.label} ", "")]
        else:
            spans.append((f"({action.shown} {action.label})", "dim"))
    return tuple(spans)


def service_rows(services: Sequence[Status]) -> list[tuple[str, ...]]:
    """Names of services per line: those that run share one, the others have one each."""
    running = tuple(s.name for s in services if s.state == "running")
    rows: list[tuple[str, ...]] = [(s.name,) for s in services if s.state != "running"]
    return [*rows, running] if running else rows


def service_line(services: Sequence[Status], names: Sequence[str], now: float) -> Line:
    """One line for the services of one row."""
    spans: list[Span] = []
    for service in services:
        if service.name not in names:
            continue
        tone = _TONES[service.state]
        spans += [(f"{clean(service.name)} ", ""), (service.state, tone)]
        if service.state == "running" and service.since:
            spans.append((f" {fmt.age(60 * ((now - service.since) // 60)):<4}", "dim"))
        if service.restarts:
            spans.append((f" {fmt.plural(service.restarts, 'restart')}", "warn"))
        if service.detail and service.state != "running":
            spans.append((f": {clean(service.detail)}", ""))
        spans.append(("  ", ""))
    return tuple(spans[:-1])
