"""Making forty clones forty machines: host name, machine-id, host key, file-system UUID.

Written into the ext4 disk without mounting it. What an image has no place for is left out and
named.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.disks import fuse
from sbctui.engine.disks.debugfs import Entry, Image
from sbctui.engine.disks.ext4 import Superblock, superblock
from sbctui.engine.disks.repair import repair
from sbctui.engine.disks.tools import check
from sbctui.engine.errors import Refused, ToolFailed
from sbctui.engine.files import fsync_file, hit, make_dir, remove_tree, write_new
from sbctui.engine.model.addresses import parse_name
from sbctui.engine.model.node import DiskFormat

_HOSTS_MOST = 64 * 1024
_ROOM = 256 * 1024
"""Bytes that must be free in the image, for the few files written."""
_INODES = 8
_KEY = re.compile(r"ssh_host_[a-z0-9]{1,16}_key(?:\.pub)?")
_PRIVATE = "ssh_host_ed25519_key"
_OWN_LINE = re.compile(
    rb"^(?P<before>127\.0\.1\.1[ \t]+)[^\s.#]+(?P<domain>\.[^\s#]+)?[^\n#]*?(?=[ \t]*(?:#|$))",
    re.MULTILINE,
)
Folders = Mapping[str, Mapping[str, Entry]]


@dataclass(frozen=True, slots=True)
class Personalised:
    """What was written and what was left out (names as asked for), and why.

    ``public_key`` is the new host key as in known_hosts, without the host; or empty.
    """

    done: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    public_key: str = ""
    why: str = ""


def personalise(
    disk: Path,
    format: DiskFormat,
    base: Path | None,
    hostname: str,
    what: tuple[str, ...],
    *,
    stop: threading.Event,
    log: commands.Log | None = None,
) -> Personalised:
    """Write what is asked for into a disk that nobody has open; durable.

    An overlay is edited through a private export; ``base`` is the raw disk it stands on.
    Raises ToolFailed, ToolMissing, NoSpace, Cancelled; then the disk is to be thrown away.
    """
    name = parse_name(hostname)
    if format == "raw":
        result = _personalise(disk, disk.parent, name, what, stop, log)
        fsync_file(disk)
        return result
    if base is None:
        raise Refused(f"the disk under {disk.parent.name}/{disk.name} is not known")
    if reason := fuse.unavailable():
        return Personalised(left_out=what, why=f"overlays can't be edited here: {reason}")
    with fuse.exported(disk, base, base.stat().st_size, stop=stop, log=log) as view:
        result = _personalise(view, disk.parent, name, what, stop, log)
    fsync_file(disk)
    return result


def _personalise(
    disk: Path,
    folder: Path,
    hostname: str,
    what: tuple[str, ...],
    stop: threading.Event,
    log: commands.Log | None,
) -> Personalised:
    facts = superblock(disk)
    if facts is not None and facts.dirty:
        repair(disk, stop=stop, log=log)
        facts = superblock(disk)
    if facts is None:
        return Personalised(left_out=what, why="the disk holds no ext4 file system")
    scratch = folder / f".personal-{secrets.token_hex(4)}"
    make_dir(scratch, mode=0o700)
    try:
        result = _Edit(Image(disk, scratch, stop, log), hostname, facts).apply(what)
    finally:
        remove_tree(scratch)
    if "filesystem_uuid" in what:
        hit("disk.uuid")
        argv = ["tune2fs", "-U", "random", str(disk)]
        check(commands.run(argv, ok=range(256), stop=stop, log=log), "giving the disk a new UUID")
        result = replace(result, done=(*result.done, "filesystem_uuid"))
    return result


class _Edit:
    """One image's changes, gathered as a debugfs script and run in one go."""

    def __init__(self, image: Image, hostname: str, facts: Superblock) -> None:
        self._image = image
        self._hostname = hostname
        self._full = facts.free < _ROOM or facts.free_inodes < _INODES
        self._script: list[str] = []
        self._removed: list[str] = []
        self._public_key = ""

    def apply(self, what: tuple[str, ...]) -> Personalised:
        """Write what there is a place for."""
        wanted = tuple(name for name in what if name in _EDITS)
        if self._full:
            return Personalised(left_out=wanted, why="the file system in the image is full")
        try:
            folders = self._image.folders("/etc", "/etc/ssh", "/var/lib/dbus")
        except ToolFailed as error:
            return Personalised(left_out=wanted, why=f"the image can't be read: {error.detail}")
        if "/etc" not in folders:
            return Personalised(left_out=wanted, why="the image has no /etc")
        done = tuple(name for name in wanted if _EDITS[name](self, folders))
        if self._script:
            forgotten = bool(self._removed) and self._image.has_attribute_block(self._removed)
            self._image.write(self._script)
            if forgotten:
                repair(self._image.disk, stop=self._image.stop, log=self._image.log)
        left = tuple(name for name in wanted if name not in done)
        why = "the image has no place for it" if left else ""
        return Personalised(done, left, self._public_key, why)

    def hostname(self, folders: Folders) -> bool:
        """/etc/hostname, and the name for 127.0.1.1 in /etc/hosts where it stands there."""
        etc = folders["/etc"]
        if not self._put(folders, "/etc/hostname", f"{self._hostname}\n".encode(), 0o644):
            return False
        hosts = etc.get("hosts")
        if hosts is not None and hosts.is_file and hosts.size <= _HOSTS_MOST:
            old = self._image.dump("/etc/hosts", "hosts.old")
            new = _OWN_LINE.sub(self._own_line, old)
            if new != old:
                self._put(folders, "/etc/hosts", new, hosts.mode & 0o777)
        return True

    def _own_line(self, match: re.Match[bytes]) -> bytes:
        name, domain = self._hostname.encode(), match["domain"] or b""
        names = name + domain + b" " + name if domain else name
        return match["before"] + names

    def machine_id(self, folders: Folders) -> bool:
        """An empty /etc/machine-id: the board makes its own at its first start."""
        if not self._put(folders, "/etc/machine-id", b"", 0o444):
            return False
        copy = folders.get("/var/lib/dbus", {}).get("machine-id")
        if copy is not None and copy.is_file:
            self._remove("/var/lib/dbus", "machine-id")
        return True

    def ssh_host_key(self, folders: Folders) -> bool:
        """One new ed25519 key; the image's own host keys go, or all clones would share them."""
        ssh = folders.get("/etc/ssh")
        if ssh is None:
            return False
        key = self._image.folder / "key"
        hit("disk.key")
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{self._hostname}"]
        image = self._image
        done = commands.run([*argv, "-f", key], ok=range(256), stop=image.stop, log=image.log)
        check(done, "making a host key")
        public = key.with_suffix(".pub").read_bytes()
        files = {_PRIVATE: (key.read_bytes(), 0o600), f"{_PRIVATE}.pub": (public, 0o644)}
        for name, entry in ssh.items():
            if name not in files and _KEY.fullmatch(name) and entry.is_replaceable:
                self._remove("/etc/ssh", name)
        written = [self._put(folders, f"/etc/ssh/{n}", *given) for n, given in files.items()]
        self._public_key = " ".join(public.decode().split()[:2]) if all(written) else ""
        return all(written)

    def _put(self, folders: Folders, path: str, data: bytes, mode: int) -> bool:
        """Plan to replace or make a file, owned by root; False when something else is there."""
        folder, _, name = path.rpartition("/")
        there = folders[folder].get(name)
        if there is not None and not there.is_replaceable:
            return False
        write_new(self._image.folder / name, data)
        if there is not None:
            self._remove(folder, name)
        self._script += [f"cd {folder}", f"write {name} {name}"]
        self._script += [f"set_inode_field {name} mode 0100{mode:03o}"]
        self._script += [f"set_inode_field {name} {field} 0" for field in ("uid", "gid")]
        return True

    def _remove(self, folder: str, name: str) -> None:
        self._script += [f"cd {folder}", f"rm {name}"]
        self._removed.append(f"{folder}/{name}")


_EDITS = {
    "hostname": _Edit.hostname,
    "machine_id": _Edit.machine_id,
    "ssh_host_key": _Edit.ssh_host_key,
}
