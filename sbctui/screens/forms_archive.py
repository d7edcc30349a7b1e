"""The forms that write nodes into archives and make nodes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbctui import format as fmt
from sbctui.engine import rules
from sbctui.engine.archive.address import ENDINGS
from sbctui.engine.errors import BadInput, against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import dashed, parse_mac, parse_name, shown, undashed
from sbctui.engine.model.repository import IMAGES, OWN
from sbctui.format import Line
from sbctui.screens.fields import Complete, Field, Values
from sbctui.screens.form_spec import FormSpec
from sbctui.screens.forms import new_name

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Node, Site
    from sbctui.engine.plan import Plan

_NO_YES = ("no", "yes")


def export(site: Site, names: Sequence[str], complete: Complete, target: str = "repo:") -> FormSpec:
    """``root export``, ``leaf export``, or ``archive export`` of many.

    Without ``names`` the one node is a field as well.
    """
    nodes = [site.nodes[name] for name in names]
    leaves = [node for node in nodes if not node.is_root]

    def meant(values: Values) -> list[Node]:
        typed = _named(site, values["node"]) if not nodes else None
        return nodes or ([typed] if typed else [])

    def either(values: Values) -> Any:
        found = meant(values)
        if len(found) > 1:
            return ask.ExportMany
        return ask.ExportLeaf if found and not found[0].is_root else ask.ExportRoot

    def arguments(values: Values) -> dict[str, object]:
        kind, found = either(values), meant(values)
        to = ask.Target.model_construct(file=_said(values, found))
        given: dict[str, object] = {
            "packing": _packing(values),
            "replace": values["replace"] == "yes",
        }
        if kind is ask.ExportMany:
            given |= {"names": tuple(n.name for n in found), "targets": (to,) * len(found)}
        else:
            given |= {"name": found[0].name if found else values["node"], "target": to}
        if kind is not ask.ExportRoot:
            given["difference"] = values.get("what", "whole") == "difference"
        return given

    return FormSpec(
        _title(nodes),
        (
            *(() if nodes else (_node_field(site),)),
            Field("target", "To", _target, target, path=True, complete=complete, picks="write",
                  hint="a file; or a folder, for its own name",
                  stand_in="FILE"),
            *([_what(site, leaves)] if leaves else []),
            Field("compress", "Compression", choices=tuple(ENDINGS)),
            Field("level", "Level", _level,
                  hint="zstd 1-19, gzip 1-9, xz 0-9; empty: usual"),
            Field("replace", "Replace", choices=_NO_YES, hint="what has this name already"),
        ),
        ask.ExportRoot,
        arguments,
        finish=lambda engine, request: _finished(site, engine, request),
        tells=lambda plan: _notes(site, plan),
        about=_about(site, nodes),
        either=either,
    )  # fmt: skip


def _title(nodes: Sequence[Node]) -> str:
    if len(nodes) > 1:
        return f"Export {len(nodes)} nodes"
    return f"Export {nodes[0].config.hostname}" if nodes else "Export a root or a leaf"


def _finished(site: Site, engine: Engine, request: ask.Request) -> ask.Request:
    """With the files that are meant, as they are now."""
    assert isinstance(request, ask.ExportRoot | ask.ExportLeaf | ask.ExportMany)
    ending = ENDINGS[request.packing.compression]
    own = {name: site.nodes[name].config.hostname + ending for name in _names(request)}
    if isinstance(request, ask.ExportMany):
        folder = request.targets[0].file
        files = [_file(engine, folder, name, folder=True) for name in own.values()]
        with against("target"):
            return request.model_copy(update={"targets": tuple(map(engine.target, files))})
    with against("target"):
        file = _file(engine, request.target.file, own[request.name])
        return request.model_copy(update={"target": engine.target(file)})


def _said(values: Values, nodes: Sequence[Node]) -> str:
    """Where to, with the file's name where that is plain."""
    text = values["target"]
    if len(nodes) != 1 or not text.endswith((":", "/")):
        return text
    return text + nodes[0].config.hostname + ENDINGS[values["compress"]]


def _names(request: ask.ExportRoot | ask.ExportLeaf | ask.ExportMany) -> tuple[str, ...]:
    return request.names if isinstance(request, ask.ExportMany) else (request.name,)


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


def _what(site: Site, leaves: Sequence[Node]) -> Field:
    """Whole, or what differs from their roots' disks."""

    def check(text: str) -> str | None:
        whys = (rules.can_difference(site, leaf.name) for leaf in leaves)
        return next(filter(None, whys), None) if text == "difference" else None

    bases = sorted({rules.difference_base(site, leaf.name) or "its root" for leaf in leaves})
    hint = f"difference: what is other than in {', '.join(bases)}, which importing it wants again"
    return Field("what", "What", check, choices=("whole", "difference"), hint=hint)


def _target(text: str) -> str:
    if text == "-":
        return "this is for the command line; name a file"
    return "" if text else "name a file, a folder, or a place as repo:folder/image"


def _level(text: str) -> str:
    return "" if not text or text.isdecimal() else f"{shown(text)} is no level; give a number"


def _packing(values: Values) -> ask.Packing:
    level = int(values["level"]) if values["level"].isdecimal() else None
    return ask.Packing.model_construct(compression=values["compress"], level=level, threads=0)


def _file(engine: Engine, text: str, own: str, *, folder: bool = False) -> str:
    """The file meant: in a folder one of the node's ``own`` name."""
    name, colon, rest = text.partition(":")
    address = bool(colon) and "/" not in name
    if address and not rest:
        return engine.place(text + own)
    place = engine.place(text.removesuffix("/") if address else text)
    into = folder or text.endswith("/") or Path(place).expanduser().is_dir()
    return str(Path(place).expanduser() / own) if into else place


def _notes(site: Site, plan: Plan) -> Mapping[str, str]:
    """Under where it goes: the file it is, and the room there."""
    request = plan.request
    assert isinstance(request, ask.ExportRoot | ask.ExportLeaf | ask.ExportMany)
    many = isinstance(request, ask.ExportMany)
    first = request.targets[0] if isinstance(request, ask.ExportMany) else request.target
    more = f" and {len(plan.units) - 1} more" if many else ""
    own = f"{site.path / OWN / IMAGES}/"
    file = f"{OWN}:{first.file.removeprefix(own)}" if first.file.startswith(own) else first.file
    return {"target": f"{file}{more}; {fmt.size(first.free)} free there"}


def _about(site: Site, nodes: Sequence[Node]) -> tuple[Line, ...]:
    """How large they are, and what exporting means for boards that run from them."""
    if not nodes:
        return ()
    held = fmt.size(sum(node.disk.allocated for node in nodes if node.disk))
    size = fmt.size(sum(node.config.disk.size for node in nodes))
    lines: list[Line] = [((f"{size} of disk, {held} of it held here", "dim"),)]
    live = [n for n in nodes if n.config.export and site.sessions_of.get(n.config.export)]
    if live:
        who = (
            f"a board runs from {live[0].config.hostname}"
            if len(nodes) > 1
            else (f"the board {live[0].config.mac} is running from it")
        )
        text = f"{who}: it is exported as after a power cut at one instant, then repaired"
        lines.append(((text, "warn"),))
    return tuple(lines)


def take(site: Site, complete: Complete, archive: str = "", name: str = "") -> FormSpec:
    """``root import``, or for a MAC as the name ``leaf import``."""
    bases = [r.name for r in site.roots]
    new_root = new_name(site)

    def either(values: Values) -> Any:
        return ask.ImportLeaf if _board(values["name"]) else ask.ImportRoot

    def arguments(values: Values) -> dict[str, object]:
        given: dict[str, object] = {
            "archive": ask.Incoming.model_construct(place=values["archive"]),
            "unverified": values["unverified"] == "yes",
        }
        if mac := _board(values["name"]):
            return {**given, "mac": mac, "root": values["base"]}
        return {**given, "name": values["name"], "base": values["base"]}

    def called(text: str) -> object:
        mac = _board(text)
        return rules.free_name(site, dashed(mac)) if mac else new_root(text)

    def finish(engine: Engine, request: ask.Request) -> ask.Request:
        assert isinstance(request, ask.ImportRoot | ask.ImportLeaf)
        with against("archive"):
            place = engine.place(request.archive.place)
            found = engine.archive(place, far=isinstance(request, ask.ImportLeaf))
        return request.model_copy(update={"archive": found})

    def base(text: str) -> str | None:
        return rules.can_clone(site, rules.root(site, text).name) if text else None

    return FormSpec(
        "Import a root or a leaf",
        (
            Field("archive", "Archive", _source, archive, path=True, complete=complete,
                  picks="read", stand_in="FILE",
                  hint="a file, repo:image, URL, user@host:/path"),
            Field("name", "Name", called, name, stand_in="NAME",
                  hint="a-z, 0-9 and -; or a board's MAC for its leaf"),
            Field("base", "Root", base, names=bases,
                  hint="a leaf's; or that a difference goes over"),
            Field("unverified", "Without hashes", choices=_NO_YES,
                  hint="yes: nobody can tell whether it is whole"),
        ),
        ask.ImportRoot,
        arguments,
        finish=finish,
        either=either,
    )  # fmt: skip


def _board(text: str) -> str:
    """The MAC, where one is typed; no root is called like one."""
    try:
        return parse_mac(text)
    except BadInput:
        return ""


def _source(text: str) -> str:
    if text == "-":
        return "this is for the command line; name a file"
    return "" if text else "name an archive"


def suggested_board(site: Site, named: str) -> str:
    """The MAC of the leaf that an archive is of, if that board has none here; else empty."""
    mac = undashed(named)
    return mac if mac and rules.free_mac(site, mac) is None else ""


def suggested(site: Site, place: str, named: str = "") -> str:
    """A free name for a root: as the archive says, or as its file is named; empty for none."""
    last = place[max(place.rfind("/"), place.rfind(":")) + 1 :]
    stem = named or last.split(".")[0].lower().replace("_", "-")
    for name in (stem, *(f"{stem}-{n}" for n in range(2, 10))):
        try:
            if rules.free_name(site, parse_name(name)) is None:
                return name
        except BadInput:
            break
    return ""
