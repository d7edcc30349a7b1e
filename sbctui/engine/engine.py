"""The facade: what the command line, the app and Python programs call. It wires and no more."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.engine import facts
from sbctui.engine.archive.places import target
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.remedy import Remedy
from sbctui.engine.boards.compare import Compared, compare
from sbctui.engine.boards.wall import Wall
from sbctui.engine.boot.template import check_all
from sbctui.engine.disks.create import inspect_source
from sbctui.engine.disks.port import Usage
from sbctui.engine.disks.usage import usage
from sbctui.engine.errors import BadInput, NoSuchNode, Refused, SbcError, from_os
from sbctui.engine.events import Emit, Event, Progress, silent
from sbctui.engine.history import History
from sbctui.engine.jobfolder import Job
from sbctui.engine.jobs import Claim, Jobs
from sbctui.engine.model.addresses import parse_mac, shown
from sbctui.engine.model.boots import Timeline
from sbctui.engine.model.distribution import TRANSFERS, Distribution, ImageFile, SeedImages
from sbctui.engine.model.repository import ImageAddress, Repository, RepositoryImage
from sbctui.engine.model.requests import (
    CreateRoot,
    Incoming,
    Request,
    RestoreTrash,
    Source,
    Target,
)
from sbctui.engine.model.site import Site
from sbctui.engine.nodes.rest import rest
from sbctui.engine.observer import Observer
from sbctui.engine.plan import Plan, Report
from sbctui.engine.planning import Planning
from sbctui.engine.rules import READ_ONLY
from sbctui.engine.rules import leaf as leaf_of
from sbctui.engine.running import Running
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.hosts import known_macs
from sbctui.engine.services.port import Control
from sbctui.engine.siteinit import init_site

if TYPE_CHECKING:
    from sbctui.engine.boot.asks import Firmware
    from sbctui.engine.boot.initramfs import Lack
    from sbctui.engine.boot.served import Served
    from sbctui.engine.model.node import Origin
    from sbctui.engine.model.shelf import Shelf
    from sbctui.engine.repository.check import ImageFault
    from sbctui.engine.repository.opening import Here
    from sbctui.engine.repository.overlay_look import Look, Summary
    from sbctui.engine.repository.seeds import Wish
    from sbctui.engine.repository.view import Preview

__all__ = ["Engine", "Job", "init_site", "run_job"]


class Engine:
    """One site. Thread-safe; a snapshot is frozen, so share it freely."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Raises NotASite, NotPermitted. ``read_only`` refuses everything that writes."""
        self.path = path.resolve()
        self.read_only = read_only
        self.control: Control = SiteControl(self.path)
        self._observer = Observer(self.path, self.control, read_only=read_only)
        owner = facts.foreign_owner(self.path)
        self._planning = Planning(self.path, self.control, owner, read_only=read_only)
        self._jobs = Jobs(self.path, owner)
        self._running = Running(
            self.path, self._observer, self._planning, self._jobs, self.control, owner
        )
        self._history = History(self._jobs.folder)
        self._wall = Wall(self.control)

    def site(self, *, full: bool = False) -> Site:
        """The newest snapshot with facts; cheap when nothing changed; rereads only what did.

        With ``full``, and every half minute, every node's file is looked at.
        """
        return self._observer.site(full=full)

    def source(self, path: Path) -> Source:
        """Look at what a root could be filled from. Raises BadInput when it is no image."""
        found = inspect_source(path)
        return found.model_copy(update={"origin": self.origin(str(path))})

    def archive(self, place: str, *, far: bool = False) -> Incoming:
        """Look at an archive to be imported: a path, an image, ``-``, or another machine's.

        Of a file only the end is read, of others the beginning where ``far``. Raises BadInput,
        NotPermitted, NoSuchNode, Refused; with ``far`` ToolFailed and ToolMissing.
        """
        from sbctui.engine.archive.look import looked_at

        found = looked_at(self.path, self.place(place), far=far)
        return found.model_copy(update={"origin": self.origin(place)})

    def origin(self, typed: str) -> Origin | None:
        """What a node made of an archive or image remembers of it; None of a stream.

        Raises BadInput, NoSuchNode, Refused.
        """
        from sbctui.engine.repository.view import origin

        return origin(self._here(), typed)

    def target(self, file: str) -> Target:
        """Where an export goes: a path, ``repo:image``, or ``-``. Raises BadInput, Refused."""
        if ":" in file:
            from sbctui.engine.repository.view import not_ours

            not_ours(self._here(), file)
        return target(self.path, file)

    def plan(self, request: Request) -> Plan:
        """Gather the request's facts and plan. Raises BadInput, Refused, NoSuchNode, NoSpace."""
        return self._planning.asked(self._running.recovered(self.site()), request)

    def apply(self, plan: Plan, emit: Emit = silent, stop: threading.Event | None = None) -> Report:
        """Run a plan here and now, journaled. Raises Locked, PlanChanged, NotPermitted."""
        return self._running.run(self._create(plan), plan, emit, stop or threading.Event())

    def start(self, plan: Plan) -> str:
        """Run a plan in a session of its own that survives this process; its job id."""
        claim = self._create(plan)
        self._jobs.spawn(claim)
        return claim.job

    def _create(self, plan: Plan) -> Claim:
        self._may_write()
        try:
            return self._jobs.create(plan, plan.request.rest_of)
        except OSError as error:
            raise from_os(error, plan.title) from error

    def _may_write(self) -> None:
        if self.read_only:
            raise Refused(READ_ONLY)

    def work(self, job: str, fd: int, stop: threading.Event) -> Report:
        """Work on a job that was started elsewhere; ``fd`` is the claim that came with it.

        The site's lock is waited for as long as it takes. Raises like ``apply``.
        """
        self._may_write()
        claim, plan = self._jobs.claim(job, fd), self._jobs.plan(job)
        return self._running.run(claim, plan, silent, stop, wait=math.inf)

    def recover(self) -> None:
        """Mend what a crash left, now. Raises Locked, NotPermitted."""
        self._may_write()
        self._running.recover()

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, newest first."""
        return self._jobs.list()

    def history(self, name: str, limit: int = 20) -> tuple[Job, ...]:
        """The last jobs about a node (its folder's name), newest first, also under older names.

        For a root those that made or deleted its leaves, and clones of it, are among them.
        """
        return self._history.of(name, self._jobs.list(), limit)

    def job_plan(self, job: str) -> Plan:
        """What a job was to do. Raises NoSuchNode."""
        return self._jobs.plan(job)

    def events(self, job: str, stop: threading.Event) -> Iterator[Event]:
        """A job's events from its beginning, then as they come, until Finished or ``stop``."""
        return self._jobs.events(job, stop)

    def job_output(self, job: str) -> tuple[str, ...]:
        """What the process of a job printed, cleaned: why it ended without a report."""
        return self._jobs.output(job)

    def report(self, job: str) -> Report | None:
        """What became of a job; None while it runs."""
        return self._jobs.report(job)

    def cancel(self, job: str) -> None:
        """Ask a running job to stop; what is done stays."""
        self._may_write()
        if not self._jobs.read(job).over:
            self._seed_no_more(job)
        self._jobs.cancel(job)

    def _seed_no_more(self, job: str) -> None:
        """Else what an admin stopped would begin again with the services."""
        request = self._jobs.plan(job).request
        if isinstance(request, SeedImages) and request.lasting:
            from sbctui.engine.repository.seeds import forget

            forget(self.path, request.images)

    def rest(self, job: str) -> Request:
        """What a job left undone, judged against the site as it is. Raises Refused, NoSuchNode."""
        found = self._jobs.read(job)
        if found.state == "done":
            raise Refused(f"nothing is left to do of the job {job}: it did all it was to do")
        if not found.over:
            raise Refused(f"the job {job} is {found.state}; stop it first, or wait for its end")
        if found.resumed_by and not self._jobs.read(found.resumed_by).over:
            raise Refused(f"the job {job} is being resumed already, by {found.resumed_by}")
        request = self._rest(self._jobs.plan(job))
        if request is None:
            raise Refused(f"nothing is left to do of the job {job}: {found.title}")
        return request.model_copy(update={"rest_of": job})

    def _rest(self, plan: Plan) -> Request | None:
        request = rest(plan, self.site())
        if isinstance(request, Remedy):
            there = {one.id for one in self.audit()}
            findings = tuple(name for name in request.findings if name in there)
            return request.model_copy(update={"findings": findings}) if findings else None
        if isinstance(request, Distribution):
            return facts.gather(self.site(), request)
        if isinstance(request, CreateRoot) and request.source is not None:
            return request.model_copy(update={"source": self.source(Path(request.source.path))})
        return request

    def undone(self, job: str) -> bool:
        """Whether a job left something undone that could be done now."""
        try:
            there = self._running.recovered(self.site())
            return bool(self._planning.plan(there, self.rest(job)).units)
        except SbcError:
            return False

    def close_job(self, job: str) -> None:
        """Leave it at what an interrupted job has done: it is not counted any more."""
        self._may_write()
        if not self._jobs.read(job).over:
            raise Refused(f"the job {job} has not ended yet")
        self._seed_no_more(job)
        self._jobs.settle(job)

    def undo(self) -> RestoreTrash:
        """The request that brings back what the last delete took. Raises Refused."""
        trash = self.site().trash
        if not trash:
            raise Refused("there is nothing to undo: the trash is empty")
        last = max(entry.deleted for entry in trash)
        return RestoreTrash(folders=tuple(t.folder for t in trash if t.deleted == last))

    def boots(self) -> tuple[Timeline, ...]:
        """The newest boot of every board, by its shown name.

        Cheap when nothing boots; one that changes no more is judged once, so its ``silent`` and
        what it waited for are of that moment.
        """
        return self._wall.newest(self._observer.reload())

    def timeline(self, name: str) -> tuple[Timeline, ...]:
        """The last boots of a board, newest first: by its node (folder), or by its MAC.

        Raises NoSuchNode for what is neither.
        """
        site = self.site()
        node = site.nodes.get(name)
        mac = node.config.mac if node else _mac_of(name)
        return self._wall.of(site, mac) if mac else ()

    def compared(self) -> tuple[Compared, ...]:
        """Boards registered, known to DHCP, and seen on the wire, side by side (S4.13)."""
        site = self.site()
        seen = {line.mac: line.began + line.seconds for line in self._wall.newest(site)}
        seen |= {one.mac: one.last for one in self.control.seen()}
        return compare(site, known_macs(site.path), seen)

    def audit(self, site: Site | None = None) -> tuple[Finding, ...]:
        """Every disagreement, in the groups' order."""
        return self._planning.audit(site or self.site(full=True))

    def boot_files(self, name: str, firmware: Firmware | None = None) -> tuple[Served, ...]:
        """What a node's board asks for and gets, by kind of firmware.

        Raises BadInput for a template that can't be used.
        """
        from sbctui.engine.boot.served import served

        return served(self._served_site(), name, firmware)

    def boot_check(
        self, name: str, firmware: Firmware | None, stop: threading.Event
    ) -> tuple[Lack, ...]:
        """What stands between a node and a board that boots from it; looks into its initramfs.

        Raises BadInput for a template that can't be used, ToolMissing, Cancelled.
        """
        from sbctui.engine.boot.check import check

        try:
            return check(self._served_site(), name, firmware, stop=stop)
        except OSError as error:
            raise from_os(error, f"looking at the boot files of {name}") from error

    def _served_site(self) -> Site:
        site = self.site()
        check_all(site.templates)
        return site

    def repositories(self) -> tuple[Repository, ...]:
        """Every repository with its health, looked at side by side for a bounded time (S4.3)."""
        from sbctui.engine.repository.listing import repositories

        return repositories(self._here())

    def repository_names(self) -> tuple[str, ...]:
        """The names of all repositories, this server's own first; none of them is looked at."""
        from sbctui.engine.repository.listing import names

        return names(self._here())

    def shelf(self, name: str) -> Shelf:
        """One repository with its images, looked at for a bounded time."""
        from sbctui.engine.repository.view import shelf

        return shelf(self._here(), name)

    def place(self, text: str) -> str:
        """An archive as it was typed, with an image of a repository as the file that it is.

        Raises BadInput, NoSuchNode, Refused.
        """
        if ":" not in text:
            return text
        from sbctui.engine.repository.view import place

        return place(self._here(), text)

    def side_file(self, text: str) -> str:
        """The side file of an image that is received, as it was typed, by its full path.

        Raises BadInput, NoSuchNode, Refused.
        """
        from sbctui.engine.repository.view import side_file

        return side_file(self._here(), text)

    def repository_folder(self, name: str) -> Path:
        """The folder of a repository's images on this machine.

        Raises NoSuchNode, and Refused where it has to be mounted first or is on another server.
        """
        from sbctui.engine.repository.view import folder_of

        return folder_of(self._here(), name)

    def preview(self, text: str) -> Preview:
        """What an archive says of itself, without reading it all.

        Raises BadInput, NoSuchNode, Refused, NotPermitted.
        """
        from sbctui.engine.repository.view import preview

        return preview(self._here(), text)

    def images(self, address: ImageAddress) -> tuple[RepositoryImage, ...]:
        """The images at and below an address, by path. Raises NoSuchNode, NoCache, SbcError."""
        from sbctui.engine.repository.listing import images

        return images(self._here(), address)

    def check_images(
        self, address: ImageAddress, stop: threading.Event, emit: Emit = silent
    ) -> tuple[ImageFault, ...]:
        """Read every image at and below an address and compare it with its side files.

        Raises NoSuchNode, NoCache, Cancelled, SbcError.
        """
        from sbctui.engine.repository.check import check

        return check(self._here(), address, stop, emit)

    def hook_variables(self) -> Mapping[str, str]:
        """What a hook is told of repositories: REPO, CACHE, where removable ones are (S4.5)."""
        from sbctui.engine.repository.hookenv import variables

        return variables(self._here())

    def _here(self) -> Here:
        from sbctui.engine.repository.opening import Here

        return Here(self.path, self._observer.reload().settings)

    def side_files(self, images: Sequence[str] = ()) -> tuple[ImageFile, ...]:
        """Images (all, when none is named) and which side files they lack, without reading them.

        Raises NoSuchNode.
        """
        from sbctui.engine.repository import sidefiles

        if images:
            return tuple(sidefiles.look(self.path, image) for image in images)
        return tuple(sidefiles.images(self.path))

    def verify_side_files(
        self, images: Sequence[str], emit: Emit, stop: threading.Event
    ) -> tuple[ImageFile, ...]:
        """The same, reading every image. Raises NoSuchNode, Refused, Cancelled."""
        from sbctui.engine.repository import sidefiles

        def verified(image: str) -> ImageFile:
            def report(done: int, total: int) -> None:
                emit(Progress(what=f"reading {image}", done=done, total=total, at=time.time()))

            return sidefiles.verify(self.path, image, stop, report)

        try:
            return tuple(verified(one.image) for one in self.side_files(images))
        except OSError as error:
            raise from_os(error, "reading images") from error

    def transfers(self) -> tuple[Job, ...]:
        """Jobs that seed, send or receive images, or did, newest first."""
        return tuple(job for job in self.jobs() if job.verb in TRANSFERS)

    def seeds(self) -> tuple[Wish, ...]:
        """Images that are to be seeded, whether somebody does now or not."""
        from sbctui.engine.repository.seeds import wishes

        return wishes(self.path)

    def receivers(self, job: str) -> dict[str, str]:
        """Of a job that seeds or sends: each receiver it met, and what became of it up to now."""
        now = threading.Event()
        now.set()
        return {e.who: e.state for e in self._jobs.events(job, now) if e.kind == "receiver"}

    def overlay(self, name: str) -> Look:
        """What is laid over the disk of a leaf (its folder), and how that stands on it.

        Raises NoSuchNode, Refused for a root.
        """
        from sbctui.engine.repository.overlay_look import look

        site = self.site()
        return look(site, leaf_of(site, name).name)

    def overlays(self) -> tuple[Summary, ...]:
        """Every overlay there is."""
        from sbctui.engine.repository.overlay_look import summaries

        return summaries(self.site(full=True))

    def usage(self, name: str) -> Usage:
        """A node's disk: apparent, allocated and exclusive bytes, measured now."""
        return usage(self.site().disk_path(name), threading.Event())


def _mac_of(name: str) -> str:
    try:
        return parse_mac(name)
    except BadInput:
        raise NoSuchNode(f"{shown(name)} is no node and no MAC; see: sbctui board list") from None


def run_job(path: Path, job: str, fd: int) -> Report:
    """The body of a job's own process: SIGINT and SIGTERM stop it, SIGHUP does not."""
    engine = Engine(path)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    return engine.work(job, fd, stop)
