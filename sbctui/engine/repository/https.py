"""A repository on a web server: curl fetches ranges, and the certificate is always verified.

One curl fetches many ranges over one connection; what it shall fetch is told on its standard
input, so no address shows in the list of processes. Nothing but https is spoken, after a
redirect too. Folders can't be listed by HTTP, so ``index.json`` tells what is there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from sbctui.engine.errors import NoSuchNode, SbcError, ToolFailed
from sbctui.engine.model.amounts import size
from sbctui.engine.model.repository import INDEX
from sbctui.engine.model.text import clean
from sbctui.engine.repository.attributes import Attributes
from sbctui.engine.repository.source import Ranges, gone, listed
from sbctui.engine.repository.tree import Entry, from_json
from sbctui.engine.streams import Talk, talk

_INDEX_BYTES = 256 * 1024**2
_AT_ONCE = 200
"""Ranges that one curl fetches."""
_CONNECT, _STALLED = 10, 30
"""Seconds for a connection, and without a byte."""
_MISSING = re.compile(r"error: 4(04|10)\b")


class HttpsSource:
    """One web server. ``base`` is the address of the repository's folder."""

    def __init__(self, name: str, base: str, ca: str, stop: threading.Event) -> None:
        self.name = name
        self._base = base.rstrip("/")
        self._ca = ca
        self._stop = stop
        self._index: tuple[Entry, ...] | None = None

    def entries(self, tops: Iterable[str]) -> tuple[Entry, ...]:
        """What ``index.json`` tells of these folders."""
        if self._index is None:
            data = self.read(INDEX, _INDEX_BYTES)
            if data is None:
                raise NoSuchNode(
                    f"{self.name} has no {INDEX}; make one there with: sbctui repo index"
                )
            try:
                self._index = from_json(data)
            except ValueError as error:
                raise SbcError(
                    f"the {INDEX} of {self.name} can't be read: {clean(str(error))}"
                ) from None
        wanted = tuple(f"{top}/" for top in tops)
        return tuple(one for one in self._index if one.path.startswith(wanted))

    def read(self, path: str, most: int) -> bytes | None:
        """A small file whole."""
        with self._curl([(path, "")]) as curl:
            data = curl.read(most + 1)
            if len(data) > most:
                raise SbcError(f"{self.name}:{clean(path)} is longer than {size(most)}")
            try:
                self._end(curl, path)
            except NoSuchNode:
                return None
        return data

    def attributes(self) -> Attributes | None:
        """What the list there tells; HTTP knows none."""
        return listed(self)

    def ranges(self, path: str, wanted: Ranges) -> Iterator[bytes]:
        """The bytes of each range in turn."""
        for first in range(0, len(wanted), _AT_ONCE):
            some = wanted[first : first + _AT_ONCE]
            with self._curl([(path, f"{at}-{at + size - 1}") for at, size in some]) as curl:
                for _, size in some:
                    data = curl.read(size)
                    if len(data) < size:
                        self._end(curl, path)
                    yield data
                if curl.read(1):
                    raise SbcError(f"{self.name} does not serve parts of files (HTTP ranges)")

    def _end(self, curl: Talk, path: str) -> None:
        code = curl.ended()
        if code == 0:
            return
        said = curl.complaint
        if _MISSING.search(said):
            raise gone(self.name, path)
        raise ToolFailed(f"curl from {self.name}", code, said)

    @contextmanager
    def _curl(self, wanted: Sequence[tuple[str, str]]) -> Iterator[Talk]:
        argv = ["curl", "--disable", "--config", "-"]
        with talk(argv, stop=self._stop) as curl:
            curl.write("next\n".join(self._asked(*one) for one in wanted).encode())
            curl.close_input()
            yield curl

    def _asked(self, path: str, part: str) -> str:
        address = f"{self._base}/{quote(path, errors='surrogateescape')}"
        lines = [f'url = "{_escaped(address)}"', 'output = "-"', "silent", "show-error", "fail",
                 "globoff", 'proto = "=https"', "location", 'proto-redir = "=https"',
                 f"connect-timeout = {_CONNECT}", f"speed-time = {_STALLED}", "speed-limit = 1",
                 "netrc-optional"]  # fmt: skip
        if self._ca:
            lines.append(f'cacert = "{_escaped(self._ca)}"')
        if part:
            lines.append(f'range = "{part}"')
        return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
