"""After a crash: finish or drop what was begun, derive the rest again. Safe to be killed itself.

Runs under the site's lock at the start of a mutating job, when something is left over.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import timedelta

from sbctui.engine import reconcile
from sbctui.engine.bootkit.arch import image_version
from sbctui.engine.bootkit.build import drop_unfinished
from sbctui.engine.disks.fuse import let_go
from sbctui.engine.disks.resize import resize
from sbctui.engine.errors import SbcError
from sbctui.engine.files import Owner, flocked, hit, remove_tree
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.repository import OWN
from sbctui.engine.model.site import BOOT, Site
from sbctui.engine.nodefile import RENAMED, write_config
from sbctui.engine.nodes.perform_rename import settle
from sbctui.engine.pinfile import in_work
from sbctui.engine.plan import Plan
from sbctui.engine.repository.overlay_change import settle as settle_overlays
from sbctui.engine.repository.overlay_read import STOWED, half_changed
from sbctui.engine.repository.tree import BOARDS
from sbctui.engine.services.port import Control
from sbctui.engine.store import GONE

Say = Callable[[str], None]
_DERIVED = (".", "dnsmasq/hosts.d", "tftp", "exports")
"""Folders in ``derived/`` that are written under the site's lock only."""
_LISTS = (OWN, f"{OWN}/{BOARDS}")
"""Those of the repository's lists, likewise."""


def recover(
    site: Site,
    reserved: Collection[str],
    *,
    owner: Owner,
    changed: Callable[[str], None],
    say: Say,
) -> None:
    """Drop dead staging folders, finish renames, purges, resizes; unlist children without a folder.

    ``reserved`` are the MACs that jobs running elsewhere have listed and not yet made.
    """
    _drop_staging(site, changed, say)
    _settle_names(site, changed, say)
    _settle_overlays(site, owner, changed, say)
    _finish_purges(site)
    _drop_temps(site)
    _drop_kits(site)
    drop_unfinished(site.path)
    for root in site.roots:
        _settle_children(site, root.config, reserved, owner, changed, say)
        if root.config.disk.resize_to is not None:
            _finish_resize(site, root.config, owner, changed, say)


def settle_exports(site: Site, plans: Iterable[Plan], *, owner: Owner, say: Say) -> None:
    """What killed jobs left in the repository; what works there is loaded where there is some."""
    for plan in plans:
        if any(action.kind == "index-repository" for unit in plan.units for action in unit.actions):
            from sbctui.engine.repository.abandoned import settle

            try:
                settle(site, plan, owner, say)
            except OSError as error:
                say(f"what is left of '{plan.title}' in the repository stays: {error}")


def rederive(site: Site, control: Control, owner: Owner) -> None:
    """Everything derived, again; the last step of a recovery."""
    reconcile.reconcile(site, control, owner=owner)


def _drop_staging(site: Site, changed: Callable[[str], None], say: Say) -> None:
    for stray in site.strays:
        if stray.kind != "staging":
            continue
        path = site.path / stray.path
        with suppress(BlockingIOError, FileNotFoundError), flocked(path, blocking=False):
            hit("recovery.drop-staging")
            let_go(path)
            remove_tree(path)
            changed("*")
            say(f"dropped the half-made {path.name}, which no job holds")


def _settle_names(site: Site, changed: Callable[[str], None], say: Say) -> None:
    for name in (*(root.name for root in site.roots), *site.broken):
        folder = site.node_path(name)
        if os.path.lexists(folder / RENAMED):
            hit("recovery.rename")
            if settle(folder):
                say(f"finished giving a root the name {name}")
            changed(name)


def _settle_overlays(site: Site, owner: Owner, changed: Callable[[str], None], say: Say) -> None:
    for name in (*site.nodes, *site.broken):
        folder = site.node_path(name)
        if os.path.lexists(folder / STOWED):
            hit("recovery.overlays")
            if settle_overlays(site.path, folder, owner):
                say(f"put the files that are laid over {name} back into repo/")
            changed(name)


def _finish_purges(site: Site) -> None:
    trash = site.path / "trash"
    for name in os.listdir(trash):
        if name.startswith(GONE):
            hit("recovery.purge")
            remove_tree(trash / name)


def _drop_temps(site: Site) -> None:
    """Unlink the temp files of writes that a crash cut short; the site's lock keeps others away."""
    derived = site.path / "derived"
    folders = [derived / name for name in _DERIVED] + [site.path / name for name in _LISTS]
    for name in site.nodes:
        node = site.node_path(name)
        folders += [node, node / BOOT, node / BOOT / "pxelinux.cfg"]
    for half in half_changed(site.path):
        hit("recovery.drop-temp")
        remove_tree(half)
    for name in filter(in_work, os.listdir(site.path)):
        hit("recovery.drop-temp")
        (site.path / name).unlink(missing_ok=True)
    for folder in folders:
        with suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.listdir(folder):
                if entry.startswith(".") and entry.endswith(".tmp"):
                    hit("recovery.drop-temp")
                    (folder / entry).unlink(missing_ok=True)


def _drop_kits(site: Site) -> None:
    """Unlink what was put into a boot folder and is not loaded: its plan ended before that."""
    for name, node in site.nodes.items():
        folder = site.node_path(name) / BOOT
        with suppress(FileNotFoundError, NotADirectoryError):
            for entry in os.listdir(folder):
                if image_version(entry) and entry != node.config.boot.initramfs:
                    hit("recovery.drop-temp")
                    (folder / entry).unlink(missing_ok=True)


def _settle_children(
    site: Site,
    config: NodeConfig,
    reserved: Collection[str],
    owner: Owner,
    changed: Callable[[str], None],
    say: Say,
) -> None:
    gone = [
        mac
        for mac, folder in config.children.items()
        if mac not in reserved and not os.path.lexists(site.node_path(folder))
    ]
    if not gone:
        return
    children = {m: f for m, f in config.children.items() if m not in gone}
    hit("recovery.children")
    after = config.model_copy(update={"children": children})
    write_config(site.node_path(config.name), after, owner)
    changed(config.name)
    say(f"took {len(gone)} without a folder out of the children of {config.name}")


def _finish_resize(
    site: Site, config: NodeConfig, owner: Owner, changed: Callable[[str], None], say: Say
) -> None:
    size = config.disk.resize_to or config.disk.size
    try:
        resize(site.node_path(config.name) / config.disk.file, size, stop=threading.Event())
    except (SbcError, OSError) as error:
        say(f"the resize of {config.name} can't be finished: {error}")
        return
    disk = config.disk.model_copy(update={"size": size, "resize_to": None})
    hit("recovery.resize")
    after = config.model_copy(update={"disk": disk})
    write_config(site.node_path(config.name), after, owner)
    changed(config.name)
    say(f"finished the resize of {config.name}")


def expired(site: Site) -> list[str]:
    """Trash folders past their time, leaves before roots; roots still stood on are kept."""
    limit = timedelta(days=site.settings.trash_days).total_seconds()
    old = [t for t in site.trash if site.facts.now - t.deleted.timestamp() > limit]
    going = {t.folder for t in old}
    kept = {
        t.config.disk.base
        for t in site.trash
        if t.folder not in going and t.config is not None and t.config.disk.base
    }
    free = [t for t in old if not (t.config and t.config.kind == "root" and t.name in kept)]
    free.sort(key=lambda t: t.config is None or t.config.kind == "root")
    return [t.folder for t in free]
