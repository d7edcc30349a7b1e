"""Deallocating reboots the board over ssh: a real server on the board, the system's own client.

The board's ssh server runs a command of ours in the place of ``reboot``, and client and server
both have a private home folder for their keys, in a mount namespace of their own.
"""

from __future__ import annotations

import os
import pwd
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import REPO, needs, until
from tests.system.world import Serving, serving

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("reboot")]
MAC = "dc:a6:32:0b:00:07"


class Keys:
    """A folder that stands where ~/.ssh is, with a key pair that may log in."""

    def __init__(self, site: Serving, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.home = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".ssh"
        folder.mkdir(mode=0o700)
        for name in ("id_ed25519", "host"):
            path = folder / name
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)]
            assert site.lab.server.run(argv).returncode == 0
        (folder / "authorized_keys").write_bytes((folder / "id_ed25519.pub").read_bytes())

    def bound(self, argv: list[str]) -> list[str]:
        """The command that runs another one with this folder as ~/.ssh."""
        mount = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        return ["unshare", "-m", "sh", "-c", mount, "sh", str(self.folder), str(self.home), *argv]

    def know(self, address: str) -> None:
        key = (self.folder / "host.pub").read_text().split()
        (self.folder / "known_hosts").write_text(f"{address} {key[0]} {key[1]}\n")

    def deallocate(self, *more: str) -> tuple[int, str]:
        argv = [sys.executable, "-m", "sbctui", "--site", str(self.site.path), "root",
                "deallocate", "rescue-07", "--yes", *more]  # fmt: skip
        done = self.site.lab.server.run(self.bound(argv), env={"PYTHONPATH": str(REPO)})
        return done.returncode, (done.stdout + done.stderr).decode()


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[Keys]:
    needs("dropbear", "dropbearconvert", "ssh", "ssh-keygen", "unshare")
    with serving() as site:
        made = Keys(site, tmp_path / "ssh")
        had = made.home.exists()
        made.home.mkdir(mode=0o700, exist_ok=True)
        try:
            site.sbctui("root", "create", "rescue-07", "--size", "64M", "--yes")
            site.sbctui("root", "allocate", "rescue-07", "--mac", MAC, "--yes")
            yield made
        finally:
            if not had:
                made.home.rmdir()


def switch_on(keys: Keys, mark: Path) -> str:
    """A board with an ssh server whose only act is to say that it reboots; its address."""
    board = keys.site.lab.board(MAC)
    lease = board.dhcp()
    assert lease is not None
    board.use(lease["ip"])
    host = keys.folder / "dropbear"
    convert = ["dropbearconvert", "openssh", "dropbear", str(keys.folder / "host"), str(host)]
    assert board.run(convert).returncode == 0
    board.start(
        keys.bound(
            ["dropbear", "-F", "-E", "-s", "-r", str(host), "-p", f"{lease['ip']}:22",
             "-P", str(mark.with_suffix(".pid")), "-c", f"echo $SSH_ORIGINAL_COMMAND > {mark}"]
        )
    )  # fmt: skip
    until(lambda: mark.with_suffix(".pid").exists(), 10, "the board's ssh server")
    return lease["ip"]


def test_a_board_is_told_to_reboot_when_its_root_is_taken_away(keys: Keys, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    keys.know(switch_on(keys, mark))
    code, said = keys.deallocate()
    assert code == 0, said
    assert mark.read_text().strip() == "reboot", said
    assert "not rebooted" not in said


def test_a_stranger_with_the_boards_address_is_not_obeyed(keys: Keys, tmp_path: Path) -> None:
    """No known key, no reboot: it is said, and the root is deallocated all the same."""
    mark = tmp_path / "mark"
    switch_on(keys, mark)
    code, said = keys.deallocate()
    assert code == 0, said
    assert not mark.exists()
    assert "not rebooted" in said


def test_an_unreachable_board_costs_seconds_and_is_no_failure(keys: Keys) -> None:
    began = time.monotonic()
    code, said = keys.deallocate()
    assert code == 0, said
    assert "not rebooted" in said
    assert time.monotonic() - began < 15
