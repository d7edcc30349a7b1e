"""The main job on real input: boards that boot from their own disks, whatever happens meanwhile.

One Debian root, served through the command line to boards in a private network.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import tarfile
import time
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import pytest

from sbctui.engine.services.rundir import run_dir
from tests import nbdclient
from tests.boot.initrds import whole_for
from tests.lab import Board, TftpError, until
from tests.rootfs import debian_tar
from tests.system.world import Serving, kill, serving, together

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]

SIZE = 1 << 30
SPOT = 900 << 20
"""Where boards write here: free space of the file system on their disk."""


KERNEL = bytes(56) + b"ARM\x64" + random.Random(7).randbytes(3_000_001)
"""An arm64 kernel by its magic number."""
INITRD = whole_for("6.1.0-1-arm64", noise=random.Random(8).randbytes(500_000))
"""One that could have its root over NBD."""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real Debian, with a kernel of random bytes: nothing here runs it."""
    path = tmp_path_factory.mktemp("image") / "rootfs.tar"
    shutil.copyfile(debian_tar(), path)
    with tarfile.open(path, "a") as tar:
        for name, data in (("vmlinuz", KERNEL), ("initrd.img", INITRD)):
            info = tarfile.TarInfo(f"./boot/{name}-6.1.0-1-arm64")
            info.size = len(data)
            tar.addfile(info, BytesIO(data))
    return path


@pytest.fixture(scope="module")
def heart(image: Path) -> Iterator[Serving]:
    with serving() as site:
        site.sbctui("root", "create", "debian12", "--size", "1G", "--from", str(image), "--yes")
        yield site


def mac(number: int) -> str:
    return f"dc:a6:32:01:{number >> 8:02x}:{number & 255:02x}"


def leaf(heart: Serving, number: int) -> Board:
    """A leaf and its board; made at the first call, with an address by DHCP."""
    board = heart.lab.board(mac(number))
    if not heart.node(board.dashed).exists():
        heart.sbctui("leaf", "create", "debian12", board.mac, "--yes")
    assert board.dhcp() is not None
    return board


def planned(heart: Serving, board: Board) -> str:
    """The address that the site gave the board."""
    text = (heart.node(board.dashed) / "config.json").read_text()
    return str(json.loads(text)["ip"])


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def gets_nothing(heart: Serving, board: Board, export: str = "") -> None:
    """No address; and with one taken by itself, no boot script and no disk."""
    old = board.lease["ip"] if board.lease else "10.77.0.40"
    assert board.dhcp(tries=2) is None
    board.use(old)
    with pytest.raises(TftpError):
        board.tftp("boot.scr.uimg")
    assert heart.turned_away(board, export)


def test_a_new_leaf_gets_its_own_address_script_and_disk(heart: Serving) -> None:
    one, two = leaf(heart, 1), leaf(heart, 2)
    for board in (one, two):
        assert board.lease is not None
        assert board.lease["ip"] == planned(heart, board)
        boot = heart.node(board.dashed) / "boot"
        for name in ("boot.scr", "boot.scr.uimg"):
            assert board.tftp(name) == (boot / name).read_bytes()
        script = board.tftp(board.lease["boot_file"])
        assert board.dashed.encode() in script
        assert b"vmlinuz-6.1.0-1-arm64" in script
        assert board.tftp("vmlinuz-6.1.0-1-arm64") == KERNEL
        assert board.tftp("initrd.img-6.1.0-1-arm64") == INITRD
        with heart.disk(board) as disk:
            assert disk.size == SIZE
            assert disk.read(1024 + 56, 2) == b"\x53\xef", "an ext4 file system"
            disk.leave()
    assert one.tftp("boot.scr") != two.tftp("boot.scr")
    assert heart.turned_away(one, two.dashed)
    assert heart.turned_away(two, one.dashed)


def test_what_a_board_writes_survives_a_restart_and_is_in_no_other_disk(heart: Serving) -> None:
    writer, other = leaf(heart, 1), leaf(heart, 2)
    root = heart.node("debian12") / "root.img"
    before, words = digest(root), os.urandom(1 << 20)
    with heart.disk(other) as disk:
        untouched = disk.read(SPOT, len(words))
        disk.leave()
    with heart.disk(writer) as disk:
        disk.write(SPOT, words)
        disk.flush()
        disk.leave()
    pids = heart.pids()
    until(lambda: not heart.control.sessions(), 10, "the sessions have ended")
    heart.sbctui("services", "stop", "--yes")
    heart.sbctui("services", "start", "--yes")
    assert not set(pids.values()) & set(heart.pids().values())
    with heart.disk(writer) as disk:
        assert disk.read(SPOT, len(words)) == words
        disk.leave()
    with heart.disk(other) as disk:
        assert disk.read(SPOT, len(words)) == untouched != words
        disk.leave()
    assert digest(root) == before
    assert writer.dhcp() is not None


def test_adding_a_leaf_disturbs_nobody(heart: Serving) -> None:
    running = leaf(heart, 1)
    pids, words = heart.pids(), os.urandom(4096)
    with heart.disk(running) as disk:
        disk.write(SPOT, words)
        leaf(heart, 3)
        assert disk.read(SPOT, 4096) == words
        disk.leave()
    assert heart.pids() == pids


def test_a_deallocated_board_gets_nothing(heart: Serving) -> None:
    board = heart.lab.board(mac(7))
    heart.sbctui("root", "create", "rescue-07", "--size", "64M", "--yes")
    heart.sbctui("root", "allocate", "rescue-07", "--mac", board.mac, "--yes")
    lease = board.dhcp()
    assert lease is not None
    assert lease["hostname"] == "rescue-07"
    assert board.tftp("boot.scr.uimg")
    assert not heart.turned_away(board)
    assert board.mac in {one.mac for one in heart.control.leases()}
    heart.sbctui("root", "deallocate", "rescue-07", "--no-reboot", "--yes", timeout=60)
    assert board.mac not in {one.mac for one in heart.control.leases()}
    gets_nothing(heart, board)
    assert not (heart.path / "derived/dnsmasq/hosts.d" / board.dashed).exists()


def test_a_deleted_leaf_gets_nothing_and_undo_brings_it_back(heart: Serving) -> None:
    board = leaf(heart, 4)
    with heart.disk(board) as disk:
        disk.write(SPOT, b"remember me")
        disk.flush()
        disk.leave()
    until(lambda: not heart.control.sessions(), 10, "the session has ended")
    heart.sbctui("leaf", "delete", "debian12", board.mac, "--yes")
    gets_nothing(heart, board)
    heart.sbctui("undo", "--yes")
    lease = board.dhcp()
    assert lease is not None
    assert lease["ip"] == planned(heart, board)
    with heart.disk(board) as disk:
        assert disk.read(SPOT, 11) == b"remember me"
        disk.leave()


def test_an_unknown_board_gets_nothing_and_is_seen(heart: Serving) -> None:
    leaf(heart, 1)
    stranger = heart.lab.board("02:5a:00:00:00:99")
    stranger.ask(vendor="PXEClient:Arch:00000:UNDI:002001", tries=2)
    until(lambda: stranger.mac in {s.mac for s in heart.control.seen()}, 2, "the stranger is seen")
    assert stranger.answer() is None
    (found,) = (s for s in heart.control.seen() if s.mac == stranger.mac)
    assert found.vendor_class == "PXEClient:Arch:00000:UNDI:002001"
    gets_nothing(heart, stranger, "dc-a6-32-01-00-01")


@pytest.mark.parametrize("name", ["dnsmasq", "storage", "gate"])
def test_a_killed_service_is_back_within_two_seconds_and_boards_go_on(
    heart: Serving, name: str
) -> None:
    board, words = leaf(heart, 1), os.urandom(65536)
    other = leaf(heart, 2)
    steady = heart.disk(other)
    with heart.disk(board) as disk:
        disk.write(SPOT, words)
        disk.flush()
        before = heart.pids()
        kill(before[name])
        killed = time.monotonic()
        until(lambda: read_again(heart, board, len(words)) == words, 2, "the disk is back")
        until(lambda: back(heart, name, before[name]), 2 - (time.monotonic() - killed), "running")
        print(f"{name}: back after {time.monotonic() - killed:.2f} s")
    assert board.dhcp(tries=2) is not None
    assert board.tftp("boot.scr.uimg")
    after = heart.pids()
    assert {n for n in after if after[n] != before[n]} == {name}
    if name == "dnsmasq":
        assert steady.read(0, 512) is not None
    steady.sock.close()


def read_again(heart: Serving, board: Board, length: int) -> bytes:
    """What a board that connects anew reads; nothing while it can't."""
    try:
        with heart.disk(board, timeout=1.0) as disk:
            return disk.read(SPOT, length)
    except (nbdclient.Closed, nbdclient.NbdError, OSError):
        return b""


def back(heart: Serving, name: str, old: int) -> bool:
    status = {one.name: one for one in heart.control.status()}[name]
    return status.state == "running" and status.pid not in (0, old)


def test_the_supervisors_death_touches_no_board_and_the_next_adopts(heart: Serving) -> None:
    board = leaf(heart, 1)
    before = heart.pids()
    with heart.disk(board) as disk:
        kill(supervisor(heart))
        assert disk.read(0, 512)
        assert board.dhcp() is not None
        heart.sbctui("services", "start", "--yes")
        assert disk.read(0, 512)
        disk.leave()
    assert heart.pids() == before
    leaf(heart, 5)


def supervisor(heart: Serving) -> int:
    """The supervisor's process: it listens on the site's control socket."""
    sockets = heart.lab.server.run(["ss", "-Hxlp"]).stdout.decode()
    (line,) = [one for one in sockets.splitlines() if f"{run_dir(heart.path)}/" in one
               and "control" in one]  # fmt: skip
    return int(line.split("pid=")[1].split(",")[0])


def test_forty_boards_at_once(heart: Serving) -> None:
    boards = [heart.lab.board(mac(100 + n)) for n in range(40)]
    macs = "".join(f"{board.mac},lab-{n}\n" for n, board in enumerate(boards))
    began = time.monotonic()
    heart.sbctui("leaf", "create", "debian12", "--macs", "-", "--yes", data=macs.encode())
    made = time.monotonic() - began

    def boot(board: Board) -> None:
        lease = board.answer(60)
        assert lease is not None, board.mac
        assert lease["ip"] == planned(heart, board)
        script = (heart.node(board.dashed) / "boot" / "boot.scr.uimg").read_bytes()
        assert board.tftp("boot.scr.uimg", timeout=60) == script
        with heart.disk(board, timeout=60) as disk:
            assert disk.read(1024 + 56, 2) == b"\x53\xef"
            disk.write(SPOT, board.mac.encode() * 4096)
            disk.flush()
            assert disk.read(SPOT, 17) == board.mac.encode()
            disk.leave()

    for board in boards:
        board.ask(tries=10)
    together([partial(boot, board) for board in boards])
    print(f"made in {made:.1f} s, all booted {time.monotonic() - began - made:.1f} s later")
    assert len({(board.lease or {})["ip"] for board in boards}) == 40
    for board in boards:
        with heart.disk(board) as disk:
            assert disk.read(SPOT, 17 * 4096) == board.mac.encode() * 4096
            disk.leave()
    states = {name: one["state"] for name, one in heart.services().items()}
    assert states.pop("http") == "off"
    assert set(states.values()) == {"running"}
    heart.sbctui("audit")


def test_a_site_of_another_user_is_served_as_that_user(tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs"
    (rootfs / "etc").mkdir(parents=True)
    (rootfs / "boot").mkdir()
    (rootfs / "etc" / "hostname").write_text("golden\n")
    (rootfs / "boot" / "vmlinuz").write_bytes(KERNEL)
    (rootfs / "boot" / "initrd.img").write_bytes(INITRD)
    with serving(owner="nobody") as site:
        site.sbctui("root", "create", "small", "--size", "64M", "--from", str(rootfs), "--yes")
        site.sbctui("leaf", "create", "small", mac(1), "--yes")
        board = site.lab.board(mac(1))
        lease = board.dhcp()
        assert lease is not None
        assert lease["ip"] == planned(site, board)
        assert board.tftp("boot.scr.uimg")
        assert board.tftp("vmlinuz") == KERNEL
        with site.disk(board) as disk:
            disk.write(50 << 20, b"mine")
            disk.flush()
            assert disk.read(50 << 20, 4) == b"mine"
            disk.leave()
        for name, pid in site.pids().items():
            assert Path(f"/proc/{pid}").owner() == "nobody", name
        for folder in ("nodes", "derived", "state"):
            found = [p for p in (site.path / folder).rglob("*") if p.owner() != "nobody"]
            assert not found, found
        site.sbctui("audit")
