"""What a boot looks like at one moment: its stages, where it stopped, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine.boards.reasons import blamed, reason
from sbctui.engine.model.amounts import size
from sbctui.engine.model.boots import (
    STAGES,
    Boot,
    BootState,
    Stage,
    StageName,
    StageState,
    Timeline,
)

TITLES: dict[StageName, str] = {
    "asked": "asked",
    "offered": "address",
    "files": "files",
    "disk": "disk",
    "write": "first write",
    "up": "up",
}
_PATIENCE: dict[StageName, float] = {
    "asked": 10,
    "offered": 10,
    "files": 20,
    "disk": 120,
    "write": 180,
}
"""Seconds of silence before a stage after which a boot counts as stopped there."""
PROBED = 600.0
"""How long a board that runs is asked by ssh, in seconds."""
_STUCK = 20.0
"""The same where a file was asked for that is not there."""


def judge(boot: Boot, now: float, node: str = "", hostname: str = "") -> Timeline:
    """A boot as it stands at ``now``. Never raises, whatever the clock did meanwhile."""
    silent = max(0.0, now - boot.last)
    reached = _reached(boot)
    stage, state = _standing(boot, reached, silent)
    until = boot.up if boot.up is not None else boot.last if state in ("stopped", "off") else now
    return Timeline(
        mac=boot.mac,
        node=node,
        hostname=hostname,
        ip=boot.ip,
        began=boot.began,
        state=state,
        stage=stage,
        seconds=max(0.0, until - boot.began),
        silent=silent,
        reason=reason(boot, stage, state),
        stages=tuple(_stages(boot, stage, state, silent, now)),
        files=boot.files,
        left_out=boot.left_out,
    )


def _reached(boot: Boot) -> dict[StageName, float]:
    """When each stage was reached that was, as far as was observed."""
    times: dict[StageName, float | None] = {
        "asked": boot.asked,
        "offered": boot.leased or boot.offered,
        "files": boot.files[-1].at if boot.files else None,
        "disk": boot.disk,
        "write": boot.write,
        "up": boot.up,
    }
    return {name: at for name, at in times.items() if at is not None}


def _standing(
    boot: Boot, reached: dict[StageName, float], silent: float
) -> tuple[StageName, BootState]:
    """The stage it is at, or stopped at, and the state of the whole."""
    last = max((STAGES.index(name) for name in reached), default=0)
    following = STAGES[min(last + 1, len(STAGES) - 1)]
    if boot.ended is not None:
        return (following, "off") if boot.write or boot.up else (following, "stopped")
    if boot.up is not None:
        return "up", "up"
    if last <= STAGES.index("files") and boot.refused:
        return "disk", "stopped"
    if STAGES[last] == "files" and blamed(boot) is not None and silent < _PATIENCE["disk"]:
        return ("files", "stopped") if silent > _STUCK else ("files", "booting")
    if STAGES[last] == "files" and blamed(boot) is not None:
        return "files", "stopped"
    if following == "up":
        return "up", "running"
    return following, "stopped" if silent > _PATIENCE[following] else "booting"


def _stages(
    boot: Boot, stage: StageName, state: BootState, silent: float, now: float
) -> Iterator[Stage]:
    reached = _reached(boot)
    before = boot.began
    here = STAGES.index(stage)
    for number, name in enumerate(STAGES):
        at = reached.get(name)
        how: StageState = "done" if number < here or state == "up" else "waiting"
        seconds = None if at is None else max(0.0, at - before)
        if number == here and state != "up":
            how = "failed" if state == "stopped" else "waiting" if state == "off" else "now"
            if state == "running" and silent > PROBED:
                how = "waiting"
            seconds = None if state == "off" else max(0.0, now - before)
        yield Stage(name, TITLES[name], how, at, seconds, _detail(boot, name))
        before = at if at is not None else before


def _detail(boot: Boot, name: StageName) -> str:
    if name == "asked":
        return f"{boot.tries} times" if boot.tries > 1 else ""
    if name == "offered":
        return boot.ip
    if name == "files":
        sent = [file for file in boot.files if file.outcome == "sent"]
        return f"{len(sent)}, {size(sum(file.size or 0 for file in sent))}" if sent else ""
    return f"{boot.connections} connections" if name == "disk" and boot.connections > 1 else ""
