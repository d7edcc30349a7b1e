"""The one door to other programs: argument lists, C locale, closed stdin, typed errors.

Only this module starts programs. A program's children end with it on cancel or timeout.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn

from sbctui.engine.errors import Cancelled, ToolFailed, ToolMissing
from sbctui.engine.model.text import clean

PACKAGES: Mapping[str, str] = {
    "apt-cache": "apt",
    "apt-get": "apt",
    "aria2c": "aria2",
    "blkid": "util-linux",
    "bzip2": "bzip2",
    "btrfs": "btrfs-progs",
    "cp": "coreutils",
    "curl": "curl",
    "debugfs": "e2fsprogs",
    "depmod": "kmod",
    "dhcp_release": "dnsmasq-utils",
    "dnsmasq": "dnsmasq-base",
    "dpkg-deb": "dpkg",
    "dumpe2fs": "e2fsprogs",
    "e2fsck": "e2fsprogs",
    "fakeroot": "fakeroot",
    "fusermount3": "fuse3",
    "getent": "libc-bin",
    "gzip": "gzip",
    "ip": "iproute2",
    "lsblk": "util-linux",
    "lz4": "lz4",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "mount": "mount",
    "qemu-img": "qemu-utils",
    "qemu-storage-daemon": "qemu-system-common",
    "resize2fs": "e2fsprogs",
    "sfdisk": "fdisk",
    "setpriv": "util-linux",
    "ss": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "tar": "tar",
    "tune2fs": "e2fsprogs",
    "udp-receiver": "udpcast",
    "udp-sender": "udpcast",
    "umount": "mount",
    "unshare": "util-linux",
    "useradd": "passwd",
    "userdel": "passwd",
    "xz": "xz-utils",
    "zstd": "zstd",
}
"""Debian package of every program we start."""

_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_PIPE = 1024**2
"""Bytes of a pipe we read a stream from: the most an ordinary user may have."""
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


def search_path() -> str:
    """PATH with the sbin folders, where an ordinary user's PATH lacks them."""
    parts = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join([*parts, *(p for p in _SBIN if p not in parts)])


def find(tool: str) -> Path:
    """Where a program is. Raises ToolMissing with the package to install."""
    found = shutil.which(tool, path=search_path())
    if not found:
        raise ToolMissing(tool, PACKAGES.get(tool, tool))
    return Path(found)


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
            _full(argv),
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
        raise ToolFailed(_name(argv), done.returncode, _complaint(done))
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


def _full(argv: Sequence[str | os.PathLike[str]]) -> list[str]:
    tool, *rest = (os.fspath(a) for a in argv)
    return [tool if "/" in tool else str(find(tool)), *rest]


def _name(argv: Sequence[str | os.PathLike[str]]) -> str:
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
            _full(argv),
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


def pipe(
    first: Sequence[str | os.PathLike[str]],
    second: Sequence[str | os.PathLike[str]],
    *,
    stop: Stop = None,
    log: Log | None = None,
    cwd: Path | None = None,
) -> Done:
    """``first | second``: both must end with 0. Raises like ``run``."""
    if log:
        log(f"{pasteable(first)} | {pasteable(second)}")

    def ended(said: str | Done) -> None:
        if log and isinstance(said, Done):
            log(said)

    with subprocess.Popen(
        _full(first),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        cwd=cwd,
        start_new_session=True,
    ) as source:
        try:
            done = run(second, stop=stop, log=ended, cwd=cwd, stdin=source.stdout)
            if source.stdout:
                source.stdout.close()
        except BaseException:
            end_session(source)
            raise
        complaint = source.stderr.read().decode(errors="replace") if source.stderr else ""
    if source.returncode:
        ended(Done(pasteable(first), source.returncode, "", complaint, done.seconds))
        raise ToolFailed(_name(first), source.returncode, _last_line(complaint))
    return done


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
        go_on(self._stop, str(self._process.args))
        assert self._process.stdout is not None
        data = self._process.stdout.read(size)
        if len(data) < size and not self._ended:
            self._ended = True
            self.failed = self._process.wait()
            self._errors.seek(0)
            self.complaint = _last_line(self._errors.read().decode(errors="replace"))
        return data


def go_on(stop: Stop, doing: str) -> None:
    """Raises Cancelled when ``stop`` is set."""
    if stop is not None and stop.is_set():
        raise Cancelled(f"stopped while running {doing}")


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
    tool, *rest = (os.fspath(a) for a in argv)
    shown = pasteable(argv)
    if log:
        log(shown)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [str(find(tool)), *rest],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(),
            start_new_session=True,
            pipesize=_PIPE,
        ) as process,
    ):
        try:
            yield Output(process, errors, stop)
        finally:
            if process.poll() is None:
                end_session(process)


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
            [str(find("setpriv")), "--pdeathsig", "KILL", "--", *_full(argv)],
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
        assert self._process.stdout is not None
        fd, parts, left = self._process.stdout.fileno(), [], size
        while left:
            go_on(self._stop, pasteable([str(part) for part in _argv(self._process)]))
            if not select.select([fd], [], [], 0.2)[0]:
                continue
            data = os.read(fd, min(left, _PIPE))
            if not data:
                break
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

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
        name = f"{_name([str(part) for part in _argv(self._process)])}: "
        return _last_line("\n".join([one for one in lines if one.startswith(name)] or lines))


def _argv(process: subprocess.Popen[bytes]) -> Sequence[object]:
    return process.args if isinstance(process.args, list) else [process.args]


@contextmanager
def talk(
    argv: Sequence[str | os.PathLike[str]], *, stop: Stop = None, log: Log | None = None
) -> Iterator[Talk]:
    """Start a program to write to and read from; left before its end, it is ended.

    Raises ToolMissing.
    """
    if log:
        log(pasteable(argv))
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            _full(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,
            env=environment(),
            start_new_session=True,
            pipesize=_PIPE,
        ) as process,
    ):
        try:
            yield Talk(process, errors, stop)
        finally:
            if process.poll() is None:
                end_session(process)


def answer(argv: Sequence[str | os.PathLike[str]], seconds: float) -> bytes | None:
    """What a program prints; None when it fails, or has not ended after ``seconds``.

    Then it is killed and left behind: the kernel may keep one that waits for a dead server.
    Raises ToolMissing.
    """
    process = subprocess.Popen(
        _full(argv),
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
    return _last_line(done.stderr) or _last_line(done.stdout)


def _last_line(text: str) -> str:
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
