"""Reads what an image brought for a Raspberry Pi out of a node's ``boot/``."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path

from sbctui.engine.boot.pi import (
    CMDLINE,
    CONFIG,
    FIRMWARE,
    KEPT,
    MARK,
    PiImage,
    of_interest,
    prefixes,
)
from sbctui.engine.model.node import BootSpec

_MOST = 64 * 1024
"""Bytes of a config.txt or cmdline.txt; what is larger is none."""
_NONE = (errno.ENOENT, errno.ELOOP, errno.ENXIO)
_SIGNS = (CONFIG + KEPT, CONFIG, *FIRMWARE)


class ImageReader:
    """Reads many nodes' files: one that many share by hard link is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int, int, int], str] = {}

    def read(
        self, folder: str | Path, boot: BootSpec, there: Collection[str] | None = None
    ) -> PiImage | None:
        """What is there for a Raspberry Pi; None when nothing is.

        ``there`` are the names in the folder, where they are known already.
        """
        if there is None and not any(os.path.lexists(f"{folder}/{name}") for name in _SIGNS):
            return None
        names = _listed(folder) if there is None else there
        config = self._text(folder, CONFIG)
        if not config and not any(name in names for name in FIRMWARE):
            return None
        cmdline = self._text(folder, CMDLINE)
        before = prefixes(config)
        more = (f"{place}/{n}" for place in _folders(before) for n in _listed(f"{folder}/{place}"))
        return PiImage(config, cmdline, of_interest((*names, *more), boot, before))

    def _text(self, folder: str | Path, name: str) -> str:
        """The image's own file: the one kept aside, else one that we have not written."""
        kept = self._read(f"{folder}/{name}{KEPT}")
        if kept is not None:
            return kept
        if os.path.lexists(f"{folder}/{CONFIG}{KEPT}"):
            return ""  # the image had none of this name: what is there is ours
        config = self._read(f"{folder}/{CONFIG}") or ""
        if config.startswith(MARK):
            return ""  # and so is what stands beside it
        return config if name == CONFIG else self._read(f"{folder}/{name}") or ""

    def _read(self, path: str) -> str | None:
        try:
            facts = os.stat(path, follow_symlinks=False)
            key = (facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST:
                return None
            if key not in self._known:
                self._known[key] = _content(path)
            return self._known[key]
        except OSError:
            return None


def _content(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:
        return file.read(_MOST).replace(b"\0", b"").decode("utf-8", "surrogateescape")


def _folders(before: Collection[str]) -> set[str]:
    """The folders that names with these prefixes are in."""
    return {prefix.rpartition("/")[0] for prefix in before if "/" in prefix}


def _listed(folder: str | Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def keep_aside(folder: Path) -> None:
    """Give an image's own config.txt and cmdline.txt the names under which they are kept.

    Nothing is done where that was done before, or where the files are ours. Raises OSError.
    """
    config = folder / CONFIG
    if os.path.lexists(f"{config}{KEPT}"):
        return
    try:
        if not _content(str(config)).startswith(MARK):
            _aside(folder / CMDLINE)
            _aside(config)
    except OSError as error:
        if error.errno not in _NONE:
            raise


def is_ours(folder: Path) -> bool:
    """Whether the config.txt of a boot folder was written by us. Raises OSError."""
    try:
        return _content(f"{folder}/{CONFIG}").startswith(MARK)
    except OSError as error:
        if error.errno not in _NONE:
            raise
        return False


def _aside(path: Path) -> None:
    if path.is_file() and not path.is_symlink():
        os.rename(path, f"{path}{KEPT}")
