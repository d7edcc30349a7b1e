"""What does each action on repositories and caches, by its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sbctui.engine.context import Context, Undo
from sbctui.engine.repository import (
    perform,
    perform_cache,
    perform_distribution,
    perform_receive,
)

ACTIONS: Mapping[str, Callable[[Any, Context], Undo]] = {
    "set-repository": perform.set_repository,
    "mount-repository": perform.mount_repository,
    "unmount-repository": perform.unmount_repository,
    "index-repository": perform.index_repository,
    "import-image": perform.import_image,
    "wait-random": perform_cache.wait_random,
    "update-image": perform_cache.update_image,
    "copy-overlays": perform_cache.copy_overlays,
    "bring-overlay": perform_cache.bring_overlay,
    "restore-image": perform_cache.restore_image,
    "side-files": perform_distribution.make_side_files,
    "publish-image": perform_distribution.publish_image,
    "seed": perform_distribution.seed,
    "stop-seeding": perform_distribution.stop_seeding,
    "send": perform_distribution.send,
    "receive": perform_receive.receive,
}
