"""What a board gets from its overlays, and how that stands on its disk; changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sbctui.engine.boot.template import Template
from sbctui.engine.errors import BadInput, NoSuchNode, Refused, SbcError, from_os
from sbctui.engine.model.addresses import dashed, shown
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.overlay import (
    Kind,
    Laid,
    Layer,
    Place,
    Record,
    State,
    conflicts,
    fingerprint,
    merged,
)
from sbctui.engine.model.requests import (
    AddOverlay,
    ApplyOverlays,
    Cover,
    CreateLeaves,
    HideOverlay,
    LeafSpec,
    RemoveOverlay,
    Request,
)
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.repository import overlay_fields as fields
from sbctui.engine.repository.overlay_places import image_of, places_of
from sbctui.engine.repository.overlay_read import layer, read, read_record
from sbctui.engine.repository.overlay_table import parse_mode, parse_owner

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """One path as a board gets it. ``place`` is None for what is given back to the root's.

    ``hides`` are the overlays whose own it hides; ``owner`` is uid:gid; ``size`` bytes, of a
    template as it is written.
    """

    path: str
    kind: Kind | None
    place: Place | None
    state: State
    hides: tuple[Place, ...] = ()
    owner: str = ""
    mode: int = 0
    size: int = 0
    target: str = ""
    template: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Everything of one leaf; folders only where something is said of them, or they are empty.

    ``faults`` say why nothing can be laid, one sentence each.
    """

    leaf: str
    image: str
    rows: tuple[Shown, ...] = ()
    faults: tuple[str, ...] = ()
    applied: datetime | None = None

    @property
    def pending(self) -> int:
        """How many paths of the disk are not as they should be."""
        return sum(row.state != "applied" for row in self.rows)


@dataclass
class Looker:
    """Looks at many leaves and reads each overlay once.

    Those in ``brought`` are not in the site yet, but in the repository ``elsewhere``.
    """

    site: Site
    elsewhere: Path | None = None
    brought: frozenset[Place] = frozenset()
    _layers: dict[Place, Layer] = field(default_factory=dict)
    _templates: dict[Place, dict[tuple[Place, str], Template]] = field(default_factory=dict)

    def layers(self, places: Iterable[Place]) -> tuple[Layer, ...]:
        """What some overlays hold. Raises Refused, BadInput, SbcError."""
        return tuple(self._layer(place) for place in places)

    def _layer(self, place: Place) -> Layer:
        if place not in self._layers:
            self._layers[place] = layer(self.site.path, place, self._in(place))
        return self._layers[place]

    def _in(self, place: Place) -> Path | None:
        return self.elsewhere if place in self.brought else None

    def templates(self, layers: Sequence[Layer]) -> fields.Templates:
        """Their templates, checked. Raises BadInput."""
        found: dict[tuple[Place, str], Template] = {}
        for one in layers:
            if one.place not in self._templates:
                self._templates[one.place] = {
                    (place, item.path): fields.template(
                        place,
                        item,
                        read(self.site.path, place, item, fields.LARGEST, self._in(place)),
                    )
                    for place, item in fields.templates_in((one,))
                }
            found |= self._templates[one.place]
        return found

    def look(self, name: str) -> Look:
        """One leaf, with what is wrong with its overlays as faults. Raises SbcError."""
        config = self.site.nodes[name].config
        image = image_of(self.site, name)
        record = read_record(self.site.node_path(name))
        places = places_of(self.site, name, config.group, image)
        try:
            layers = self.layers(places)
            texts = self.templates(layers)
        except (Refused, BadInput) as error:
            return Look(name, image, faults=(str(error),), applied=record.applied)
        values = fields.fields(config, self.site.settings, image)
        laid = merged(layers)
        paths = {one.item.path for one in laid}
        rows = [_shown(one, record, texts, values) for one in _worth_telling(laid)]
        rows += [Shown(path, None, None, "gone") for path in record.files if path not in paths]
        rows.sort(key=lambda row: row.path)
        return Look(name, image, tuple(rows), tuple(conflicts(layers)), record.applied)

    def cover(self, config: NodeConfig, image: str) -> Cover:
        """What planning needs for one leaf, made or not. Raises Refused, BadInput, SbcError."""
        places = places_of(self.site, config.name, config.group, image)
        layers = self.layers(places)
        texts = self.templates(layers)
        if fault := next(conflicts(layers), None):
            raise Refused(fault)
        there = config.name in self.site.nodes
        record = read_record(self.site.node_path(config.name)) if there else Record()
        laid = merged(layers)
        values = fields.fields(config, self.site.settings, image)
        states = [_shown(one, record, texts, values).state for one in _worth_telling(laid)]
        sources = [one.place for one in laid if one.item.kind != "folder"]
        paths = {one.item.path for one in laid}
        return Cover(
            leaf=config.name,
            places=tuple(place.path for place in places),
            counts=tuple(sources.count(place) for place in places),
            digest=fingerprint(layers),
            bytes=sum(-(-one.item.size // _BLOCK) * _BLOCK + _BLOCK for one in laid),
            inodes=len(laid),
            templates=bool(texts),
            todo=sum(state != "applied" for state in states),
            gone=tuple(sorted(record.files.keys() - paths)),
        )


def _worth_telling(laid: Sequence[Laid]) -> Iterator[Laid]:
    """All but folders of which nothing is said, and that are only the way to something."""
    ways = {one.item.path.rpartition("/")[0] for one in laid}
    return (
        one
        for one in laid
        if one.item.kind != "folder" or one.item.set_ or one.item.path not in ways
    )


def _shown(
    one: Laid, record: Record, texts: fields.Templates, values: dict[str, str]
) -> Shown:  # fmt: skip
    item = one.item
    digest = fields.digest(item, texts.get((one.place, item.path)), values)
    return Shown(
        item.path,
        item.kind,
        one.place,
        record.state(item.path, digest),
        one.hides,
        f"{item.uid}:{item.gid}",
        item.mode,
        item.size,
        item.target,
        item.template,
    )


def look(site: Site, name: str) -> Look:
    """One leaf by its folder. Raises SbcError."""
    return Looker(site).look(name)


@dataclass(frozen=True, slots=True)
class Summary:
    """One overlay: how much it holds, the leaves (folders) it is for, what is wrong with it."""

    place: Place
    files: int = 0
    bytes: int = 0
    leaves: tuple[str, ...] = ()
    fault: str = ""


def summaries(site: Site) -> tuple[Summary, ...]:
    """Every overlay there is, by place."""
    looker = Looker(site)
    users: dict[Place, list[str]] = {}
    for leaf in site.leaves:
        for place in places_of(site, leaf.name, leaf.config.group, image_of(site, leaf.name)):
            users.setdefault(place, []).append(leaf.name)
    return tuple(_summary(looker, place, users.get(place, [])) for place in sorted(site.overlays))


def _summary(looker: Looker, place: Place, leaves: list[str]) -> Summary:
    try:
        layers = looker.layers((place,))
        looker.templates(layers)
    except SbcError as error:
        return Summary(place, leaves=tuple(leaves), fault=str(error))
    items = layers[0].items
    return Summary(place, layers[0].counted(), sum(item.size for item in items), tuple(leaves))


# ── facts of requests ─────────────────────────────────────────────────────────────────────


def gather_overlays(site: Site, request: Request) -> Request:
    """The request with what only the overlays' folders say. Raises like ``Looker``."""
    if isinstance(request, CreateLeaves):
        return _for_new(site, request)
    if isinstance(request, ApplyOverlays):
        return _for_apply(site, request)
    if isinstance(request, AddOverlay):
        return _for_add(site, request)
    if isinstance(request, HideOverlay):
        return request.model_copy(update={"there": _there(site, request)})
    if isinstance(request, RemoveOverlay):
        return _for_remove(site, request)
    return request


def _for_new(site: Site, request: CreateLeaves) -> CreateLeaves:
    if not site.overlays or request.root not in site.nodes:
        return request.model_copy(update={"covers": ()})
    root = site.nodes[request.root].config
    found = covers(Looker(site), root.name, root.disk, request.leaves)
    return request.model_copy(update={"covers": found})


def covers(
    looker: Looker, root: str, disk: DiskSpec, leaves: Iterable[LeafSpec]
) -> tuple[Cover, ...]:
    """What is laid over those of these leaves that are still to be made. Raises like ``Looker``."""
    site, found = looker.site, []
    for spec in leaves:
        name = dashed(spec.mac)
        if name in site.nodes or not places_of(site, name, spec.group, root):
            continue
        leaf = NodeConfig(
            kind="leaf", name=name, alias=spec.alias, group=spec.group, mac=spec.mac, disk=disk
        )
        found.append(looker.cover(leaf, root))
    return tuple(found)


def _for_apply(site: Site, request: ApplyOverlays) -> ApplyOverlays:
    looker = Looker(site)
    nodes = [site.nodes[name] for name in _meant(site, request) if name in site.nodes]
    found = tuple(
        looker.cover(node.config, image_of(site, node.name)) for node in nodes if not node.is_root
    )
    return request.model_copy(update={"covers": found})


def _meant(site: Site, request: ApplyOverlays) -> list[str]:
    if not request.group:
        return list(dict.fromkeys(request.names))
    return [leaf.name for leaf in site.leaves if leaf.config.group == request.group]


def _for_add(site: Site, request: AddOverlay) -> AddOverlay:
    if request.owner:
        parse_owner(request.owner)
    if request.mode:
        parse_mode(request.mode)
    there = _there(site, request)
    files = size = 0
    try:
        for path, facts in _below(request.source):
            if stat.S_IFMT(facts.st_mode) not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
                raise BadInput(f"{clean(path)} is neither file, folder nor link; leave it out")
            files += not stat.S_ISDIR(facts.st_mode)
            size += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
            if request.template and stat.S_ISREG(facts.st_mode):
                _check_template(path)
    except FileNotFoundError:
        raise BadInput(f"there is no {shown(request.source)} to lay over an image") from None
    except OSError as error:
        raise from_os(error, f"looking at {clean(request.source)}") from error
    return request.model_copy(update={"files": files, "bytes": size, "there": there})


def _there(site: Site, request: AddOverlay | HideOverlay) -> bool:
    return os.path.lexists(site.path / request.place.path / request.target)


def _below(source: str) -> Iterable[tuple[str, os.stat_result]]:
    facts = os.lstat(source)
    yield source, facts
    if stat.S_ISDIR(facts.st_mode):
        for folder, folders, files in os.walk(source):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                yield path, os.lstat(path)


def _check_template(path: str) -> None:
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        fields.checked(clean(path), file.read(fields.LARGEST))


def _for_remove(site: Site, request: RemoveOverlay) -> RemoveOverlay:
    place = request.place
    if place not in site.overlays:
        raise NoSuchNode(f"there is no {place.path}; see: sbctui overlay list")
    found = layer(site.path, place)
    item = next((one for one in found.items if one.path == request.target), None)
    if item is None:
        raise NoSuchNode(f"{place.path} holds no {request.target}; see: sbctui overlay list")
    if item.kind == "removed":
        return request.model_copy(update={"row": True, "stray": ""})
    return request.model_copy(update={"row": False, "stray": _stray(found, request.target)})


def _stray(found: Layer, path: str) -> str:
    """The path, or the highest folder above it in which nothing else is."""
    others = [
        one.path
        for one in found.items
        if one.kind not in ("folder", "removed") and not f"{one.path}/".startswith(f"{path}/")
    ]
    while "/" in path:
        above = path.rpartition("/")[0]
        if any(other.startswith(f"{above}/") for other in others):
            break
        path = above
    return f"{found.place.path}/{path}"
