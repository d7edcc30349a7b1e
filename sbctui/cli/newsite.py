"""The first mutating verb: ``root create`` makes a site with defaults where there is none."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.cli import output
from sbctui.cli.act import act, agreed, perform, preview
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import CreateRoot, Source
    from sbctui.engine.plan import Plan


def create_root(
    place: Place, name: str, size: int | None, source: Path | None, notes: str, how: How
) -> int:
    """``root create`` on a site, or in a missing or empty folder, which then becomes one."""
    from sbctui.engine.archive.head import head_of
    from sbctui.engine.disks.create import inspect_source
    from sbctui.engine.model.requests import CreateRoot

    def make(engine: Engine | None = None) -> CreateRoot:
        looked = inspect_source(source.expanduser().absolute()) if source is not None else None
        if looked is not None and engine is not None:
            looked = looked.model_copy(update={"origin": engine.origin(typed)})
        return CreateRoot(name=name, size=size or _own_size(looked), source=looked, notes=notes)

    typed = str(source)
    if source is not None:
        source = Path(place.archive(typed))
    if source is not None and head_of(source.expanduser()).node:
        return _from_archive(place, name, typed, size, notes, how)
    if place.found() not in ("missing", "empty"):
        return act(place, make, how)
    place.refuse_if_read_only()
    request = make()
    plan = _plan_without(place.path, request)
    if how.dry_run:
        return preview(plan, how)
    if not agreed(plan, how):
        return 0
    make_default(place)
    engine = place.engine()
    return perform(engine, engine.plan(request), how)


def _from_archive(
    place: Place, name: str, typed: str, size: int | None, notes: str, how: How
) -> int:
    """What somebody exported is no image to make a file system of: it is imported."""
    from sbctui.cli.archiving import take

    if size is not None or notes:
        raise BadInput(
            f"{typed} is an archive of a node, which brings its own size and notes; leave out "
            "--size and --notes, and change them afterwards"
        )
    return take(place, typed, name, "", False, how)


def _own_size(source: Source | None) -> int:
    if source is None or source.kind != "image":
        raise BadInput(
            "how large shall its disk be? give --size, as 2G; only an OS image has a size"
        )
    return source.bytes


def make_default(place: Place) -> None:
    """Make a site with default settings, and say so."""
    from sbctui.engine.engine import init_site
    from sbctui.engine.model.settings import Settings
    from sbctui.engine.places import usual_owner

    init_site(place.path, Settings(), owner=usual_owner(place.path))
    output.say(
        f"note: made a site at {place.path} with default settings; see: "
        f"sbctui{place.option} site show"
    )


def _plan_without(path: Path, request: CreateRoot) -> Plan:
    """The plan for a site that is not there yet, on the file system where it would be."""
    from sbctui.engine.model.settings import Settings
    from sbctui.engine.model.site import Facts, Site
    from sbctui.engine.nodes.plan import plan_for

    standing = next(folder for folder in (path, *path.parents) if folder.exists())
    space = os.statvfs(standing)
    facts = Facts(
        now=time.time(),
        total_bytes=space.f_blocks * space.f_frsize,
        free_bytes=space.f_bavail * space.f_frsize,
        free_inodes=space.f_favail,
        writable=os.access(standing, os.W_OK),
    )
    plan = plan_for(request, Site(path, Settings(), facts=facts))
    note = f"there is no site at {path} yet: one is made there first, with default settings"
    return plan.model_copy(update={"notes": (note, *plan.notes)})
