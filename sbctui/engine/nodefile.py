"""One node's folder ⇄ its config and disk; what can't be read becomes ``Broken`` with a reason."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from sbctui.engine.files import Owner, write_atomic
from sbctui.engine.model.amounts import size
from sbctui.engine.model.node import DISK_FILES, SCHEMA, NodeConfig
from sbctui.engine.model.site import CONFIG, Broken, Disk, Node, Stamp
from sbctui.engine.model.text import clean

MAX_CONFIG = 4 * 1024 * 1024
"""Largest config.json read, in bytes: a root with 50,000 children stays under it."""


RENAMED = ".config.json.renamed"
"""A root's config under its other name, beside the one in force while it is being renamed.

The folder's name decides between the two, so that renaming the folder changes both at once.
"""


def read_node(path: str | Path, known: Node | None = None, *, named: str = "") -> Node | Broken:
    """One node's folder; ``known`` is kept when its config file is still the same one."""
    folder = os.fspath(path)
    name = named or os.path.basename(folder)
    try:
        found = _read_config(folder, known)
    except (OSError, ValueError) as error:
        return _broken(folder, name, _reason(error))
    config, stamp = found if found[0].name == name else _renamed(folder, name) or found
    if config.name != name:
        return _broken(folder, name, f"config.json names it {clean(config.name)!r}")
    return Node(config, _disk(f"{folder}/{DISK_FILES[config.disk.format]}"), stamp)


def has_other_name(folder: Path) -> bool:
    """Whether a rename got as far as the folder, and its config.json has the other name still."""
    try:
        config, _ = _read_config(os.fspath(folder), None)
    except (OSError, ValueError):
        return False
    return config.name != folder.name and _renamed(os.fspath(folder), folder.name) is not None


def _renamed(folder: str, name: str) -> tuple[NodeConfig, Stamp] | None:
    try:
        found = _read_config(folder, None, RENAMED)
    except (OSError, ValueError):
        return None
    return found if found[0].name == name else None


def _read_config(folder: str, known: Node | None, file: str = CONFIG) -> tuple[NodeConfig, Stamp]:
    path = f"{folder}/{file}"
    if known is not None:
        facts = os.stat(path, follow_symlinks=False)
        stamp = Stamp(facts.st_ino, facts.st_mtime_ns, facts.st_size)
        if stamp == known.stamp:
            return known.config, stamp
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        facts = os.fstat(fd)
        if facts.st_size > MAX_CONFIG:
            raise ValueError(f"config.json is {size(facts.st_size)} long")
        data = os.read(fd, facts.st_size + 1)
    finally:
        os.close(fd)
    stamp = Stamp(facts.st_ino, facts.st_mtime_ns, facts.st_size)
    return NodeConfig.model_validate_json(data), stamp


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if where == "schema" and isinstance(first["input"], int) and first["input"] > SCHEMA:
            return (
                f"config.json has schema {first['input']}, newer than the {SCHEMA} this program "
                "knows; use a newer sbctui"
            )
        return clean(f"config.json: {where + ': ' if where else ''}{first['msg']}")
    if isinstance(error, FileNotFoundError):
        return "config.json is missing"
    if isinstance(error, IsADirectoryError):
        return "config.json is a directory"
    return clean(
        f"config.json can't be read: {error.strerror if isinstance(error, OSError) else error}"
    )


def _broken(folder: str, name: str, reason: str) -> Broken:
    try:
        when = os.stat(folder).st_mtime
    except OSError:
        when = 0.0
    return Broken(name, reason, tree_bytes(folder), when)


def _disk(path: str) -> Disk | None:
    try:
        facts = os.stat(path, follow_symlinks=False)
    except OSError:
        return None
    return Disk(facts.st_size, facts.st_blocks * 512, facts.st_mtime)


def stamp(path: Path) -> Stamp | None:
    """The identity of a file's version; None when it is not there."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return Stamp(facts.st_ino, facts.st_mtime_ns, facts.st_size)


def tree_bytes(path: str | Path) -> int:
    """Allocated bytes of everything below a folder; what can't be read counts as nothing."""
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return total


def write_config(folder: Path, config: NodeConfig, owner: Owner = None) -> None:
    """Replace a published node's config.json atomically."""
    write_atomic(folder / CONFIG, config.to_json(), owner=owner)
