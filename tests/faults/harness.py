"""Runs a verb in a child that is killed, or fails, at the N-th step; then recovers and judges."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbctui.engine import files
from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from sbctui.engine.model.requests import Request
from tests.faults.invariants import State, state, violations

Asks = Callable[[Engine], Request]


FREEING = frozenset(
    {
        "cache.rename",
        "file.back",
        "file.forget",
        "rmtree",
        "derived.unlink",
        "hosts.unlink",
        "recovery.drop-staging",
        "recovery.drop-temp",
        "recovery.purge",
    }
)
"""Steps that take no space, so that a full disk can't fail them."""


@dataclass(frozen=True)
class Fault:
    """What happens at step ``at`` (from 1): ``kill``, or this errno, once or from then on."""

    at: int = 0
    kill: bool = False
    errno: int = 0
    sticky: bool = False

    def __str__(self) -> str:
        how = "KILL" if self.kill else errno.errorcode.get(self.errno, "none")
        return f"{how}{' sticky' if self.sticky else ''} at {self.at}"


NONE = Fault()


@dataclass(frozen=True)
class Outcome:
    """``code`` is what the command line would exit with, None when killed."""

    hits: int
    code: int | None
    names: tuple[str, ...] = ()
    error: str = ""
    untyped: str = ""


def arm(fault: Fault, seen: list[str]) -> None:
    """Let the fault happen in this process; ``seen`` gets the names of the steps."""

    def failpoint(name: str) -> None:
        seen.append(name)
        if fault.errno == errno.ENOSPC and name in FREEING:
            return
        if fault.at and (len(seen) == fault.at or (fault.sticky and len(seen) > fault.at)):
            if fault.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(fault.errno, os.strerror(fault.errno), name)

    files.failpoint = failpoint


def perform(site: Path, asks: Asks, fault: Fault, mutant: Callable[[], None] | None) -> Outcome:
    """The body of the child."""
    seen: list[str] = []
    try:
        if mutant:
            mutant()
        engine = Engine(site)
        plan = engine.plan(asks(engine))
        if fault != NONE or files.failpoint is None:
            arm(fault, seen)
        report = engine.apply(plan)
        errors = "; ".join(r.error for r in report.results if r.error)
        return Outcome(len(seen), report.code, tuple(seen), errors)
    except SbcError as error:
        return Outcome(len(seen), error.code, tuple(seen), str(error))
    except OSError as error:
        injected = error.errno == fault.errno and fault.at and len(seen) >= fault.at
        text = "" if injected else traceback.format_exc()
        return Outcome(len(seen), 1, tuple(seen), str(error), text)
    except Exception:  # noqa: BLE001 what the engine should have named is what we look for
        return Outcome(len(seen), 1, tuple(seen), "", traceback.format_exc())


def in_child(body: Callable[[], Any]) -> bytes | None:
    """What ``body`` returned as JSON, from a forked child; None when that was killed."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.close(reading)
            os.setsid()
            with os.fdopen(writing, "wb") as out:
                out.write(json.dumps(body()).encode())
            status = 0
        except BaseException:  # noqa: BLE001 a forked child must never return into pytest
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        data = source.read()
    # What the child left running ends while its number is still its own.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return None
    assert status == 0, "the harness itself failed in the child"
    return data


def run(site: Path, asks: Asks, fault: Fault, mutant: Callable[[], None] | None = None) -> Outcome:
    """Run a verb in a child with a fault."""
    data = in_child(lambda: perform(site, asks, fault, mutant).__dict__)
    return Outcome(fault.at, None) if data is None else Outcome(**json.loads(data))


def copy_site(source: Path, target: Path) -> None:
    """A sparse copy, times kept."""
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)


def recover(site: Path) -> None:
    """What the next start of the engine does, some time after the fault."""
    past = time.time() - 60
    for job in (site / "jobs").iterdir():
        for path in (job / "plan.json", job):
            with suppress(FileNotFoundError):
                os.utime(path, (past, past))
    Engine(site).recover()


def recover_in_child(site: Path, fault: Fault, mutant: Callable[[], None] | None = None) -> bool:
    """Recovery with a fault; whether it came through."""

    def body() -> bool:
        if mutant:
            mutant()
        arm(fault, [])
        recover(site)
        return True

    return in_child(body) is not None


def judge(
    before: State,
    after: State,
    now: State,
    outcome: Outcome,
    *,
    whole: bool,
    disks: bool = True,
) -> list[str]:
    """Old or new: each node wholly one of both, and with ``whole`` all of them the same one.

    Without ``disks`` their content may differ: a check of a file system writes its date.
    """
    if not disks:
        before, after, now = (
            {k: {**v, "disk": 0} for k, v in s.items()} for s in (before, after, now)
        )
    old = {key: _old(value) for key, value in before.items()}
    new = {key: _new(value, before.get(key)) for key, value in after.items()}
    is_old = {k: _old(now[k]) for k in now} == old
    is_new = {k: _new(now[k], before.get(k)) for k in now} == new
    found: list[str] = []
    if outcome.code == 0 and not is_new:
        found.append("exit code 0, and the new state is not there")
    if whole and not (is_old or is_new):
        found.append("neither old nor new")
    if whole and outcome.code not in (0, 7, None) and not is_old:
        found.append(f"exit code {outcome.code} ({outcome.error}), and the old state is gone")
    for key in sorted(now.keys() | old.keys() | new.keys()):
        one = now.get(key)
        if one is None:
            fits = key not in old or key not in new
        else:
            fits = _alone(_old(one)) == _alone(old.get(key)) or _alone(
                _new(one, before.get(key))
            ) == _alone(new.get(key))
        if not fits:
            found.append(f"{key} is neither old nor new: {one}")
    return found


def _old(value: dict[str, Any]) -> dict[str, Any]:
    return value


def _new(value: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Any]:
    """What a verb makes has another time, and a disk with other random numbers, every time."""
    same = before is not None and before["created"] == value["created"]
    if same and before["disk"] == value["disk"]:
        return value
    return {**value, "created": None if not same else value["created"], "disk": None}


def _alone(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """A node without its children, which follow from the others (I3)."""
    if value is None:
        return None
    return {**value, "config": {**value["config"], "children": None}}


__all__ = ["Fault", "Outcome", "copy_site", "judge", "recover", "run", "state", "violations"]
