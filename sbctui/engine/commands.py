"""The one door to other programs: argument lists, C locale, closed stdin, typed errors.

Only this module and ``streams`` start programs. A program's children end with it on
cancel or timeout.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from sbctui.engine.errors import Cancelled, ToolFailed
from sbctui.engine.model.text import clean
from sbctui.engine.programs import find, search_path

_TOLD_LINES, _TOLD_CHARACTERS = 20, 4096
Stop = threading.Event | None


@dataclass(frozen=True, slots=True)
class Done:
    """A finished program: exit code, both outputs decoded, seconds it took.

    The exit code is that of ``subprocess``: below 0 it was ended by a signal.
    """

    command: str
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    def told(self) -> str:
        """The last of what it said, at most 20 lines and 4 KB of each output; cleaned lines."""
        return "\n".join((*_last(self.stdout), *_last(self.stderr)))


Log = Callable[[str | Done], None]
"""Gets each command in pasteable form when it starts, and how it ended."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment: C locale, our PATH, home, and what is named."""
    kept = {
        k: os.environ[k]
        for k in ("HOME", "USER", "LOGNAME", "TMPDIR", "SSH_AUTH_SOCK")
        if k in os.environ
    }
    return {**kept, "LC_ALL": "C", "PATH": search_path(), **(extra or {})}


def pasteable(argv: Sequence[str | os.PathLike[str]]) -> str:
    """The command as a person can paste it into a shell."""
    return shlex.join(os.fspath(a) for a in argv)


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    ok: Sequence[int] = (0,),
    timeout: float | None = None,
    stop: Stop = None,
    log: Log | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: IO[bytes] | bytes | None = None,
    pass_fds: Sequence[int] = (),
) -> Done:
    """Run a program to its end. ``timeout`` in seconds.

    Raises ToolMissing; ToolFailed for an exit code not in ``ok`` or a timeout; Cancelled when
    ``stop`` is set, after the program and its children have been ended.
    """
    shown = pasteable(argv)
    if log:
        log(shown)
    began = time.monotonic()
    with (
        _given(stdin) as given,
        subprocess.Popen(
            full(argv),
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(env),
            cwd=cwd,
            start_new_session=True,
            pass_fds=pass_fds,
        ) as process,
    ):
        try:
            out, err = _collect(process, shown, began, timeout, stop)
        except (Cancelled, ToolFailed):
            if log:
                log(_ended(process, shown, began))
            raise
    done = Done(shown, process.returncode, out, err, time.monotonic() - began)
    if log:
        log(done)
    if done.returncode not in ok:
        raise ToolFailed(tool_name(argv), done.returncode, _complaint(done))
    return done


@contextmanager
def _given(stdin: IO[bytes] | bytes | None) -> Iterator[IO[bytes] | int]:
    """What a program reads. Bytes lie in memory as a file: ``communicate`` feeds a pipe no further
    once it was interrupted by its timeout."""
    if not isinstance(stdin, bytes):
        yield subprocess.DEVNULL if stdin is None else stdin
        return
    with open(os.memfd_create("stdin"), "w+b") as file:
        file.write(stdin)
        file.seek(0)
        yield file


def _ended(process: subprocess.Popen[bytes], shown: str, began: float) -> Done:
    """What a program had said when it was ended."""
    try:
        out, err = process.communicate(timeout=1.0)
    except (subprocess.TimeoutExpired, ValueError):
        out = err = b""  # a child of its own lives on and holds the pipe
    return Done(
        shown,
        process.returncode if process.returncode is not None else -1,
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        time.monotonic() - began,
    )


def full(argv: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The command with its program's place. Raises ToolMissing."""
    tool, *rest = (os.fspath(a) for a in argv)
    return [tool if "/" in tool else str(find(tool)), *rest]


def tool_name(argv: Sequence[str | os.PathLike[str]]) -> str:
    """What a command's program is called, without its folder."""
    return os.fspath(argv[0]).rpartition("/")[2]


def _collect(
    process: subprocess.Popen[bytes],
    shown: str,
    began: float,
    timeout: float | None,
    stop: Stop,
) -> tuple[str, str]:
    tick = 0.1 if stop is not None else timeout
    while True:
        try:
            out, err = process.communicate(timeout=tick)
            return out.decode(errors="replace"), err.decode(errors="replace")
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                end_session(process)
                raise Cancelled(f"stopped while running {shown}") from None
            if timeout is not None and time.monotonic() - began >= timeout:
                end_session(process)
                raise ToolFailed(shown, -1, f"no answer within {timeout:g} s") from None


def end_session(process: subprocess.Popen[bytes], grace: float = 2.0) -> None:
    """End a program started in its own session, children included: TERM, then KILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(grace)
            break
        except subprocess.TimeoutExpired:
            continue


def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log_file: Path | None = None,
    env: Mapping[str, str] | None = None,
    user: int | None = None,
    group: int | None = None,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a daemon in a session of its own; both outputs go to ``log_file`` (appended).

    ``user`` and ``group`` are numeric ids to run as. Raises ToolMissing.
    """
    with open(log_file or os.devnull, "ab") as out:
        return subprocess.Popen(
            full(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=environment(env),
            cwd=cwd or "/",
            start_new_session=True,
            pass_fds=pass_fds,
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
            umask=0o027,
        )


def begin_anew() -> NoReturn:
    """Replace this process by its own program as it is on the disk now (execve); the id stays.

    Children stay children, descriptors that are not inherited are closed. Raises OSError.
    """
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


_detached: list[subprocess.Popen[bytes]] = []


def detach(process: subprocess.Popen[bytes]) -> None:
    """Let a started program outlive us; should it end first it is reaped at the next call."""
    _detached[:] = [p for p in (*_detached, process) if p.poll() is None]


def answer(argv: Sequence[str | os.PathLike[str]], seconds: float) -> bytes | None:
    """What a program prints; None when it fails, or has not ended after ``seconds``.

    Then it is killed and left behind: the kernel may keep one that waits for a dead server.
    Raises ToolMissing.
    """
    process = subprocess.Popen(
        full(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        cwd="/",
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        out, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        detach(process)
        return None
    return out if process.returncode == 0 else None


def _complaint(done: Done) -> str:
    return last_line(done.stderr) or last_line(done.stdout)


def last_line(text: str) -> str:
    """The last line of a program's words that says something, cleaned; empty when none does."""
    lines = [line for line in text.splitlines() if line.strip()]
    return clean(lines[-1].strip()) if lines else ""


def _last(text: str) -> list[str]:
    """The last lines of an output, cleaned; the first says so when there was more."""
    last = text[-_TOLD_CHARACTERS:]
    lines = [clean(line.expandtabs().rstrip()) for line in last.replace("\b", "").splitlines()]
    lines = [line for line in lines if line]
    kept = lines[-_TOLD_LINES:]
    more = len(last) < len(text) or len(kept) < len(lines)
    return ["... more before this", *kept] if more else kept
