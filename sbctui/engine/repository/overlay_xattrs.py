"""The extended attributes of files that are to be laid over an image, as they are here."""

from __future__ import annotations

import errno
import os

from sbctui.engine.model.xattrs import Xattrs, carried

_NONE = (errno.ENOTSUP, errno.ENODATA)


def of_source(where: int | str) -> Xattrs:
    """Those of an open file, or of a path that is no link, that mean the same on a board.

    A file system without any has none. Raises OSError.
    """
    follow = isinstance(where, int)
    try:
        names = sorted(filter(carried, os.listxattr(where, follow_symlinks=follow)))
        return tuple((name, os.getxattr(where, name, follow_symlinks=follow)) for name in names)
    except OSError as error:
        if error.errno in _NONE:
            return ()
        raise
