"""The lab in a box: real services, boards that do what they are for, nothing left behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from tests.cli.program import Terminal
from tests.lab import REPO, until
from tests.labbox.box import (
    ORDINARY,
    Box,
    argv,
    as_somebody,
    environment,
    kill,
    living,
    needs_worlds,
    opened,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.xdist_group("lab in a box")]
LEAF = "dc:a6:32:77:00:0{}"
NEW = "02:00:00:77:00:06"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    """An ordinary user's lab."""
    needs_worlds()
    with opened(as_somebody()) as one:
        yield one


def test_boards_boot_or_fail_as_they_are_meant_to(box: Box) -> None:
    assert "64 MiB with an ext file system" in box.becomes("1", "up")["said"]
    box.becomes("2", "up")
    assert "Starting kernel" in box.becomes("4", "stuck")["said"]
    assert re.search(
        r"firmware can't be had: start4\.elf: .*not found", box.becomes("5", "stuck")["said"]
    )
    for board in "67":
        assert "nobody answers" in box.becomes(board, "asks")["said"]
    assert box.boards()["3"]["stage"] == box.boards()["8"]["stage"] == "off"


def test_a_new_lab_has_nothing_to_mend(box: Box) -> None:
    assert box.ask("audit")["findings"] == []


def test_the_site_sees_what_the_boards_do(box: Box) -> None:
    box.becomes("1", "up")
    box.becomes("7", "asks")

    def states() -> dict[str, str]:
        return {one["mac"]: one["state"] for one in box.ask("board", "list")["boards"]}

    box.wait(lambda: states().get(LEAF.format(7)) == "ask", "the unknown Pi is seen")
    found = states()
    assert [found[LEAF.format(n)] for n in (1, 3, 4)] == ["up", "down", "dhcp"]
    (seven,) = (one for one in box.ask("board", "list")["boards"] if one["mac"] == LEAF.format(7))
    assert seven["vendor_class"] == "PXEClient:Arch:00000:UNDI:002001"
    assert seven["model"].startswith("Raspberry Pi 4B"), "its request was heard on the wire too"


def test_a_board_writes_to_its_own_leaf_and_not_to_the_root(box: Box) -> None:
    box.becomes("1", "up")
    node = box.ask("node", "show", LEAF.format(1))["node"]
    assert node["sessions"][0]["written"] >= 1024
    head = box.shell("head -c 1024 $SBCTUI_SITE/nodes/debian/root.img | tr -d '\\0' | wc -c")
    assert head == "0"


def test_power_is_switched_and_pulled(box: Box) -> None:
    box.shell(f"sbctui lab power on {LEAF.format(3)}")
    box.becomes("3", "up")
    box.shell(f"sbctui lab power off {LEAF.format(3)}")
    assert box.boards()["3"]["stage"] == "off"

    def up() -> bool:
        found = {one["mac"]: one["state"] for one in box.ask("board", "list")["boards"]}
        return found[LEAF.format(3)] == "up"

    box.wait(lambda: not up(), "a board that was shut down has said goodbye")
    box.shell(f"sbctui lab power on {LEAF.format(3)}")
    box.becomes("3", "up")
    box.shell(f"sbctui lab power cut {LEAF.format(3)}")
    assert up(), "nobody heard of a pulled plug"
    box.shell(f"sbctui lab power on {LEAF.format(3)}")
    box.becomes("3", "up")


def test_an_unknown_board_boots_once_it_has_a_leaf(box: Box) -> None:
    box.shell(f"sbctui leaf create debian {NEW} --yes 2>/dev/null")
    box.becomes("6", "up")


def test_no_way_leads_out_of_it(box: Box) -> None:
    names = box.shell("ip -o link | cut -d: -f2 | tr -d ' ' | sed 's/@.*//' | sort").split()
    assert {name for name in names if not re.fullmatch(r"p\d+", name)} == {"lab0", "lo"}
    assert box.shell("ip route | grep -c default || :") == "0"
    assert box.shell("id -u") == "0"
    assert not Path("/run/lab").exists()


def test_what_the_lab_lacks_is_said(box: Box) -> None:
    assert "no board 02:00:00:00:00:99" in box.shell(
        "sbctui lab power on 02:00:00:00:00:99 2>&1", 4
    )
    assert "already" in box.shell("sbctui lab exec true 2>&1", 3)
    box.shell("sbctui lab power on 2>/dev/null", 2)


def test_it_ends_with_its_program_and_leaves_nothing(tmp_path: Path) -> None:
    needs_worlds()
    with opened(home=tmp_path) as box:
        folder = box.shell("echo $SBCTUI_LAB")
        world = box.world
        shell = int(box.shell("echo $PPID"))
        assert shell == 1
        assert len(living(world)) > 8
        kill(_pid_of("sh ", world))
        box.process.wait(20)
        assert box.process.returncode == 137
        until(lambda: not living(world), 5, "everything in the lab has ended")
    assert folder.startswith("/run/")
    assert not Path(folder).exists()
    assert not [path for path in tmp_path.rglob("*") if not path.is_dir()]


def test_a_killed_door_takes_the_lab_with_it() -> None:
    needs_worlds()
    with opened() as box:
        world = box.world
        kill(box.process.pid)
        until(lambda: not living(world), 5, "everything in the lab has ended")


def test_without_namespaces_it_says_so_and_boards_still_have_disks(tmp_path: Path) -> None:
    needs_worlds()
    forbid = "for one in user net; do echo 0 > /proc/sys/user/max_${one}_namespaces; done"
    script = f'{forbid}; exec "$@"'
    with opened(["unshare", "-Ur", "sh", "-c", script, "sh"], tmp_path) as box:
        folder = box.shell("echo $SBCTUI_LAB")
        assert Path(folder).is_dir()
        box.becomes("1", "up")
        assert "Starting kernel" in box.becomes("4", "stuck")["said"]
        status = {one["name"]: one["state"] for one in box.ask("services", "status")["services"]}
        assert status == {"storage": "running", "gate": "running", "dnsmasq": "off", "http": "off"}
        kill(_pid_of(f"{sys.executable} -P -m sbctui.lab.inside", folder))
        until(lambda: not Path(folder).exists(), 20, "the lab's folder is removed")
        until(lambda: not living(folder), 5, "everything in the lab has ended")


def test_the_console_opens_on_it_where_no_site_is_configured(tmp_path: Path) -> None:
    needs_worlds()
    before = as_somebody()
    tmp_path.chmod(0o755)
    for folder in takewhile(lambda path: path.name != "tmp", tmp_path.parents):
        folder.chmod(0o711)
    home = tmp_path / "home"
    home.mkdir()
    if before:
        os.chown(home, ORDINARY, ORDINARY)
    program = [*before, *argv()[:4], "--or-lab"]
    terminal = Terminal(program, home)
    terminal.expect("no site is configured: this is a lab in a box (for real: sudo sbctui setup)")
    terminal.expect("nothing here is real or kept", 40)
    terminal.expect("lab-05")
    terminal.type("q")
    assert terminal.end() == 0


def test_where_a_site_is_configured_it_is_opened(tmp_path: Path) -> None:
    program = [*argv()[:4], "--or-lab"]
    terminal = Terminal(program, tmp_path, SBCTUI_SITE=str(tmp_path / "site"))
    terminal.expect("site init")
    terminal.type("\x1b")
    assert terminal.end() == 0
    assert "lab in a box" not in terminal.shown


def test_away_from_a_terminal_it_opens_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        argv(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        env=environment(tmp_path), cwd=REPO, timeout=30,
    )  # fmt: skip
    assert done.returncode == 3
    assert "sbctui lab exec PROGRAM" in done.stderr


def _pid_of(beginning: str, world: str) -> int:
    """The process of a lab whose command line begins so."""
    return next(pid for pid, line in living(world).items() if line.startswith(beginning))
