"""The config of a node that comes out of an archive: what of it counts here, and what is anew."""

from __future__ import annotations

import json
from typing import Any

from sbctui.engine.archive.format import CONFIG
from sbctui.engine.model.node import SCHEMA, DiskSpec
from sbctui.engine.model.text import clean, legible

_MOST_NOTES = 16 * 1024


def told_by(data: bytes | None, size: int) -> tuple[dict[str, object], tuple[str, ...]]:
    """What of a config in an archive counts for the new root, and sentences on what was guessed.

    The size is that of the disk; name and addresses, leaves and everything that belongs to one
    board are left out.
    """
    found, said = _read(data)
    notes = found.get("notes", "")
    changes: dict[str, object] = {"disk": DiskSpec(size=size)}
    if isinstance(notes, str):
        changes["notes"] = legible(notes[:_MOST_NOTES])
    origin = found.get("name")
    if isinstance(origin, str):
        changes["cloned_from"] = clean(origin)[:63]
    return changes, (*said, *_size(found, size))


def told_initramfs(data: bytes | None) -> str:
    """The name of the initramfs that a config in an archive says; empty for none."""
    boot = _read(data)[0].get("boot")
    name = boot.get("initramfs") if isinstance(boot, dict) else None
    return name if isinstance(name, str) else ""


def _read(data: bytes | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    if data is None:
        return {}, (f"the archive has no {CONFIG}: disk and boot files tell what it is",)
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return {}, (f"{CONFIG} can't be read: disk and boot files tell what it is",)
    schema = found.get("schema")
    if schema == SCHEMA:
        return found, ()
    told = f"the schema {schema}" if isinstance(schema, int) else "no schema that is known"
    return found, (f"{CONFIG} has {told}: of it only the notes are kept",)


def _size(found: dict[str, Any], size: int) -> tuple[str, ...]:
    disk = found.get("disk")
    named = disk.get("size") if isinstance(disk, dict) else None
    if named is None and found:
        return (f"{CONFIG} says no size of the disk: it has {size} bytes",)
    if named is not None and named != size:
        return (f"{CONFIG} says another size of the disk than the {size} bytes it has",)
    return ()
