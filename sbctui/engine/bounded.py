"""A small TCP server with a thread for each connection, and no more of them than it has places."""

from __future__ import annotations

import socketserver
import threading


class BoundedServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Whom there is no place for is closed unheard. Servers may share their ``places``."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(
        self,
        address: tuple[str, int],
        answer: type[socketserver.BaseRequestHandler],
        places: threading.Semaphore,
    ) -> None:
        """Raises OSError where the address can't be had."""
        self._places = places
        super().__init__(address, answer)

    # The library's stubs say socket | tuple of a request; of TCP it is a socket.
    def process_request(self, request: object, client_address: object) -> None:
        """Answer it in a thread of its own, if there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """The thread; its place is free afterwards."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._places.release()
