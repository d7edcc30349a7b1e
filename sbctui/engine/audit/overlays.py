"""Checks of overlays: those of nobody, those that can't be laid, disks that lack them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine import rules
from sbctui.engine.audit.drift import Drift, OverlayFolder
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import changed, finding, fixed, trashable
from sbctui.engine.model.overlay import RECORD
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.making import to_trash_stray
from sbctui.engine.repository.overlay_making import apply_unit, files


def orphaned(site: Site, drift: Drift) -> Iterator[Finding]:
    """Folders of groups, boards and images that there are not; each whole folder once."""
    groups = {node.config.group for node in site.nodes.values()}
    groups |= {board.group for board in site.roster.registered}
    told: dict[str, tuple[str, list[OverlayFolder]]] = {}
    for folder in drift.overlays:
        path, why = _of_nobody(site, folder, groups) if not _closed(folder) else ("", "")
        if why:
            told.setdefault(path, (why, []))[1].append(folder)
    for path, (why, folders) in told.items():
        found = finding(
            "overlay-orphan",
            "orphan",
            path,
            f"{path} is laid over nothing: {why}",
            "Its files wait for nobody, unless they wait for one to come; then keep it.",
            proof=f"{path}: {why}",
            bytes=sum(folder.bytes for folder in folders),
            since=max(folder.since for folder in folders),
        )
        away = to_trash_stray(site, path)
        yield trashable(found, f"move {path} to the trash", away, fix=True)


def _closed(folder: OverlayFolder) -> bool:
    """Whether it may not be listed, so nobody knows what it holds."""
    return folder.place is None and bool(folder.fault)


def _of_nobody(site: Site, folder: OverlayFolder, groups: set[str]) -> tuple[str, str]:
    """The folder that is for nobody, and why; empty where it is for somebody."""
    place = folder.place
    _, level, owner = folder.path.split("/")[:3]
    if level == "groups" and owner not in groups:
        return f"repo/groups/{owner}", f"there is no group {owner}"
    if level == "clients" and owner not in site.nodes and owner not in site.broken:
        return f"repo/clients/{owner}", f"there is no leaf {owner}"
    if place is None:
        return folder.path, "it holds no image's folder"
    if place.image not in site.nodes and place.image not in site.broken:
        return folder.path, f"there is no root {place.image}"
    return "", ""


def faulty(site: Site, drift: Drift) -> Iterator[Finding]:
    """Overlays that can't be laid as they are."""
    for folder in drift.overlays:
        if folder.fault:
            found = finding(
                "overlay-fault",
                "broken",
                folder.path,
                f"{folder.path} can't be laid over an image",
                f"{folder.fault[:1].upper()}{folder.fault[1:]}.",
                proof=f"{folder.path}: {folder.fault}",
                bytes=folder.bytes,
                since=folder.since,
                unfixable="only you know what was meant: mend what is named there",
            )
            away = to_trash_stray(site, folder.path)
            yield trashable(found, f"move {folder.path} to the trash", away)


def not_laid(site: Site, drift: Drift) -> Iterator[Finding]:
    """Leaves whose disks have not what their overlays hold."""
    for name, laid in drift.laid.items():
        node = site.nodes[name]
        cover = laid.cover
        counts = [f"{files(cover.todo)} new or changed"] if cover.todo else []
        counts += [f"{files(len(cover.gone))} laid no more"] if cover.gone else []
        found = finding(
            "overlay",
            "drift",
            name,
            f"the disk of {node.config.hostname} is not as its overlays are",
            laid.fault
            or "Overlays were changed since they were laid over it; it gets them when "
            "that is said: a board may have changed these files as well.",
            proof=f"nodes/{name}/{RECORD}: {laid.fault or ', '.join(counts)}",
            since=changed(node),
            nodes=(name,),
        )
        reason = laid.fault or rules.can_lay(site, name)
        if reason:
            yield found.model_copy(update={"unfixable": reason})
            continue
        unit = apply_unit(site, node, cover)
        title = f"lay them over the disk of {node.config.hostname}"
        yield fixed(found, title, *unit.actions, node=name, safe=False)
