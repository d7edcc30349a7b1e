"""Making a site: the folder layout and site.toml, in a new or empty folder only."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import tomli_w

from sbctui.engine import commands
from sbctui.engine.disks.probe import probe
from sbctui.engine.errors import NotASite, NotPermitted, Refused, from_os
from sbctui.engine.files import Owner, fsync_dir, make_dir, write_atomic, write_new
from sbctui.engine.lockfile import SiteLock, first_text
from sbctui.engine.model.settings import Settings
from sbctui.engine.places import SERVICE_USER
from sbctui.engine.store import SETTINGS, read_settings

FOLDERS = (
    "nodes",
    "trash",
    "jobs",
    "state",
    "derived",
    "derived/dnsmasq",
    "derived/dnsmasq/hosts.d",
    "derived/tftp",
    "derived/exports",
    "templates",
)
_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "9p", "afs")


def init_site(path: Path, settings: Settings, *, owner: str = "") -> None:
    """Make a site in a new or empty folder, or change the settings of one that is there.

    ``owner`` is a user's name: root then gives the site to that user, who is made when it is
    ``SERVICE_USER`` and missing. Raises Refused, NotASite, NotPermitted, ToolMissing.
    """
    try:
        if (path / SETTINGS).exists():
            write_settings(path, settings)
            return
        ids = _ids(owner)
        _make(path, settings, ids)
    except OSError as error:
        raise from_os(error, f"making a site at {path}") from error


def write_settings(path: Path, settings: Settings) -> None:
    """Replace site.toml atomically, keeping its owner."""
    facts = (path / SETTINGS).stat()
    owner = (facts.st_uid, facts.st_gid) if os.geteuid() == 0 else None
    write_atomic(path / SETTINGS, render_settings(settings), owner=owner)


def change_settings(path: Path, change: Callable[[Settings], Settings]) -> Settings:
    """Change site.toml under the site's lock; the settings as they are then.

    ``change`` gets them as they are under the lock. Raises Locked, NotASite, NotPermitted, and
    what ``change`` raises; nothing is changed then.
    """
    try:
        lock = SiteLock(path, "changing the settings")
        with lock.held():
            after = change(read_settings(path))
            write_settings(path, after)
            lock.touch("*")
            return after
    except OSError as error:
        raise from_os(error, f"changing the settings of {path}") from error


def render_settings(settings: Settings) -> bytes:
    """site.toml's bytes: what differs from the defaults."""
    chosen = settings.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude_defaults=True
    )
    return tomli_w.dumps({"schema": 1, **chosen}).encode()


def _make(path: Path, settings: Settings, ids: Owner) -> None:
    if path.exists():
        if not path.is_dir():
            raise NotASite(f"{path} is no folder; choose another place for the site")
        if any(name != "lost+found" for name in os.listdir(path)):
            raise Refused(f"{path} is not empty and is no site; choose a new or empty folder")
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_dir(path, owner=ids)
    if ids is None and os.geteuid() == 0:
        facts = path.stat()
        ids = (facts.st_uid, facts.st_gid) if facts.st_uid else None
    found = probe(path)
    if found.filesystem in _REMOTE:
        raise Refused(
            f"{path} lies on {found.filesystem}, where locks and leases can't be trusted; "
            "choose a folder on a local disk"
        )
    for name in FOLDERS:
        make_dir(path / name, owner=ids)
    write_new(path / "lock", first_text(), owner=ids)
    write_new(path / SETTINGS, render_settings(settings), owner=ids)
    fsync_dir(path)
    fsync_dir(path.parent)


def _ids(owner: str) -> Owner:
    if not owner:
        return None
    if os.geteuid() != 0:
        raise NotPermitted(f"only root can give a site to {owner}; run with sudo")
    try:
        found = pwd.getpwnam(owner)
    except KeyError:
        if owner != SERVICE_USER:
            raise Refused(f"there is no user {owner}; make it first with: useradd") from None
        make_user(owner)
        found = pwd.getpwnam(owner)
    return found.pw_uid, found.pw_gid


def make_user(name: str) -> None:
    """Make a system user and group without home or shell. Raises ToolFailed, ToolMissing."""
    commands.run(
        ["useradd", "--system", "--user-group", "--no-create-home", "--shell",
         "/usr/sbin/nologin", name]
    )  # fmt: skip
