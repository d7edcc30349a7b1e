"""What is true outside the configs: gathered here, handed to planners as values."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.archive.places import target
from sbctui.engine.disks.port import Probed
from sbctui.engine.disks.probe import choose
from sbctui.engine.errors import BadInput, ToolFailed, ToolMissing
from sbctui.engine.files import Owner
from sbctui.engine.model.addresses import parse_ip
from sbctui.engine.model.distribution import Distribution
from sbctui.engine.model.requests import (
    OF_OVERLAYS,
    OF_REPOSITORIES,
    AllocateRoot,
    CreateLeaves,
    DeleteImages,
    ExportMany,
    ImportLeaf,
    KeepFindings,
    LeafSpec,
    Request,
    ServeCache,
)
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Facts, Site
from sbctui.engine.services.port import Control

_RESOLVE_SECONDS = 1.0
"""Seconds the resolver may take in all, however many names are asked."""


def foreign_owner(site: Path) -> Owner:
    """Who new files are given to when root works on another user's site."""
    facts = site.stat()
    return (facts.st_uid, facts.st_gid) if os.geteuid() == 0 and facts.st_uid else None


class Probe:
    """Facts of one site; what the file system can do is probed once per setting."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._probed: dict[str, Probed] = {}

    def facts(self, settings: Settings, control: Control, now: float) -> Facts:
        """The facts of this moment, stamped ``now`` (epoch seconds)."""
        space = os.statvfs(self._site)
        writable = not space.f_flag & os.ST_RDONLY and os.access(self._site / "nodes", os.W_OK)
        probed = self._probed.get(settings.disk_kind)
        if probed is None:
            probed = choose(self._site / "nodes", settings.disk_kind)
            self._probed[settings.disk_kind] = probed
        serving = control.running()
        return Facts(
            now=now,
            total_bytes=space.f_blocks * space.f_frsize,
            free_bytes=space.f_bavail * space.f_frsize,
            free_inodes=space.f_favail,
            store=probed.store,
            filesystem=probed.filesystem,
            writable=writable,
            serving=serving,
            sessions=control.sessions() if serving else (),
            leases=control.leases(),
            seen=control.seen(),
        )


def gather(site: Site, request: Request) -> Request:
    """The request with what only files, the resolver or the system know filled in.

    The resolver has a second. Raises Refused, BadInput, SbcError for what can't be laid over a
    board's disk.
    """
    if request.verb in OF_OVERLAYS:
        from sbctui.engine.repository.overlay_gather import gather_overlays

        request = gather_overlays(site, request)
    if isinstance(request, Distribution):
        from sbctui.engine.repository.gathering import gather_distribution

        return gather_distribution(site, request)
    if isinstance(request, ExportMany):
        targets = tuple(target(site.path, one.file) for one in request.targets)
        return request.model_copy(update={"targets": targets})
    if isinstance(request, DeleteImages):
        from sbctui.engine.repository.deleting import gather_deleted

        return gather_deleted(site, request)
    if isinstance(request, KeepFindings) and not request.by:
        return request.model_copy(update={"by": _user()})
    if request.verb in OF_REPOSITORIES:
        from sbctui.engine.repository.gather import gather_repository

        return _with_addresses(site, gather_repository(site, request))
    if site.settings.network.subnet is None:
        return request
    if isinstance(request, AllocateRoot) and request.ip is None:
        return request.model_copy(update={"resolved": _resolve([request.name])[request.name]})
    if isinstance(request, ImportLeaf) and request.alias and request.ip is None:
        answers = _resolve([request.alias])
        return request.model_copy(update={"resolved": answers[request.alias]})
    if isinstance(request, CreateLeaves):
        names = [leaf.alias for leaf in request.leaves if leaf.alias and leaf.ip is None]
        if names:
            return request.model_copy(update={"leaves": _resolved(request.leaves, names)})
    return request


def _with_addresses(site: Site, request: Request) -> Request:
    """What the resolver says of the boards that a cache knows."""
    if not isinstance(request, ServeCache) or site.settings.network.subnet is None:
        return request
    boards = [leaf for one in request.found for leaf in one.boards or ()]
    names = [leaf.alias for leaf in boards if leaf.alias and leaf.mac not in site.by_mac]
    answers = _resolve(names) if names else {}
    found = tuple(
        one.model_copy(update={"boards": _answered(one.boards, answers)}) if one.boards else one
        for one in request.found
    )
    return request.model_copy(update={"found": found})


def _user() -> str:
    """Who asks: the user behind sudo, else the one this program runs as."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _resolved(leaves: tuple[LeafSpec, ...], names: list[str]) -> tuple[LeafSpec, ...]:
    return _answered(leaves, _resolve(names))


def _answered(
    leaves: tuple[LeafSpec, ...], answers: Mapping[str, tuple[IPv4Address, ...]]
) -> tuple[LeafSpec, ...]:
    return tuple(
        leaf.model_copy(update={"resolved": answers.get(leaf.alias, ())}) for leaf in leaves
    )


def _resolve(names: list[str]) -> dict[str, tuple[IPv4Address, ...]]:
    deadline = time.monotonic() + _RESOLVE_SECONDS
    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip(names, pool.map(lambda n: _ask(n, deadline), names), strict=True))


def _ask(name: str, deadline: float) -> tuple[IPv4Address, ...]:
    left = deadline - time.monotonic()
    if left <= 0:
        return ()
    try:
        done = commands.run(["getent", "ahostsv4", name], ok=(0, 2), timeout=left)
    except (ToolFailed, ToolMissing):
        return ()
    found: dict[IPv4Address, None] = {}
    for line in done.stdout.splitlines():
        try:
            found[parse_ip(line.split()[0])] = None
        except (BadInput, IndexError):
            continue
    return tuple(ip for ip in found if not ip.is_loopback)
