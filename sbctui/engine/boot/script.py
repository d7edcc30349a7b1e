"""U-Boot's script image: what ``mkimage -T script`` makes, byte for byte."""

from __future__ import annotations

from struct import Struct
from zlib import crc32

_MAGIC = 0x27051956
_LINUX, _SCRIPT, _UNCOMPRESSED = 5, 6, 0
_HEADER = Struct(">7I4B32s")
"""Magic, header CRC, time, size, load, entry, data CRC; os, arch, type, compression; name."""
_PARTS = Struct(">II")
"""Length of the one part that follows, and the zero that ends the list of parts."""

ARCHITECTURES = {"arm": 2, "arm64": 22, "riscv": 26}
"""U-Boot's numbers for the processors whose kernels it starts."""


def script_image(script: bytes, *, arch: str, name: str, time: int) -> bytes:
    """Wrap a U-Boot script in its 64-byte header.

    ``time`` is in epoch seconds; ``name`` is what U-Boot shows, at most 32 bytes of it. An
    architecture that U-Boot doesn't know is written as arm64: it looks at that of kernels only.
    """
    data = _PARTS.pack(len(script), 0) + script
    about = (_LINUX, ARCHITECTURES.get(arch, ARCHITECTURES["arm64"]), _SCRIPT, _UNCOMPRESSED)

    def header(own_crc: int) -> bytes:
        numbers = (_MAGIC, own_crc, time & 0xFFFFFFFF, len(data), 0, 0, crc32(data))
        return _HEADER.pack(*numbers, *about, name.encode()[:32])

    return header(crc32(header(0))) + data
