"""An archive's bytes from where it is: a file, standard input, another machine, the web."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sbctui.engine import commands, streams
from sbctui.engine.archive.address import kind_of, remote
from sbctui.engine.archive.format import BadArchive
from sbctui.engine.archive.stream import Read
from sbctui.engine.errors import ToolFailed
from sbctui.engine.model.text import clean

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15")
_CURL = (
    "curl", "--fail", "--location", "--silent", "--show-error",
    "--proto", "=https,http", "--proto-redir", "=https,http",
    "--connect-timeout", "15", "--speed-limit", "1", "--speed-time", "60",
)  # fmt: skip


_HEAD = 256 * 1024
"""Bytes at the beginning of an export that surely have its config."""


class _Stdin:
    """Standard input. What was read of it before its time comes again."""

    def __init__(self) -> None:
        self._held = b""

    def read(self, size: int) -> bytes:
        """See Read."""
        if not self._held:
            return os.read(self._number(), size)
        data, self._held = self._held[:size], self._held[size:]
        return data

    def beginning(self) -> bytes:
        """Its first bytes, which stay."""
        while left := _HEAD - len(self._held):
            more = os.read(self._number(), left)
            if not more:
                break
            self._held += more
        return self._held

    @staticmethod
    def _number() -> int:
        return sys.__stdin__.fileno() if sys.__stdin__ else 0


_STDIN = _Stdin()


def beginning(place: str) -> bytes:
    """The first bytes of an archive, some hundred KiB; those of standard input are read again.

    Raises ToolFailed, ToolMissing, OSError.
    """
    if kind_of(place) == "stream":
        return _STDIN.beginning()
    with fetched(place, stop=threading.Event()) as read:
        return read(_HEAD)


@contextmanager
def fetched(
    place: str, *, stop: threading.Event, log: commands.Log | None = None
) -> Iterator[Read]:
    """The bytes of the archive at ``place`` (``Incoming``). Raises ToolMissing, OSError.

    Reading raises ToolFailed where another machine does not give the whole file. A BadArchive that
    comes out of the block names the place.
    """
    try:
        with _opened(place, stop, log) as read:
            yield read
    except BadArchive as error:
        raise error.within(place="" if kind_of(place) == "stream" else place) from None


@contextmanager
def _opened(place: str, stop: threading.Event, log: commands.Log | None) -> Iterator[Read]:
    kind = kind_of(place)
    if kind == "stream":
        yield _STDIN.read
    elif kind == "file":
        # Buffered for its lock: who reads in a thread is waited for before the number goes.
        with open(place, "rb") as file:
            yield file.read1
    else:
        with _from_program(place, stop, log) as read:
            yield read


def _argv(place: str) -> list[str]:
    if kind_of(place) == "url":
        return [*_CURL, "--", place]
    login, path = remote(place)
    return [*_SSH, "--", login, f"cat -- {shlex.quote(path)}"]


@contextmanager
def _from_program(place: str, stop: threading.Event, log: commands.Log | None) -> Iterator[Read]:
    argv = _argv(place)
    with (
        open(os.devnull, "rb") as nothing,
        streams.output(argv, stdin=nothing, stop=stop, log=log) as out,
    ):

        def read(size: int) -> bytes:
            data = out.read(size)
            if not data and out.failed:
                raise ToolFailed(argv[0], out.failed, clean(f"{place}: {out.complaint}"))
            return data

        yield read
