"""``.torrent`` files of one image each (BEP 3): written from hashes, read with distrust.

They are written here and not by mktorrent, since an image of gigabytes is then read once for all
its side files, and the same image gives the same bytes. They name no tracker and are not private
(BEP 27): receivers find each other on the local network (BEP 14), which clients do for public
torrents only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1

from sbctui.engine.errors import BadInput
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.distribution import Offer
from sbctui.engine.model.repository import is_image, parse_part
from sbctui.engine.model.text import clean
from sbctui.engine.repository.bencode import Value, decode, encode

MOST_BYTES = 16 * 1024**2
"""Bytes of the largest one that is read."""
_SMALLEST, _LARGEST = 1024**2, 64 * 1024**2
_PIECES = 4096
"""So many pieces at most, unless they would be larger than the largest."""
_SHA1 = 20
_SIGN = b"sha256="


@dataclass(frozen=True, slots=True)
class Torrent:
    """One file in pieces of ``piece`` bytes with their SHA-1s; ``sha256`` (hex) is the whole's."""

    name: str
    size: int
    piece: int
    pieces: bytes
    sha256: str

    @property
    def offer(self) -> Offer:
        """What it offers."""
        return Offer(size=self.size, sha256=self.sha256)

    @property
    def info_hash(self) -> bytes:
        """By which peers and trackers know it: the SHA-1 of its info."""
        return sha1(encode(self._info), usedforsecurity=False).digest()

    @property
    def _info(self) -> Mapping[bytes, Value]:
        return {
            b"length": self.size,
            b"name": self.name.encode(),
            b"piece length": self.piece,
            b"pieces": self.pieces,
        }

    def to_bytes(self) -> bytes:
        """The file's bytes, the same for the same contents and name."""
        return encode({b"comment": _SIGN + self.sha256.encode(), b"info": self._info})


def piece_length(size: int) -> int:
    """Bytes of a piece for a file of ``size``: a power of two."""
    piece = _SMALLEST
    while size > piece * _PIECES and piece < _LARGEST:
        piece *= 2
    return piece


def parse(data: bytes, of: str) -> Torrent:
    """A file from anywhere; ``of`` names it. Raises BadInput when it is none of ours."""
    try:
        whole = decode(data)
        info = whole.get(b"info") if isinstance(whole, Mapping) else None
        if not isinstance(whole, Mapping) or not isinstance(info, Mapping):
            raise BadInput("it has no info")
        return _parsed(whole, info)
    except (BadInput, UnicodeDecodeError, ValueError) as error:
        raise BadInput(f"{clean(of)} can't be used as a torrent: {clean(str(error))}") from None


def _parsed(whole: Mapping[bytes, Value], info: Mapping[bytes, Value]) -> Torrent:
    if set(info) != {b"length", b"name", b"piece length", b"pieces"}:
        raise BadInput("it is not about one plain file")
    size, piece = info[b"length"], info[b"piece length"]
    name, pieces, comment = info[b"name"], info[b"pieces"], whole.get(b"comment")
    if not (isinstance(size, int) and isinstance(piece, int)):
        raise BadInput("its lengths are no numbers")
    if not (isinstance(name, bytes) and isinstance(pieces, bytes) and isinstance(comment, bytes)):
        raise BadInput("its name, hashes or comment are no strings")
    if not 0 < piece <= _LARGEST or piece & (piece - 1):
        raise BadInput(f"its pieces have {exact(piece)}")
    if len(pieces) != -(-size // piece) * _SHA1:
        raise BadInput("it has not one hash for each piece")
    if not comment.startswith(_SIGN):
        raise BadInput("its comment does not tell the SHA-256 of the whole")
    sha256 = comment.removeprefix(_SIGN).decode("ascii")
    offer = Offer(size=size, sha256=sha256)
    if not is_image(parse_part(name.decode(), name.decode())):
        raise BadInput("its name is no image's")
    return Torrent(name.decode(), size, piece, pieces, offer.sha256)
