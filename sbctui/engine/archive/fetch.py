"""An archive's bytes from where it is: a file, standard input, another machine, the web."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sbctui.engine import commands
from sbctui.engine.archive.address import kind_of, remote
from sbctui.engine.archive.stream import Read
from sbctui.engine.errors import ToolFailed

_SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15")
_CURL = (
    "curl", "--fail", "--location", "--silent", "--show-error",
    "--proto", "=https,http", "--proto-redir", "=https,http",
    "--connect-timeout", "15", "--speed-limit", "1", "--speed-time", "60",
)  # fmt: skip


@contextmanager
def fetched(
    place: str, *, stop: threading.Event, log: commands.Log | None = None
) -> Iterator[Read]:
    """The bytes of the archive at ``place`` (``Incoming``). Raises ToolMissing, OSError.

    Reading raises ToolFailed where another machine does not give the whole file.
    """
    kind = kind_of(place)
    if kind == "stream":
        yield lambda size: os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, size)
    elif kind == "file":
        # Buffered for its lock: who reads in a thread is waited for before the number goes.
        with open(place, "rb") as file:
            yield file.read1
    else:
        with _from_program(_argv(place), stop, log) as read:
            yield read


def _argv(place: str) -> list[str]:
    if kind_of(place) == "url":
        return [*_CURL, "--", place]
    login, path = remote(place)
    return [*_SSH, "--", login, f"cat -- {shlex.quote(path)}"]


@contextmanager
def _from_program(
    argv: list[str], stop: threading.Event, log: commands.Log | None
) -> Iterator[Read]:
    with (
        open(os.devnull, "rb") as nothing,
        commands.output(argv, stdin=nothing, stop=stop, log=log) as out,
    ):

        def read(size: int) -> bytes:
            data = out.read(size)
            if not data and out.failed:
                raise ToolFailed(argv[0], 1, out.complaint)
            return data

        yield read
