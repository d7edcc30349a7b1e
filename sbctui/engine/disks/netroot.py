"""What an image says of its own disks, made true for a board that has its root over NBD."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks.debugfs import Image
from sbctui.engine.disks.fstab import for_network
from sbctui.engine.errors import ToolFailed
from sbctui.engine.files import fsync_file, make_dir, remove_tree, write_new

_MOST = 64 * 1024


def settle(disk: Path, *, stop: threading.Event, log: commands.Log | None = None) -> None:
    """Rewrite /etc/fstab of a new ext4 disk, when it has one; durable.

    Raises ToolFailed, NoSpace, Cancelled.
    """
    scratch = disk.parent / f".fstab-{secrets.token_hex(4)}"
    make_dir(scratch, mode=0o700)
    try:
        _rewrite(Image(disk, scratch, stop, log))
    finally:
        remove_tree(scratch)
    fsync_file(disk)


def _rewrite(image: Image) -> None:
    try:
        there = image.folders("/etc").get("/etc", {}).get("fstab")
    except ToolFailed:
        return
    if there is None or not there.is_file or there.size > _MOST:
        return
    old = image.dump("/etc/fstab", "old")
    new = for_network(old)
    if new == old:
        return
    write_new(image.folder / "fstab", new)
    owner = [f"set_inode_field fstab {field} 0" for field in ("uid", "gid")]
    mode = f"set_inode_field fstab mode 0100{there.mode & 0o777:03o}"
    image.write(["cd /etc", "rm fstab", "write fstab fstab", mode, *owner])
