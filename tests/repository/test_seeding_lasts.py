"""What is to be seeded is begun again with the services: after kills, a restart, a dead seeding."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import NoSuchNode
from sbctui.engine.model import requests as ask
from sbctui.engine.repository import seeds
from tests.lab import needs, until
from tests.repository.place import ADDRESS, IMAGE, MIB, Machine, ended, machines

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.xdist_group("distribution")]
VERIFIED = "verified"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[list[Machine]]:
    needs("aria2c", "ss", "qemu-storage-daemon")
    with machines(tmp_path, 1) as found:
        found[0].image.parent.mkdir(parents=True)
        found[0].image.write_bytes(os.urandom(MIB))
        engine = Engine(found[0].site)
        assert engine.apply(engine.plan(ask.MakeSideFiles())).code == 0
        yield found


def plain(server: Machine, *words: str) -> dict[str, Any]:
    """A verb that asks nothing, and what it says."""
    argv = [sys.executable, "-P", "-m", "sbctui", "--site", str(server.site), *words, "--json"]
    said = server.space.run(argv)
    assert said.returncode == 0, said.stdout
    found: dict[str, Any] = json.loads(said.stdout)
    return found


@contextmanager
def supervised(server: Machine) -> Iterator[subprocess.Popen[bytes]]:
    """The services, as the machine starts them; at the end they are stopped."""
    argv = [sys.executable, "-P", "-m", "sbctui", "--site", str(server.site), "supervise"]
    process = server.space.start(argv)
    try:
        yield process
    finally:
        if process.poll() is None:
            plain(server, "services", "stop", "-y")


def jobs(server: Machine) -> list[int]:
    """The process of each running job."""
    return [job.pid for job in Engine(server.site).transfers() if job.state == "running"]


def seeding(server: Machine) -> bool:
    """Whether a job runs, its aria2 listens, and it is written down."""
    listens = any("aria2c" in one for one in server.sockets() if "LISTEN" in one)
    return bool(jobs(server)) and listens and seeds.wanted(server.site, IMAGE)


def quiet(server: Machine) -> bool:
    return not jobs(server) and not any("aria2c" in one for one in server.programs())


def end_seeding(server: Machine, how: signal.Signals) -> None:
    for pid in jobs(server):
        os.kill(pid, how)
    until(lambda: quiet(server), 20, "the seeding's end")


def received(server: Machine, board: Machine) -> None:
    """A receiver that comes now gets it."""
    code, document = ended(
        board.start("repo", "receive", ADDRESS, "--torrent", "--from", f"{server.image}.torrent")
    )
    assert code == 0, document
    for one in board.names():
        (board.image.parent / one).unlink()


def test_it_is_seeded_again_until_that_is_stopped(lab: list[Machine]) -> None:
    server, board = lab
    code, first = server.run("repo", "seed", ADDRESS, "--background")
    assert code == 0, first
    until(lambda: seeding(server), 30, "it is seeded")
    end_seeding(server, signal.SIGKILL)  # a power cut
    told = plain(server, "repo", "transfers")
    assert told["waiting"] == [IMAGE]
    assert [one["state"] for one in told["transfers"]] == ["interrupted"]

    with supervised(server) as services:
        until(lambda: seeding(server), 40, "it is seeded with the services")
        received(server, board)
        told = plain(server, "repo", "transfers")
        assert (told["waiting"], len(told["transfers"])) == ([], 1), "the first one is settled"
        services.kill()
        services.wait()
        assert seeding(server), "it outlives the supervisor"

    end_seeding(server, signal.SIGTERM)  # as the machine shuts down: nobody asked for it
    assert seeds.wanted(server.site, IMAGE)
    with supervised(server):
        until(lambda: seeding(server), 40, "it is seeded after the restart")
        plain(server, "repo", "seed", "--stop", ADDRESS, "-y")
        until(lambda: quiet(server), 20, "the seeding's end")
        assert plain(server, "repo", "transfers") == {"transfers": [], "waiting": []}


def test_a_job_that_an_admin_cancels_is_not_begun_again(lab: list[Machine]) -> None:
    server, _ = lab
    with supervised(server):
        code, started = server.run("repo", "seed", ADDRESS, "--background")
        assert code == 0, started
        until(lambda: seeding(server), 30, "it is seeded")
        plain(server, "job", "cancel", started["job"])
        until(lambda: quiet(server), 20, "the seeding's end")
        assert seeds.wishes(server.site) == ()


def test_what_ends_in_a_terminal_is_not_begun_again(lab: list[Machine]) -> None:
    server, _ = lab
    process = server.start("repo", "seed", ADDRESS)
    until(lambda: any("aria2c" in one for one in server.programs()), 30, "it is seeded")
    process.send_signal(signal.SIGINT)
    ended(process)
    assert seeds.wishes(server.site) == ()
    engine = Engine(server.site)
    with pytest.raises(NoSuchNode, match="is not to be seeded"):
        engine.plan(ask.StopSeeding(images=(IMAGE,)))
    assert engine.plan(ask.StopSeeding()).units == ()
