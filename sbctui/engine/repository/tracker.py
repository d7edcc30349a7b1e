"""A tracker of one torrent, for peers that Local Peer Discovery does not reach: other subnets.

HTTP by BEP 3 ("Trackers", bittorrent.org/beps/bep_0003.html), peers in the compact form of BEP 23.
It knows one image and no other, is as much as the port that the image's hash gives, and lives as
long as the image is seeded.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Address
from time import monotonic
from urllib.parse import parse_qsl

from sbctui.engine.bounded import BoundedServer
from sbctui.engine.repository.bencode import Value, encode

PATH = "/announce"
_INTERVAL = 60
"""Seconds after which a client asks again."""
_FORGOTTEN = 3 * _INTERVAL
_PEERS, _MOST = 50, 1024
"""Peers that are told at once, and known."""
_SLOW = 10.0
"""Seconds that a client may take for its question."""
_AT_ONCE = 64
_TCP_PORTS = 65535


class Swarm:
    """Who has, or wants, the torrent with this hash: address and port, each for a while."""

    def __init__(self, info_hash: bytes) -> None:
        self._hash = info_hash
        self._peers: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def answer(self, query: str, client: IPv4Address) -> bytes:
        """What is said to an announcement."""
        asked = dict(parse_qsl(query, keep_blank_values=True, encoding="latin-1"))
        if asked.get("info_hash", "").encode("latin-1") != self._hash:
            return _refused("another torrent")
        port = asked.get("port", "")
        if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _TCP_PORTS):
            return _refused("no port")
        peer = client.packed + int(port).to_bytes(2, "big")
        others = self._told(peer, stopped=asked.get("event") == "stopped")
        return encode({b"interval": _INTERVAL, b"min interval": _INTERVAL // 6, b"peers": others})

    def _told(self, peer: bytes, *, stopped: bool) -> bytes:
        now = monotonic()
        with self._lock:
            self._peers = {one: until for one, until in self._peers.items() if until > now}
            self._peers.pop(peer, None)
            others = b"".join([*self._peers][-_PEERS:])
            if not stopped and len(self._peers) < _MOST:
                self._peers[peer] = now + _FORGOTTEN
        return others


def _refused(why: str) -> bytes:
    said: Mapping[bytes, Value] = {b"failure reason": why.encode()}
    return encode(said)


class _Handler(BaseHTTPRequestHandler):
    timeout = _SLOW
    server: _Server

    def do_GET(self) -> None:
        """An announcement; there is nothing else to ask for."""
        path, _, query = self.path.partition("?")
        if path != PATH:
            self.send_error(404)
            return
        data = self.server.swarm.answer(query, IPv4Address(self.client_address[0]))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


class _Server(BoundedServer):
    def __init__(self, address: tuple[str, int], swarm: Swarm) -> None:
        self.swarm = swarm
        super().__init__(address, _Handler, threading.Semaphore(_AT_ONCE))

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no fault of ours."""


@contextmanager
def tracking(address: IPv4Address, port: int, info_hash: bytes) -> Iterator[str]:
    """One that answers meanwhile; its URL. Raises OSError where the port is taken."""
    with _Server((str(address), port), Swarm(info_hash)) as server:
        thread = threading.Thread(target=server.serve_forever, name="tracker", daemon=True)
        thread.start()
        try:
            yield url(str(address), port)
        finally:
            server.shutdown()
            thread.join()


def url(host: str, port: int) -> str:
    """Where a tracker is asked."""
    return f"http://{host}:{port}{PATH}"
