"""Where images come from: one port, and the one of a folder on this machine."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from sbctui.engine.errors import Cancelled, NoSuchNode, SbcError, from_os
from sbctui.engine.model.amounts import size
from sbctui.engine.model.text import clean
from sbctui.engine.repository import attributes, chunks, tree
from sbctui.engine.repository.attributes import Attributes
from sbctui.engine.repository.chunks import Chunks
from sbctui.engine.repository.tree import Entry

Ranges = Sequence[tuple[int, int]]
"""Offset and length of each, in bytes; each at most ``chunks.LARGEST`` long."""


class Source(Protocol):
    """A repository that is read. Paths are relative to it. Made and closed by ``opening``."""

    name: str

    def entries(self, tops: Iterable[str]) -> tuple[Entry, ...]:
        """All that is in these folders. Raises SbcError when it can't be reached."""

    def read(self, path: str, most: int) -> bytes | None:
        """A small file whole; None where there is none. Raises SbcError."""

    def ranges(self, path: str, wanted: Ranges) -> Iterator[bytes]:
        """The bytes of each range in turn, fewer where the file ends.

        Raises NoSuchNode when there is no such file, SbcError.
        """

    def attributes(self) -> Attributes | None:
        """What files laid over images have of extended attributes by themselves; None where
        nothing tells. Raises SbcError.
        """


def listed(source: Source) -> Attributes | None:
    """What a repository's own list tells of attributes; None without one. Raises SbcError."""
    data = source.read(attributes.LIST, attributes.LARGEST)
    if data is None:
        return None
    try:
        return attributes.from_json(data)
    except ValueError as error:
        raise SbcError(
            f"the {attributes.LIST} of {source.name} can't be used: {clean(str(error))}; make it "
            "anew on that server with: sbctui repo index"
        ) from None


def chunks_of(source: Source, path: str) -> Chunks | None:
    """What an image there should be, by its side file; None where it has none.

    Raises SbcError for one that can't be used.
    """
    data = source.read(path + chunks.ENDING, chunks.MOST_BYTES)
    return None if data is None else chunks.parse(data, f"{source.name}:{path}")


class FolderSource:
    """A folder of this machine: a mount, a disk, this server's own repository.

    ``own``: it is that, and its files tell all of themselves. ``far``: another server's, whose
    files tell nothing for sure.
    """

    def __init__(
        self, name: str, root: Path, stop: threading.Event, *, own: bool = False, far: bool = False
    ) -> None:
        self.name = name
        self.root = root
        self._stop = stop
        self._own = own
        self._far = far

    def entries(self, tops: Iterable[str]) -> tuple[Entry, ...]:
        """All that is in these folders."""
        try:
            return tuple(tree.walk(self.root, tops))
        except OSError as error:
            raise self._failed(error) from error

    def read(self, path: str, most: int) -> bytes | None:
        """A small file whole."""
        try:
            with tree.opened(self.root, path) as fd:
                if os.fstat(fd).st_size > most:
                    raise SbcError(f"{self.name}:{clean(path)} is longer than {size(most)}")
                return chunks.read_at(fd, 0, most)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError) as error:
            raise self._failed(error) from error

    def ranges(self, path: str, wanted: Ranges) -> Iterator[bytes]:
        """The bytes of each range in turn."""
        try:
            with tree.opened(self.root, path) as fd:
                for offset, length in wanted:
                    if self._stop.is_set():
                        raise Cancelled(f"stopped while reading {self.name}:{clean(path)}")
                    yield chunks.read_at(fd, offset, length)
        except FileNotFoundError:
            raise gone(self.name, path) from None
        except (OSError, ValueError) as error:
            raise self._failed(error) from error

    def attributes(self) -> Attributes | None:
        """Those of the files as they are here, else of the list: a copy may have lost them."""
        told = {} if self._own else listed(self)
        if told is None and self._far:
            return None
        try:
            return {**(told or {}), **attributes.of_files(self.root)}
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError | ValueError) -> SbcError:
        if isinstance(error, OSError):
            return from_os(error, f"reading {self.name}")
        return SbcError(f"{self.name} can't be read ({clean(str(error))}); see: sbctui repo list")


def gone(name: str, path: str) -> NoSuchNode:
    """What is said of an image that is not there."""
    return NoSuchNode(f"there is no image {clean(path)} in {name}; see: sbctui repo tree {name}")
