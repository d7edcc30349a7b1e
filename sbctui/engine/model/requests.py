"""What can be asked of the engine: one frozen value per verb.

Facts that only one request needs (what the resolver said, what a source file is) are gathered
by the facade and travel inside the request, so that planners read nothing.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sbctui.engine.model.archivework import Compression as Compression
from sbctui.engine.model.archivework import ExportLeaf as ExportLeaf
from sbctui.engine.model.archivework import ExportMany as ExportMany
from sbctui.engine.model.archivework import ExportRoot as ExportRoot
from sbctui.engine.model.archivework import ImportLeaf as ImportLeaf
from sbctui.engine.model.archivework import ImportRoot as ImportRoot
from sbctui.engine.model.archivework import Incoming as Incoming
from sbctui.engine.model.archivework import Packing as Packing
from sbctui.engine.model.archivework import Target as Target
from sbctui.engine.model.boardwork import ApplyServices as ApplyServices
from sbctui.engine.model.boardwork import BoardSpec as BoardSpec
from sbctui.engine.model.boardwork import BuildBootkit as BuildBootkit
from sbctui.engine.model.boardwork import Kernel as Kernel
from sbctui.engine.model.boardwork import RegisterBoards as RegisterBoards
from sbctui.engine.model.boardwork import UnregisterBoards as UnregisterBoards
from sbctui.engine.model.boardwork import UseInitramfs as UseInitramfs
from sbctui.engine.model.distribution import MakeSideFiles as MakeSideFiles
from sbctui.engine.model.distribution import ReceiveImage as ReceiveImage
from sbctui.engine.model.distribution import SeedImages as SeedImages
from sbctui.engine.model.distribution import SendImage as SendImage
from sbctui.engine.model.distribution import StopSeeding as StopSeeding
from sbctui.engine.model.findingwork import FixFindings as FixFindings
from sbctui.engine.model.findingwork import IgnoreBoards as IgnoreBoards
from sbctui.engine.model.findingwork import KeepFindings as KeepFindings
from sbctui.engine.model.findingwork import Note as Note
from sbctui.engine.model.findingwork import PurgeTrash as PurgeTrash
from sbctui.engine.model.findingwork import RestoreTrash as RestoreTrash
from sbctui.engine.model.findingwork import TrashFindings as TrashFindings
from sbctui.engine.model.findingwork import UnignoreBoards as UnignoreBoards
from sbctui.engine.model.findingwork import UnkeepFindings as UnkeepFindings
from sbctui.engine.model.imagework import DeleteImages as DeleteImages
from sbctui.engine.model.nodework import AllocateRoot as AllocateRoot
from sbctui.engine.model.nodework import AttachLeaf as AttachLeaf
from sbctui.engine.model.nodework import CloneRoot as CloneRoot
from sbctui.engine.model.nodework import Cover as Cover
from sbctui.engine.model.nodework import CreateLeaves as CreateLeaves
from sbctui.engine.model.nodework import CreateRoot as CreateRoot
from sbctui.engine.model.nodework import DeallocateRoot as DeallocateRoot
from sbctui.engine.model.nodework import DeleteLeaves as DeleteLeaves
from sbctui.engine.model.nodework import DeleteRoot as DeleteRoot
from sbctui.engine.model.nodework import EditNode as EditNode
from sbctui.engine.model.nodework import Extent as Extent
from sbctui.engine.model.nodework import Hindrance as Hindrance
from sbctui.engine.model.nodework import Layout as Layout
from sbctui.engine.model.nodework import LeafSpec as LeafSpec
from sbctui.engine.model.nodework import RenameRoot as RenameRoot
from sbctui.engine.model.nodework import ResizeRoot as ResizeRoot
from sbctui.engine.model.nodework import Source as Source
from sbctui.engine.model.overlaywork import AddOverlay as AddOverlay
from sbctui.engine.model.overlaywork import ApplyOverlays as ApplyOverlays
from sbctui.engine.model.overlaywork import DeleteGroup as DeleteGroup
from sbctui.engine.model.overlaywork import HideOverlay as HideOverlay
from sbctui.engine.model.overlaywork import OverlayPath as OverlayPath
from sbctui.engine.model.overlaywork import RemoveOverlay as RemoveOverlay
from sbctui.engine.model.overlaywork import RenameGroup as RenameGroup
from sbctui.engine.model.overlaywork import SetGroup as SetGroup
from sbctui.engine.model.repositorywork import AddRepository as AddRepository
from sbctui.engine.model.repositorywork import CachedRoot as CachedRoot
from sbctui.engine.model.repositorywork import Followed as Followed
from sbctui.engine.model.repositorywork import ImportTree as ImportTree
from sbctui.engine.model.repositorywork import IndexRepository as IndexRepository
from sbctui.engine.model.repositorywork import MountRepository as MountRepository
from sbctui.engine.model.repositorywork import OlderFile as OlderFile
from sbctui.engine.model.repositorywork import RemoveRepository as RemoveRepository
from sbctui.engine.model.repositorywork import RestoreImage as RestoreImage
from sbctui.engine.model.repositorywork import ServeCache as ServeCache
from sbctui.engine.model.repositorywork import UnmountRepository as UnmountRepository
from sbctui.engine.model.repositorywork import UpdateCache as UpdateCache

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
    | StopSeeding
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
