"""Names on a site at a glance, for completing a word, where every millisecond is felt.

Nothing is checked, locked or written, and what can't be read is not there: whoever acts on a
name asks the ``Site``. Imports only what every start of the program has loaded anyway.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LARGEST = 4 * 1024 * 1024
_HEAD = 1024
"""Bytes of a job's file that hold its title."""
_DASHED = re.compile(r"[0-9a-f]{2}(?:-[0-9a-f]{2}){5}")
_TRASHED = re.compile(r"[0-9]{8}T[0-9]{9}Z-(.+)")
_TITLE = re.compile(rb'"title":\s*("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A node's names as its files say them. ``children`` are the folders a root lists."""

    name: str
    leaf: bool
    alias: str = ""
    group: str = ""
    mac: str = ""
    parent: str = ""
    children: tuple[str, ...] = ()


def roots(site: Path) -> Iterator[Glimpse]:
    """The roots, by name."""
    return (_read(site / "nodes", name) for name in _names(site / "nodes") if not _is_leaf(name))


def leaves(site: Path) -> Iterator[Glimpse]:
    """The leaves, by folder."""
    return (_read(site / "nodes", name) for name in _names(site / "nodes") if _is_leaf(name))


def root(site: Path, name: str) -> Glimpse:
    """One root; without children where there is none of that name."""
    return _read(site / "nodes", name)


def groups(site: Path) -> list[str]:
    """Groups that have files which are laid over images."""
    return _names(site / "repo" / "groups")


def trash(site: Path) -> Iterator[tuple[str, Glimpse]]:
    """Folder and node of what is in the trash, newest first."""
    for folder in reversed(_names(site / "trash")):
        if named := _TRASHED.fullmatch(folder):
            yield folder, _read(site / "trash", folder, named[1])


def jobs(site: Path) -> Iterator[tuple[str, str]]:
    """Id and title of every job, newest first."""
    for job in reversed(_names(site / "jobs")):
        head = _head(site / "jobs" / job / "result.json") or _head(
            site / "jobs" / job / "plan.json"
        )
        found = _TITLE.search(head)
        yield job, json.loads(found[1]) if found else ""


def settings(site: Path) -> dict[str, Any]:
    """What site.toml says, unchecked."""
    import tomllib

    with suppress(OSError, ValueError):
        return tomllib.loads(_bytes(f"{site}/site.toml", _LARGEST).decode())
    return {}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if not name.startswith("."))
    except OSError:
        return []


def _is_leaf(name: str) -> bool:
    return _DASHED.fullmatch(name) is not None


def _read(parent: Path, folder: str, named: str = "") -> Glimpse:
    name = named or folder
    config = _config(f"{parent}/{folder}/config.json")
    children = config.get("children")
    return Glimpse(
        name,
        _is_leaf(name),
        alias=_text(config, "alias"),
        group=_text(config, "group"),
        mac=_text(config, "mac"),
        parent=_text(config, "parent"),
        children=tuple(map(str, children.values())) if isinstance(children, dict) else (),
    )


def _text(config: dict[str, Any], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""


def _config(path: str) -> dict[str, Any]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(_bytes(path, _LARGEST))
        if isinstance(found, dict):
            return found
    return {}


def _head(path: Path) -> bytes:
    with suppress(OSError):
        return _bytes(os.fspath(path), _HEAD)
    return b""


def _bytes(path: str, most: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.read(fd, most)
    finally:
        os.close(fd)
