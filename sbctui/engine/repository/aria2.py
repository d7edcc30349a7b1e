"""aria2 at work on the lab's network, steered by its JSON-RPC (aria2c(1), RPC INTERFACE).

It listens for peers on the lab's address only, announces images there by Local Peer Discovery
(BEP 14), and knows nothing of trackers, of DHT, or of any other network. The RPC is on the
loopback, behind a secret that is in no argument list.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sbctui.engine import commands, streams
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.files import write_all
from sbctui.engine.model.distribution import Lab
from sbctui.engine.model.text import clean

_FIXED: Mapping[str, str] = {
    "enable-rpc": "true",
    "rpc-listen-all": "false",
    "bt-enable-lpd": "true",
    "enable-dht": "false",
    "enable-dht6": "false",
    "enable-peer-exchange": "true",
    "disable-ipv6": "true",
    "async-dns": "false",
    "follow-torrent": "false",
    "bt-save-metadata": "false",
    "rpc-save-upload-metadata": "false",
    "file-allocation": "none",
    "allow-overwrite": "true",
    "auto-file-renaming": "false",
    "auto-save-interval": "10",
    "max-concurrent-downloads": "1024",
    "seed-ratio": "0.0",
    "bt-max-peers": "128",
    "bt-max-open-files": "1024",
    "disk-cache": "16M",
    "summary-interval": "0",
    "show-console-readout": "false",
    "enable-color": "false",
    "console-log-level": "warn",
}
_BEGINS = 15.0
"""Seconds in which it must answer."""
_ANSWERS = 10.0
_PAUSE = 0.05
_TRIES = 3


class _Refuses(ServiceFailed):
    """It answers, and will not."""


class Aria2:
    """One that runs."""

    def __init__(self, port: int, secret: str, child: streams.Child) -> None:
        self._port = port
        self._token = f"token:{secret}"
        self._child = child

    def call(self, method: str, *arguments: object) -> Any:
        """Its answer. Raises ServiceFailed when it refuses or has ended."""
        asked = {
            "jsonrpc": "2.0",
            "id": "1",
            "method": f"aria2.{method}",
            "params": [self._token, *arguments],
        }
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWERS)
        try:
            connection.request("POST", "/jsonrpc", json.dumps(asked).encode())
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ServiceFailed(f"aria2 does not answer: {self._last() or error}") from None
        finally:
            connection.close()
        if "error" in answer:
            raise _Refuses(f"aria2 refuses {method}: {clean(str(answer['error']))}")
        return answer.get("result")

    def add(self, torrent: bytes, file: Path, options: Mapping[str, str]) -> str:
        """Take up a torrent of one file, which is, or comes, to ``file``; its number there."""
        where = {"dir": str(file.parent), "index-out": f"1={file.name}"}
        data = base64.b64encode(torrent).decode("ascii")
        return str(self.call("addTorrent", data, [], {**where, **options}))

    def peers(self, number: str) -> Sequence[Mapping[str, Any]]:
        """Who is connected for a torrent; nobody before it is taken up, and after its end."""
        try:
            found = self.call("getPeers", number)
        except _Refuses:
            return ()
        return found if isinstance(found, list) else ()

    def alive(self) -> bool:
        """Whether it answers."""
        if self._child.ended is not None:
            raise ServiceFailed(f"aria2 ended at once: {self._last()}")
        try:
            self.call("getVersion")
        except ServiceFailed:
            return False
        return True

    def _last(self) -> str:
        lines = [line for line in self._child.said().splitlines() if line.strip()]
        return clean(lines[-1]) if lines else ""


@contextmanager
def running(lab: Lab, log: commands.Log | None) -> Iterator[Aria2]:
    """One that lives as long as this, and no longer than we do.

    Raises ServiceFailed, ToolMissing.
    """
    for left in range(_TRIES, 0, -1):
        port, secret = _free_port(), secrets.token_hex(16)
        with _configuration(lab, port, secret) as fd:
            argv = ["aria2c", f"--conf-path=/proc/self/fd/{fd}"]
            with streams.child(argv, log=log, pass_fds=(fd,)) as child:
                started = Aria2(port, secret, child)
                try:
                    _wait(started)
                except ServiceFailed:
                    if left > 1:
                        continue
                    raise
                yield started
                return


@contextmanager
def _configuration(lab: Lab, port: int, secret: str) -> Iterator[int]:
    """In memory, so that nothing of it is left whatever becomes of us."""
    named = {
        **_FIXED,
        "interface": str(lab.address),
        "bt-lpd-interface": lab.interface,
        "rpc-listen-port": str(port),
        "rpc-secret": secret,
        "stop-with-process": str(os.getpid()),
        "dir": "/nonexistent",
    }
    fd = os.memfd_create("aria2.conf")
    try:
        write_all(fd, "".join(f"{key}={value}\n" for key, value in named.items()).encode())
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(started: Aria2) -> None:
    until = time.monotonic() + _BEGINS
    while not started.alive():
        if time.monotonic() >= until:
            raise ServiceFailed(f"aria2 did not answer within {_BEGINS:g} s")
        time.sleep(_PAUSE)
