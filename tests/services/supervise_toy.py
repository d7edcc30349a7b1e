"""A small real daemon: NAME SOCKET CONFIG MODE. It answers "ok" on its socket.

Modes: ``ok``, ``dies`` (complains and ends at once), ``deaf`` (never answers), ``slow``
(takes its time to end).
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path


def main(name: str, path: Path, mode: str) -> None:
    if mode == "dies":
        sys.exit(f"{name}: can't bind to the moon")
    if mode == "slow":
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.3), sys.exit(0)))
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen(16)
        while mode != "deaf":
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"ok")
        signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[4])
