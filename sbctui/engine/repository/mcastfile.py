"""``.mcast`` files: what a receiver of a multicast has to know, as JSON.

All of it follows from the contents: two versions of an image are never sent on one channel, and
sender and receivers need to agree on nothing but the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sbctui.engine.errors import BadInput
from sbctui.engine.model.distribution import Offer, Sha256
from sbctui.engine.model.text import clean

MOST_BYTES = 16 * 1024
"""Bytes of the largest one that is read."""
BLOCK = 1456
"""Bytes of image in one packet, of which an Ethernet frame holds no more (udp-sender(1), -b)."""
_SCOPE = IPv4Address("239.255.0.0")
"""The IPv4 Local Scope (RFC 2365, 6.1): no router takes it out of the site."""
_FIRST_GROUP, _GROUPS = 512, 32_000
_FIRST_PORT, _PORTS = 24_000, 1_500


@dataclass(frozen=True, slots=True)
class Channel:
    """Where sender and receivers meet, where the data go, and by which UDP ports.

    udpcast has ``port`` (even) and the one above. Receivers report what became of it to
    ``report`` of who sent it, or to ``seeded`` of who seeded it. By TCP who seeds it has its
    tracker at ``port``.
    """

    rendezvous: IPv4Address
    data: IPv4Address
    port: int

    @property
    def report(self) -> int:
        """The port after those of udpcast."""
        return self.port + 2

    @property
    def seeded(self) -> int:
        """The last of the four."""
        return self.port + 3


def channel(sha256: str) -> Channel:
    """The channel of the contents with this hash (hex)."""
    number = int(sha256[:15], 16)
    group = _SCOPE + _FIRST_GROUP + 2 * (number % _GROUPS)
    return Channel(group, group + 1, _FIRST_PORT + 4 * (number // _GROUPS % _PORTS))


class McastFile(BaseModel):
    """The whole file. ``size`` in bytes; ``mtime_ns`` is that of the image it was made of."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    schema_: Literal[1] = Field(default=1, alias="schema")
    size: int = Field(ge=0)
    sha256: Sha256
    mtime_ns: int
    rendezvous: IPv4Address
    data: IPv4Address
    port: int
    report: int
    block: int = BLOCK

    @property
    def offer(self) -> Offer:
        """What it offers."""
        return Offer(size=self.size, sha256=self.sha256)

    def to_json(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json(by_alias=True, indent=1).encode() + b"\n"


def mcast_file(offer: Offer, mtime_ns: int) -> McastFile:
    """The file for an image of these contents and this time."""
    way = channel(offer.sha256)
    return McastFile(
        size=offer.size,
        sha256=offer.sha256,
        mtime_ns=mtime_ns,
        rendezvous=way.rendezvous,
        data=way.data,
        port=way.port,
        report=way.report,
    )


def parse(data: bytes, of: str) -> McastFile:
    """A file from anywhere; ``of`` names it. Raises BadInput."""
    try:
        found = McastFile.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = clean(f"{'.'.join(map(str, first['loc']))}: {first['msg']}".lstrip(": "))
        raise BadInput(f"{clean(of)} can't be read: {said}") from None
    if found != mcast_file(found.offer, found.mtime_ns):
        raise BadInput(f"{clean(of)} names a channel that is not that of its image")
    return found
