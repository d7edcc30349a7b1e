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
_TRIES, _SECONDS = 4, 0.5


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

    def __init__(
        self, address: IPv4Address, port: int, sha256: str, group: IPv4Address | None = None
    ) -> None:
        """At our own ``address``, or at a multicast ``group`` on its network.

        Raises Refused when the port is taken: this image is on its way from here already.
        """
        self._sha256 = sha256
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        try:
            self._socket.bind((str(group or address), port))
            if group is not None:
                member = group.packed + address.packed
                self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise
            raise Refused(
                f"UDP port {port} of {group or address} is in use, so the same image is on its "
                "way from here already; see: sbctui repo transfers"
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

    ``to`` may be a multicast group. False when nobody heard it, within two seconds.
    """
    told = _Told(schema=1, sha256=sha256, verified=not why, why=why[:300])
    data = told.model_dump_json(by_alias=True).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.settimeout(_SECONDS)
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here.packed)
        with suppress(OSError):
            out.bind((str(here), 0))
            return any(_heard(out, data, (str(to), port)) for _ in range(_TRIES))
    return False


def _heard(out: socket.socket, data: bytes, to: tuple[str, int]) -> bool:
    out.sendto(data, to)
    try:
        return out.recv(_MOST_BYTES) == _RECEIPT
    except TimeoutError:
        return False
