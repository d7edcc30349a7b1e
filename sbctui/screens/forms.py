"""The forms of the verbs that make or change something, as data."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine import rules
from sbctui.engine.errors import BadInput, against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import (
    parse_alias,
    parse_group,
    parse_ip,
    parse_mac,
    parse_name,
    parse_size,
    shown,
)
from sbctui.screens.fields import Field, Values
from sbctui.screens.form_spec import FormSpec
from sbctui.screens.networks import network_fields, other_network
from sbctui.screens.plan_lines import addresses, needs

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Site
    from sbctui.engine.plan import Plan


# ── fields that several forms have ────────────────────────────────────────────────────────


def new_name(site: Site, now: str = "") -> Callable[[str], object]:
    """The check of a name for a new root; ``now`` is the one it has."""

    def check(text: str) -> str | None:
        if not text:
            return "a root wants a name"
        if parse_name(text) == now:
            return f"it is named {now} now; type another name"
        return rules.free_name(site, text)

    return check


def bytes_of(text: str) -> object:
    """A size in bytes; a text that is no size yet stays as it is."""
    try:
        return parse_size(text)
    except BadInput:
        return text


def _size(least: int = 0) -> Callable[[str], object]:
    def check(text: str) -> str:
        if parse_size(text) <= least:
            return f"give more than it has now, {fmt.size(least)}"
        return ""

    return check


def alias_field(site: Site, value: str = "", but: str = "") -> Field:
    """A leaf's shown name."""

    def check(text: str) -> str | None:
        return rules.free_alias(site, parse_alias(text), but=but) if text else None

    return Field("alias", "Alias", check, value, hint="its shown name and host name; may be empty")


def group_field(site: Site, value: str = "") -> Field:
    """A group; those there are complete it."""

    def check(text: str) -> None:
        parse_group(text)

    return Field("group", "Group", check, value, names=groups(site))


def groups(site: Site) -> tuple[str, ...]:
    """The groups that nodes are in."""
    return tuple(sorted({n.config.group for n in site.nodes.values()} - {""}))


def mac_field(site: Site, root: str = "", value: str = "") -> Field:
    """A board that has no node yet; those that ask complete it."""

    def check(text: str) -> str | None:
        if not text:
            return "the MAC printed on the board"
        return rules.free_mac(site, parse_mac(text))

    asking = [s.mac for s in site.facts.seen]
    hint = f"asking now: {', '.join(asking[:2])}" if asking else "as printed on the board"
    return Field("mac", "MAC", check, value, hint=hint, names=asking, stand_in="MAC")


def ip_field(site: Site, value: str = "", but: str = "", hint: str = "") -> Field:
    """An address, or none."""

    def check(text: str) -> str | None:
        return rules.free_ip(site, parse_ip(text), but=but) if text else None

    return Field("ip", "Address", check, value, hint=hint)


def address(text: str) -> object:
    """An address; None for none, and a text that is no address yet stays as it is."""
    try:
        return IPv4Address(text)
    except ValueError:
        return text or None


def mac(text: str) -> str:
    """A MAC in its stored form; a text that is none yet stays as it is."""
    try:
        return parse_mac(text)
    except BadInput:
        return text


def root_field(site: Site, value: str, able: Sequence[str], rule: rules.Rule) -> Field:
    """One of the roots that can have leaves."""

    def check(text: str) -> str | None:
        if not text:
            return "name the root"
        if text not in site.nodes:
            return f"there is no root {shown(text)}"
        return rule(site, text)

    hint = f"one of: {', '.join(able[:4])}" if able else ""
    return Field("root", "Root", check, value, hint=hint, names=able, stand_in="ROOT")


def _where(plan: Plan) -> Mapping[str, str]:
    chosen = addresses(plan)
    return {"ip": f"{chosen[0].ip}: {chosen[0].how}"} if chosen else {}


def _file(text: str) -> str:
    path = Path(text).expanduser()
    if not path.exists():
        return f"there is no {shown(text)}"
    if not os.access(path, os.R_OK):
        return f"{shown(text)} can't be read by this user"
    return "this is an archive of a node: leave this form, and import it" if _node(path) else ""


def _node(path: Path) -> bool:
    from sbctui.engine.archive.head import head_of

    return head_of(path).node


# ── the forms ─────────────────────────────────────────────────────────────────────────────


def create(site: Site) -> FormSpec:
    """``root create``."""

    def arguments(values: Values) -> dict[str, object]:
        path = values["from"] and str(Path(values["from"]).expanduser().absolute())
        source = ask.Source(path=path, kind="tar", bytes=0) if path else None
        return {
            "name": values["name"],
            "size": bytes_of(values["size"]),
            "source": source,
            "notes": values["notes"],
        }

    def finish(engine: Engine, request: ask.Request) -> ask.Request:
        assert isinstance(request, ask.CreateRoot)
        if request.source is None:
            return request
        with against("from"):
            found = engine.source(Path(request.source.path))
        return request.model_copy(update={"source": found})

    free = fmt.size(site.facts.free_bytes)
    return FormSpec(
        "Create a root",
        (
            Field("name", "Name", new_name(site), hint="a-z, 0-9 and -", stand_in="NAME"),
            Field("size", "Size", _size(), "2G", hint=f"2G, 512M; sparse; {free} free",
                  stand_in="SIZE"),
            Field("from", "Filled from", look=_file, path=True,
                  picks="read",
                  hint="an OS image, a tar or a directory; empty: an empty disk"),
            Field("notes", "Notes"),
        ),
        ask.CreateRoot,
        arguments,
        finish=finish,
        heavy=lambda values: bool(values["from"]),
        tells=lambda plan: {"size": f"{needs(plan)} now; sparse; {free} free"},
    )  # fmt: skip


def clone(site: Site, name: str) -> FormSpec:
    """``root clone``."""
    disk = site.nodes[name].disk
    how = f"a sparse copy, {fmt.size(disk.allocated if disk else 0)}"
    how = "shares what is equal, at once" if site.facts.store == "reflink" else how
    return FormSpec(
        f"Clone {name}",
        (Field("name", "Name of the copy", new_name(site), hint=how, stand_in="NAME"),),
        ask.CloneRoot,
        lambda values: {"source": name, "name": values["name"]},
        tells=lambda plan: {"name": f"{how}; {needs(plan)} now"},
    )


def allocate(site: Site, name: str, board: str = "") -> FormSpec:
    """``root allocate``; ``board`` is the MAC of one that asks."""
    return FormSpec(
        f"Allocate {name} to a board",
        (
            mac_field(site, value=board),
            ip_field(site, hint="empty: a rule chooses it"),
            *network_fields(site),
        ),
        ask.AllocateRoot,
        lambda values: {
            "name": name,
            "mac": mac(values["mac"]),
            "ip": address(values["ip"]),
            "network": other_network(site, values),
        },
        tells=_where,
    )


def leaf(site: Site, root: str, board: str = "") -> FormSpec:
    """``leaf create`` for one board."""
    able = [r.name for r in site.roots if rules.can_create_leaves(site, r.name) is None]

    def arguments(values: Values) -> dict[str, object]:
        spec = ask.LeafSpec.model_construct(
            mac=mac(values["mac"]),
            alias=values["alias"],
            group=values["group"],
            ip=address(values["ip"]),
        )
        return {
            "root": values["root"],
            "leaves": (spec,),
            "network": other_network(site, values),
        }

    first = root if root in able else able[0] if len(able) == 1 else ""
    return FormSpec(
        "Create a leaf",
        (
            mac_field(site, value=board),
            root_field(site, first, able, rules.can_create_leaves),
            alias_field(site),
            group_field(site),
            ip_field(site, hint="empty: a rule chooses it"),
            *network_fields(site),
        ),
        ask.CreateLeaves,
        arguments,
        tells=_where,
    )


def edit(site: Site, name: str) -> FormSpec:
    """``leaf edit``: alias, group, notes, address."""
    config = site.nodes[name].config
    leaf = config.kind == "leaf"
    before = {
        "alias": config.alias,
        "group": config.group,
        "notes": config.notes,
        "ip": str(config.ip or ""),
    }

    def arguments(values: Values) -> dict[str, object]:
        changed = {key: text for key, text in values.items() if text != before[key]}
        if "ip" in changed:
            return {"name": name, **changed, "ip": address(changed["ip"])}
        return {"name": name, **changed}

    def check_ip(text: str) -> str | None:
        if text == before["ip"]:
            return None
        if not text:
            return "it can't be without an address; type another"
        return rules.free_ip(site, parse_ip(text), but=name) or rules.connected(site, name)

    return FormSpec(
        f"Edit {config.hostname}",
        (
            *([alias_field(site, config.alias, but=name)] if leaf else []),
            group_field(site, config.group),
            Field("notes", "Notes", value=config.notes),
            *([Field("ip", "Address", check_ip, before["ip"])] if config.mac else []),
        ),
        ask.EditNode,
        arguments,
    )


def rename(site: Site, name: str) -> FormSpec:
    """A root's name, or a leaf's alias."""
    config = site.nodes[name].config
    if config.kind == "root":
        return FormSpec(
            f"Rename {name}",
            (Field("to", "New name", new_name(site, name), hint="a-z, 0-9 and -",
                   stand_in="NAME"),),
            ask.RenameRoot,
            lambda values: {"name": name, "to": values["to"]},
        )  # fmt: skip
    return FormSpec(
        f"Rename {config.hostname}",
        (alias_field(site, config.alias, but=name),),
        ask.EditNode,
        lambda values: {"name": name, "alias": values["alias"]},
    )


def resize(site: Site, name: str) -> FormSpec:
    """``root resize``."""
    now = site.nodes[name].config.disk.size
    hint = f"{fmt.size(now)} now; disks only grow"
    return FormSpec(
        f"Resize {name}",
        (Field("size", "New size", _size(now), hint=hint, stand_in="SIZE"),),
        ask.ResizeRoot,
        lambda values: {"name": name, "size": bytes_of(values["size"])},
    )


def attach(site: Site, name: str) -> FormSpec:
    """``leaf attach``: an orphan to one of the roots it can be a leaf of."""
    config = site.nodes[name].config

    def rule(site: Site, root: str) -> str | None:
        return rules.can_adopt(site, name, root)

    able = [r.name for r in site.roots if rule(site, r.name) is None]
    hint = config.parent or config.disk.base or ""
    first = hint if hint in able else able[0] if len(able) == 1 else ""
    return FormSpec(
        f"Attach {config.hostname}",
        (root_field(site, first, able, rule),),
        ask.AttachLeaf,
        lambda values: {"name": name, "root": values["root"]},
    )
