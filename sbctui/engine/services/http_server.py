"""The HTTP server's process: ``python -m sbctui.engine.services.http_server --root DIR ADDRESS…``.

It serves the TFTP tree on the lab's addresses for boards whose firmware can have its kernel by
HTTP, much faster than by TFTP. It reads only, lists nothing, and is no part of the disks' way:
when it dies the boards' boot scripts go on by TFTP. The protocol is that of the standard
library's ``http.server``; the file goes out by sendfile(2).
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import quote

from sbctui.engine.bounded import BoundedServer
from sbctui.engine.services.gate_log import say, say_refused, set_up
from sbctui.engine.services.http_tree import board_at, is_missing, opened, parts_of

PORT = 80
"""The only one that U-Boot's older ``wget`` knows."""
AT_ONCE = 512
"""Connections at once; one more is closed unheard, and its board goes on by TFTP."""
IDLE = 30.0
"""Seconds of silence after which a connection is closed."""


class Server(BoundedServer):
    """One address. ``places`` are shared by all addresses, so that they are bounded together."""

    request_queue_size = AT_ONCE

    def __init__(self, address: str, root: Path, places: threading.Semaphore) -> None:
        self.root = root
        super().__init__((address, PORT), Answer, places)

    def handle_error(self, request: object, client_address: object) -> None:
        """One bounded line; nothing of one connection concerns another."""
        say_refused(f"refused {_ip(client_address)}: {type(sys.exc_info()[1]).__name__}")


class Answer(BaseHTTPRequestHandler):
    """One connection's requests (RFC 9112), GET and HEAD."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "sbctui", ""
    timeout = IDLE
    server: Server

    def do_GET(self) -> None:
        """A file of the board that asks."""
        self._answer(send=True)

    def do_HEAD(self) -> None:
        """The same without the file."""
        self._answer(send=False)

    def _answer(self, *, send: bool) -> None:
        address = IPv4Address(self.client_address[0])
        if str(address) == str(self.server.server_address[0]):
            self.send_error(HTTPStatus.NOT_FOUND)  # who looks whether we are alive
            return
        board = board_at(address)
        if not board or not (self.server.root / board).is_symlink():
            say_refused(f"refused {address}: no board of this site")
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._give(f"{board} {address}", board, send=send)

    def _give(self, who: str, board: str, *, send: bool) -> None:
        path = quote(self.path[:300].lstrip("/"), safe="/%")
        try:
            with opened(self.server.root, board, parts_of(self.path)) as (fd, size):
                self._send(f"{who} {{}}{path}", fd, size, send=send)
        except UnicodeDecodeError:
            self.send_error(HTTPStatus.BAD_REQUEST)
        except OSError as error:
            missing = is_missing(error)
            say(f"missing {who} {path}" if missing else f"broken {who} {path}: {error.strerror}")
            self.send_error(HTTPStatus.NOT_FOUND if missing else HTTPStatus.FORBIDDEN)

    def _send(self, line: str, fd: int, size: int, *, send: bool) -> None:
        """From its first byte on nothing but the end of the connection can tell of a failure."""
        began = time.monotonic()
        try:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            with open(fd, "rb", closefd=False) as file:
                left = size - self.connection.sendfile(file, count=size) if send and size else 0
        except OSError as error:
            idle = isinstance(error, TimeoutError)
            why = f"it took nothing for {IDLE:g} s" if idle else error.strerror or str(error)
        else:
            why = "the file became shorter meanwhile" if left else ""
        self.close_connection = self.close_connection or bool(why)
        if why:
            say(f"broken {line.format('')}: {why}")
        elif send:
            say(f"sent {line.format(f'{size} {time.monotonic() - began:.3f} ')}")

    def log_message(self, format: str, *args: object) -> None:
        """What is worth a line is said where it happens."""


def _ip(client: object) -> str:
    return str(client[0]) if isinstance(client, tuple) else "?"


def serve(root: Path, addresses: list[str], owner: str) -> None:
    """Until SIGTERM or SIGINT. Raises OSError naming the address that can't be had."""
    places = threading.Semaphore(AT_ONCE)
    servers = [_bound(address, root, places) for address in addresses]
    if owner:
        drop(owner)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    say(f"listening on {', '.join(f'{address}:{PORT}' for address in addresses)}")
    ended.wait()
    say("ended")


def _bound(address: str, root: Path, places: threading.Semaphore) -> Server:
    try:
        return Server(address, root, places)
    except OSError as error:
        raise OSError(f"{address}:{PORT}: {error.strerror}") from None


def drop(owner: str) -> None:
    """Become the site's owner (``uid:gid``) for good."""
    uid, gid = (int(part) for part in owner.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> int:
    """Exit code 1 with one line on standard error when it can't begin."""
    parser = argparse.ArgumentParser(prog="http_server")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--owner", default="")
    parser.add_argument("--program", help="what the supervisor tells versions apart by")
    parser.add_argument("addresses", nargs="+")
    options = parser.parse_args(arguments)
    set_up()
    try:
        serve(options.root, options.addresses, options.owner)
    except OSError as error:
        say(f"can't start: {error.strerror or error}")
        return 1
    return 0


def answers(address: str, seconds: float) -> str:
    """Empty when the server at an address of this machine answers in time; else what is wrong."""
    ask = b"HEAD / HTTP/1.0\r\n\r\n"
    try:
        with socket.create_connection((address, PORT), timeout=seconds) as probe:
            probe.sendall(ask)
            said = probe.recv(64)
    except OSError as error:
        return f"{address}:{PORT} does not answer: {error.strerror or error}"
    return "" if said.startswith(b"HTTP/1.1 404") else f"{address}:{PORT} answers something else"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
