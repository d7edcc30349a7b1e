"""One node as its ``config.json`` holds it (docs/on-disk.md).

Schema 1. Unknown keys survive a read and a write; the only defaults are the empty ones.
Sizes are bytes, times UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sbctui.engine.model.addresses import Alias, Group, Ip, Mac, RootName, dashed, undashed

SCHEMA = 1
"""The newest config.json schema this program reads and the one it writes."""

DiskFormat = Literal["raw", "qcow2"]
StoreKind = Literal["reflink", "overlay", "copy"]
"""How a disk came to be a copy: sharing extents, a qcow2 on its root's disk, or all bytes."""
IpRule = Literal["explicit", "resolver", "number", "next"]
"""The rule of S0.12 that chose an address."""
Promise = Literal["", "clean", "crash-consistent"]
"""What a clone's file system is worth: unmounted or frozen, or as after a power cut."""

HOST_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{20,200}={0,2}")
"""A public host key as it is stored."""

DISK_FILES: dict[DiskFormat, str] = {"raw": "root.img", "qcow2": "root.qcow2"}


class State(StrEnum):
    """What a node is, derived from facts and never stored (S0.20)."""

    UNALLOCATED = "unallocated"
    ALLOCATED = "allocated"
    PARENT = "parent"
    LEAF = "leaf"
    ORPHAN = "orphan"
    MISPARENTED = "mis-parented"
    BROKEN = "broken"
    HALF_MADE = "half-made"


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class DiskSpec(_Stored):
    """The disk: format, apparent size in bytes, and for an overlay the root it stands on.

    ``base_made`` is that root's ``created``: a later root of the same name is another disk.
    """

    format: DiskFormat = "raw"
    size: int = Field(ge=0)
    base: RootName | None = None
    base_made: datetime | None = None
    filesystem: str = ""
    resize_to: int | None = None

    @property
    def file(self) -> str:
        """The disk's file name inside the node's folder."""
        return DISK_FILES[self.format]

    @model_validator(mode="after")
    def _overlay_has_base(self) -> DiskSpec:
        if (self.format == "qcow2") != (self.base is not None):
            raise ValueError("a qcow2 disk names the root it stands on, a raw one names none")
        return self


class BootSpec(_Stored):
    """What the board loads, as file names inside ``boot/``; empty where there is none."""

    kernel: str = ""
    initramfs: str = ""
    dtbs: str = ""
    arch: str = ""


class Origin(_Stored):
    """The file that a root, and what was copied from it, was made of.

    ``image`` is its address in a repository (``repo:sub/dir/image``), else the file's own name;
    ``sha256`` the hash that its side files told then, empty where there was none.
    """

    image: str
    sha256: str = Field(default="", pattern=r"^(?:[0-9a-f]{64})?$")


class NodeConfig(_Stored):
    """A node: a root (an OS image) or a leaf (one board's own copy), S0.4.

    ``children`` (roots only) maps MAC → leaf folder and is the authority on parentage; a
    leaf's ``parent`` is a hint for re-attaching. ``mac`` and ``ip`` are set on every leaf and
    on an allocated root. ``host_key`` is the public SSH key that personalising made. ``origin`` is
    None of a node that was made of no file, or by a program that did not write it down.
    """

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Literal["root", "leaf"]
    name: str
    alias: Alias = ""
    notes: str = ""
    group: Group = ""
    mac: Mac | None = None
    ip: Ip | None = None
    ip_rule: IpRule | None = None
    parent: RootName | None = None
    children: dict[Mac, str] = Field(default_factory=dict)
    disk: DiskSpec
    boot: BootSpec = BootSpec()
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))
    cloned_from: str = ""
    origin: Origin | None = None
    store: StoreKind | Literal[""] = ""
    promise: Promise = ""
    personalised: tuple[str, ...] = ()
    host_key: str = Field(default="", pattern=f"^(?:{HOST_KEY.pattern})?$")

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)

    @model_validator(mode="after")
    def _belongs_together(self) -> NodeConfig:
        if self.kind == "leaf":
            if self.mac is None or self.name != dashed(self.mac):
                raise ValueError("a leaf's name is its MAC with dashes")
            if self.children:
                raise ValueError("a leaf has no children")
        elif undashed(self.name) is not None:
            raise ValueError("a root's name is no MAC")
        return self

    @property
    def export(self) -> str:
        """NBD export name and TFTP folder: the MAC with dashes; empty when there is no MAC."""
        return dashed(self.mac) if self.mac else ""

    @property
    def hostname(self) -> str:
        """The board's host name and shown name: alias, a root's name, else ``sbc-<last six>``."""
        if self.alias or self.kind == "root":
            return self.alias or self.name
        return "sbc-" + self.name.replace("-", "")[-6:]

    def to_json(self) -> bytes:
        """The file's bytes: indented, stable key order, newline at the end."""
        unknown = {"origin"} if self.origin is None else None
        return self.model_dump_json(indent=2, by_alias=True, exclude=unknown).encode() + b"\n"
