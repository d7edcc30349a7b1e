"""A plan: what will be done, as data that can be shown, compared, saved and run.

A planner turns (Site, Request) into a ``Plan`` or raises ``Refused``. Units stand or fall as
one; inside a unit actions run in order and are undone newest first. The publishing rename is
the last undoable action of its unit. Names of nodes are folder names in ``nodes/``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sbctui.engine.model.addresses import Ip, Mac
from sbctui.engine.model.distribution import ImageFile, Lab, Offer
from sbctui.engine.model.node import NodeConfig, StoreKind
from sbctui.engine.model.pins import Pin
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.requests import Packing, Request, Source
from sbctui.engine.model.roster import Ignored, Registered
from sbctui.engine.model.trashname import Place


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageNode(_Action):
    """Make ``nodes/.new-<name>/`` and hold it by flock; undo removes it with all in it."""

    kind: Literal["stage"] = "stage"
    name: str


class MakeDisk(_Action):
    """Make a raw disk of ``size`` bytes with an ext4 file system in the staged node.

    Filled from ``source``; its /boot files land in the staged ``boot/``.
    """

    kind: Literal["make-disk"] = "make-disk"
    name: str
    size: int
    source: Source | None


class CloneDisk(_Action):
    """Copy the disk of node ``source`` into the staged node by ``store``.

    ``live`` = a board has the source open: check and repair the copy. Also links the
    source's boot files (kernel, initramfs, device trees) into the staged ``boot/``.
    """

    kind: Literal["clone-disk"] = "clone-disk"
    name: str
    source: str
    store: StoreKind
    live: bool = False


class PersonaliseDisk(_Action):
    """Write host name, machine-id and host key into the staged node's disk, without mounting."""

    kind: Literal["personalise"] = "personalise"
    name: str
    hostname: str
    what: tuple[str, ...]


class LayOverlay(_Action):
    """Lay the files of ``places`` (folders relative to the site) over the staged leaf's disk.

    ``digest`` is the fingerprint of what they held when it was planned; ``fields`` are for the
    templates among them. What was laid earlier and no place holds any more is given back to what
    the root ``image`` has. Writes what was laid beside the disk. Where it can't be done: fails if
    ``required``, else that is said.
    """

    kind: Literal["lay-overlay"] = "lay-overlay"
    name: str
    image: str
    places: tuple[Place, ...]
    digest: str
    fields: dict[str, str]
    required: bool = True


class CopyLeafDisk(_Action):
    """Copy a published leaf's disk into its staging folder; refused while it is open."""

    kind: Literal["copy-leaf-disk"] = "copy-leaf-disk"
    name: str


class TakeDisk(_Action):
    """Let a published leaf have the disk in its staging folder, and drop its own: the commit.

    Takes the disk's write lease. What was laid over it is written beside it.
    """

    kind: Literal["take-disk"] = "take-disk"
    name: str


class MoveFolder(_Action):
    """Rename a folder that belongs to a group or an image (relative to the site), over nothing."""

    kind: Literal["move-folder"] = "move-folder"
    path: Place
    to: Place


class ChangeOverlay(_Action):
    """Put files into an overlay, in one rename of its folder; undo puts the old folder back.

    ``source`` is a file or folder outside, ``target`` the path on a board. ``owner``, ``mode``,
    ``template``, ``remove``, ``xattrs`` (as text, beside those that the source has) are what the
    table is to say of it; ``forget`` takes its row away.
    """

    kind: Literal["change-overlay"] = "change-overlay"
    place: Place
    target: str
    source: str = ""
    owner: str = ""
    mode: str = ""
    template: bool = False
    remove: bool = False
    forget: bool = False
    xattrs: dict[str, str] = Field(default_factory=dict)


class WriteNode(_Action):
    """Write the staged node's rendered boot files and, last, its config.json.

    ``personalised``, ``boot``, ``promise`` and ``disk.filesystem`` come from what the earlier
    actions of the unit found.
    """

    kind: Literal["write-node"] = "write-node"
    name: str
    config: NodeConfig


class PublishNode(_Action):
    """Sync the staged node and rename it into place, never over another: the commit.

    Under the site's lock; fails if its name, MAC or IP was taken meanwhile.
    """

    kind: Literal["publish"] = "publish"
    name: str


class UpdateConfig(_Action):
    """Replace a published node's config, which must still equal ``before``; undo puts it back."""

    kind: Literal["update-config"] = "update-config"
    name: str
    before: NodeConfig
    after: NodeConfig


class SetChildren(_Action):
    """Add MACs to a root's children map and drop others, in one write; undo reverses it."""

    kind: Literal["set-children"] = "set-children"
    root: str
    add: tuple[Mac, ...] = ()
    drop: tuple[Mac, ...] = ()


class DropMissingChildren(_Action):
    """Take those of ``macs`` that have no folder out of the root's children map."""

    kind: Literal["drop-missing-children"] = "drop-missing-children"
    root: str
    macs: tuple[Mac, ...]


class ResizeDisk(_Action):
    """Grow a raw disk and its file system to ``size`` bytes; rolls forward after a crash."""

    kind: Literal["resize-disk"] = "resize-disk"
    name: str
    size: int


class RenameRoot(_Action):
    """Rename a root's folder, while nobody has its disk open, to ``to``: the commit.

    Its config goes with it under both names, so that it is whole before and after.
    """

    kind: Literal["rename"] = "rename"
    name: str
    to: str


class SetModels(_Action):
    """Replace the default roots by board model, which must still be ``before``; undo reverses it.

    Pattern of a model → root, as in site.toml.
    """

    kind: Literal["set-models"] = "set-models"
    before: dict[str, str]
    after: dict[str, str]


class WithdrawExport(_Action):
    """Close the gate for an export and take it from the storage daemon; undo puts it back.

    With a session open: refused, or with ``cut`` the session is ended.
    """

    kind: Literal["withdraw-export"] = "withdraw-export"
    export: str
    cut: bool = False


class DrainExport(_Action):
    """Admit no new session and wait up to ``seconds`` for the old one; ``cut`` ends it then."""

    kind: Literal["drain-export"] = "drain-export"
    export: str
    seconds: int
    cut: bool = False


class RebootBoard(_Action):
    """Ask a board to reboot over ssh; being unreachable is reported and is no failure."""

    kind: Literal["reboot"] = "reboot"
    name: str
    ip: Ip
    user: str


class TrashNode(_Action):
    """Take the disk's write lease and rename the node into ``trash/<folder>``: the commit.

    ``overlays`` (folders relative to the site) go with it.
    """

    kind: Literal["trash"] = "trash"
    name: str
    folder: str
    overlays: tuple[Place, ...] = ()


class RestoreNode(_Action):
    """Rename ``trash/<folder>`` back to ``nodes/<name>``, never over another.

    ``overlays`` (folders relative to the site) that went with it come back first.
    """

    kind: Literal["restore"] = "restore"
    folder: str
    name: str
    overlays: tuple[Place, ...] = ()


class RestoreStray(_Action):
    """Rename ``trash/<folder>`` back to ``path`` (relative to the site), never over another."""

    kind: Literal["restore-stray"] = "restore-stray"
    folder: str
    path: Place


class PurgeFolder(_Action):
    """Delete a trash folder for good. There is no undo."""

    kind: Literal["purge"] = "purge"
    folder: str


class TrashStray(_Action):
    """Move something that is no node (path relative to the site) into ``trash/<folder>``."""

    kind: Literal["trash-stray"] = "trash-stray"
    path: Place
    folder: str


class DropStaging(_Action):
    """Delete a half-made node that no running job holds."""

    kind: Literal["drop-staging"] = "drop-staging"
    path: Place


class SetPins(_Action):
    """Keep findings of the audit and let others go, in one write; undo reverses it."""

    kind: Literal["set-pins"] = "set-pins"
    add: tuple[Pin, ...] = ()
    drop: tuple[str, ...] = ()


class SetRoster(_Action):
    """Change the lists of boards in one write; undo reverses it.

    ``ignored`` and ``registered`` are added, ``seen`` and ``struck`` (MACs) taken off them.
    """

    kind: Literal["set-roster"] = "set-roster"
    ignored: tuple[Ignored, ...] = ()
    seen: tuple[str, ...] = ()
    registered: tuple[Registered, ...] = ()
    struck: tuple[str, ...] = ()


class BuildBootkit(_Action):
    """Build an initramfs and put it into ``bootkit/``, in the place of an older one.

    Fields as in the request; an empty ``kernel`` is a root's only one, or the usual one.
    """

    kind: Literal["build-bootkit"] = "build-bootkit"
    arch: str
    kernel: str
    root: str
    sources: str
    offline: bool


class MakeSideFiles(_Action):
    """Read an image once and write its side files; the image must not change meanwhile."""

    kind: Literal["side-files"] = "side-files"
    image: str


class PublishImage(_Action):
    """Hash the written part of an image, then give it its name and its side files: the commit."""

    kind: Literal["publish-image"] = "publish-image"
    image: str
    replace: bool


class SeedImages(_Action):
    """Offer images by torrent until stopped, or until ``receivers`` have each of them."""

    kind: Literal["seed"] = "seed"
    images: tuple[str, ...]
    receivers: int
    lab: Lab


class SendImage(_Action):
    """Send an image by multicast, and hear from the receivers what they got."""

    kind: Literal["send"] = "send"
    image: str
    receivers: int
    wait: int
    rate: str
    retries: int
    lab: Lab


class ReceiveImage(_Action):
    """Receive an image as ``.part``, verify it, rename it into place, write its side files.

    ``cache`` is empty for the site's own repository. ``before`` is what is there; without side
    files to tell its contents it is read first, for it may be the image. With ``replace`` other
    contents go; in the own repository they must still be there as they were.
    """

    kind: Literal["receive"] = "receive"
    image: str
    cache: str = ""
    by: Literal["multicast", "torrent"]
    origin: str
    wait: int
    offer: Offer
    before: ImageFile | None
    replace: bool = False
    lab: Lab


class UseKit(_Action):
    """Put the site's own initramfs for a kernel into a node's ``boot/``; undo puts back what was.

    By a hard link, under the name that ``bootkit.arch.image_name`` gives. ``sha256`` is the one
    that was seen when the plan was made; empty for one that the plan itself builds.
    """

    kind: Literal["use-kit"] = "use-kit"
    name: str
    arch: str
    kernel: str
    sha256: str


class SetRepository(_Action):
    """Write a repository into site.toml, or with ``after`` None strike it; undo reverses it."""

    kind: Literal["set-repository"] = "set-repository"
    name: str
    after: Configured | None


class MountRepository(_Action):
    """Mount a repository at ``point``, from ``device`` if it is found by its label."""

    kind: Literal["mount-repository"] = "mount-repository"
    name: str
    repository: Configured
    device: str
    point: str


class UnmountRepository(_Action):
    """Unmount a repository; undo mounts it again."""

    kind: Literal["unmount-repository"] = "unmount-repository"
    name: str
    repository: Configured
    device: str
    point: str


class IndexRepository(_Action):
    """Write the list of all that is in this server's repository, and the boards of each root."""

    kind: Literal["index-repository"] = "index-repository"


class ImportImage(_Action):
    """Bring files of an older tree into ``images/<name>/``; undo takes them out again."""

    kind: Literal["import-image"] = "import-image"
    folder: str
    name: str
    files: tuple[str, ...]
    how: Literal["link", "copy", "move"]


class WaitRandom(_Action):
    """Wait for a random time of up to ``seconds``."""

    kind: Literal["wait-random"] = "wait-random"
    seconds: int


class UpdateImage(_Action):
    """Bring one image of a cache up to date; ``path`` is below the repository."""

    kind: Literal["update-image"] = "update-image"
    repository: str
    cache: str
    path: str
    mtime: int


class CopyOverlays(_Action):
    """Make the files laid over these images (roots' names) the same in a cache.

    With ``all_`` also those of others that the repository has files for.
    """

    kind: Literal["copy-overlays"] = "copy-overlays"
    repository: str
    cache: str
    images: tuple[str, ...]
    all_: bool


class BringOverlay(_Action):
    """Copy an overlay of a cache to the same place in the site (relative to it), over nothing."""

    kind: Literal["bring-overlay"] = "bring-overlay"
    cache: str
    place: Place


class RestoreImage(_Action):
    """Swap an image of a cache with its former version; undo swaps them again."""

    kind: Literal["restore-image"] = "restore-image"
    cache: str
    path: str


class UnstageNode(_Action):
    """Delete a staged node of this unit that was only a copy to work on."""

    kind: Literal["unstage"] = "unstage"
    name: str


class FlattenDisk(_Action):
    """Copy what the overlay of node ``source`` shows into the staged node, as a raw disk.

    ``live`` = a board has it open: as it is at one instant, then checked and repaired.
    """

    kind: Literal["flatten-disk"] = "flatten-disk"
    name: str
    source: str
    live: bool = False


class WriteArchive(_Action):
    """Write node ``name`` as an archive beside ``target``, or to standard output.

    Its disk is that of the staged node ``staged``, if one is named. With ``base`` only what
    differs from the disk of that root. Undo deletes what was written.
    """

    kind: Literal["write-archive"] = "write-archive"
    name: str
    target: str
    packing: Packing
    staged: str = ""
    base: str = ""


class PublishArchive(_Action):
    """Flush the written archive and rename it to ``target``: the commit."""

    kind: Literal["publish-archive"] = "publish-archive"
    target: str
    replace: bool


class TakeArchive(_Action):
    """Take disk and boot files out of an archive into the staged node; fields as asked."""

    kind: Literal["take-archive"] = "take-archive"
    name: str
    place: str
    base: str
    unverified: bool


class TakeLeaf(_Action):
    """Take a leaf's disk and boot files out of an archive into the staged node.

    As an overlay on the disk of ``root`` where ``thin`` and that can be, else as a raw disk of its
    own. What the archive says of its board counts if that is the one the leaf is for.
    """

    kind: Literal["take-leaf"] = "take-leaf"
    name: str
    place: str
    root: str
    thin: bool
    unverified: bool


class RefreshServices(_Action):
    """Re-derive every file of the named nodes (all when empty) and make the daemons follow."""

    kind: Literal["refresh"] = "refresh"
    names: tuple[str, ...] = ()


Action = Annotated[
    StageNode
    | MakeDisk
    | CloneDisk
    | PersonaliseDisk
    | LayOverlay
    | CopyLeafDisk
    | TakeDisk
    | MoveFolder
    | ChangeOverlay
    | WriteNode
    | PublishNode
    | UpdateConfig
    | SetChildren
    | DropMissingChildren
    | ResizeDisk
    | RenameRoot
    | SetModels
    | WithdrawExport
    | DrainExport
    | RebootBoard
    | TrashNode
    | RestoreNode
    | RestoreStray
    | PurgeFolder
    | TrashStray
    | DropStaging
    | SetPins
    | SetRoster
    | BuildBootkit
    | MakeSideFiles
    | PublishImage
    | SeedImages
    | SendImage
    | ReceiveImage
    | UseKit
    | SetRepository
    | MountRepository
    | UnmountRepository
    | IndexRepository
    | ImportImage
    | WaitRandom
    | UpdateImage
    | CopyOverlays
    | BringOverlay
    | RestoreImage
    | UnstageNode
    | FlattenDisk
    | WriteArchive
    | PublishArchive
    | TakeArchive
    | TakeLeaf
    | RefreshServices,
    Field(discriminator="kind"),
]


LONG = frozenset({"side-files", "copy-leaf-disk"})
"""Actions that read whole images or disks: nobody is locked out of the site for so long."""


class Unit(_Action):
    """Actions that stand or fall together.

    ``node`` is what the unit is about, ``detail`` one line for the preview. ``always`` runs
    even after cancel and failures; when a ``required`` unit fails the rest is skipped; one
    that does not ``counts`` only prepares the others. ``after`` is the title of an earlier unit
    without which this one can't be: it is skipped when that one did not come to its end.
    """

    title: str
    node: str = ""
    detail: str = ""
    actions: tuple[Action, ...]
    always: bool = False
    required: bool = False
    counts: bool = True
    after: str = ""

    @property
    def long(self) -> bool:
        """Whether it reads so much that the plan's hold of the site's lock ends with it."""
        return any(action.kind in LONG for action in self.actions)

    @property
    def work(self) -> bool:
        """Whether it is what the plan is about, and not only goes before or after it."""
        return self.counts and not self.always


class Plan(_Action):
    """A whole request, ready to show and to run.

    ``made`` is the time (epoch seconds) the plan counts from: planning the same request on the
    same site at the same ``made`` gives the same plan.
    ``needs`` and ``frees`` are bytes; ``notes`` are sentences for the admin (which rule chose
    an address, what is promised, what is left out); ``impact`` is the rung of UI.md's
    confirmation ladder; ``hold`` keeps the site's lock for the run, up to a unit that is
    ``long``.
    """

    title: str
    request: Request
    generation: int
    made: float
    units: tuple[Unit, ...]
    needs: int = 0
    frees: int = 0
    notes: tuple[str, ...] = ()
    impact: Literal["create", "reversible", "one", "many", "purge"] = "create"
    confirm: str = ""
    hold: bool = True
    command: str = ""

    @property
    def counted(self) -> tuple[bool, ...]:
        """For each unit whether it counts as work; where none is work all do."""
        work = tuple(unit.work for unit in self.units)
        return work if any(work) else tuple(True for _ in work)

    def same_work(self, other: Plan) -> bool:
        """Whether both plans do the same, whatever generation they were made at."""
        return self.units == other.units


class UnitResult(_Action):
    """What became of one unit; ``data`` holds outcomes such as {"reboot": "unreachable"}.

    ``counts`` is False for one that only prepared or tidied up.
    """

    title: str
    node: str = ""
    outcome: Literal["done", "failed", "skipped"]
    error: str = ""
    code: int = 0
    counts: bool = True
    data: dict[str, str] = Field(default_factory=dict)


class Report(_Action):
    """What became of a plan; ``code`` is the command line's exit code.

    ``error`` says why nothing was run at all, or with ``interrupted`` that its process was
    killed: then the results are those of its journal. ``changed``: nothing was run since the
    site was no longer the one the plan was made on; the same request gives another plan.
    """

    title: str
    verb: str
    results: tuple[UnitResult, ...]
    code: int
    job: str = ""
    error: str = ""
    interrupted: bool = False
    changed: bool = False

    def essential(self) -> Report:
        """Without the units that only prepare or tidy up, unless one of them failed."""
        kept = tuple(r for r in self.results if r.counts or r.outcome == "failed")
        return self.model_copy(update={"results": kept})

    def counted(self, outcome: str) -> int:
        """How many units that count had this outcome."""
        return sum(r.counts for r in self.of(outcome))

    def of(self, outcome: str) -> tuple[UnitResult, ...]:
        """The results with one outcome."""
        return tuple(r for r in self.results if r.outcome == outcome)
