"""How one thread wakes another that waits for several things at once."""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Bell:
    """Rung by any thread; heard once by the one that waits, however often it was rung."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Readable once it was rung."""
        return self._fd

    def ring(self) -> None:
        """Wake who waits, or will."""
        os.eventfd_write(self._fd, 1)

    def wait(self, seconds: float) -> None:
        """Until it rings, at most so long."""
        select.select([self._fd], [], [], seconds)
        self.rang()

    def rang(self) -> bool:
        """Whether it was rung since this was asked last."""
        with suppress(BlockingIOError):
            return os.eventfd_read(self._fd) > 0
        return False
