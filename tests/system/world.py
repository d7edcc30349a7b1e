"""A whole site in a lab, driven through the command line as a person would."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.rundir import run_dir
from tests import nbdclient
from tests.lab import Board, Lab, needs

PORT = 10809


class Serving:
    """A site whose services run in the lab's server namespace."""

    def __init__(self, lab: Lab, path: Path) -> None:
        self.lab = lab
        self.path = path

    def sbctui(
        self, *arguments: str, code: int = 0, data: bytes = b"", timeout: float = 300
    ) -> str:
        """Run a verb; its standard output. Fails when the exit code is another."""
        done = self.lab.run_product(["--site", self.path, *arguments], data=data, timeout=timeout)
        said = done.stdout.decode() + done.stderr.decode()
        assert done.returncode == code, f"sbctui {' '.join(arguments)}: {said}"
        return done.stdout.decode()

    def ask(self, *arguments: str) -> Any:
        """The JSON answer of a verb that changes nothing."""
        return json.loads(self.sbctui(*arguments, "-o", "json"))

    def services(self) -> dict[str, dict[str, Any]]:
        """Every daemon by its name."""
        return {one["name"]: one for one in self.ask("services", "status")["services"]}

    def pids(self) -> dict[str, int]:
        """Of the daemons that run."""
        return {one.name: one.pid for one in self.control.status() if one.pid}

    @property
    def control(self) -> SiteControl:
        return SiteControl(self.path)

    def node(self, name: str) -> Path:
        """The folder of a node."""
        return self.path / "nodes" / name

    def disk(self, board: Board, export: str = "", timeout: float = 10.0) -> nbdclient.Board:
        """Connect a board to a disk, its own unless told. Raises Closed, NbdError, OSError."""
        with board.inside():
            one = nbdclient.Board(PORT, str(self.lab.address), timeout=timeout)
        try:
            one.greet()
            return one.go(export or board.dashed)
        except BaseException:
            one.sock.close()
            raise

    def turned_away(self, board: Board, export: str = "") -> bool:
        """Whether a board is not let to a disk."""
        try:
            self.disk(board, export).leave()
        except (nbdclient.Closed, nbdclient.NbdError, OSError):
            return True
        return False


@contextmanager
def serving(owner: str = "") -> Iterator[Serving]:
    """An initialised site in a new lab, its services running; stopped and removed at the end."""
    needs("dnsmasq", "dhcp_release", "qemu-storage-daemon", "mke2fs", "fakeroot")
    folder = Path(tempfile.mkdtemp(prefix="sbctui-heart-"))
    folder.chmod(0o755)
    try:
        with Lab() as lab:
            site = Serving(lab, folder / "site")
            pool = f"{lab.subnet[50]}-{lab.subnet[250]}"
            network = ["--interface", lab.interface, "--subnet", str(lab.subnet), "--pool", pool]
            given = ["--owner", owner] if owner else []
            site.sbctui("site", "init", *network, *given, "--yes")
            site.sbctui("services", "start", "--yes")
            try:
                yield site
            finally:
                site.lab.run_product(["--site", site.path, "services", "stop", "--cut", "--yes"])
                rmtree(run_dir(site.path), ignore_errors=True)
    finally:
        rmtree(folder, ignore_errors=True)


def together(acts: Sequence[Callable[[], None]]) -> None:
    """Run all at once; the first failure, if there is one, is the caller's."""
    failed: list[BaseException] = []

    def guarded(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - handed on below
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def kill(pid: int) -> None:
    """As hard as it goes."""
    os.kill(pid, 9)
