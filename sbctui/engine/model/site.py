"""The site as one frozen snapshot: every node, what is odd beside them, and the facts.

A ``Site`` is never edited; a change makes a new one. Look-ups by name, MAC, IP and parent are
built once per snapshot, on first use. Paths are derived from ``Site.path`` and names.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Literal, TypeVar

from sbctui.engine.model.indexes import group, patched
from sbctui.engine.model.node import NodeConfig, State, StoreKind
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.pins import Pins
from sbctui.engine.model.roster import Roster
from sbctui.engine.model.settings import Settings

T = TypeVar("T")

CONFIG = "config.json"
BOOT = "boot"
STAGING = ".new-"
"""Prefix of a node that is being made, inside ``nodes/``."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Identity of one version of a file: changes whenever an atomic write replaces it."""

    inode: int
    mtime_ns: int
    size: int


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk file as the file system sees it, in bytes; ``allocated`` may be shared."""

    apparent: int
    allocated: int
    mtime: float


@dataclass(frozen=True, slots=True)
class Node:
    """A node that could be read: its config, its disk (None when missing), its stamp."""

    config: NodeConfig
    disk: Disk | None
    stamp: Stamp

    @property
    def name(self) -> str:
        """The folder's and the node's name."""
        return self.config.name

    @property
    def is_root(self) -> bool:
        """Whether the node is an OS image."""
        return self.config.kind == "root"


@dataclass(frozen=True, slots=True)
class Broken:
    """A node folder whose config can't be used; ``reason`` is one plain sentence."""

    name: str
    reason: str
    allocated: int
    mtime: float


@dataclass(frozen=True, slots=True)
class Stray:
    """Something in the site's folders that is no node: ``path`` relative to the site."""

    path: str
    kind: Literal["file", "folder", "staging", "other"]
    allocated: int
    mtime: float
    live: bool = False


@dataclass(frozen=True, slots=True)
class Trashed:
    """A deleted node: its folder in ``trash/``, when it went, and its config if readable.

    ``origin`` is set for what was no node: where it lay, relative to the site; also its ``name``.
    ``overlays`` are folders of overlays that went with it, as they lay relative to the site.
    """

    folder: str
    name: str
    deleted: datetime
    config: NodeConfig | None
    allocated: int
    origin: str = ""
    overlays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Session:
    """One NBD connection that the gate admitted. Bytes are counted since it began."""

    export: str
    address: str
    since: float
    bytes_read: int = 0
    bytes_written: int = 0
    first_write: float | None = None


@dataclass(frozen=True, slots=True)
class Lease:
    """One line of dnsmasq's lease file; ``expires`` in epoch seconds, 0 = never."""

    mac: str
    ip: IPv4Address
    hostname: str
    expires: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A board without a node that asked for an address; all its texts are cleaned.

    ``first`` and ``last`` are epoch seconds. ``vendor`` is who made its network card; ``local``
    says that its MAC was made up, so that nobody is known. The rest is what its requests say,
    empty where they say nothing: ``model`` and ``serial`` of a Raspberry Pi, its processor and
    firmware, and the name it goes by.
    """

    mac: str
    first: float
    last: float
    count: int
    vendor_class: str = ""
    vendor: str = ""
    local: bool = False
    model: str = ""
    serial: str = ""
    architecture: str = ""
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true outside the configs at the moment the snapshot was taken.

    ``store`` is the disk kind that probing the file system chose. ``sessions``, ``leases`` and
    ``seen`` are empty when the services are not running; ``serving`` says whether they are.
    ``read_only``: the engine was opened to look only, whatever the file system would allow.
    """

    now: float = 0.0
    total_bytes: int = 0
    free_bytes: int = 0
    free_inodes: int = 0
    store: StoreKind = "copy"
    filesystem: str = ""
    writable: bool = True
    read_only: bool = False
    serving: bool = False
    sessions: tuple[Session, ...] = ()
    leases: tuple[Lease, ...] = ()
    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True)
class Site:
    """Everything, at one generation. ``templates`` are the admin's own boot files:
    path inside the folder ``templates/`` → text. ``overlays`` are the folders with files that are
    laid over an image, for a group or a board. ``listed``: its repository has lists for others.

    ``roster`` are the boards that are ignored and registered; ``roster_fault`` like ``pins_fault``.
    ``pins`` are findings of the audit that are kept as they are; ``pins_fault`` is what is wrong
    with their file, empty when it can be used.
    """

    path: Path
    settings: Settings
    generation: int = 0
    nodes: Mapping[str, Node] = field(default_factory=dict)
    broken: Mapping[str, Broken] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()
    trash: tuple[Trashed, ...] = ()
    facts: Facts = Facts()
    templates: Mapping[str, str] = field(default_factory=dict)
    pins: Pins = field(default_factory=Pins)
    pins_fault: str = ""
    roster: Roster = field(default_factory=Roster)
    roster_fault: str = ""
    overlays: frozenset[Place] = frozenset()
    listed: bool = False
    _built: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def by_mac(self) -> Mapping[str, tuple[str, ...]]:
        """MAC → names of the nodes that claim it (one, unless the audit has a finding)."""
        return self._once("by_mac", lambda: group(_macs(self.nodes.values())))

    @property
    def by_ip(self) -> Mapping[IPv4Address, tuple[str, ...]]:
        """IP → names of the nodes that claim it."""
        return self._once("by_ip", lambda: group(_ips(self.nodes.values())))

    @property
    def by_alias(self) -> Mapping[str, tuple[str, ...]]:
        """Alias → names of the nodes that have it."""
        return self._once("by_alias", lambda: group(_aliases(self.nodes.values())))

    @property
    def roots(self) -> tuple[Node, ...]:
        """All roots, by name."""
        return self._once("roots", lambda: self._sorted(root=True))

    @property
    def leaves(self) -> tuple[Node, ...]:
        """All leaves, by name."""
        return self._once("leaves", lambda: self._sorted(root=False))

    @property
    def listed_by(self) -> Mapping[str, tuple[str, ...]]:
        """Folder name → roots whose children map lists it."""
        return self._once("listed_by", lambda: group(_listed(self.nodes.values())))

    @property
    def standing_on(self) -> Mapping[str, tuple[str, ...]]:
        """Root name → nodes, and ``trash/`` entries, whose overlay needs that root's disk."""
        return self._once("standing_on", self._stood_on)

    def _stood_on(self) -> dict[str, tuple[str, ...]]:
        here = ((self._base(n.config), name) for name, n in self.nodes.items())
        gone = ((self._base(t.config), f"trash/{t.folder}") for t in self.trash)
        return group((*here, *gone))

    def _sorted(self, *, root: bool) -> tuple[Node, ...]:
        found = (n for n in self.nodes.values() if n.is_root is root)
        return tuple(sorted(found, key=lambda n: n.name))

    def _once(self, name: str, build: Callable[[], T]) -> T:
        """A look-up, built on first use and shared by all copies with the same nodes."""
        if name not in self._built:
            self._built[name] = build()
        found: T = self._built[name]
        return found

    def _base(self, config: NodeConfig | None) -> str | None:
        """The root an overlay stands on, unless a newer root has taken that name."""
        if config is None or config.disk.base is None:
            return None
        root = self.nodes.get(config.disk.base)
        same = root is None or config.disk.base_made == root.config.created
        return config.disk.base if same else None

    @cached_property
    def ignored(self) -> frozenset[str]:
        """MACs of boards that are not to be seen."""
        return frozenset(one.mac for one in self.roster.ignored)

    @cached_property
    def sessions_of(self) -> Mapping[str, tuple[Session, ...]]:
        """Export name → sessions open now."""
        return group((s.export, s) for s in self.facts.sessions)

    def state(self, name: str) -> State:
        """The derived state of a folder in ``nodes/`` (S0.20). KeyError when there is none."""
        if name in self.broken:
            return State.BROKEN
        config = self.nodes[name].config
        listed = self.listed_by.get(name, ())
        if config.kind == "leaf":
            return State.LEAF if listed else State.ORPHAN
        if listed:
            return State.MISPARENTED
        if config.mac is not None:
            return State.ALLOCATED
        return State.PARENT if config.children else State.UNALLOCATED

    def node_path(self, name: str) -> Path:
        """The folder of a published node."""
        return self.path / "nodes" / name

    def staging_path(self, name: str) -> Path:
        """The folder in which a node is built."""
        return self.path / "nodes" / (STAGING + name)

    def disk_path(self, name: str) -> Path:
        """The disk file of a published node."""
        return self.node_path(name) / self.nodes[name].config.disk.file

    def with_facts(self, facts: Facts) -> Site:
        """The same nodes with newer facts; shares the look-ups."""
        return _sharing(replace(self, facts=facts), self._built)

    def with_rest(self, **changes: Any) -> Site:
        """The same nodes with another ``settings``, ``generation``, ``trash``, templates, pins."""
        if changes.get("trash", self.trash) is self.trash:
            return _sharing(replace(self, **changes), self._built)
        built = {name: index for name, index in self._built.items() if name != "standing_on"}
        return _sharing(replace(self, **changes), built)

    def with_nodes(
        self,
        nodes: Mapping[str, Node],
        broken: Mapping[str, Broken],
        strays: tuple[Stray, ...],
        changed: Collection[str],
    ) -> Site:
        """Other nodes, of which only ``changed`` differ; look-ups are patched, not built anew."""
        before = [self.nodes[name] for name in changed if name in self.nodes]
        after = [nodes[name] for name in changed if name in nodes]
        built: dict[str, Any] = {
            name: patched(self._built[name], pairs(before), pairs(after))
            for name, pairs in _PATCHED.items()
            if name in self._built
        }
        return _sharing(replace(self, nodes=nodes, broken=broken, strays=strays), built)


def _sharing(site: Site, built: dict[str, Any]) -> Site:
    """A copy with look-ups that are right for it; a plain ``replace`` begins with none."""
    site.__dict__["_built"] = built
    return site


def _macs(nodes: Iterable[Node]) -> Iterator[tuple[str | None, str]]:
    return ((n.config.mac, n.name) for n in nodes)


def _ips(nodes: Iterable[Node]) -> Iterator[tuple[IPv4Address | None, str]]:
    return ((n.config.ip, n.name) for n in nodes)


def _aliases(nodes: Iterable[Node]) -> Iterator[tuple[str | None, str]]:
    return ((n.config.alias or None, n.name) for n in nodes)


def _listed(nodes: Iterable[Node]) -> Iterator[tuple[str | None, str]]:
    return ((folder, n.name) for n in nodes if n.is_root for folder in n.config.children.values())


_PATCHED: Mapping[str, Callable[[Iterable[Node]], Iterator[tuple[Any, str]]]] = {
    "by_mac": _macs,
    "by_ip": _ips,
    "by_alias": _aliases,
    "listed_by": _listed,
}
