"""A second name for the site's own initramfs, in the boot folder of a node."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from sbctui.engine.files import Owner, hit, write_new

_NO_LINK = (errno.EMLINK, errno.EPERM, errno.EXDEV)
_MODE = 0o644


def put_link(source: Path, target: Path, owner: Owner) -> None:
    """A second name for a file, or a copy where no more links are possible. Raises OSError."""
    hit("boot.link")
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        write_new(target, source.read_bytes(), mode=_MODE, owner=owner)


def beside(target: Path) -> Path:
    """A name in the same folder that nobody looks at, and that recovery drops."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
