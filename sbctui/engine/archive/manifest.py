"""What an archive says of itself, in its last member (docs/archives.md)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sbctui.engine.archive.format import DISK, MOST_DISK
from sbctui.engine.model.node import Promise


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MemberSum(_Part):
    """One member: its name, the bytes stored for it, and their SHA-256.

    Of a disk the stored bytes are its map of ranges and then the ranges.
    """

    name: str
    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Base(_Part):
    """The disk that a difference is laid over: its root's name, size, and SHA-256.

    The hash is that of the disk as a member of an archive, so it says the same of every copy.
    """

    root: str
    size: int = Field(ge=0, le=MOST_DISK)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class DiskPart(_Part):
    """The disk: bytes that a board sees, bytes of data, what a copy made while in use is worth."""

    file: Literal["root.img", "root.diff"] = DISK
    size: int = Field(ge=0, le=MOST_DISK)
    data: int = Field(ge=0)
    promise: Promise = ""
    base: Base | None = None


class Manifest(_Part):
    """The last member: what the others are. Unknown keys are passed over."""

    format: int = Field(ge=1)
    product: str
    made: datetime
    name: str
    kind: Literal["root", "leaf"]
    disk: DiskPart
    members: tuple[MemberSum, ...]

    def to_json(self) -> bytes:
        """The member's bytes."""
        return self.model_dump_json(indent=2).encode() + b"\n"
