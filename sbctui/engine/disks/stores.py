"""The disk kinds by name."""

from __future__ import annotations

from sbctui.engine.disks.overlay import Overlay
from sbctui.engine.disks.port import ImageStore
from sbctui.engine.disks.reflink import Reflink
from sbctui.engine.disks.sparse import SparseCopy
from sbctui.engine.model.node import StoreKind

_STORES: dict[StoreKind, ImageStore] = {
    "reflink": Reflink(),
    "overlay": Overlay(),
    "copy": SparseCopy(),
}


def store_for(kind: StoreKind) -> ImageStore:
    """The one store of a kind; thread-safe, and it keeps what makes the next clone faster."""
    return _STORES[kind]
