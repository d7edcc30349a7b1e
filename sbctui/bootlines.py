"""Boots as lines for people and as JSON: pure, for the command line and the terminal UI."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sbctui import format as words
from sbctui.engine.model.boots import Fetched, Stage, Timeline
from sbctui.engine.model.text import clean

_MARKS = {"done": "*", "now": ">", "failed": "!", "waiting": "."}
"""One sign a stage, readable without colour."""
_BY = {"tftp": "", "http": "by HTTP"}
_TITLES = {"sent": "", "missing": "not there", "failed": "failed"}


def name(line: Timeline) -> str:
    """What a board is called: its shown name, else its MAC."""
    return clean(line.hostname) or line.mac


def row(line: Timeline) -> str:
    """One board in a line: its stages as signs, where it is, for how long, and why."""
    marks = "".join(_MARKS[stage.state] for stage in line.stages)
    where = line.stage if line.state in ("booting", "stopped") else line.state
    why = f": {line.reason}" if line.reason else ""
    return f"{name(line)}  {marks}  {line.state} {where} {_took(line.seconds)}{why}".rstrip()


def lines(line: Timeline) -> list[str]:
    """A whole boot: a head, a line a stage, a line a file."""
    began = _when(line.began)
    head = f"{name(line)} ({line.mac}), boot of {began}: {line.state}, {_took(line.seconds)}"
    left_out = [f"      {line.left_out} more files not kept"] if line.left_out else []
    stages: list[str] = []
    for stage in line.stages:
        stages.append(_stage(stage))
        if stage.name == "files":
            stages += [*map(_file, line.files), *left_out]
    return [head, *stages, *([f"  {line.reason}"] if line.reason else [])]


def _stage(stage: Stage) -> str:
    took = _took(stage.seconds) if stage.seconds is not None else "-"
    return (
        f"  {_MARKS[stage.state]} {stage.title:12}{stage.state:9}{took:>9}  {stage.detail}".rstrip()
    )


def _file(file: Fetched) -> str:
    size = words.size(file.size) if file.size is not None else ""
    took = _took(file.seconds) if file.seconds is not None else ""
    told = ", ".join(
        part
        for part in (_TITLES[file.outcome], file.why, _BY[file.by], size, took, _times(file.times))
        if part
    )
    return f"      {clean(file.path)}  {told}".rstrip()


def as_json(line: Timeline) -> dict[str, Any]:
    """A boot as documented for the command line; times are ISO 8601 UTC, durations seconds."""
    return {
        "mac": line.mac,
        "node": line.node or None,
        "hostname": line.hostname or None,
        "ip": line.ip or None,
        "began": _when(line.began),
        "state": line.state,
        "stage": line.stage,
        "seconds": round(line.seconds, 3),
        "silent": round(line.silent, 3),
        "reason": line.reason or None,
        "stages": [
            {
                "name": stage.name,
                "state": stage.state,
                "at": _when(stage.at),
                "seconds": _rounded(stage.seconds),
                "detail": stage.detail or None,
            }
            for stage in line.stages
        ],
        "files": [
            {
                "path": clean(file.path),
                "outcome": file.outcome,
                "by": file.by,
                "at": _when(file.at),
                "size": file.size,
                "seconds": _rounded(file.seconds),
                "times": file.times,
                "why": file.why or None,
            }
            for file in line.files
        ],
        "left_out": line.left_out,
    }


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else words.duration(seconds)


def _times(count: int) -> str:
    return f"{count} times" if count > 1 else ""


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _when(at: float | None) -> str | None:
    """Epoch seconds as ISO 8601 UTC to the second; a clock gone mad shows as none."""
    try:
        return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (OverflowError, ValueError, OSError):
        return None
