"""The site as one frozen snapshot: every node, what is odd beside them, and the facts.

A ``Site`` is never edited; a change makes a new one. Look-ups by name, MAC, IP and parent are
built once per snapshot, on first use. Paths are derived from ``Site.path`` and names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Address
from pathlib import Path
from typing import Literal, TypeVar

from sbctui.engine.model.node import NodeConfig, State, StoreKind
from sbctui.engine.model.settings import Settings

K = TypeVar("K")
V = TypeVar("V")

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
    """A deleted node: its folder in ``trash/``, when it went, and its config if readable."""

    folder: str
    name: str
    deleted: datetime
    config: NodeConfig | None
    allocated: int


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
    """A board without a node that asked for an address."""

    mac: str
    first: float
    last: float
    count: int
    vendor_class: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true outside the configs at the moment the snapshot was taken.

    ``store`` is the disk kind that probing the file system chose. ``sessions``, ``leases`` and
    ``seen`` are empty when the services are not running; ``serving`` says whether they are.
    """

    now: float = 0.0
    total_bytes: int = 0
    free_bytes: int = 0
    free_inodes: int = 0
    store: StoreKind = "copy"
    filesystem: str = ""
    writable: bool = True
    serving: bool = False
    sessions: tuple[Session, ...] = ()
    leases: tuple[Lease, ...] = ()
    seen: tuple[Seen, ...] = ()


@dataclass(frozen=True)
class Site:
    """Everything, at one generation. ``boot_template`` is the admin's own boot script, if any."""

    path: Path
    settings: Settings
    generation: int = 0
    nodes: Mapping[str, Node] = field(default_factory=dict)
    broken: Mapping[str, Broken] = field(default_factory=dict)
    strays: tuple[Stray, ...] = ()
    trash: tuple[Trashed, ...] = ()
    facts: Facts = Facts()
    boot_template: str | None = None

    @cached_property
    def by_mac(self) -> Mapping[str, tuple[str, ...]]:
        """MAC → names of the nodes that claim it (one, unless the audit has a finding)."""
        return _group((n.config.mac, name) for name, n in self.nodes.items())

    @cached_property
    def by_ip(self) -> Mapping[IPv4Address, tuple[str, ...]]:
        """IP → names of the nodes that claim it."""
        return _group((n.config.ip, name) for name, n in self.nodes.items())

    @cached_property
    def by_alias(self) -> Mapping[str, tuple[str, ...]]:
        """Alias → names of the nodes that have it."""
        return _group((n.config.alias or None, name) for name, n in self.nodes.items())

    @cached_property
    def roots(self) -> tuple[Node, ...]:
        """All roots, by name."""
        return tuple(n for _, n in sorted(self.nodes.items()) if n.is_root)

    @cached_property
    def leaves(self) -> tuple[Node, ...]:
        """All leaves, by name."""
        return tuple(n for _, n in sorted(self.nodes.items()) if not n.is_root)

    @cached_property
    def listed_by(self) -> Mapping[str, tuple[str, ...]]:
        """Folder name → roots whose children map lists it."""
        return _group((folder, r.name) for r in self.roots for folder in r.config.children.values())

    @cached_property
    def standing_on(self) -> Mapping[str, tuple[str, ...]]:
        """Root name → nodes, and ``trash/`` entries, whose overlay needs that root's disk."""
        here = ((self._base(n.config), name) for name, n in self.nodes.items())
        gone = ((self._base(t.config), f"trash/{t.folder}") for t in self.trash)
        return _group((*here, *gone))

    def _base(self, config: NodeConfig | None) -> str | None:
        """The root an overlay stands on, unless a newer root has taken that name."""
        if config is None or config.disk.base is None:
            return None
        root = self.nodes.get(config.disk.base)
        same = root is None or config.disk.base_made == root.config.created
        return config.disk.base if same else None

    @cached_property
    def sessions_of(self) -> Mapping[str, tuple[Session, ...]]:
        """Export name → sessions open now."""
        return _group((s.export, s) for s in self.facts.sessions)

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
        """The same nodes with newer facts; keeps the look-ups already built."""
        site = replace(self, facts=facts)
        for name in ("by_mac", "by_ip", "by_alias", "roots", "leaves", "listed_by", "standing_on"):
            if name in self.__dict__:
                site.__dict__[name] = self.__dict__[name]
        return site


def _group(pairs: Iterable[tuple[K | None, V]]) -> dict[K, tuple[V, ...]]:
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        if key is not None:
            groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}
