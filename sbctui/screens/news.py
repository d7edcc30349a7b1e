"""What is new between two worlds, as lines for the log; pure."""

from __future__ import annotations

import time
from collections.abc import Iterator

from sbctui.engine.model.text import clean
from sbctui.messages import LogLine, World
from sbctui.screens.job_view import outcome


def news(before: World, after: World) -> tuple[LogLine, ...]:
    """A line for everything that happened between them."""
    now = after.site.facts.now if after.site else time.time()
    told = (
        *_boards(before, after, now),
        *_boots(before, after, now),
        *_services(before, after, now),
        *_jobs(before, after),
    )
    trouble = (
        LogLine(now, "bad", clean(text))
        for text in dict.fromkeys(after.errors.values())
        if text not in before.errors.values()
    )
    return (*told, *trouble)


def _boards(before: World, after: World, now: float) -> Iterator[LogLine]:
    if after.site is None or after.site is before.site:
        return
    old = before.site.facts if before.site else None
    known = {s.mac for s in old.seen} if old else set()
    for seen in after.site.facts.seen:
        if seen.mac not in known:
            yield LogLine(seen.last, "warn", f"{clean(seen.mac)} asks for an address: no node")
    if old is None or after.site.facts.serving != old.serving:
        return
    came = {(s.export, s.address) for s in after.site.facts.sessions}
    went = {(s.export, s.address) for s in old.sessions}
    for export, address in sorted(came - went):
        yield LogLine(now, "", f"{_name(after, export)} connected from {clean(address)}")
    for export, address in sorted(went - came):
        yield LogLine(now, "", f"{_name(after, export)} disconnected from {clean(address)}")


def _boots(before: World, after: World, now: float) -> Iterator[LogLine]:
    """Boots that stopped, and that came to their end."""
    if before.boots is None or after.boots is None or after.boots is before.boots:
        return
    from sbctui.screens.boot_lines import name, title_of, took

    old = {line.mac: (line.began, line.state) for line in before.boots}
    for line in after.boots:
        if old.get(line.mac) == (line.began, line.state):
            continue
        if line.state == "stopped":
            said = f"{name(line)} stopped at {title_of(line)}: {clean(line.reason)}"
            yield LogLine(now, "bad", said)
        elif line.state == "up":
            yield LogLine(now, "good", f"{name(line)} is up after {took(line.seconds)}")


def _name(world: World, export: str) -> str:
    site = world.site
    owners = site.by_mac.get(export.replace("-", ":"), ()) if site else ()
    return clean(site.nodes[owners[0]].config.hostname if site and owners else export)


def _services(before: World, after: World, now: float) -> Iterator[LogLine]:
    old = {s.name: s.state for s in before.services}
    for status in after.services:
        if old.get(status.name, status.state) != status.state:
            tone = "bad" if status.state in ("failing", "stopped") else ""
            detail = f": {clean(status.detail)}" if status.detail else ""
            yield LogLine(now, tone, f"{status.name} is {status.state}{detail}")


def _jobs(before: World, after: World) -> Iterator[LogLine]:
    if after.jobs == before.jobs:
        return
    old = {j.id: j for j in before.jobs}
    for job in reversed(after.jobs):
        was = old.get(job.id)
        if was is None and not job.running:
            continue
        if was is None:
            yield LogLine(job.started, "key", f"job: {job.title}")
        for line in job.trouble[len(was.trouble) if was else 0 :]:
            yield LogLine(time.time(), line[0][1], line[0][0])
        if was is not None and was.running and not job.running:
            word = outcome(job)
            tone = "good" if word == "ok" else "bad"
            yield LogLine(job.finished, tone, f"{word}: {job.title}")
