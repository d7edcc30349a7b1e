"""Actions on the trash, on what is found astray, and on what the admin keeps or ignores."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.asked import Value
from sbctui.engine.model.pins import Pin
from sbctui.engine.model.roster import Ignored, Registered
from sbctui.engine.model.trashname import Place


class TrashNode(Value):
    """Take the disk's write lease and rename the node into ``trash/<folder>``: the commit.

    ``overlays`` (folders relative to the site) go with it.
    """

    kind: Literal["trash"] = "trash"
    name: str
    folder: str
    overlays: tuple[Place, ...] = ()


class RestoreNode(Value):
    """Rename ``trash/<folder>`` back to ``nodes/<name>``, never over another.

    ``overlays`` (folders relative to the site) that went with it come back first.
    """

    kind: Literal["restore"] = "restore"
    folder: str
    name: str
    overlays: tuple[Place, ...] = ()


class RestoreStray(Value):
    """Rename ``trash/<folder>`` back to ``path`` (relative to the site), never over another."""

    kind: Literal["restore-stray"] = "restore-stray"
    folder: str
    path: Place


class PurgeFolder(Value):
    """Delete a trash folder for good. There is no undo."""

    kind: Literal["purge"] = "purge"
    folder: str


class TrashStray(Value):
    """Move something that is no node (path relative to the site) into ``trash/<folder>``."""

    kind: Literal["trash-stray"] = "trash-stray"
    path: Place
    folder: str


class DropStaging(Value):
    """Delete a half-made node that no running job holds."""

    kind: Literal["drop-staging"] = "drop-staging"
    path: Place


class SetPins(Value):
    """Keep findings of the audit and let others go, in one write; undo reverses it."""

    kind: Literal["set-pins"] = "set-pins"
    add: tuple[Pin, ...] = ()
    drop: tuple[str, ...] = ()


class SetRoster(Value):
    """Change the lists of boards in one write; undo reverses it.

    ``ignored`` and ``registered`` are added, ``seen`` and ``struck`` (MACs) taken off them.
    """

    kind: Literal["set-roster"] = "set-roster"
    ignored: tuple[Ignored, ...] = ()
    seen: tuple[str, ...] = ()
    registered: tuple[Registered, ...] = ()
    struck: tuple[str, ...] = ()
