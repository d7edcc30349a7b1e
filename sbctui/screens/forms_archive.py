"""The forms that write nodes into archives and make roots of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbctui import format as fmt
from sbctui.engine import rules
from sbctui.engine.errors import BadInput
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import shown
from sbctui.format import Line
from sbctui.screens.fields import Complete, Field, Values
from sbctui.screens.form import FormSpec
from sbctui.screens.forms import new_name

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Node, Site
    from sbctui.engine.plan import Plan

ENDINGS: Mapping[str, str] = {
    "zstd": ".tar.zst",
    "none": ".tar",
    "gzip": ".tar.gz",
    "xz": ".tar.xz",
}
"""How an archive's name ends, by its compression."""
_NO_YES = ("no", "yes")


def export(site: Site, name: str, complete: Complete, target: str = "repo:") -> FormSpec:
    """``root export`` and ``leaf export``; with an empty ``name`` that is a field as well."""
    node = site.nodes.get(name)
    leaf = node is not None and not node.is_root
    named = () if node else (_node_field(site),)

    def of(values: Values) -> str:
        return name or values["node"]

    def either(values: Values) -> Any:
        found = _named(site, of(values))
        return ask.ExportRoot if found is None or found.is_root else ask.ExportLeaf

    def arguments(values: Values) -> dict[str, object]:
        found = _named(site, of(values))
        given: dict[str, object] = {
            "name": found.name if found else of(values),
            "target": ask.Target.model_construct(file=values["target"]),
            "packing": _packing(values),
            "replace": values["replace"] == "yes",
        }
        if either(values) is ask.ExportLeaf:
            given["difference"] = values.get("what", "whole") == "difference"
        return given

    def finish(engine: Engine, request: ask.Request) -> ask.Request:
        assert isinstance(request, ask.ExportRoot | ask.ExportLeaf)
        ending = ENDINGS[request.packing.compression]
        shown_name = site.nodes[request.name].config.hostname
        file = _file(engine, request.target.file, shown_name + ending)
        return request.model_copy(update={"target": engine.target(file)})

    return FormSpec(
        f"Export {node.config.hostname}" if node else "Export a root or a leaf",
        (
            *named,
            Field("target", "To", _target, target, path=True, complete=complete, picks="write",
                  hint="a file; a folder or repo:folder/ takes it under its own name",
                  stand_in="FILE"),
            *([_what(site, node)] if leaf and node else []),
            Field("compress", "Compression", choices=tuple(ENDINGS)),
            Field("level", "Level", _level, hint="empty: the usual one"),
            Field("replace", "Replace", choices=_NO_YES, hint="what has this name already"),
        ),
        ask.ExportRoot,
        arguments,
        finish=finish,
        tells=_notes,
        about=_about(site, node) if node else (),
        either=either,
    )  # fmt: skip


def _named(site: Site, name: str) -> Node | None:
    """A node by its name or alias."""
    aliased = site.by_alias.get(name, ())
    return site.nodes.get(aliased[0] if len(aliased) == 1 else name)


def _node_field(site: Site) -> Field:
    def check(text: str) -> str | None:
        if not text:
            return "name a root or a leaf"
        return rules.can_export(site, rules.node(site, text).name)

    names = [r.name for r in site.roots] + [leaf.config.hostname for leaf in site.leaves]
    return Field("node", "Root or leaf", check, names=names, stand_in="NODE")


def _what(site: Site, node: Node) -> Field:
    """Whole, or what differs from its root's disk."""

    def check(text: str) -> str | None:
        return rules.can_difference(site, node.name) if text == "difference" else None

    base = rules.difference_base(site, node.name)
    hint = f"difference: what is other than in {base}, which is wanted to import it again"
    if base is None:
        hint = "its root is not here, so there is nothing to tell it by"
    return Field("what", "What", check, choices=("whole", "difference"), hint=hint)


def _target(text: str) -> str:
    if text == "-":
        return "this is for the command line; name a file"
    return "" if text else "name a file, a folder, or a place as repo:folder/image"


def _level(text: str) -> str:
    return "" if not text or text.isdecimal() else f"{shown(text)} is no level; zstd has 1 to 19"


def _packing(values: Values) -> ask.Packing:
    level = int(values["level"]) if values["level"].isdecimal() else None
    return ask.Packing.model_construct(compression=values["compress"], level=level, threads=0)


def _file(engine: Engine, text: str, own: str) -> str:
    """The file meant: in a folder one of the node's ``own`` name."""
    name, colon, rest = text.partition(":")
    address = bool(colon) and "/" not in name
    if address and not rest:
        return engine.place(text + own)
    place = engine.place(text.removesuffix("/") if address else text)
    folder = text.endswith("/") or Path(place).expanduser().is_dir()
    return str(Path(place).expanduser() / own) if folder else place


def _notes(plan: Plan) -> Mapping[str, str]:
    """What the plan says of itself under where it goes."""
    request = plan.request
    assert isinstance(request, ask.ExportRoot | ask.ExportLeaf)
    free = f"{request.target.file}; {fmt.size(request.target.free)} free there"
    return {"target": free}


def _about(site: Site, node: Node) -> tuple[Line, ...]:
    """How large it is, and what exporting it means for a board that uses it."""
    config = node.config
    held = fmt.size(node.disk.allocated) if node.disk else "nothing"
    lines: list[Line] = [((f"{fmt.size(config.disk.size)} disk, {held} of it held here", "dim"),)]
    sessions = site.sessions_of.get(config.export, ()) if config.export else ()
    if sessions and config.disk.format == "raw":
        text = f"a board at {sessions[0].address} is running from it: what is exported is as after "
        lines.append(((text + "a power cut at one instant, then repaired and checked", "warn"),))
    return tuple(lines)


def take(site: Site, complete: Complete, archive: str = "", name: str = "") -> FormSpec:
    """``root import``."""
    bases = [r.name for r in site.roots]

    def arguments(values: Values) -> dict[str, object]:
        return {
            "name": values["name"],
            "archive": ask.Incoming.model_construct(place=values["archive"]),
            "base": values["base"],
            "unverified": values["unverified"] == "yes",
        }

    def finish(engine: Engine, request: ask.Request) -> ask.Request:
        assert isinstance(request, ask.ImportRoot)
        found = engine.archive(engine.place(request.archive.place))
        return request.model_copy(update={"archive": found})

    def base(text: str) -> str | None:
        return rules.can_clone(site, rules.root(site, text).name) if text else None

    return FormSpec(
        "Import a root",
        (
            Field("archive", "Archive", _source, archive, path=True, complete=complete,
                  picks="read", stand_in="FILE",
                  hint="a file, repo:folder/image, https://..., user@host:/path"),
            Field("name", "Name", new_name(site), name, hint="a-z, 0-9 and -", stand_in="NAME"),
            Field("base", "Laid over", base, names=bases,
                  hint="for a difference: the root it is laid over, if named otherwise here"),
            Field("unverified", "Without hashes", choices=_NO_YES,
                  hint="yes: also an archive that can't tell whether it is whole"),
        ),
        ask.ImportRoot,
        arguments,
        finish=finish,
    )  # fmt: skip


def _source(text: str) -> str:
    if text == "-":
        return "this is for the command line; name a file"
    return "" if text else "name an archive"


def names_of(site: Site, names: Sequence[str]) -> list[str]:
    """The shown names of nodes."""
    return [site.nodes[n].config.hostname for n in names if n in site.nodes]


def suggested(place: str) -> str:
    """A root's name out of an archive's file name; empty where it makes none."""
    from sbctui.engine.model.addresses import parse_name

    last = place[max(place.rfind("/"), place.rfind(":")) + 1 :]
    stem = last.split(".")[0].lower().replace("_", "-")
    try:
        return parse_name(stem)
    except BadInput:
        return ""
