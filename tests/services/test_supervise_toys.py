"""The supervisor over small real programs: restart, adoption, back-off, hangs, control."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.files import remove_tree
from sbctui.engine.lockfile import boot_id
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.port import Status
from sbctui.engine.services.processes import Process, find_marked
from sbctui.engine.services.rundir import run_dir, site_id

SCRIPT = Path(__file__).with_name("supervise_toys.py")
THREE = {"oldest": "ok", "middle": "ok", "newest": "ok"}


def until(what: Callable[[], object], seconds: float = 10.0) -> float:
    """Wait for a condition; the seconds it took."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.01)
    return time.monotonic() - began


class Toys:
    """A site whose daemons are toys, and its supervisor's process."""

    def __init__(self, site: Path, modes: dict[str, str]) -> None:
        self.site = site
        self.control = SiteControl(site)
        self.supervisor: subprocess.Popen[bytes] | None = None
        (site / "state").mkdir(parents=True)
        (site / "site.toml").write_text("schema = 1\n")
        self.generation(2)
        self.modes(modes)

    def modes(self, modes: dict[str, str]) -> None:
        (self.site / "toys.json").write_text(json.dumps(modes))

    def generation(self, number: int) -> None:
        text = {"generation": number, "changed": [], "boot": boot_id()}
        (self.site / "lock").write_text(json.dumps(text))

    def supervise(self) -> subprocess.Popen[bytes]:
        self.supervisor = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(self.site)],
            start_new_session=True,
        )
        until(lambda: self.control.generation() > 0)
        return self.supervisor

    def state(self, name: str) -> Status:
        return next((s for s in self.control.status() if s.name == name), Status(name, "stopped"))

    def pid(self, name: str) -> int:
        until(lambda: self.state(name).state == "running" and self.state(name).pid)
        return self.state(name).pid

    def lines(self, name: str) -> list[str]:
        path = self.site / "state" / name
        return path.read_text().splitlines() if path.exists() else []

    def close(self) -> None:
        if self.supervisor is not None:
            self.supervisor.kill()
            self.supervisor.wait()
        for name in THREE:
            for pid in find_marked(f"{site_id(self.site)}:{name}"):
                os.kill(pid, signal.SIGKILL)
        remove_tree(run_dir(self.site))


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[Toys]:
    made = Toys(tmp_path / "site", THREE)
    yield made
    made.close()


def test_killed_daemons_are_back_within_two_seconds(toys: Toys) -> None:
    toys.supervise()
    for _ in range(4):
        for name in THREE:
            pid = toys.pid(name)
            os.kill(pid, signal.SIGKILL)
            took = until(lambda name=name, pid=pid: toys.state(name).pid not in (0, pid))
            assert toys.pid(name) != pid
            assert took < 2.0
    assert toys.state("oldest").restarts == 4
    assert toys.lines("started").count("oldest") == 5


def test_a_killed_supervisor_leaves_its_daemons_and_the_next_adopts_them(toys: Toys) -> None:
    first = toys.supervise()
    before = {name: toys.pid(name) for name in THREE}
    first.kill()
    first.wait()
    assert not toys.control.running()
    toys.control = SiteControl(toys.site)
    toys.supervise()
    assert {name: toys.pid(name) for name in THREE} == before
    os.kill(before["middle"], signal.SIGKILL)
    until(lambda: toys.pid("middle") != before["middle"], 2.0)


def test_a_daemon_whose_record_was_never_written_is_adopted_too(toys: Toys) -> None:
    first = toys.supervise()
    before = toys.pid("oldest")
    first.kill()
    first.wait()
    (run_dir(toys.site) / "oldest.json").unlink()
    toys.supervise()
    assert toys.pid("oldest") == before


def test_a_reused_process_id_is_not_adopted_and_not_ended(toys: Toys) -> None:
    first = toys.supervise()
    before = toys.pid("oldest")
    first.kill()
    first.wait()
    os.kill(before, signal.SIGKILL)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        path = run_dir(toys.site) / "oldest.json"
        for planted in (False, True):
            record = json.loads(path.read_text()) | {"pid": stranger.pid}
            if planted:
                found = Process.open(stranger.pid)
                assert found is not None
                record["ticks"] = found.ticks
                found.close()
            path.write_text(json.dumps(record))
            second = toys.supervise()
            assert toys.pid("oldest") not in (stranger.pid, before)
            toys.control.end()
            second.wait()
            assert stranger.poll() is None
            path.parent.mkdir()
            path.write_text(json.dumps(record))
        stranger.kill()


def test_a_term_leaves_the_daemons_and_a_stop_ends_them_newest_first(toys: Toys) -> None:
    toys.modes(dict.fromkeys(THREE, "slow"))
    first = toys.supervise()
    before = {name: toys.pid(name) for name in THREE}
    first.terminate()
    assert first.wait(10) == 0
    second = toys.supervise()
    assert {name: toys.pid(name) for name in THREE} == before
    held = {name: Process.open(pid) for name, pid in before.items()}
    toys.control.end()
    order: list[str] = []
    until(lambda: _note(order, held) == 3)
    assert second.wait(10) == 0
    assert order == ["newest", "middle", "oldest"]
    assert not run_dir(toys.site).exists()


def _note(order: list[str], held: dict[str, Process | None]) -> int:
    """Note who has ended; one that was started later and still lives is looked at last."""
    for name, process in held.items():
        assert process is not None
        if name not in order and process.wait(0):
            order.append(name)
    return len(order)


def test_one_that_dies_at_once_is_failing_with_its_last_line_and_backs_off(toys: Toys) -> None:
    toys.modes({"oldest": "ok", "middle": "dies", "newest": "ok"})
    toys.supervise()
    until(lambda: toys.state("middle").restarts >= 3)
    status = toys.state("middle")
    assert status.state == "failing"
    assert "middle: can't bind to the moon" in status.detail
    assert toys.pid("newest")
    before = toys.state("middle").restarts
    time.sleep(2.0)  # a span to count in, not a wait for something
    assert toys.state("middle").restarts - before <= 4


def test_a_hung_daemon_is_killed_and_restarted(toys: Toys) -> None:
    toys.supervise()
    pid = toys.pid("middle")
    os.kill(pid, signal.SIGSTOP)
    until(lambda: toys.state("middle").pid not in (0, pid))
    assert toys.pid("middle") != pid
    assert toys.state("oldest").restarts == 0


def test_one_that_never_answers_does_not_hold_up_the_others(toys: Toys) -> None:
    toys.modes({"oldest": "deaf", "middle": "off", "newest": "ok"})
    toys.supervise()
    assert toys.pid("newest")
    until(lambda: toys.state("oldest").state == "failing")
    until(lambda: "no answer 2 s after its start" in toys.state("oldest").detail)
    assert toys.state("middle") == Status("middle", "off", "nobody wants it; set its mode")


def test_a_second_supervisor_is_refused_and_names_the_first(toys: Toys) -> None:
    first = toys.supervise()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(toys.site)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode != 0
    assert f"process {first.pid} of user" in done.stderr
    assert toys.control.running()


def test_new_settings_restart_only_what_they_change(toys: Toys) -> None:
    toys.supervise()
    before = {name: toys.pid(name) for name in THREE}
    (toys.site / "site.toml").write_text("schema = 1\nkernel_arguments = 'quiet'\n")
    until(lambda: toys.state("newest").pid not in (0, before["newest"]))
    assert toys.pid("oldest") == before["oldest"]
    now = toys.pid("newest")
    os.utime(toys.site / "site.toml")
    (toys.site / "site.toml").write_text("refuse\n")
    until(lambda: "line 2 is nonsense" in toys.state("newest").detail)
    assert toys.state("newest").state == "running"
    assert toys.pid("newest") == now
    assert "refuse" not in (run_dir(toys.site) / "newest.conf").read_text()
    os.kill(now, signal.SIGKILL)
    until(lambda: toys.state("newest").pid not in (0, now), 2.0)
    (toys.site / "site.toml").write_text("schema = 1\n")
    until(lambda: toys.state("newest") and "nonsense" not in toys.state("newest").detail)


def test_a_new_generation_is_followed_and_acknowledged(toys: Toys) -> None:
    toys.supervise()
    until(lambda: toys.control.generation() == 2)
    toys.generation(4)
    assert until(lambda: toys.control.generation() == 4) < 1.0
    seen = len(toys.lines("applied"))
    toys.generation(5)
    time.sleep(0.6)  # a span in which nothing may happen
    assert len(toys.lines("applied")) == seen
    assert toys.control.apply().added == ("one",)
    assert toys.control.generation() == 6  # who asks is about to let go of the lock


def test_junk_on_the_control_socket_disturbs_nobody(toys: Toys) -> None:
    toys.supervise()
    path = str(run_dir(toys.site) / "control")
    assert os.stat(path).st_mode & 0o777 == 0o600
    junk = [
        b"\n",
        b"\0\xff\xfe\n",
        b"[]\n",
        b'{"op": []}\n',
        b'{"op": "no such"}\n',
        b'{"op": "withdraw"}\n',
        b'{"op": "release", "mac": "x", "ip": {}}\n',
        b"[" * 60000 + b"\n",
        b"x" * 200000,
        b'{"op":',
        b'{"op": "withdraw", "export": "a"}\n',
    ]
    open_ones = []
    for message in junk:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(5)
        client.connect(path)
        open_ones.append(client)
        try:
            client.sendall(message)
            answer = client.recv(4096) if message.endswith(b"\n") and len(message) > 1 else b""
        except OSError:
            answer = b""
        if answer:
            assert json.loads(answer)["ok"] is False
    assert len(toys.control.status()) == 3
    for _ in range(40):
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        open_ones.append(client)
    for client in open_ones:
        client.close()
    until(lambda: toys.control.running(), 2.0)
    with pytest.raises(ServiceFailed):
        toys.control.withdraw("a", cut=False)


def test_many_requests_on_one_connection(toys: Toys) -> None:
    toys.supervise()
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(run_dir(toys.site) / "control"))
        client.sendall(b'{"op": "generation"}\n{"op": "generation"}\n')
        data = b""
        while data.count(b"\n") < 2:
            data += client.recv(4096)
    assert [json.loads(line)["ok"] for line in data.splitlines()] == [True, True]


def test_a_process_is_known_by_its_start_time_too() -> None:
    held = Process.open(os.getpid())
    assert held is not None
    again = Process.open(os.getpid(), held.ticks)
    assert again is not None
    assert Process.open(os.getpid(), held.ticks + 1) is None
    assert not held.wait(0)
    held.close()
    again.close()
