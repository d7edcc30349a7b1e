"""Images that are to be seeded are: begun with the services, and again when a seeding died.

Each seeding is a job like one that an admin starts, and outlives the supervisor. One that ended
without leave is begun again after a while, and later each time that goes wrong.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from time import monotonic

from sbctui.engine import commands
from sbctui.engine.errors import SbcError
from sbctui.engine.jobfolder import Job
from sbctui.engine.jobs import Jobs
from sbctui.engine.repository.seeds import Wish, wishes
from sbctui.engine.repository.sidefiles import image_path
from sbctui.engine.services.processes import last_line
from sbctui.engine.services.supervise_place import Place, open_log

_LOOK = 2.0
_BEGINS = 60.0
"""Seconds that a job may take to be there."""
_POLL = 0.1
_FIRST, _LONGEST = 5.0, 300.0
"""Seconds between two beginnings of the same seeding: at first, and at most."""
_VERB = "repo seed"


class Seeding:
    """The thread that sees to it. ``tell`` takes sentences for the supervisor's log."""

    def __init__(self, site: Path, place: Place, tell: Callable[[str], None]) -> None:
        self._site = site
        self._place = place
        self._tell = tell
        self._ending = threading.Event()
        self._jobs = Jobs(site, place.owner if os.geteuid() == 0 else None)
        self._waits: dict[tuple[Wish, ...], tuple[float, float]] = {}
        self._thread = threading.Thread(target=self._run, name="seeding", daemon=True)

    def begin(self) -> None:
        """Look from now on."""
        self._thread.start()

    def end(self) -> None:
        """Look no more; what is being seeded goes on."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._look()
            except Exception as error:  # noqa: BLE001 - outlives any fault of a look
                self._tell(f"seeding: {type(error).__name__}: {error}")
            self._ending.wait(_LOOK)

    def _look(self) -> None:
        there = [one for one in wishes(self._site) if image_path(self._site, one.image).is_file()]
        if not there:
            return
        busy = self._images(job.id for job in self._seedings() if not job.over)
        missing = sorted((one for one in there if one.image not in busy), key=_way)
        for _, some in groupby(missing, _way):
            self._begin(tuple(some))

    def _seedings(self) -> list[Job]:
        return [job for job in self._jobs.list() if job.verb == _VERB]

    def _images(self, ids: Iterable[str]) -> set[str]:
        """What some jobs seed."""
        found: set[str] = set()
        for job in ids:
            with suppress(SbcError, OSError):
                found.update(getattr(self._jobs.plan(job).request, "images", ()))
        return found

    def _begin(self, some: tuple[Wish, ...]) -> None:
        """One job for images that are to go the same way, unless one has just ended."""
        after, wait = self._waits.get(some, (0.0, _FIRST))
        if monotonic() < after:
            return
        if monotonic() > after + _LONGEST:
            wait = _FIRST
        self._waits[some] = monotonic() + wait, min(2 * wait, _LONGEST)
        images = [one.image for one in some]
        log = self._place.log("seeding")
        job, why = self._started(_words(some), log)
        if not job:
            self._tell(f"seeding {', '.join(images)}: {why}; next try in {wait:g} s")
            return
        self._tell(f"seeding {', '.join(images)} again: job {job}")
        for old in [one.id for one in self._seedings() if one.left]:
            if self._images((old,)) <= {*images}:
                self._jobs.settle(old, job)

    def _started(self, words: Iterable[str], log: Path) -> tuple[str, str]:
        """The job's id, or why there is none."""
        os.close(open_log(log, self._place.owner))
        os.truncate(log, 0)
        argv = [sys.executable, "-P", "-m", "sbctui", "--site", str(self._site), *words]
        user = self._place.user
        process = commands.start(
            argv,
            log_file=log,
            user=user[0] if user else None,
            group=user[1] if user else None,
        )
        until = monotonic() + _BEGINS
        while process.poll() is None:
            if self._ending.wait(_POLL):
                commands.detach(process)
                return "", "the services end"
            if monotonic() >= until:
                commands.end_session(process)
                return "", f"no answer within {_BEGINS:g} s"
        with suppress(OSError, ValueError, KeyError, TypeError):
            return str(json.loads(log.read_bytes())["job"]), ""
        return "", last_line(log) or f"exit code {process.returncode}"


def _way(one: Wish) -> tuple[str, int]:
    return one.interface, one.receivers


def _words(some: tuple[Wish, ...]) -> list[str]:
    images = [f"repo:{one.image}" for one in some]
    words = [*_VERB.split(), *images, "--background", "--again", "-y", "--json"]
    if some[0].interface:
        words += ["--interface", some[0].interface]
    if some[0].receivers:
        words += ["--receivers", str(some[0].receivers)]
    return words
