"""The config of a node that comes out of an archive: what of it counts here, and what is anew."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sbctui.engine.archive.format import CONFIG
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import (
    parse_alias,
    parse_group,
    parse_mac,
    parse_name,
    undashed,
)
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.node import HOST_KEY, SCHEMA, DiskSpec
from sbctui.engine.model.settings import Personalise
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


@dataclass(frozen=True, slots=True)
class LeafSays:
    """What a leaf's config in an archive says: its board, alias, and the root it was of."""

    mac: str | None = None
    alias: str = ""
    parent: str = ""


def leaf_says(data: bytes | None) -> LeafSays:
    """What of it is right; nothing where it is no leaf's config."""
    found, _ = _read(data)
    mac = _fits(parse_mac, found.get("mac")) if found.get("kind") == "leaf" else ""
    if not mac:
        return LeafSays()
    alias = _fits(parse_alias, found.get("alias"))
    return LeafSays(mac, alias, _fits(parse_name, found.get("parent")))


def told_leaf(data: bytes | None, name: str, size: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What of a config in an archive counts for the leaf ``name``, and sentences as ``told_by``.

    What is one board's own (alias, group, what its disk was given, the public host key) only where
    that very board gets it.
    """
    found, said = _read(data)
    changes: dict[str, Any] = {}
    notes = found.get("notes", "")
    if isinstance(notes, str):
        changes["notes"] = legible(notes[:_MOST_NOTES])
    if leaf_says(data).mac == undashed(name):
        done = found.get("personalised")
        listed = done if isinstance(done, list) else []
        changes["personalised"] = tuple(one for one in listed if one in Personalise.model_fields)
        for key, parse in (("alias", parse_alias), ("group", parse_group), ("host_key", _key)):
            if value := _fits(parse, found.get(key)):
                changes[key] = value
    return changes, (*said, *_size(found, size))


def _fits(parse: Callable[[str], str], value: object) -> str:
    """A text from outside, where it is what it should be; else nothing."""
    with suppress(BadInput):
        return parse(value) if isinstance(value, str) and value else ""
    return ""


def _key(text: str) -> str:
    if not HOST_KEY.fullmatch(text):
        raise BadInput("no host key")
    return text


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
        return (f"{CONFIG} says no size of the disk: it has {exact(size)}",)
    if named is not None and named != size:
        return (f"{CONFIG} says another size of the disk than the {exact(size)} it has",)
    return ()
