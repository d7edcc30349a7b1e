"""Where and how a site's daemons are kept: folders, times, logs, and what they run with."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.errors import NotPermitted
from sbctui.engine.files import make_dir, write_atomic
from sbctui.engine.services.port import Daemon

DAEMONS = ("storage", "gate", "dnsmasq", "http")
"""Names of a site's daemons, in the order of their start."""

_CONFIG_BYTES = 1 << 20
_LOG_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Pace:
    """The times of supervision, in seconds; ``misses`` health checks in a row are a hang.

    A daemon that never became healthy waits up to ``longest`` between starts; one that was
    healthy before it died waits at most ``soon``. After ``steady`` it counts as sound again.
    One that is off, or whose configuration is refused, is tried ``again`` after so long: its
    interface may have come up.
    """

    tick: float = 1.0
    start: float = 10.0
    misses: int = 5
    first: float = 0.1
    soon: float = 1.0
    longest: float = 30.0
    steady: float = 60.0
    grace: float = 5.0
    again: float = 3.0

    def delay(self, tries: int, *, healthy: bool) -> float:
        """How long to wait before the next start, after ``tries`` earlier ones went wrong."""
        most = self.soon if healthy else self.longest
        return min(most, self.first * 2.0 ** (min(tries, 20) - 1)) if tries else 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a site's daemons keep their records and logs, and as whom they run."""

    run: Path
    state: Path
    site_id: str
    owner: tuple[int, int]

    def record(self, name: str) -> Path:
        """Record of a running daemon."""
        return self.run / f"{name}.json"

    def log(self, name: str) -> Path:
        """Output of a daemon."""
        return self.state / f"{name}.log"

    def mark(self, name: str) -> str:
        """What a daemon's environment says about whose it is."""
        return f"{self.site_id}:{name}"

    @property
    def user(self) -> tuple[int, int] | None:
        """The (uid, gid) to start daemons as; None when that is who we are already."""
        return self.owner if os.geteuid() == 0 and self.owner[0] != 0 else None


def version_of(daemon: Daemon) -> str:
    """Identifies what a daemon would run with: its arguments and the files they name."""
    arguments = list(daemon.argv())[1:]
    digest = hashlib.sha256(repr(arguments).encode())
    for argument in arguments:
        path = Path(argument.rpartition("=")[2])
        with suppress(OSError):
            if path.is_absolute() and path.is_file() and path.stat().st_size <= _CONFIG_BYTES:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def open_log(path: Path, owner: tuple[int, int]) -> int:
    """A log's descriptor for appending; never through a link."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(path, flags, 0o640)
    if os.geteuid() == 0 and os.fstat(fd).st_uid != owner[0]:
        os.fchown(fd, *owner)
    return fd


def shorten_log(path: Path, owner: tuple[int, int]) -> bool:
    """Move a log's last bytes to ``<name>.1`` once it is too long; its writers all append."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        size = os.fstat(fd).st_size
        if size <= _LOG_BYTES:
            return False
        tail = os.pread(fd, _LOG_BYTES, size - _LOG_BYTES)
        given = owner if os.geteuid() == 0 else None
        write_atomic(path.with_name(path.name + ".1"), tail, owner=given)
        os.ftruncate(fd, 0)
        return True
    finally:
        os.close(fd)


def prepare_state(site: Path, owner: tuple[int, int]) -> None:
    """The site's folder for logs and leases. Raises NotPermitted when it is a link."""
    state = site / "state"
    if not state.exists():
        with suppress(FileExistsError):
            make_dir(state, owner=owner)
    if state.is_symlink():
        raise NotPermitted(f"{state} is a link; replace it by a folder")
