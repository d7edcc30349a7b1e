"""Who supervises a site: one flocked file in the site, whoever runs it."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import time
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.errors import Locked
from sbctui.engine.model.text import clean

_WAIT = 1.0


@dataclass(frozen=True, slots=True)
class Holder:
    """The supervisor that runs, or ran last: process, user, start, runtime folder."""

    pid: int
    user: str
    since: str
    run: Path

    def __str__(self) -> str:
        return f"process {self.pid} of user {self.user}, since {self.since}"


def holder_path(site: Path) -> Path:
    """The pid file; its flock is the claim, its content is for display."""
    return site / "state" / "supervise.pid"


def read_holder(site: Path) -> Holder | None:
    """What the pid file says, or None."""
    try:
        raw = json.loads(holder_path(site).read_bytes())
        return Holder(
            int(raw["pid"]),
            clean(str(raw["user"])),
            clean(str(raw["since"])),
            Path(str(raw["run"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def claim(site: Path, run: Path, owner: tuple[int, int]) -> int:
    """Hold the pid file for as long as the returned descriptor is open. Raises Locked."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(holder_path(site), flags, 0o640)
    try:
        _lock(fd, site)
        if os.geteuid() == 0:
            os.fchown(fd, *owner)
        user = user_name(os.geteuid())
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        holder = {"pid": os.getpid(), "user": user, "since": since, "run": os.fspath(run)}
        data = json.dumps(holder).encode()
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))
    except BaseException:
        os.close(fd)
        raise
    return fd


def _lock(fd: int, site: Path) -> None:
    """A predecessor that is just ending gets a moment."""
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise Locked(
                    f"the services of {site} are supervised already by "
                    f"{read_holder(site) or 'another process'}; "
                    "see: sbctui services status"
                ) from None
            time.sleep(0.05)


def user_name(uid: int) -> str:
    """A user's name, or his number when it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
