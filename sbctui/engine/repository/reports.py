"""What became of it at a receiver, told back to who sends: one small datagram, and its receipt.

udpcast knows who got all bytes, a torrent client not even that; only a receiver knows whether
the hash is right. The datagrams are JSON over UDP. They decide nothing: who sends shows them.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sbctui.engine.errors import Refused
from sbctui.engine.model.distribution import Sha256
from sbctui.engine.model.text import clean

_MOST_BYTES = 1024
_RECEIPT = b"heard"
_TRIES, _SECONDS = 6, 0.5


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_: Literal[1] = Field(default=1, alias="schema")
    sha256: Sha256
    verified: bool
    why: str = Field(default="", max_length=300)


@dataclass(frozen=True, slots=True)
class Told:
    """Whether the receiver at ``address`` has the image and its hash is right; else ``why``."""

    address: IPv4Address
    verified: bool
    why: str


class Ear:
    """Hears reports about one image, and gives each its receipt."""

    def __init__(self, address: IPv4Address, port: int, sha256: str) -> None:
        """Raises Refused when the port is taken: this image is on its way from here already."""
        self._sha256 = sha256
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            self._socket.bind((str(address), port))
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise Refused(
                f"UDP port {port} of {address} is in use, so the same image is on its way from "
                "here already; see: sbctui repo transfers"
            ) from None

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hear(self) -> Iterator[Told]:
        """What came since the last call; what is no report is left out."""
        while True:
            try:
                data, sender = self._socket.recvfrom(_MOST_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                continue
            with suppress(ValidationError):
                told = _Told.model_validate_json(data)
                if told.sha256 == self._sha256:
                    with suppress(OSError):
                        self._socket.sendto(_RECEIPT, sender)
                    yield Told(IPv4Address(sender[0]), told.verified, clean(told.why))


def tell(here: IPv4Address, to: IPv4Address, port: int, sha256: str, why: str = "") -> bool:
    """Tell who sent an image that it is here and right, or ``why`` it is not.

    False when nobody heard it, within three seconds.
    """
    told = _Told(schema=1, sha256=sha256, verified=not why, why=why[:300])
    data = told.model_dump_json(by_alias=True).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.settimeout(_SECONDS)
        try:
            out.bind((str(here), 0))
            out.connect((str(to), port))
        except OSError:
            return False
        for _ in range(_TRIES):
            with suppress(OSError):
                out.send(data)
                if out.recv(_MOST_BYTES) == _RECEIPT:
                    return True
    return False
