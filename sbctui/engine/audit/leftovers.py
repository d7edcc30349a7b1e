"""Checks of what is no node: half-made folders, strays, the trash past its time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import finding, fixed, trashable
from sbctui.engine.model.pins import PINS
from sbctui.engine.model.roster import ROSTER
from sbctui.engine.model.site import Site, Stray, Trashed
from sbctui.engine.nodes.making import to_trash_stray
from sbctui.engine.plan import DropStaging, PurgeFolder


def half_made(site: Site, drift: Drift) -> Iterator[Finding]:
    """Staging folders: of a running job, or left by one that died."""
    for stray in (*site.strays, *drift.strays):
        if stray.kind != "staging":
            continue
        found = finding(
            "half-made",
            "half-made",
            stray.path,
            f"{stray.path} is a node being made now"
            if stray.live
            else f"{stray.path} is left from a job that ended in the middle",
            "A job holds it." if stray.live else "No job holds it, so nothing will finish it.",
            proof=f"{stray.path}: {'locked by its job' if stray.live else 'no lock on it'}",
            bytes=stray.allocated,
            since=stray.mtime,
            unfixable="wait for its job, or cancel that: sbctui jobs" if stray.live else "",
        )
        if stray.live:
            yield found.model_copy(update={"untrashable": found.unfixable})
        else:
            yield _half_made(site, found, stray)


def _half_made(site: Site, found: Finding, stray: Stray) -> Finding:
    found = fixed(found, f"drop {stray.path}", DropStaging(path=stray.path), safe=True)
    if stray.path.startswith("trash/"):
        reason = f"{stray.path} is being deleted for good already: f finishes that"
        return found.model_copy(update={"untrashable": reason})
    away = to_trash_stray(site, stray.path)
    return trashable(found, f"move {stray.path} to the trash", away)


def strays(site: Site, drift: Drift) -> Iterator[Finding]:
    """Files and folders that belong to nothing."""
    for stray in (*site.strays, *drift.strays):
        if stray.kind != "staging":
            yield _stray(site, stray)


def _stray(site: Site, stray: Stray) -> Finding:
    kind = {"file": "file", "folder": "folder"}.get(stray.kind, "thing (no file, no folder)")
    found = finding(
        "stray",
        "stray",
        stray.path,
        f"{stray.path} is a {kind} that belongs to no node",
        "sbctui did not put it there, or left it in a crash; it only takes room.",
        proof=f"{stray.path}: a {kind} that nothing names",
        bytes=stray.allocated,
        since=stray.mtime,
    )
    away = to_trash_stray(site, stray.path)
    return trashable(found, f"move {stray.path} to the trash", away, fix=True)


def pins(site: Site, drift: Drift) -> Iterator[Finding]:
    """A list of what is kept that can't be read."""
    if not site.pins_fault:
        return
    found = finding(
        "pins",
        "broken",
        PINS,
        f"{PINS} can't be read: {site.pins_fault}",
        "It says which findings are kept as they are; until it is good again none is.",
        proof=f"{PINS}: {site.pins_fault}",
    )
    away = to_trash_stray(site, PINS)
    yield trashable(found, f"move {PINS} to the trash and begin anew", away, fix=True)


def roster(site: Site, drift: Drift) -> Iterator[Finding]:
    """Lists of boards that can't be read."""
    if not site.roster_fault:
        return
    found = finding(
        "boards",
        "broken",
        ROSTER,
        f"{ROSTER} can't be read: {site.roster_fault}",
        "It says which boards are ignored and which are registered; until it is good again none "
        "is.",
        proof=f"{ROSTER}: {site.roster_fault}",
    )
    away = to_trash_stray(site, ROSTER)
    yield trashable(found, f"move {ROSTER} to the trash and begin anew", away, fix=True)


def expired(site: Site, drift: Drift) -> Iterator[Finding]:
    """Trash past its time; a root that overlays in the trash still need is kept for them."""
    limit = timedelta(days=site.settings.trash_days).total_seconds()
    old = [t for t in site.trash if site.facts.now - t.deleted.timestamp() > limit]
    for entry in old:
        if not _needed(site, entry, old):
            found = finding(
                "expired",
                "stray",
                f"trash/{entry.folder}",
                f"{entry.name} in the trash is past its {site.settings.trash_days} days",
                "The next verb that changes something sweeps it.",
                proof=f"trash/{entry.folder}: deleted {entry.deleted:%Y-%m-%d %H:%M} UTC",
                bytes=entry.allocated,
                since=entry.deleted.timestamp(),
            )
            found = found.model_copy(update={"untrashable": "it is in the trash already"})
            action = PurgeFolder(folder=entry.folder)
            yield fixed(found, f"delete {entry.folder} for good", action, safe=False)


def _needed(site: Site, entry: Trashed, old: list[Trashed]) -> bool:
    if entry.config is None or entry.config.kind != "root":
        return False
    kept = [t.config for t in site.trash if t not in old and t.config is not None]
    configs = (*kept, *(n.config for n in site.leaves))
    return any(
        c.disk.base == entry.name and c.disk.base_made == entry.config.created for c in configs
    )
