"""The supervisor's process: ``supervise`` is all of it, ``python -m`` the way to start it.

It ends the daemons only when asked over its socket. A signal, a crash or ``kill -9`` ends the
supervisor alone: the daemons go on, and the next supervisor adopts them.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sbctui.engine import commands
from sbctui.engine.errors import SbcError
from sbctui.engine.files import remove_tree
from sbctui.engine.lockfile import SiteLock, read_lock
from sbctui.engine.recovery import rederive
from sbctui.engine.services import wiring
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.control_server import ControlServer
from sbctui.engine.services.control_wire import CONTROL
from sbctui.engine.services.rundir import prepare_run_dir, site_id
from sbctui.engine.services.supervise_holder import claim
from sbctui.engine.services.supervise_place import Pace, Place, open_log, prepare_state
from sbctui.engine.services.supervise_seeds import Seeding
from sbctui.engine.services.supervisor import Services, Supervisor
from sbctui.engine.store import Store, check_site

_DESCRIPTORS = 65536
"""Open files wanted for the daemons: two for each overlay disk."""


def supervise(site_path: Path, stop: threading.Event) -> bool:
    """Keep a site's daemons running until ``stop`` is set or an end is asked for.

    ``stop`` leaves the daemons running; a ``services stop`` ends them. True when a ``services
    restart`` wants the caller's program begun anew: ``commands.begin_anew``. Raises Locked
    naming the supervisor that is there already, NotASite, NotPermitted.
    """
    return supervise_with(site_path, stop, wiring.services, Pace())


def supervise_with(
    site_path: Path,
    stop: threading.Event,
    build: Callable[[Path, Place], Services],
    pace: Pace,
) -> bool:
    """The same with other daemons and times."""
    site = site_path.resolve()
    check_site(site)
    facts = site.stat()
    owner = (facts.st_uid, facts.st_gid)
    run = prepare_run_dir(site, owner)
    prepare_state(site, owner)
    held = claim(site, run, owner)
    try:
        _settle_in()
        place = Place(run, site / "state", site_id(site), owner)
        log = open_log(place.log("supervise"), owner)
        try:
            return _serve(site, stop, build, pace, place, _teller(log))
        finally:
            os.close(log)
    finally:
        os.close(held)


def _serve(
    site: Path,
    stop: threading.Event,
    build: Callable[[Path, Place], Services],
    pace: Pace,
    place: Place,
    tell: Callable[[str], None],
) -> bool:
    _derive_again(site, place, tell)
    supervisor = Supervisor(site, build(site, place), place, pace, tell)
    server = ControlServer(place.run / CONTROL, supervisor.handlers(), place.owner)
    tell(f"supervising {site}")
    seeding = Seeding(site, place, tell)
    server.begin()
    try:
        supervisor.begin()
        seeding.begin()
        supervisor.follow(stop)
        seeding.end()
        if supervisor.ending.is_set():
            supervisor.end()
        else:
            supervisor.leave()
    finally:
        server.close()
    if supervisor.ending.is_set():
        remove_tree(place.run)
    again = supervisor.again.is_set() and not (supervisor.ending.is_set() or stop.is_set())
    tell("begins anew" if again else "ended")
    return again


def _derive_again(site: Path, place: Place, tell: Callable[[str], None]) -> None:
    """After a power cut or a crash: what the daemons read was not flushed, and may be of before.

    The site's own recovery is left to the next verb that changes something.
    """
    if read_lock(site).trusted:
        return
    lock = SiteLock(site, "the start of the services")
    try:
        with lock.held():
            if lock.after_crash:
                owner = place.owner if os.geteuid() == 0 else None
                rederive(Store(site).load(), SiteControl(site), owner)
                tell("derived again what the daemons read")
    except (SbcError, OSError) as error:
        tell(f"what the daemons read could not be derived again: {error}")


def _settle_in() -> None:
    """A session of our own, deaf to a closed terminal, with descriptors for many disks."""
    with suppress(PermissionError):
        os.setsid()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
    if os.geteuid() == 0:
        most = max(most, _DESCRIPTORS)
    wanted = min(most, _DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(wanted, hard)))


def _teller(log: int) -> Callable[[str], None]:
    def tell(sentence: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with suppress(OSError):
            os.write(log, f"{stamp} {sentence}\n".encode())

    return tell


def main(arguments: list[str]) -> int:
    """``python -m sbctui.engine.services.supervise SITE``: the exit code of ``supervise``."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        if supervise(Path(arguments[0]), stop):
            commands.begin_anew()
    except SbcError as error:
        sys.stderr.write(f"{error}\n")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
