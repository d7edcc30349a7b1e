"""Setting up, step by step; what was done is undone, newest first, when a step fails."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

from sbctui.engine import commands
from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError, ServiceFailed
from sbctui.engine.files import remove_tree, write_atomic
from sbctui.engine.model.requests import ApplyServices
from sbctui.engine.model.settings import Settings
from sbctui.engine.places import SERVICE_USER
from sbctui.engine.services import systemd
from sbctui.engine.services.control import SiteControl, start_services, stop_services
from sbctui.engine.services.port import Status
from sbctui.engine.setup.plan import Found, Setup, Step
from sbctui.engine.siteinit import init_site, make_user, write_settings

_FOLLOWED = 20.0
_NOTICED = 1.0
"""Seconds in which a supervisor has seen that the settings are others."""
Undo = Callable[[], None]


def perform(setup: Setup, found: Found, told: Callable[[Step], None]) -> tuple[Status, ...]:
    """Do every step; ``told`` gets each one that stands. The services as they then are.

    ``found`` is what the plan was made from. Raises SbcError when a step failed; then nothing
    of them is left.
    """
    with ExitStack() as undo:
        for step in setup.steps:
            undo.callback(_DO[step.kind](setup, found))
            told(step)
        status = _serving(setup)
        undo.pop_all()
    return status


def _user(setup: Setup, found: Found) -> Undo:
    make_user(SERVICE_USER)

    def undo() -> None:
        with suppress(SbcError):
            commands.run(["userdel", SERVICE_USER])

    return undo


def _site(setup: Setup, found: Found) -> Undo:
    site = setup.wish.site
    there = found.site == "empty"
    try:
        init_site(site, setup.settings, owner=SERVICE_USER)
    except BaseException:
        _unmake(site, keep=there)
        raise
    return lambda: _unmake(site, keep=there)


def _unmake(site: Path, *, keep: bool) -> None:
    """Away with a site that was just made; an empty folder that was there stays one."""
    for entry in list(site.iterdir()) if site.exists() else []:
        if entry.name != "lost+found":
            remove_tree(entry)
    if not keep:
        remove_tree(site)


def _network(setup: Setup, found: Found) -> Undo:
    site = setup.wish.site

    def change(settings: Settings) -> None:
        write_settings(site, settings)
        engine = Engine(site)
        report = engine.apply(engine.plan(ApplyServices()))
        if report.code:
            raise ServiceFailed(report.error or report.of("failed")[0].error)

    def undo() -> None:
        with suppress(SbcError):
            change(found.settings)

    try:
        change(setup.settings)
    except BaseException:
        undo()
        raise
    threading.Event().wait(_NOTICED if found.serving else 0)
    return undo


def _unit(setup: Setup, found: Found) -> Undo:
    path = Path(found.unit_path)
    before = path.read_bytes() if path.exists() else None
    try:
        systemd.install(setup.wish.site)
        if found.serving:
            systemd.take_over(setup.wish.site)
    except BaseException:
        _put_back(setup.wish.site, path, before)
        raise
    return lambda: _put_back(setup.wish.site, path, before)


def _put_back(site: Path, path: Path, before: bytes | None) -> None:
    """The unit as it was, also where systemd itself says no."""
    if before is not None:
        write_atomic(path, before, mode=0o644)
        return
    with suppress(SbcError):
        systemd.uninstall(site)
    path.unlink(missing_ok=True)


def _start(setup: Setup, found: Found) -> Undo:
    def undo() -> None:
        with suppress(SbcError):
            stop_services(setup.wish.site, force=True)

    try:
        start_services(setup.wish.site)
    except BaseException:
        undo()
        raise
    return undo


_DO: dict[str, Callable[[Setup, Found], Undo]] = {
    "user": _user,
    "site": _site,
    "network": _network,
    "unit": _unit,
    "start": _start,
}


def _serving(setup: Setup) -> tuple[Status, ...]:
    """Every daemon, once all run that are wanted. Raises ServiceFailed for one that does not."""
    control = SiteControl(setup.wish.site)
    deadline = monotonic() + _FOLLOWED
    while True:
        status = control.status()
        idle = [one for one in status if not _serves(one)]
        if not idle:
            return status
        if monotonic() > deadline:
            raise ServiceFailed(f"{idle[0].name} does not run: {idle[0].detail or idle[0].state}")
        threading.Event().wait(0.05)


def _serves(one: Status) -> bool:
    """HTTP is off unless somebody asked for it."""
    return (one.state == "running" and not one.detail) or (one.name, one.state) == ("http", "off")
