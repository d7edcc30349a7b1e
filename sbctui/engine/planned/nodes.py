"""Actions on nodes and their disks."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.addresses import Mac
from sbctui.engine.model.asked import Value
from sbctui.engine.model.node import NodeConfig, StoreKind
from sbctui.engine.model.requests import Source
from sbctui.engine.model.trashname import Place


class StageNode(Value):
    """Make ``nodes/.new-<name>/`` and hold it by flock; undo removes it with all in it."""

    kind: Literal["stage"] = "stage"
    name: str


class MakeDisk(Value):
    """Make a raw disk of ``size`` bytes with an ext4 file system in the staged node.

    Filled from ``source``; its /boot files land in the staged ``boot/``.
    """

    kind: Literal["make-disk"] = "make-disk"
    name: str
    size: int
    source: Source | None


class CloneDisk(Value):
    """Copy the disk of node ``source`` into the staged node by ``store``.

    ``live`` = a board has the source open: check and repair the copy. Also links the
    source's boot files (kernel, initramfs, device trees) into the staged ``boot/``.
    """

    kind: Literal["clone-disk"] = "clone-disk"
    name: str
    source: str
    store: StoreKind
    live: bool = False


class PersonaliseDisk(Value):
    """Write host name, machine-id and host key into the staged node's disk, without mounting."""

    kind: Literal["personalise"] = "personalise"
    name: str
    hostname: str
    what: tuple[str, ...]


class LayOverlay(Value):
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


class CopyLeafDisk(Value):
    """Copy a published leaf's disk into its staging folder; refused while it is open."""

    kind: Literal["copy-leaf-disk"] = "copy-leaf-disk"
    name: str


class TakeDisk(Value):
    """Let a published leaf have the disk in its staging folder, and drop its own: the commit.

    Takes the disk's write lease. What was laid over it is written beside it.
    """

    kind: Literal["take-disk"] = "take-disk"
    name: str


class WriteNode(Value):
    """Write the staged node's rendered boot files and, last, its config.json.

    ``personalised``, ``boot``, ``promise`` and ``disk.filesystem`` come from what the earlier
    actions of the unit found.
    """

    kind: Literal["write-node"] = "write-node"
    name: str
    config: NodeConfig


class PublishNode(Value):
    """Sync the staged node and rename it into place, never over another: the commit.

    Under the site's lock; fails if its name, MAC or IP was taken meanwhile.
    """

    kind: Literal["publish"] = "publish"
    name: str


class UpdateConfig(Value):
    """Replace a published node's config, which must still equal ``before``; undo puts it back."""

    kind: Literal["update-config"] = "update-config"
    name: str
    before: NodeConfig
    after: NodeConfig


class SetChildren(Value):
    """Add MACs to a root's children map and drop others, in one write; undo reverses it."""

    kind: Literal["set-children"] = "set-children"
    root: str
    add: tuple[Mac, ...] = ()
    drop: tuple[Mac, ...] = ()


class DropMissingChildren(Value):
    """Take those of ``macs`` that have no folder out of the root's children map."""

    kind: Literal["drop-missing-children"] = "drop-missing-children"
    root: str
    macs: tuple[Mac, ...]


class ResizeDisk(Value):
    """Grow a raw disk and its file system to ``size`` bytes; rolls forward after a crash."""

    kind: Literal["resize-disk"] = "resize-disk"
    name: str
    size: int


class RenameRoot(Value):
    """Rename a root's folder, while nobody has its disk open, to ``to``: the commit.

    Its config goes with it under both names, so that it is whole before and after.
    """

    kind: Literal["rename"] = "rename"
    name: str
    to: str


class UnstageNode(Value):
    """Delete a staged node of this unit that was only a copy to work on."""

    kind: Literal["unstage"] = "unstage"
    name: str
