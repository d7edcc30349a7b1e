"""The forms of the verbs, as data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine import rules
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import (
    parse_alias,
    parse_group,
    parse_ip,
    parse_mac,
    parse_name,
    parse_size,
)
from sbctui.screens.form import Field, FormSpec, Values

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Site


def _new_name(site: Site) -> Callable[[str], object]:
    def check(text: str) -> str | None:
        if not text:
            return "a root wants a name"
        return rules.free_name(site, parse_name(text)) or ""

    return check


def create(site: Site) -> FormSpec:
    """``root create``."""

    def build(engine: Engine, values: Values) -> ask.Request:
        source = engine.source(Path(values["from"]).expanduser()) if values["from"] else None
        return ask.CreateRoot(
            name=values["name"],
            size=parse_size(values["size"]),
            source=source,
            notes=values["notes"],
        )

    free = fmt.size(site.facts.free_bytes)
    return FormSpec(
        "Create a root",
        (
            Field("name", "Name", _new_name(site), hint="a-z, 0-9 and -"),
            Field("size", "Size", _size(), "2G", hint=f"2G, 512M; sparse; {free} free"),
            Field("from", "Filled from", lambda text: "", hint="a tar, a directory, or nothing: "
                  "an empty disk (right arrow completes)", path=True),
            Field("notes", "Notes", lambda text: ""),
        ),
        build,
    )  # fmt: skip


def _size(least: int = 0) -> Callable[[str], object]:
    def check(text: str) -> str:
        if parse_size(text) <= least:
            return f"give more than it has now, {fmt.size(least)}"
        return ""

    return check


def clone(site: Site, name: str) -> FormSpec:
    """``root clone``."""
    disk = site.nodes[name].disk
    how = f"a sparse copy, {fmt.size(disk.allocated if disk else 0)}"
    how = "shares what is equal, at once" if site.facts.store == "reflink" else how
    return FormSpec(
        f"Clone {name}",
        (Field("name", "Name of the copy", _new_name(site), hint=how),),
        lambda engine, values: ask.CloneRoot(source=name, name=values["name"]),
    )


def allocate(site: Site, name: str) -> FormSpec:
    """``root allocate``; boards that ask complete the MAC."""

    def check_mac(text: str) -> str:
        if not text:
            return "the MAC printed on the board"
        return rules.free_mac(site, parse_mac(text)) or ""

    def check_ip(text: str) -> str:
        return (rules.free_ip(site, parse_ip(text)) or "") if text else ""

    def build(engine: Engine, values: Values) -> ask.Request:
        ip = parse_ip(values["ip"]) if values["ip"] else None
        return ask.AllocateRoot(name=name, mac=parse_mac(values["mac"]), ip=ip)

    asking = [s.mac for s in site.facts.seen]
    hint = f"asking now: {', '.join(asking[:2])}" if asking else "in any notation"
    return FormSpec(
        f"Allocate {name} to a board",
        (
            Field("mac", "MAC", check_mac, hint=hint, names=asking),
            Field("ip", "Address", check_ip, hint="empty: by the name; the plan says which rule"),
        ),
        build,
    )


def edit(site: Site, name: str) -> FormSpec:
    """``leaf edit``: alias, group, notes."""
    config = site.nodes[name].config

    def check_alias(text: str) -> str:
        return (rules.free_alias(site, parse_alias(text), but=name) or "") if text else ""

    def build(engine: Engine, values: Values) -> ask.Request:
        alias = values.get("alias")
        return ask.EditNode(
            name=name,
            alias=alias if alias != config.alias else None,
            group=values["group"] if values["group"] != config.group else None,
            notes=values["notes"] if values["notes"] != config.notes else None,
        )

    alias = Field("alias", "Alias", check_alias, config.alias, hint="also the host name")
    return FormSpec(
        f"Edit {config.hostname}",
        (
            *([alias] if config.kind == "leaf" else []),
            Field("group", "Group", _group, config.group),
            Field("notes", "Notes", lambda text: "", config.notes),
        ),
        build,
    )


def _group(text: str) -> None:
    parse_group(text)


def resize(site: Site, name: str) -> FormSpec:
    """``root resize``."""
    now = site.nodes[name].config.disk.size
    return FormSpec(
        f"Resize {name}",
        (Field("size", "New size", _size(now), hint=f"{fmt.size(now)} now; disks only grow"),),
        lambda engine, values: ask.ResizeRoot(name=name, size=parse_size(values["size"])),
    )
