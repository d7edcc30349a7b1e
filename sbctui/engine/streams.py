"""Programs whose output is read, or that are talked to, while they run.

Like those of ``commands`` they get argument lists and the C locale, and end with us on cancel.
"""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from sbctui.engine.commands import (
    Done,
    Log,
    Stop,
    end_session,
    environment,
    full,
    last_line,
    pasteable,
    tool_name,
)
from sbctui.engine.errors import Cancelled
from sbctui.engine.programs import find

_PIPE = 1024**2
"""Bytes of a pipe we read a stream from: the most an ordinary user may have."""
_LOOK = 0.2
"""Seconds between looks whether to stop."""


@contextmanager
def _running(
    argv: Sequence[str | os.PathLike[str]], stdin: IO[bytes] | int, log: Log | None
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """A program whose output is read, and its errors; left before its end, it is ended."""
    if log:
        log(pasteable(argv))
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            full(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env=environment(),
            start_new_session=True,
            pipesize=_PIPE,
        ) as process,
    ):
        try:
            yield process, errors
        finally:
            if process.poll() is None:
                end_session(process)


def go_on(stop: Stop, doing: str) -> None:
    """Raises Cancelled when ``stop`` is set."""
    if stop is not None and stop.is_set():
        raise Cancelled(f"stopped while running {doing}")


def _read_some(fd: int, size: int, stop: Stop, doing: str) -> bytes:
    """Up to ``size`` bytes as soon as there are any, none at the end.

    Raises Cancelled when ``stop`` is set, also while nothing comes.
    """
    while True:
        go_on(stop, doing)
        if select.select([fd], [], [], _LOOK)[0]:
            return os.read(fd, size)


def _read_all(process: subprocess.Popen[bytes], size: int, stop: Stop) -> bytes:
    """``size`` bytes that a program prints, fewer only at the end. Raises like ``_read_some``."""
    assert process.stdout is not None
    fd, parts, left = process.stdout.fileno(), [], size
    doing = pasteable([str(part) for part in _argv(process)])
    while left:
        data = _read_some(fd, min(left, _PIPE), stop, doing)
        if not data:
            break
        parts.append(data)
        left -= len(data)
    return b"".join(parts)


def _argv(process: subprocess.Popen[bytes]) -> Sequence[object]:
    return process.args if isinstance(process.args, list) else [process.args]


class Output:
    """What a running program prints. ``failed`` (its exit code) and ``complaint`` are known at its
    end."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], stop: Stop) -> None:
        self._process = process
        self._errors = errors
        self._stop = stop
        self._ended = False
        self.failed = 0
        self.complaint = ""

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer only at the end. Raises Cancelled when the stop is set."""
        data = _read_all(self._process, size, self._stop)
        if len(data) < size and not self._ended:
            self._ended = True
            self.failed = self._process.wait()
            self._errors.seek(0)
            self.complaint = last_line(self._errors.read().decode(errors="replace"))
        return data


@contextmanager
def output(
    argv: Sequence[str | os.PathLike[str]],
    *,
    stdin: IO[bytes],
    stop: Stop = None,
    log: Log | None = None,
) -> Iterator[Output]:
    """Run a program and read what it prints; left before its end, it is ended.

    Raises ToolMissing.
    """
    with _running(argv, stdin, log) as (process, errors):
        yield Output(process, errors, stop)


class Child:
    """A program at work: what it says as it says it, and what it prints."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self._said = 0

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def said(self) -> str:
        """What it said on stderr since the last call; may end inside a line."""
        size = os.fstat(self._errors.fileno()).st_size
        data = os.pread(self._errors.fileno(), size - self._said, self._said)
        self._said += len(data)
        return data.decode(errors="replace")

    def read(self, size: int, seconds: float) -> bytes | None:
        """Up to ``size`` bytes that it prints; None when none come for so long, empty at the end.

        Only of one that was started to be ``heard``.
        """
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], seconds)
        return os.read(self._process.stdout.fileno(), size) if ready else None


@contextmanager
def child(
    argv: Sequence[str | os.PathLike[str]],
    *,
    heard: bool = False,
    log: Log | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[Child]:
    """A program that works while we do: left, it is ended, and killed, it dies with us.

    ``heard``: what it prints is read; else it goes where its errors go. Raises ToolMissing.
    """
    shown = pasteable(argv)
    if log:
        log(shown)
    began = time.monotonic()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [str(find("setpriv")), "--pdeathsig", "KILL", "--", *full(argv)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if heard else errors,
            stderr=errors,
            env=environment(),
            cwd="/",
            pass_fds=pass_fds,
            start_new_session=True,
            pipesize=_PIPE if heard else -1,
        ) as process,
    ):
        try:
            yield Child(process, errors)
        finally:
            if process.poll() is None:
                end_session(process)
            if log:
                told = os.pread(errors.fileno(), 1 << 20, 0).decode(errors="replace")
                took = time.monotonic() - began
                log(Done(shown, process.returncode, "", told.replace("\r", "\n"), took))


class Talk:
    """A running program that is written to and read from. ``complaint`` is its last line."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes], stop: Stop) -> None:
        self._process = process
        self._errors = errors
        self._stop = stop

    def write(self, data: bytes) -> None:
        """Raises BrokenPipeError when the program has gone."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def close_input(self) -> None:
        """Say that nothing more comes."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    def read(self, size: int) -> bytes:
        """``size`` bytes, fewer only at the end. Raises Cancelled when the stop is set."""
        return _read_all(self._process, size, self._stop)

    def ended(self, seconds: float = 10.0) -> int:
        """Its exit code; -1 when it does not end in that time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return -1

    @property
    def complaint(self) -> str:
        """The last line of its standard error so far that names the program, or the last."""
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        name = f"{tool_name([str(part) for part in _argv(self._process)])}: "
        return last_line("\n".join([one for one in lines if one.startswith(name)] or lines))


@contextmanager
def talk(
    argv: Sequence[str | os.PathLike[str]], *, stop: Stop = None, log: Log | None = None
) -> Iterator[Talk]:
    """Start a program to write to and read from; left before its end, it is ended.

    Raises ToolMissing.
    """
    with _running(argv, subprocess.PIPE, log) as (process, errors):
        yield Talk(process, errors, stop)
