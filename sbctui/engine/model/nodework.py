"""What can be asked about roots and leaves."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Literal

from sbctui.engine.model.addresses import Alias, Group, Ip, Mac, RootName
from sbctui.engine.model.asked import Asked, Value
from sbctui.engine.model.node import Origin


class Extent(Value):
    """A range of bytes in an image."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.size


class Layout(Value):
    """Where an OS image has its root file system, and its FAT with boot files if it has one.

    ``filesystem`` is empty where only unpacking shows it; ``packed`` is the program that unpacks.
    """

    root: Extent
    boot: Extent | None = None
    filesystem: str = ""
    packed: str = ""


class Source(Asked):
    """What a new root is filled from, as looked at: bytes are those of the unpacked files.

    Of an ``image``, whose ``layout`` says what is where, they are those of its root. ``origin`` is
    what the root remembers of it.
    """

    path: str
    kind: Literal["tar", "directory", "image"]
    bytes: int
    inodes: int = 0
    layout: Layout | None = None
    origin: Origin | None = None


class Hindrance(Value):
    """Why no board can boot from a root as it is, and what mends it; sentences without a stop.

    Without ``kernel`` there is none, so that boards may have theirs from elsewhere.
    """

    why: str
    remedy: str
    kernel: bool = True


class CreateRoot(Asked):
    """A new unallocated root of ``size`` bytes, empty or filled from ``source`` (S0.11).

    ``kits`` are the kernels for which the site has an initramfs of its own.
    """

    verb: Literal["root create"] = "root create"
    name: RootName
    size: int
    source: Source | None = None
    notes: str = ""
    kits: tuple[str, ...] = ()


class CloneRoot(Asked):
    """Copy ``source`` to the new unallocated root ``name`` (S0.14).

    ``hindrance`` is what keeps boards from booting from the source, ``kit`` the kernel whose
    initramfs of the site's own mends that in the copy; empty for none.
    """

    verb: Literal["root clone"] = "root clone"
    source: str
    name: RootName
    hindrance: Hindrance | None = None
    kit: str = ""


class AllocateRoot(Asked):
    """Give a root a MAC and an address (S0.12), of the ``network`` if one is named.

    ``resolved`` is the resolver's answer.
    """

    verb: Literal["root allocate"] = "root allocate"
    name: str
    mac: Mac
    ip: Ip | None = None
    network: str = ""
    resolved: tuple[IPv4Address, ...] = ()
    hindrance: Hindrance | None = None


class DeallocateRoot(Asked):
    """Take MAC, address and exports away and reboot the board (S0.13)."""

    verb: Literal["root deallocate"] = "root deallocate"
    name: str
    cut: bool = False
    reboot: bool = True


class ResizeRoot(Asked):
    """Grow a root's disk and its file system to ``size`` bytes."""

    verb: Literal["root resize"] = "root resize"
    name: str
    size: int


class RenameRoot(Asked):
    """Give a free root the name ``to``."""

    verb: Literal["root rename"] = "root rename"
    name: str
    to: RootName


class DeleteRoot(Asked):
    """Move a root to the trash (S0.15)."""

    verb: Literal["root delete"] = "root delete"
    name: str


class LeafSpec(Value):
    """One leaf asked for; ``resolved`` is what the resolver said for the alias."""

    mac: Mac
    alias: Alias = ""
    group: Group = ""
    ip: Ip | None = None
    resolved: tuple[IPv4Address, ...] = ()


class Cover(Value):
    """What is laid over one leaf's disk, as looked at.

    ``places`` are the overlays' folders relative to the site, ``counts`` how many files come from
    each. ``digest`` is their fingerprint; ``bytes`` and ``inodes`` are what they take at most.
    ``todo`` are the paths of which the disk has another version or none, ``gone`` those that were
    laid earlier and are given back to the root's. ``templates``: some are filled in for the board.
    """

    leaf: str
    places: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    digest: str = ""
    bytes: int = 0
    inodes: int = 0
    templates: bool = False
    todo: int = 0
    gone: tuple[str, ...] = ()


class CreateLeaves(Asked):
    """One leaf of ``root`` per entry (S0.18); ``covers`` for those that files are laid over.

    ``network`` names the subnet that the addresses are of, as ``Network.lot`` knows it; empty for
    the first one.
    """

    verb: Literal["leaf create"] = "leaf create"
    root: str
    leaves: tuple[LeafSpec, ...]
    covers: tuple[Cover, ...] = ()
    network: str = ""
    hindrance: Hindrance | None = None


class DeleteLeaves(Asked):
    """Move leaves of ``root`` to the trash: those named, or with ``macs`` None all (S0.19).

    ``cut`` ends open NBD sessions; without it a leaf whose board is connected is refused.
    """

    verb: Literal["leaf delete"] = "leaf delete"
    root: str
    macs: tuple[Mac, ...] | None = None
    cut: bool = False


class EditNode(Asked):
    """Change what is only for people, or a leaf's address; None leaves a field alone."""

    verb: Literal["node edit"] = "node edit"
    name: str
    alias: Alias | None = None
    group: Group | None = None
    notes: str | None = None
    ip: Ip | None = None


class AttachLeaf(Asked):
    """List an orphan in ``root``'s children again; with ``network`` it gets an address there."""

    verb: Literal["leaf attach"] = "leaf attach"
    name: str
    root: str
    network: str = ""
