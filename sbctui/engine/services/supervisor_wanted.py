"""Which configuration a daemon is to run with: the one in force, and the one that is offered."""

from __future__ import annotations

from collections.abc import Callable

from sbctui.engine.errors import SbcError
from sbctui.engine.services.port import Daemon
from sbctui.engine.services.supervise_place import version_of


class Wanted:
    """``daemon`` is what runs or shall run; ``refused`` says why what was offered is not taken."""

    def __init__(self, daemon: Daemon, tell: Callable[[str], None]) -> None:
        self.daemon = daemon
        self.refused = ""
        self._tell = tell
        self._offered: Daemon | None = None

    def offer(self, daemon: Daemon) -> None:
        """New settings, to be looked at by the thread that keeps it. Thread-safe."""
        self._offered = daemon

    def take(self) -> None:
        """Have what was offered, where nothing runs yet that could go on without."""
        if self._offered is not None:
            self.daemon, self._offered = self._offered, None

    def prepare(self) -> bool:
        """Write and test the configuration; False when refused: the old one stays in force."""
        try:
            self.daemon.prepare()
        except (SbcError, OSError) as error:
            self.refused = str(error)
            self._tell(f"{self.daemon.name}: configuration refused: {error}")
            return False
        self.refused = ""
        return True

    def superseded(self, version: str) -> bool:
        """Whether new settings were accepted and want another process than that of ``version``."""
        candidate, self._offered = self._offered, None
        if candidate is None:
            return False
        before, self.daemon = self.daemon, candidate
        if candidate.off():
            return True
        if not self.prepare():
            self.daemon = before
            return False
        return version_of(candidate) != version
