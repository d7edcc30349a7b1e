"""The runtime folder of a site: sockets and process records, gone after a reboot.

Short enough for unix sockets, and never a place that another user could have prepared: every
folder of ours is checked for its owner, its mode and for not being a link.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path

from sbctui.engine.errors import NotPermitted

SOCKET_BYTES = 107
"""Longest path of a unix socket, in bytes."""
DAEMONS = "daemons"
"""Folder inside the runtime folder that the daemons' own user may write to."""
_LONGEST = 32


def site_id(site: Path) -> str:
    """The site's short name: first 12 hex digits of the hash of its real path."""
    return hashlib.sha256(os.fsencode(site.resolve())).hexdigest()[:12]


def run_dir(site: Path) -> Path:
    """Where this user's runtime folder of a site is; it need not exist yet."""
    return _base() / site_id(site)


def prepare_run_dir(site: Path, owner: tuple[int, int]) -> Path:
    """Make and check the runtime folder; ``owner`` is the site's (uid, gid).

    When root serves somebody else's site the folder stays root's, the site's group may enter
    it, and ``daemons/`` inside is the owner's. Raises NotPermitted for a planted folder.
    """
    uid, gid = os.geteuid(), os.getegid()
    foreign = uid == 0 and owner[0] != 0
    base = _base()
    base.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    _own_folder(base, (uid, gid), 0o755 if uid == 0 else 0o700)
    run = base / site_id(site)
    _own_folder(run, (uid, owner[1] if foreign else gid), 0o750 if foreign else 0o700)
    _own_folder(run / DAEMONS, owner if foreign else (uid, gid), 0o700)
    return run


def _base() -> Path:
    uid = os.geteuid()
    if uid == 0 and os.access("/run", os.W_OK):
        return Path("/run/sbctui")
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given.startswith("/") and _usable(Path(given), uid):
        return Path(given) / "sbctui"
    return Path(f"/tmp/sbctui-{uid}")


def _usable(given: Path, uid: int) -> bool:
    """Ours alone, and short enough for the longest socket below it."""
    with suppress(OSError):
        state = given.lstat()
        room = len(os.fsencode(given / "sbctui" / ("0" * 12) / DAEMONS)) + _LONGEST
        return stat.S_ISDIR(state.st_mode) and state.st_uid == uid and room <= SOCKET_BYTES
    return False


def _own_folder(path: Path, owner: tuple[int, int], mode: int) -> None:
    """Make a folder that is ``owner``'s with just ``mode``, or refuse the one that is there."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    fd = -1
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(fd).st_uid
        if found not in (owner[0], os.geteuid()):
            raise NotPermitted(
                f"{path} belongs to user {found}, who could read or replace our sockets; "
                f"remove it: rm -r {path}"
            )
        if (found, os.fstat(fd).st_gid) != owner:
            os.fchown(fd, *owner)
        os.fchmod(fd, mode)
    except OSError as error:
        raise NotPermitted(
            f"{path} can't be our runtime folder ({error.strerror}); remove it: rm {path}"
        ) from None
    finally:
        if fd >= 0:
            os.close(fd)
