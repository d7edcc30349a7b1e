"""The write lease: exact about openers, and harmless to us."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sbctui.engine.disks.inuse import read_lease, write_lease
from sbctui.engine.errors import Refused
from tests import lab
from tests.disks.place import MIB, needs_loop, tool

OPEN = "import sys; f = open(*sys.argv[1:]); print('open', flush=True); sys.stdin.read()"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "node" / "root.img"
    path.parent.mkdir()
    path.write_bytes(bytes(MIB))
    return path


def taken(disk: Path) -> bool:
    try:
        with write_lease(disk):
            return False
    except Refused:
        return True


@pytest.mark.parametrize("mode", ["rb", "r+b"])
def test_an_open_disk_is_told_from_a_free_one(disk: Path, mode: str) -> None:
    assert not taken(disk)
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, str(disk), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(Refused, match=r"node/root.img is open by another program"):
            write_lease(disk).__enter__()
        other.kill()
    assert not taken(disk)


def test_a_file_we_have_open_ourselves_counts_too(disk: Path) -> None:
    with open(disk, "rb"):
        assert taken(disk)
    assert not taken(disk)


def test_who_opens_it_meanwhile_waits_and_we_live(disk: Path) -> None:
    opened = threading.Event()

    def opener() -> None:
        with open(disk, "r+b"):
            opened.set()

    thread = threading.Thread(target=opener)
    with write_lease(disk):
        thread.start()
        assert not opened.wait(0.3)
    thread.join(5)
    assert opened.is_set()


def test_a_signal_of_a_waiting_opener_does_not_end_the_program(disk: Path) -> None:
    """A program of its own, with Python's default signal handling, as the product runs."""
    code = (
        "import sys, subprocess\n"
        "from pathlib import Path\n"
        "from sbctui.engine.disks.inuse import read_lease, write_lease\n"
        "path = Path(sys.argv[1])\n"
        "with write_lease(path):\n"
        "    other = subprocess.Popen(['cat', str(path)], stdout=subprocess.DEVNULL)\n"
        "    try:\n"
        "        other.wait(0.5)\n"
        "        print('did not wait')\n"
        "    except subprocess.TimeoutExpired:\n"
        "        print('waits')\n"
        "print(other.wait(5))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(disk)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["waits", "0"])


@pytest.mark.loop
def test_a_loop_device_counts(disk: Path) -> None:
    needs_loop()
    device = tool("losetup", "--find", "--show", disk).stdout.strip()
    try:
        assert taken(disk)
    finally:
        tool("losetup", "-d", device)
    lab.until(lambda: not taken(disk), 5, "the loop device lets go")


def test_a_missing_disk_is_no_refusal(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_lease(tmp_path / "nothing").__enter__()


def being_written(disk: Path) -> bool:
    try:
        with read_lease(disk):
            return False
    except Refused:
        return True


@pytest.mark.parametrize(("mode", "seen"), [("rb", False), ("r+b", True)])
def test_a_disk_that_somebody_writes_is_told_from_one_that_is_read(
    disk: Path, mode: str, seen: bool
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OPEN, str(disk), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert being_written(disk) is seen
        other.communicate()
    assert not being_written(disk)
