"""A morning that is always the same, for pictures: a real site, and what boards would make of it.

The site is made by the engine; what only running boards and daemons tell (sessions, leases,
boards asking, a job at work) and what changes from run to run (times, sizes) is set.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.app import SbcApp
from sbctui.engine.boards.timeline import judge
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.boots import Boot, Fetched, Timeline
from sbctui.engine.model.repository import (
    SIDE_FILES,
    ImageAddress,
    Repository,
    RepositoryImage,
    State,
)
from sbctui.engine.model.requests import (
    AllocateRoot,
    CloneRoot,
    CreateLeaves,
    CreateRoot,
    DeleteLeaves,
    ExportRoot,
    IgnoreBoards,
    LeafSpec,
    MakeSideFiles,
)
from sbctui.engine.model.shelf import Shelf
from sbctui.engine.model.site import Disk, Facts, Lease, Node, Seen, Session, Site
from sbctui.engine.services.port import Status
from sbctui.messages import LogLine, World
from sbctui.screens.job_view import JobView
from tests.ui.conftest import MIB, SETTINGS, do
from tests.ui.test_audit_screen import unlist
from tests.ui.troubled import failed_job, interrupted_job

NOW = datetime(2026, 11, 21, 7, 0, tzinfo=UTC).timestamp()
GIB = 1024**3
_OURS, _ALWAYS = secrets.token_hex(4), "pictures"
"""Eight letters of the place that are this process's own, and what ``still`` makes of them."""
PLACE = Path(f"/tmp/sbctui-{_OURS}/lab1")
"""As long as ever, because screens show it."""


@contextmanager
def place() -> Iterator[Path]:
    """The folder for the site, gone after."""
    PLACE.parent.mkdir(mode=0o755)
    try:
        yield PLACE
    finally:
        shutil.rmtree(PLACE.parent, ignore_errors=True)


def board(number: int, prefix: str = "pi", group: str = "") -> LeafSpec:
    """A Raspberry Pi of the lab."""
    mac = f"dc:a6:32:0a:{number >> 8:02x}:{number & 255:02x}"
    ip = IPv4Address("10.77.0.50") + number
    return LeafSpec(mac=mac, alias=f"{prefix}-{number:02}", group=group or "", ip=ip)


def make(site: Path, boards: int = 40) -> Path:
    """A lab of so many boards on two images, two more images, one board with a root of its own."""
    init_site(site, SETTINGS)
    first = boards * 11 // 20
    do(
        site,
        CreateRoot(name="debian12", size=16 * MIB, notes="the lab's image; kernel 6.1"),
        CreateRoot(name="ubuntu-24-04", size=24 * MIB),
        CreateRoot(name="golden", size=16 * MIB, notes="never allocated: clone it"),
        CreateRoot(name="rescue-07", size=16 * MIB),
        AllocateRoot(name="rescue-07", mac="b8:27:eb:01:02:03", ip=IPv4Address("10.77.0.200")),
        CreateLeaves(
            root="debian12",
            leaves=tuple(board(n, group="room-a") for n in range(1, first + 1)),
        ),
        CreateLeaves(
            root="ubuntu-24-04",
            leaves=tuple(board(n, "desk", "room-b") for n in range(first + 1, boards + 1)),
        ),
    )
    return site


def export(site: Path) -> None:
    """golden in the repository, with its side files."""
    image = "lab/golden.tar.zst"
    do(site, ExportRoot(name="golden", target=Engine(site).target(f"repo:{image}")))
    os.utime(site / "repo/images" / image, (NOW - 18000,) * 2)
    do(site, MakeSideFiles(images=(image,)))


def trouble(site: Path) -> Path:
    """What went wrong since yesterday: orphan, broken node, strays, trash, jobs that failed."""
    export(site)
    gone = tuple(board(n).mac for n in (4, 5))
    do(site, DeleteLeaves(root="debian12", macs=gone), CloneRoot(source="golden", name="golden-2"))
    unlist(site, board(2).mac)
    (site / "nodes/cutoff").mkdir()
    (site / "nodes/cutoff/config.json").write_text('{"schema": 1, "kin')
    (site / "nodes/notes.txt").write_text("call Ann about the fan\n")
    (site / "old-images").mkdir()
    do(site, IgnoreBoards(macs=("00:11:32:5a:01:02",), note="the office printer"))
    failed_job(site)
    interrupted_job(site)
    return site


def facts(site: Site) -> Facts:
    """Most boards up, one booting, two off, two that nobody knows."""
    leaves = sorted(
        (n for n in site.nodes.values() if n.config.mac and n.config.ip), key=lambda n: n.name
    )
    sessions, leases = [], []
    for number, node in enumerate(leaves):
        mac, ip = node.config.mac, node.config.ip
        assert mac
        assert ip
        if number % 13 == 2:
            continue
        leases.append(Lease(mac, ip, node.config.hostname, int(NOW) + 3400 - number))
        if number % 17 != 16:
            moved = (number + 1) * 97 << 20
            export = mac.replace(":", "-")
            sessions.append(Session(export, str(ip), NOW - 7300 - 60 * number, moved, moved >> 4))
    asking = (
        Seen(
            "dc:a6:32:41:7f:22",
            NOW - 60,
            NOW - 2,
            12,
            "PXEClient:Arch:00000:UNDI:002001",
            "Raspberry Pi Trading Ltd",
            model="Raspberry Pi 4B, 4 GB",
            serial="9ffefdef",
            architecture="ARM64",
        ),
        Seen(
            "a0:36:9f:77:01:0c",
            NOW - 900,
            NOW - 31,
            40,
            "PXEClient:Arch:00007:UNDI:003016",
            "Intel Corporate",
            architecture="x86-64 UEFI",
            hostname="nuc-9",
        ),
    )
    return Facts(
        now=NOW, total_bytes=1800 * GIB, free_bytes=541 * GIB, free_inodes=10**6,
        store="overlay", filesystem="ext4", serving=True,
        sessions=tuple(sessions), leases=tuple(leases), seen=asking,
    )  # fmt: skip


_FILES = (
    ("config.txt", 1_900, 0.1),
    ("start4.elf", 2_250_000, 0.9),
    ("fixup4.dat", 5_400, 0.1),
    ("bcm2711-rpi-4-b.dtb", 56_000, 0.1),
    ("cmdline.txt", 214, 0.1),
    ("vmlinuz", 29_400_000, 6.2),
    ("initrd.img", 41_200_000, 8.8),
)


def boot(mac: str, ip: str, began: float) -> Boot:
    """A boot that came as far as its address."""
    at = began + 0.1
    return Boot(mac, began, at, ip, 1, asked=began, offered=at, leased=at)


def fetched(one: Boot, count: int) -> Boot:
    """The same boot with the first of the files a Pi asks for."""
    at, files = one.last, [Fetched("recovery.elf", one.last, "missing")]
    for path, size, seconds in _FILES[:count]:
        at += seconds
        files.append(Fetched(path, at, "sent", size=size, seconds=seconds))
    return replace(one, files=tuple(files), last=at)


def up(one: Boot) -> Boot:
    """The same boot, to its end."""
    at = one.last
    return replace(one, disk=at + 4.1, connections=1, write=at + 7.3, up=at + 15.6, last=at + 15.6)


def boots(site: Site) -> tuple[Timeline, ...]:
    """Most boards up since they were switched on; one wants a file, one is on its way."""
    found = []
    for number, node in enumerate(sorted(site.nodes.values(), key=lambda n: n.name)):
        mac, ip = node.config.mac or "", str(node.config.ip or "")
        if not mac or not ip or number % 13 == 2:
            continue
        one = up(fetched(boot(mac, ip, NOW - 7300 - 60 * number), len(_FILES)))
        if number % 17 == 16:
            one = fetched(boot(mac, ip, NOW - 9), 5)
        elif number == 6:
            one = fetched(boot(mac, ip, NOW - 200), 6)
            wanted = Fetched("initrd.img", one.last, "missing", times=3)
            one = replace(one, files=(*one.files, wanted))
        elif number == 9:
            one = boot(mac, ip, NOW - 400)
        elif number % 11 == 7:
            one = replace(one, ended=NOW - 3000, end="the board closed it", last=NOW - 3000)
        found.append(judge(one, NOW, node.name, node.config.hostname))
    return tuple(sorted(found, key=lambda line: (line.hostname, line.mac)))


def node(one: Node) -> Node:
    """A node with a disk of a size that a lab has."""
    number = sum(one.name.encode()) % 40
    held = (2100 + number * 31) << 20 if one.is_root else (90 + number * 7) << 20
    size = 8 * GIB
    spec = one.config.disk.model_copy(update={"size": size})
    made = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
    config = one.config.model_copy(update={"created": made, "disk": spec})
    return replace(one, config=config, disk=Disk(size, held, NOW))


def jobs(world: World) -> tuple[JobView, ...]:
    """One at work, the others as they ended, minutes apart."""
    over = tuple(
        replace(j, started=NOW - 60 * n - 60,
                finished=NOW - 60 * n - 56, user="root", pid=0)
        for n, j in enumerate(world.jobs[:12])
    )  # fmt: skip
    busy = JobView(
        id="20261121T065930000Z-b0b0", title="create 50 leaves of golden", state="running",
        started=NOW - 30, total=50, done=26, samples=((NOW - 30, 0.0), (NOW, 26.0)),
        command="sbctui leaf create golden --macs 'dc:a6:32:0b:00:[01-32]'", user="root",
        unit="leaf dc-a6-32-0b-00-1b", inside=0.4,
    )  # fmt: skip
    return (busy, *over)


def image(where: str, path: str, size: float, days: float, *, stale: str = "") -> RepositoryImage:
    """An image of so many GiB; side files beside it but where it has none yet."""
    sides = () if path.startswith("older/") else SIDE_FILES
    parts = tuple(path.split("/"))
    at = int(NOW - days * 86400)
    address = ImageAddress(where, parts)
    return RepositoryImage(address, int(size * GIB), at, sides, tuple(stale.split()))


def shelf(name: str, kind: str, place: str, free: float, *images: RepositoryImage,
          state: State = "ready", told: str = "") -> Shelf:  # fmt: skip
    """A repository with so many GiB free; none tells that nobody knows."""
    found = Repository(
        name=name, kind=kind, place=place, state=state, told=told,  # type: ignore[arg-type]
        folder=place if kind != "ssh" else None, writable=kind in ("own", "cache"),
        total=int(4 * free * GIB) or None, free=int(free * GIB) or None,
        images=len(images) if state == "ready" else None,
        configured=kind != "own", mountable=kind in ("nfs", "removable"),
    )  # fmt: skip
    return Shelf(name, found, images)


def shelves() -> tuple[Shelf, ...]:
    """One of each kind: well, not mounted, away, silent."""
    own = (
        image("repo", "lab/golden.tar.zst", 1.2, 0.2),
        image("repo", "older/win11.qcow2", 28.4, 700),
        image("repo", "raspios/debian12.tar.zst", 1.9, 3),
        image("repo", "raspios/rescue-07.tar.zst", 0.6, 40),
        image("repo", "raspios/ubuntu-24-04.tar.zst", 2.6, 0.5, stale=".mcast .sha256 .torrent"),
    )
    kept = (
        image("cache", "raspios/debian12.tar.zst", 1.9, 3),
        image("cache", "raspios/ubuntu-24-04.tar.zst", 2.4, 90),
    )
    main = tuple(image("main", one.address.path, one.size / GIB, 3) for one in own[2:])
    return (
        shelf("repo", "own", f"{PLACE}/repo", 541, *own),
        shelf("cache", "cache", "LABEL=IMAGES", 41, *kept),
        shelf("main", "ssh", "images@10.0.0.5:/srv/repo", 2100, *main),
        shelf("mirror", "https", "https://mirror.lab/images", 0, state="unreachable",
              told="it does not answer within 12 s"),
        Shelf("old-nas"),
        shelf("stick", "removable", "LAB_STICK", 0, state="unmounted",
              told="stick is not mounted; first: sbctui repo mount stick"),
    )  # fmt: skip


def transfers() -> tuple[JobView, ...]:
    """An image on its way to eight boards, and what was done before."""
    began = NOW - 40
    moved = tuple((began + 4 * n, 23.0 * MIB * 4 * n) for n in range(11))
    whole = 1.9 * GIB
    busy = JobView(
        id="20261121T065920000Z-c0c0",
        title="send repo:raspios/debian12.tar.zst by multicast on eth1",
        state="running", started=began, total=1, done=0, inside=moved[-1][1] / whole,
        verb="repo send",
        samples=tuple((at, done / whole) for at, done in moved), bytes=moved,
        command="sbctui repo send raspios/debian12.tar.zst --multicast --receivers 8", user="root",
    )  # fmt: skip
    over = replace(
        busy, id="20261121T060000000Z-c0c1", title="update the cache from main:raspios",
        state="failed", code=7, started=NOW - 3600, finished=NOW - 3480, total=3, done=2, failed=1,
        verb="cache update", command="sbctui cache update main:raspios",
    )  # fmt: skip
    return (busy, over)


def frozen(world: World, *, busy: bool = True) -> World:
    """The same world, on that morning."""
    assert world.site is not None
    nodes = {name: node(one) for name, one in world.site.nodes.items()}
    gone = datetime.fromtimestamp(NOW - 7200, UTC)
    trash = tuple(replace(t, deleted=gone, allocated=97 << 20) for t in world.site.trash)
    site = replace(world.site, nodes=nodes, trash=trash, facts=facts(world.site))
    services = tuple(
        Status(name, "running", pid=100, since=NOW - 90000)
        for name in ("dnsmasq", "storage", "gate")
    )
    log = (
        LogLine(NOW - 60, "warn", "a0:36:9f:77:01:0c asks for an address: no node"),
        LogLine(NOW - 9, "warn", "dc:a6:32:41:7f:22 asks for an address: no node"),
        LogLine(NOW - 5, "", "pi-01 connected from 10.77.0.51"),
        LogLine(NOW - 4, "key", "job: create 50 leaves of golden"),
    )
    findings = tuple(
        f.model_copy(update={"since": NOW - 86400 if f.since else 0.0,
                             "bytes": f.bytes and 120 << 20})
        for f in world.findings or ()
        if f.group != "service"
    )  # fmt: skip
    shown = jobs(world) if busy else jobs(world)[1:]
    return World(
        world.path, site, shown, services, findings, boots(site), audited=NOW - 11, log=log,
        shelves=shelves(), late={"repo:old-nas": 6},
    )  # fmt: skip


def freeze(app: SbcApp, *, busy: bool = True) -> None:
    """Stop the clock: no source is asked any more, and the world stands still."""
    app.feeds._feeds.clear()
    app.feeds._views.clear()
    app.feeds.world = frozen(app.feeds.world, busy=busy)
    app._publish(app.feeds.world)


_MOVING = (
    (re.compile(r"\d{4}-\d\d-\d\d( |&#160;|T)\d\d:\d\d(:\d\d)?"), r"2026-11-21\g<1>07:00\2"),
    (re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{4}"), "20261121T070000000Z-cafe"),
    (re.compile(r"(?<![\w:])\d\d:\d\d:\d\d(?![\w:])"), "07:00:00"),
    (re.compile(r"\b0:\d\d\b"), "0:00"),
    (re.compile(r"\bpid \d+"), "pid 100"),
    (re.compile(r"\bterminal-\d+-"), "terminal-1-"),
    (re.compile(r"\b[\d.]+[KM](?=( |&#160;)(on( |&#160;)disk|of( |&#160;)it))"), "120K"),
    (re.compile(r"(?<=frees.)[\d.]+[KM]\b"), "228K"),
    (re.compile(r"\d\.\dK(?=(?: |&#160;)+\dh)"), "1.8K"),
    (re.compile(r"(?<=[ ;(])\d\ds\b"), "10s"),
    (re.compile(r"(?<=[ ;(])\ds\b"), "1s"),
)


def still(text: str) -> str:
    """The text without what changes from run to run, as wide as before where that is possible."""
    text = text.replace(_OURS, _ALWAYS)
    for pattern, instead in _MOVING:
        text = pattern.sub(instead, text)
    return text
