"""What a board gets from its overlays, and how that stands on its disk; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sbctui.engine.boot.template import Template
from sbctui.engine.errors import BadInput, NotPermitted, Refused, SbcError
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.overlay import (
    FOLDERS,
    Item,
    Kind,
    Laid,
    Layer,
    Place,
    Record,
    State,
    fingerprint,
)
from sbctui.engine.model.overlay_merge import conflicts, given_back, merged
from sbctui.engine.model.requests import (
    Cover,
    LeafSpec,
)
from sbctui.engine.model.site import Site
from sbctui.engine.model.xattrs import Xattrs
from sbctui.engine.repository import overlay_fields as fields
from sbctui.engine.repository.overlay_places import image_of, places_of
from sbctui.engine.repository.overlay_read import closed, layer, read, read_record

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Shown:
    """One path as a board gets it. ``place`` is None for what is given back to the root's.

    ``hides`` are the overlays whose own it hides; ``owner`` is uid:gid; ``size`` bytes, of a
    template as it is written. ``clears``: nothing of the image is left there, nor below it.
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
    clears: bool = False
    xattrs: Xattrs = ()


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

    def open_to_us(self, name: str, group: str) -> None:
        """Raises NotPermitted where it can't be known what a board gets."""
        owners = [f"{FOLDERS['board']}/{name}", *([f"{FOLDERS['group']}/{group}"] if group else [])]
        if why := closed(self.site.path, owners):
            raise NotPermitted(why)

    def look(self, name: str) -> Look:
        """One leaf, with what is wrong with its overlays as faults. Raises SbcError."""
        config = self.site.nodes[name].config
        image = image_of(self.site, name)
        record = read_record(self.site.node_path(name))
        places = places_of(self.site, name, config.group, image)
        try:
            self.open_to_us(name, config.group)
            layers = self.layers(places)
            texts = self.templates(layers)
        except (Refused, BadInput, NotPermitted) as error:
            return Look(name, image, faults=(str(error),), applied=record.applied)
        values = fields.fields(config, self.site.settings, image)
        laid = merged(layers)
        rows = [_shown(one, record, texts, values) for one in _worth_telling(laid)]
        told = {row.path for row in rows}
        back = given_back(record, laid).all
        rows += [Shown(path, None, None, "gone") for path in back if path not in told]
        rows.sort(key=lambda row: row.path)
        return Look(name, image, tuple(rows), tuple(conflicts(layers)), record.applied)

    def cover(self, config: NodeConfig, image: str) -> Cover:
        """What planning needs for one leaf, made or not.

        Raises Refused, BadInput, NotPermitted, SbcError.
        """
        self.open_to_us(config.name, config.group)
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
        return Cover(
            leaf=config.name,
            places=tuple(place.path for place in places),
            counts=tuple(sources.count(place) for place in places),
            digest=fingerprint(layers),
            bytes=sum(-(-one.item.size // _BLOCK) * _BLOCK + _BLOCK for one in laid),
            inodes=len(laid),
            templates=bool(texts),
            todo=sum(state != "applied" for state in states),
            gone=given_back(record, laid).all,
        )


def _worth_telling(laid: Sequence[Laid]) -> Iterator[Laid]:
    """All but folders of which nothing is said, and that are only the way to something."""
    ways = {one.item.path.rpartition("/")[0] for one in laid}
    return (
        one
        for one in laid
        if one.item.kind != "folder" or one.item.path not in ways or _is_dressed(one.item)
    )


def _is_dressed(item: Item) -> bool:
    """Whether anything is said of a folder."""
    return item.set_ or item.clears or bool(item.xattrs)


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
        item.clears,
        item.xattrs,
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


def covers(
    looker: Looker, root: str, disk: DiskSpec, leaves: Iterable[LeafSpec]
) -> tuple[Cover, ...]:
    """What is laid over those of these leaves that are still to be made. Raises like ``Looker``."""
    site, found = looker.site, []
    for spec in leaves:
        name = dashed(spec.mac)
        if name in site.nodes:
            continue
        looker.open_to_us(name, spec.group)
        if not places_of(site, name, spec.group, root):
            continue
        leaf = NodeConfig(
            kind="leaf", name=name, alias=spec.alias, group=spec.group, mac=spec.mac, disk=disk
        )
        found.append(looker.cover(leaf, root))
    return tuple(found)
