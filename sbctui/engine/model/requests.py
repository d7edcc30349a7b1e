"""What can be asked of the engine: one frozen value per verb.

Facts that only one request needs (what the resolver said, what a source file is) are gathered
by the facade and travel inside the request, so that planners read nothing.
"""

from __future__ import annotations

from datetime import date
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sbctui.engine.model.addresses import Alias, Group, Ip, Mac, RootName, dashed, quietly
from sbctui.engine.model.asked import Asked as _Request
from sbctui.engine.model.asked import Value as _Value
from sbctui.engine.model.distribution import ImageFile
from sbctui.engine.model.distribution import MakeSideFiles as MakeSideFiles
from sbctui.engine.model.distribution import ReceiveImage as ReceiveImage
from sbctui.engine.model.distribution import SeedImages as SeedImages
from sbctui.engine.model.distribution import SendImage as SendImage
from sbctui.engine.model.imagework import DeleteImages as DeleteImages
from sbctui.engine.model.node import BootSpec, Origin
from sbctui.engine.model.overlay import Place, parse_path
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.text import clean


class Extent(_Value):
    """A range of bytes in an image."""

    start: int
    size: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.size


class Layout(_Value):
    """Where an OS image has its root file system, and its FAT with boot files if it has one.

    ``filesystem`` is empty where only unpacking shows it; ``packed`` is the program that unpacks.
    """

    root: Extent
    boot: Extent | None = None
    filesystem: str = ""
    packed: str = ""


class Source(_Request):
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


class Hindrance(_Value):
    """Why no board can boot from a root as it is, and what mends it; sentences without a stop.

    Without ``kernel`` there is none, so that boards may have theirs from elsewhere.
    """

    why: str
    remedy: str
    kernel: bool = True


class CreateRoot(_Request):
    """A new unallocated root of ``size`` bytes, empty or filled from ``source`` (S0.11).

    ``kits`` are the kernels for which the site has an initramfs of its own.
    """

    verb: Literal["root create"] = "root create"
    name: RootName
    size: int
    source: Source | None = None
    notes: str = ""
    kits: tuple[str, ...] = ()


class CloneRoot(_Request):
    """Copy ``source`` to the new unallocated root ``name`` (S0.14).

    ``hindrance`` is what keeps boards from booting from the source, ``kit`` the kernel whose
    initramfs of the site's own mends that in the copy; empty for none.
    """

    verb: Literal["root clone"] = "root clone"
    source: str
    name: RootName
    hindrance: Hindrance | None = None
    kit: str = ""


class AllocateRoot(_Request):
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


class DeallocateRoot(_Request):
    """Take MAC, address and exports away and reboot the board (S0.13)."""

    verb: Literal["root deallocate"] = "root deallocate"
    name: str
    cut: bool = False
    reboot: bool = True


class ResizeRoot(_Request):
    """Grow a root's disk and its file system to ``size`` bytes."""

    verb: Literal["root resize"] = "root resize"
    name: str
    size: int


class RenameRoot(_Request):
    """Give a free root the name ``to``."""

    verb: Literal["root rename"] = "root rename"
    name: str
    to: RootName


class DeleteRoot(_Request):
    """Move a root to the trash (S0.15)."""

    verb: Literal["root delete"] = "root delete"
    name: str


class LeafSpec(_Value):
    """One leaf asked for; ``resolved`` is what the resolver said for the alias."""

    mac: Mac
    alias: Alias = ""
    group: Group = ""
    ip: Ip | None = None
    resolved: tuple[IPv4Address, ...] = ()


class Cover(_Value):
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


class CreateLeaves(_Request):
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


class DeleteLeaves(_Request):
    """Move leaves of ``root`` to the trash: those named, or with ``macs`` None all (S0.19).

    ``cut`` ends open NBD sessions; without it a leaf whose board is connected is refused.
    """

    verb: Literal["leaf delete"] = "leaf delete"
    root: str
    macs: tuple[Mac, ...] | None = None
    cut: bool = False


class EditNode(_Request):
    """Change what is only for people, or a leaf's address; None leaves a field alone."""

    verb: Literal["node edit"] = "node edit"
    name: str
    alias: Alias | None = None
    group: Group | None = None
    notes: str | None = None
    ip: Ip | None = None


class AttachLeaf(_Request):
    """List an orphan in ``root``'s children again; with ``network`` it gets an address there."""

    verb: Literal["leaf attach"] = "leaf attach"
    name: str
    root: str
    network: str = ""


class RestoreTrash(_Request):
    """Bring trash folders back to where they were; also what ``undo`` asks."""

    verb: Literal["trash restore"] = "trash restore"
    folders: tuple[str, ...]


class PurgeTrash(_Request):
    """Delete trash folders for good, leaves before their roots."""

    verb: Literal["trash purge"] = "trash purge"
    folders: tuple[str, ...]


class FixFindings(_Request):
    """Apply the fixes of the audit findings with these ids."""

    verb: Literal["audit fix"] = "audit fix"
    findings: tuple[str, ...]


class TrashFindings(_Request):
    """Move what the audit findings with these ids are about to the trash."""

    verb: Literal["audit trash"] = "audit trash"
    findings: tuple[str, ...]


Note = Annotated[str, AfterValidator(clean)]
"""A sentence for whoever looks next."""


class KeepFindings(_Request):
    """Keep these findings as they are through the day ``until`` (UTC; None: the usual span).

    ``by`` is who asks, filled in by the facade.
    """

    verb: Literal["audit keep"] = "audit keep"
    findings: tuple[str, ...]
    note: Note
    until: date | None = None
    by: str = ""


class UnkeepFindings(_Request):
    """Count these findings again."""

    verb: Literal["audit unkeep"] = "audit unkeep"
    findings: tuple[str, ...]


class IgnoreBoards(_Request):
    """Show these boards no more among those that ask."""

    verb: Literal["board ignore"] = "board ignore"
    macs: tuple[Mac, ...]
    note: Note = ""


class UnignoreBoards(_Request):
    """Show them again."""

    verb: Literal["board unignore"] = "board unignore"
    macs: tuple[Mac, ...]


class BoardSpec(_Value):
    """One board to register."""

    mac: Mac
    alias: Alias = ""
    group: Group = ""


class RegisterBoards(_Request):
    """Write boards on the list of those that the lab owns (S4.13)."""

    verb: Literal["board register"] = "board register"
    boards: tuple[BoardSpec, ...]


class UnregisterBoards(_Request):
    """Strike boards off that list; with ``macs`` None all."""

    verb: Literal["board unregister"] = "board unregister"
    macs: tuple[Mac, ...] | None = None


class Kernel(_Value):
    """What was seen of a node's kernel and of the initramfs that fit it.

    ``arch`` is Debian's name of its processor, ``version`` the kernel's; empty where they can't
    be told. ``own`` is what is loaded with the image's initramfs, ``site`` with the site's; None
    where there is no such. ``kit`` is the SHA-256 of the site's, empty before it is built.
    ``current`` are those of the node and its leaves that have this very kit in ``boot/``.
    """

    arch: str = ""
    version: str = ""
    own: BootSpec | None = None
    site: BootSpec | None = None
    kit: str = ""
    current: tuple[str, ...] = ()


class UseInitramfs(_Request):
    """Let a node, and the leaves of a root, load the image's ``own`` initramfs or the site's.

    The site's (``bootkit``) is built first where there is none for the node's kernel; ``offline``
    is for that. ``kernel`` is what the facade saw.
    """

    verb: Literal["boot use"] = "boot use"
    name: str
    initramfs: Literal["own", "bootkit"]
    offline: bool = False
    kernel: Kernel | None = None


class BuildBootkit(_Request):
    """Build an initramfs of our own for a Debian architecture and a kernel.

    With ``root`` for one that it has in /lib/modules, by its version or empty for its only one;
    else for a kernel of the distribution's packages, by version or flavour. ``arch`` may be
    empty for a root that tells; ``sources`` is a sources.list to use instead of the machine's.
    """

    verb: Literal["bootkit build"] = "bootkit build"
    arch: str = ""
    kernel: str = ""
    root: str = ""
    sources: str = ""
    offline: bool = False


Compression = Literal["zstd", "none", "gzip", "xz"]


class Packing(_Value):
    """How an archive is compressed; ``level`` None is the usual one, ``threads`` 0 all cores."""

    compression: Compression = "zstd"
    level: int | None = None
    threads: int = 0


class Target(_Value):
    """Where an archive goes: a file's full path, or ``-`` for standard output.

    Gathered by the facade: whether the file is ``there``, ``free`` bytes of its file system.
    """

    file: str
    there: bool = False
    free: int = 0


class ExportRoot(_Request):
    """Write a root into an archive (S0.16); ``replace`` an archive that is there."""

    verb: Literal["root export"] = "root export"
    name: str
    target: Target
    packing: Packing = Packing()
    replace: bool = False


class ExportLeaf(_Request):
    """Write a leaf into an archive: whole, or its ``difference`` to the root it was made of."""

    verb: Literal["leaf export"] = "leaf export"
    name: str
    target: Target
    packing: Packing = Packing()
    replace: bool = False
    difference: bool = False


class ExportMany(_Request):
    """Write nodes into archives in one folder, one after the other.

    ``targets`` are the files, in the same order, looked up by whoever asks. With ``difference``
    leaves are told by what differs from their root.
    """

    verb: Literal["archive export"] = "archive export"
    names: tuple[str, ...] = Field(min_length=1)
    targets: tuple[Target, ...]
    packing: Packing = Packing()
    replace: bool = False
    difference: bool = False


class Incoming(_Value):
    """An archive to be imported, as looked at.

    ``place`` is a file's full path, ``-`` (standard input), ``USER@HOST:PATH`` or an address as
    ``https://…``. Zeros and an empty ``base`` are what could not be seen before reading it all:
    ``bytes`` of the file, ``disk`` the size a board sees, ``data`` the bytes of it that are
    stored, ``base`` the root whose difference it holds. ``origin`` is what a node made of it
    remembers. Of a leaf's: ``mac`` of its board, ``alias``, and the root ``parent`` that it was of.
    """

    place: str
    bytes: int = 0
    disk: int = 0
    data: int = 0
    base: str = ""
    origin: Origin | None = None
    mac: Mac | None = None
    alias: Alias = ""
    parent: str = ""


class ImportRoot(_Request):
    """Make the root ``name`` out of an archive (S0.17).

    ``base`` is the root that a difference is laid over, where it has another name here.
    ``unverified`` also takes an archive that has no manifest with hashes.
    """

    verb: Literal["root import"] = "root import"
    name: RootName
    archive: Incoming
    base: str = ""
    unverified: bool = False


class ImportLeaf(_Request):
    """Make a leaf of ``root`` out of an archive, for the board ``mac``.

    Where they are not given, the archive tells them: its own board, and the root that it is the
    difference to or was a leaf of. For another board it is personalised anew. ``network`` as in
    ``CreateLeaves``; ``resolved`` is what the resolver said for the archive's alias.
    """

    verb: Literal["leaf import"] = "leaf import"
    archive: Incoming
    mac: Mac | None = None
    root: str = ""
    ip: Ip | None = None
    network: str = ""
    resolved: tuple[IPv4Address, ...] = ()
    unverified: bool = False

    @property
    def board(self) -> Mac | None:
        """The board that the leaf is for, if that is known."""
        return self.mac or self.archive.mac

    @property
    def alias(self) -> str:
        """The alias that comes along: only with the very board that had it."""
        return self.archive.alias if self.board == self.archive.mac else ""


class AddRepository(_Request):
    """Write a repository into the settings (S4.3), or other ones of the same name."""

    verb: Literal["repo add"] = "repo add"
    name: str
    repository: Configured


class RemoveRepository(_Request):
    """Strike a repository from the settings; what is in it stays. ``mounted`` is looked up."""

    verb: Literal["repo remove"] = "repo remove"
    name: str
    mounted: str = ""


class MountRepository(_Request):
    """Mount a repository (S4.6). What is found out: the device of its label, where it goes,
    where it is mounted already, and whether this user may.
    """

    verb: Literal["repo mount"] = "repo mount"
    name: str
    device: str = ""
    point: str = ""
    mounted: str = ""
    allowed: bool = False


class UnmountRepository(_Request):
    """Unmount a repository; fields like ``MountRepository``."""

    verb: Literal["repo unmount"] = "repo unmount"
    name: str
    device: str = ""
    mounted: str = ""
    allowed: bool = False


class IndexRepository(_Request):
    """Make what others need who follow this server's repository: side files, the list of all.

    ``found`` are the images of which side files are missing or out of date.
    """

    verb: Literal["repo index"] = "repo index"
    found: tuple[ImageFile, ...] = ()


class OlderFile(_Value):
    """A file of an older tree, relative to it, in bytes; ``taken``: there is one of it already."""

    path: str
    size: int
    taken: bool = False


class ImportTree(_Request):
    """Bring the images of an older flat ``folder`` into this server's repository (S4.11).

    ``near``: it is on the same file system, so nothing has to be copied.
    """

    verb: Literal["repo import-tree"] = "repo import-tree"
    folder: str
    move: bool = False
    files: tuple[OlderFile, ...] = ()
    near: bool = False


class Followed(_Value):
    """An image of the repository that a cache follows, beside what the cache has of it.

    ``path`` is below the repository; sizes in bytes, ``mtime`` in epoch seconds. ``sha256`` and
    ``fetch`` (bytes that are not in the cache) are None where only reading it all would tell.
    """

    path: str
    size: int
    mtime: int
    sha256: str | None = None
    fetch: int | None = None
    current: bool = False


class UpdateCache(_Request):
    """Bring a cache up to date with a repository (S4.10): all, a folder, or one image.

    ``check`` also reads what is there already; ``delay`` is the longest random wait before the
    start, in seconds. ``images``, ``room`` (free bytes) and the cache's settings are looked up.
    """

    verb: Literal["cache update"] = "cache update"
    repository: str
    path: str = ""
    cache: str = "cache"
    check: bool = False
    delay: int = Field(default=0, ge=0, le=86400)
    images: tuple[Followed, ...] = ()
    room: int = 0
    drop: bool = False


class CachedRoot(_Value):
    """An image of a cache, and what the cache knows of the boards of its root.

    ``path`` is relative to ``images/``; ``boards`` are None where no list of them came along.
    ``newer``: it came into the cache after the root of that name was made here.
    """

    path: str
    root: RootName
    archive: Incoming
    boards: tuple[LeafSpec, ...] | None = None
    newer: bool = False


class ServeCache(_Request):
    """Make what is missing here of a cache's roots and their boards' leaves (S4.7).

    ``images`` are images or folders of them, empty for all. What is looked up: ``found``, one
    image for each root; ``covers`` of leaves that are not there yet, with files of the overlays
    ``brought`` (folders relative to the site) that only the cache has; ``notes``, sentences about
    what is left out.
    """

    verb: Literal["cache serve"] = "cache serve"
    cache: str = "cache"
    images: tuple[str, ...] = ()
    found: tuple[CachedRoot, ...] = ()
    covers: tuple[Cover, ...] = ()
    brought: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class RestoreImage(_Request):
    """Let the former version of a cache's image and the one that stands change places."""

    verb: Literal["cache restore"] = "cache restore"
    path: str
    cache: str = "cache"
    kept: bool = False


OverlayPath = Annotated[str, AfterValidator(quietly(parse_path))]
"""A path in a board's file system."""


class ApplyOverlays(_Request):
    """Lay the files of their overlays over the disks of leaves, or of all those of a group (S4.1).

    With ``again`` also what is there already. ``covers`` are looked at by the facade.
    """

    verb: Literal["overlay apply"] = "overlay apply"
    names: tuple[str, ...] = ()
    group: Group = ""
    again: bool = False
    covers: tuple[Cover, ...] = ()


class _OverlayOf(_Request):
    """One path of the overlay of an image for a group or for a board: one of the two is set.

    ``board`` is a MAC, with or without a leaf.
    """

    target: OverlayPath
    image: RootName
    group: Group = ""
    board: Mac | None = None

    @property
    def place(self) -> Place:
        """The overlay's folder."""
        if self.board is not None:
            return Place("board", dashed(self.board), self.image)
        return Place("group", self.group, self.image)


class AddOverlay(_OverlayOf):
    """Copy ``source``, a file, link or folder, into an overlay.

    ``owner`` is uid:gid, ``mode`` octal, empty for root's and the file's own. ``xattrs`` are
    extended attributes as ``model.xattrs`` writes them, beside its own. ``bytes``, ``files``,
    ``dressed`` (how many bring attributes) and ``there`` (something lies there already) are looked
    at by the facade.
    """

    verb: Literal["overlay add"] = "overlay add"
    source: str
    owner: str = ""
    mode: str = ""
    template: bool = False
    xattrs: dict[str, str] = Field(default_factory=dict)
    bytes: int = 0
    files: int = 0
    dressed: int = 0
    there: bool = False


class HideOverlay(_OverlayOf):
    """Let boards have no such file or folder: the image's own is taken away, for a board also what
    its group lays there.

    What the overlay has there is looked at by the facade: ``there`` a file or link, ``inside`` a
    folder.
    """

    verb: Literal["overlay hide"] = "overlay hide"
    there: bool = False
    inside: bool = False


class RemoveOverlay(_OverlayOf):
    """Take a path out of an overlay. The facade looks what is there: ``stray`` (relative to the
    site) is what goes to the trash, ``row`` that the table says the image's own is removed,
    ``hidden`` that it is, below what goes."""

    verb: Literal["overlay remove"] = "overlay remove"
    stray: str = ""
    row: bool = False
    hidden: bool = False


class SetGroup(_Request):
    """Put nodes into a group; an empty one takes them out of theirs."""

    verb: Literal["group set"] = "group set"
    names: tuple[str, ...]
    group: Group


class RenameGroup(_Request):
    """Give a group another name, with its members, overlays and templates (S4.2).

    With ``merge`` there may be a group of that name: the two become one.
    """

    verb: Literal["group rename"] = "group rename"
    name: Group
    to: RootName
    merge: bool = False


class DeleteGroup(_Request):
    """Take all nodes out of a group; its overlays and templates go to the trash (S4.2)."""

    verb: Literal["group delete"] = "group delete"
    name: Group


OF_OVERLAYS = frozenset(
    {"leaf create", "overlay apply", "overlay add", "overlay hide", "overlay remove"}
)
"""Verbs of requests that need overlays looked at before they can be planned."""
OF_REPOSITORIES = frozenset(
    {
        "repo remove",
        "repo mount",
        "repo unmount",
        "repo index",
        "repo import-tree",
        "cache update",
        "cache serve",
        "cache restore",
    }
)
"""Verbs of requests that need repositories looked at before they can be planned."""


class ApplyServices(_Request):
    """Derive everything again and make the daemons follow."""

    verb: Literal["services apply"] = "services apply"


Request = Annotated[
    CreateRoot
    | CloneRoot
    | AllocateRoot
    | DeallocateRoot
    | ResizeRoot
    | RenameRoot
    | DeleteRoot
    | CreateLeaves
    | DeleteLeaves
    | EditNode
    | AttachLeaf
    | RestoreTrash
    | PurgeTrash
    | FixFindings
    | TrashFindings
    | KeepFindings
    | UnkeepFindings
    | IgnoreBoards
    | UnignoreBoards
    | RegisterBoards
    | UnregisterBoards
    | UseInitramfs
    | BuildBootkit
    | ExportRoot
    | ExportLeaf
    | ExportMany
    | DeleteImages
    | ImportRoot
    | ImportLeaf
    | MakeSideFiles
    | SeedImages
    | SendImage
    | ReceiveImage
    | AddRepository
    | RemoveRepository
    | MountRepository
    | UnmountRepository
    | IndexRepository
    | ImportTree
    | UpdateCache
    | ServeCache
    | RestoreImage
    | ApplyOverlays
    | AddOverlay
    | HideOverlay
    | RemoveOverlay
    | SetGroup
    | RenameGroup
    | DeleteGroup
    | ApplyServices,
    Field(discriminator="verb"),
]
