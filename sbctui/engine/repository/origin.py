"""Where a receiver learns what is offered: a side file here, on a web server, or over ssh."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

from sbctui.engine import streams
from sbctui.engine.errors import BadInput, NoSuchNode, ToolFailed
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.amounts import size
from sbctui.engine.model.distribution import Offer
from sbctui.engine.model.text import clean
from sbctui.engine.repository import mcastfile, torrentfile
from sbctui.engine.repository.sidefiles import MCAST, TORRENT
from sbctui.engine.repository.torrentfile import Torrent

_URL = re.compile(r"https?://[A-Za-z0-9\[][^\s\\]*")
_HOST = re.compile(r"((?:[a-z_][a-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*):(/.*)")
_SECONDS = 30
_WAYS = {MCAST: "multicast", TORRENT: "torrent"}
_OTHER = {MCAST: TORRENT, TORRENT: MCAST}


def is_far(origin: str) -> bool:
    """Whether it is on another machine: a URL, or ``host:/path`` over ssh."""
    return bool(_URL.fullmatch(origin) or _HOST.fullmatch(origin))


def offered(image: Path, origin: str, by: str) -> Offer:
    """What is offered there, or where ``origin`` is empty, beside the image.

    Raises BadInput, NoSuchNode, ToolFailed, ToolMissing.
    """
    if by == "torrent":
        return torrent(image, origin).offer
    return mcastfile.parse(*_fetched(image, origin, MCAST, mcastfile.MOST_BYTES)).offer


def torrent(image: Path, origin: str) -> Torrent:
    """The torrent there. Raises like ``offered``."""
    data, name = _fetched(image, origin, TORRENT, torrentfile.MOST_BYTES)
    return torrentfile.parse(data, name)


def _fetched(image: Path, origin: str, ending: str, most: int) -> tuple[bytes, str]:
    where = origin or str(image)
    other = _OTHER[ending]
    if where.endswith(other):
        raise BadInput(f"{clean(where)} is for receiving by {_WAYS[other]}, not {_WAYS[ending]}")
    if not where.endswith(ending):
        where += ending
    if _URL.fullmatch(where):
        limits = ["--max-time", str(_SECONDS), "--max-filesize", str(most), "--max-redirs", "5"]
        argv = ["curl", "-q", "-fsSL", "--proto", "=http,https", *limits, "--", where]
        return _printed(argv, most, where), where
    if match := _HOST.fullmatch(where):
        quiet = ["-o", "BatchMode=yes", "-o", f"ConnectTimeout={_SECONDS}"]
        return _printed(
            ["ssh", *quiet, "--", match[1], f"cat {shlex.quote(match[2])}"], most, where
        ), where
    return _read(where, most, here=not origin), where


def _printed(argv: list[str], most: int, where: str) -> bytes:
    with open(os.devnull, "rb") as null, streams.output(argv, stdin=null) as output:
        data = output.read(most + 1)
        if len(data) > most:
            raise BadInput(f"{shown(where)} is longer than {size(most)}, so it is no side file")
        if output.failed:
            raise ToolFailed(argv[0], output.failed, clean(f"{where}: {output.complaint}"))
    return data


def _read(where: str, most: int, *, here: bool) -> bytes:
    try:
        with open(where, "rb") as file:
            data = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError):
        more = "; say with --from where its side file is" if here else ""
        raise NoSuchNode(f"there is no {clean(where)}{more}") from None
    except IsADirectoryError:
        raise BadInput(f"{clean(where)} is a folder") from None
    if len(data) > most:
        raise BadInput(f"{clean(where)} is longer than {size(most)}, so it is no side file")
    return data
