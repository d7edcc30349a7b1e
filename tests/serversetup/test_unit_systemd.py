"""The unit under a real systemd: a user's manager in namespaces of its own, which is the same
program with the same rules for services, and needs no machine that booted with it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sbctui.engine.services.systemd import render_unit, unit_name
from tests.lab import needs, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]
MANAGER = Path("/lib/systemd/systemd")
WORLD = r"""
group=/sys/fs/cgroup/systemd
umount -R /sys/fs/cgroup 2>/dev/null
mount -t tmpfs none /sys/fs/cgroup && mkdir $group || exit
if ! mount -t cgroup -o none,name=systemd cgroup $group; then
    umount /sys/fs/cgroup; group=/sys/fs/cgroup
    mount -t cgroup2 cgroup2 $group || exit
fi
mkdir $group/$NAME && echo $$ >$group/$NAME/cgroup.procs || exit
mount -t tmpfs none /run && mkdir -p /run/systemd/system $XDG_RUNTIME_DIR || exit
$MANAGER --user --log-target=console &
end() {
    kill -9 -1
    wait
    echo $$ >$group/cgroup.procs
    find $group/$NAME -depth -type d -exec rmdir {} + 2>/dev/null
}
trap end TERM
wait
"""


class Manager:
    """A systemd in its own world, with the unit of one site."""

    def __init__(self, folder: Path) -> None:
        self.site = folder / "site"
        self.unit = unit_name(self.site)
        (folder / "units").mkdir()
        (folder / "units" / self.unit).write_bytes(render_unit(self.site))
        self._environment = {
            **os.environ,
            "XDG_RUNTIME_DIR": "/run/user-manager",
            "SYSTEMD_UNIT_PATH": f"{folder}/units:",
            "HOME": str(folder),
            "NAME": folder.name,
            "MANAGER": str(MANAGER),
        }
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._world = subprocess.Popen(
                ["unshare", "-mpf", "--mount-proc", "--propagation", "private", "sh", "-c", WORLD],
                env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def answers(self) -> bool:
        """Whether it runs; a world that can't be had ends by itself."""
        if self._world.poll() is not None:
            pytest.skip(f"no systemd in a world of its own: {self._log.read_text()[-300:]}")
        return self.first() != 0 and self.systemctl("is-active", "basic.target")[0] == 0

    def first(self) -> int:
        """The first process of its world, as it is numbered here."""
        path = Path(f"/proc/{self._world.pid}/task/{self._world.pid}/children")
        return int((path.read_text().split() or ["0"])[0])

    def run(self, *argv: str | Path) -> tuple[int, str]:
        """A command in its world: exit code, and what it printed."""
        inside = ["nsenter", "-t", str(self.first()), "-m", "-p", "--", *map(str, argv)]
        done = subprocess.run(
            inside, env=self._environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.strip() or done.stderr.strip()

    def systemctl(self, *words: str) -> tuple[int, str]:
        return self.run("systemctl", "--user", *words)

    def show(self, what: str) -> str:
        return self.systemctl("show", "-P", what, self.unit)[1]

    def sbctui(self, *words: str) -> str:
        code, said = self.run(sys.executable, "-P", "-m", "sbctui", "--site", self.site, *words)
        assert code == 0, said
        return said

    def daemons(self) -> dict[str, int]:
        """Those that run, by name."""
        found: list[dict[str, Any]] = json.loads(self.sbctui("services", "status", "--json"))[
            "services"
        ]
        return {one["name"]: one["pid"] for one in found if one["state"] == "running"}

    def close(self) -> None:
        if self._world.poll() is None and self.first():
            os.kill(self.first(), 15)
        self._world.wait(10)


@pytest.fixture
def manager() -> Iterator[Manager]:
    needs("unshare", "nsenter", "systemctl", "qemu-storage-daemon")
    if os.geteuid() != 0 or not MANAGER.exists():
        pytest.skip("no root, or no systemd")
    folder = Path(tempfile.mkdtemp(prefix="sbctui-unit-"))
    folder.chmod(0o755)
    try:
        made = Manager(folder)
        try:
            until(made.answers, 20, "systemd is up")
            made.sbctui("site", "init", "--yes")
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            settings = made.site / "site.toml"
            settings.write_text(f"{settings.read_text()}\n[network]\nnbd_port = {port}\n")
            yield made
        finally:
            made.close()
    finally:
        shutil.rmtree(folder)


def test_the_units_promises_hold(manager: Manager) -> None:
    assert manager.systemctl("start", manager.unit) == (0, "")
    until(lambda: set(manager.daemons()) == {"storage", "gate"}, 20, "the daemons run")
    before, first = manager.daemons(), manager.show("MainPID")

    manager.run("kill", "-9", first)
    until(lambda: manager.show("MainPID") not in ("0", first), 10, "started again")
    until(lambda: manager.daemons() == before, 10, "the same daemons, adopted")

    assert manager.systemctl("stop", manager.unit) == (0, "")
    assert manager.show("ActiveState") == "inactive"
    for name, pid in before.items():
        assert manager.run("kill", "-0", str(pid)) == (0, ""), f"{name} has ended"

    assert manager.systemctl("start", manager.unit) == (0, "")
    until(lambda: manager.daemons() == before, 10, "adopted once more")
    manager.sbctui("services", "stop", "--yes")
    until(lambda: manager.show("ActiveState") == "inactive", 10, "ended on request, and left so")
    assert manager.show("NRestarts") == "0"


def test_one_that_can_not_start_is_not_tried_again_for_ever(manager: Manager) -> None:
    (manager.site / "site.toml").write_text("[[[")
    manager.systemctl("start", manager.unit)
    until(lambda: manager.show("ActiveState") == "failed", 10, "it gave up")
    assert (manager.show("NRestarts"), manager.show("ExecMainStatus")) == ("0", "3")
