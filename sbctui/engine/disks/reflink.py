"""Clones that share their source's extents: btrfs and XFS. Instant whatever the size."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from pathlib import Path

from sbctui.engine.disks.port import Report
from sbctui.engine.disks.target import new_disk
from sbctui.engine.errors import Refused
from sbctui.engine.files import hit
from sbctui.engine.model.node import DiskFormat, StoreKind

FICLONE = 0x40049409
_NO_REFLINK = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)
_METADATA = 64 * 1024


class Reflink:
    """Disks by FICLONE; source and target lie on one file system."""

    kind: StoreKind = "reflink"

    def format(self, *, leaf: bool) -> DiskFormat:
        """Raw, for leaves and roots."""
        return "raw"

    def needs(self, allocated: int) -> int:
        """Only the metadata of one more file."""
        return _METADATA

    def clone(self, source: Path, target: Path, *, stop: threading.Event, report: Report) -> None:
        """Share every extent of ``source`` with the new ``target``."""
        given = os.open(source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(given).st_size
            with new_disk(target, stop) as made:
                hit("disk.reflink")
                try:
                    fcntl.ioctl(made, FICLONE, given)
                except OSError as error:
                    if error.errno in _NO_REFLINK:
                        raise Refused(
                            f"{source.name} can't share extents with a copy in {target.parent}; "
                            "set disk_kind to overlay or copy in site.toml"
                        ) from error
                    raise
        finally:
            os.close(given)
        report(size, size)
