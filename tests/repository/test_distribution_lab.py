"""One image to three machines, with the real udpcast and aria2, each in a network of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import MakeSideFiles
from sbctui.engine.repository.mcastfile import channel
from tests.lab import needs, until
from tests.repository.place import (
    ADDRESS,
    IMAGE,
    MIB,
    Machine,
    archive,
    ended,
    machines,
    sparse_disk,
)

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.xdist_group("distribution")]
APPARENT = 256 * MIB
DATA = 6 * MIB
VERIFIED = "verified"
INTERRUPTED, PARTLY, OUTSIDE, NONE, REFUSED = 130, 7, 6, 4, 3


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    needs("udp-sender", "udp-receiver", "aria2c", "zstd", "ss", "tc")
    folder = tmp_path_factory.mktemp("distribution")
    with machines(folder, 3) as found:
        disk = sparse_disk(folder, data=DATA, apparent=APPARENT)
        archive(disk, found[0].image)
        engine = Engine(found[0].site)
        assert engine.apply(engine.plan(MakeSideFiles())).code == 0
        yield found


@pytest.fixture
def server(lab: list[Machine]) -> Machine:
    return lab[0]


@pytest.fixture
def boards(lab: list[Machine]) -> Iterator[list[Machine]]:
    yield lab[1:]
    for board in lab[1:]:
        for name in board.names():
            (board.image.parent / name).unlink()


def side(server: Machine, ending: str) -> str:
    return f"{server.image}{ending}"


def joining(boards: list[Machine], server: Machine, *more: str) -> list[subprocess.Popen[bytes]]:
    words = ("repo", "receive", ADDRESS, "--from", side(server, ".mcast"), *more)
    return [board.start(*words) for board in boards]


def outcomes(document: dict[str, object]) -> dict[str, str]:
    report = document["report"]
    assert isinstance(report, dict)
    found: dict[str, str] = report["results"][-1]["data"]
    return found


def all_verified(boards: list[Machine]) -> dict[str, str]:
    return {str(board.address): VERIFIED for board in boards}


def is_whole(board: Machine, server: Machine, folder: Path) -> None:
    """Byte for byte, with side files that are right, nothing left over, and holes when unpacked."""
    assert board.image.read_bytes() == server.image.read_bytes()
    (found,) = Engine(board.site).side_files()
    assert found.lacking == ()
    assert board.names() == server.names()
    folder.mkdir()
    subprocess.run(["tar", "--zstd", "-xf", board.image, "-C", folder], check=True)
    disk, source = (folder / "root.img").stat(), (server.site.parent / "root.img").stat()
    assert disk.st_size == APPARENT
    assert disk.st_blocks <= source.st_blocks * 1.01


@contextmanager
def slow_line(machine: Machine) -> Iterator[None]:
    """What it sends takes seconds."""
    at = ("dev", machine.interface, "root")
    machine.space.run(["tc", "qdisc", "add", *at, "tbf", "rate", "12mbit", "burst", "32k",
                       "latency", "400ms"])  # fmt: skip
    try:
        yield
    finally:
        machine.space.run(["tc", "qdisc", "del", *at])


def is_idle(*found: Machine) -> None:
    for machine in found:
        until(machine.idle, 15, f"left over: {machine.programs()} {machine.sockets()}")


def test_multicast_to_three(server: Machine, boards: list[Machine], tmp_path: Path) -> None:
    receiving = joining(boards, server)
    code, document = server.run("repo", "send", ADDRESS, "--receivers", "3", "--wait", "60")
    assert code == 0, document
    assert outcomes(document) == all_verified(boards)
    for one, board in zip(receiving, boards, strict=True):
        assert ended(one)[0] == 0
        is_whole(board, server, tmp_path / board.site.name)
    is_idle(server, *boards)
    again, nothing = boards[0].run("repo", "receive", ADDRESS, "--from", side(server, ".mcast"))
    assert (again, nothing["report"]["results"]) == (0, [])


def test_torrent_to_three_and_one_that_was_killed(
    server: Machine, boards: list[Machine], tmp_path: Path
) -> None:
    words = ("repo", "receive", ADDRESS, "--torrent", "--from", side(server, ".torrent"))
    code, started = server.run("repo", "seed", ADDRESS, "--receivers", "3", "--background")
    assert code == 0, started
    before = boards[0].received()
    with slow_line(server):
        killed = boards[0].start(*words)
        until(lambda: boards[0].received() - before > DATA // 2, 60, "half of it came")
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    is_idle(boards[0])
    stray = f"stray:repo/images/{IMAGE}.part"
    assert stray in [one.id for one in Engine(boards[0].site).audit()]

    before = boards[0].received()
    receiving = [board.start(*words) for board in boards]
    engine = Engine(server.site)
    until(lambda: any("LISTEN" in one for one in server.sockets()), 30, "aria2 listens")
    here = {str(server.address), "127.0.0.1"}
    assert {where(one) for one in server.sockets() if "LISTEN" in one} <= here
    assert [one.id for one in engine.transfers() if not one.over] == [started["job"]]
    for one, board in zip(receiving, boards, strict=True):
        code, document = ended(one)
        assert code == 0, document
        is_whole(board, server, tmp_path / board.site.name)
    assert boards[0].received() - before < DATA - MIB, "it went on where it was"
    until(lambda: engine.report(started["job"]) is not None, 20, "the seeding's end")
    assert engine.receivers(started["job"]) == all_verified(boards)
    report = engine.report(started["job"])
    assert report is not None
    assert report.code == 0
    is_idle(server, *boards)


def where(socket: str) -> str:
    """The local address of a line of ss."""
    return socket.split()[4].rpartition(":")[0]


def test_a_receiver_that_dies_is_named_and_the_others_get_it_in_the_place_of_an_older_one(
    server: Machine, boards: list[Machine], tmp_path: Path
) -> None:
    boards[0].image.parent.mkdir(parents=True, exist_ok=True)
    boards[0].image.write_bytes(b"older")
    refused = boards[0].run("repo", "receive", ADDRESS, "--from", side(server, ".mcast"))
    assert refused[0] == REFUSED
    assert "--replace" in refused[1]["error"]["message"]
    receiving = joining(boards, server, "--replace")
    sending = server.start(
        "repo", "send", ADDRESS, "--receivers", "3", "--rate", "16m", "--retries", "8"
    )
    half = boards[2].image.with_name(f"{boards[2].image.name}.part")
    until(lambda: half.exists() and half.stat().st_size > MIB, 60, "some of it came")
    os.killpg(receiving[2].pid, signal.SIGKILL)
    until(lambda: not boards[2].programs(), 15, "nothing of it runs on")
    code, document = ended(sending)
    assert code == PARTLY, document
    told = outcomes(document)
    assert "dropped" in told.pop(str(boards[2].address))
    assert told == all_verified(boards[:2])
    for one, board in zip(receiving[:2], boards, strict=False):
        assert ended(one)[0] == 0
        is_whole(board, server, tmp_path / board.site.name)
    is_idle(server, *boards)


def test_other_bytes_on_the_channel_are_refused(server: Machine, boards: list[Machine]) -> None:
    """Somebody else on the network sends as long a file, then half of one."""
    (found,) = Engine(server.site).side_files()
    way = channel(found.sha256)
    other = server.site.parent / "other"
    for size, says in ((found.size, "has the SHA-256"), (found.size // 2, "stopped sending")):
        other.write_bytes(os.urandom(size))
        (receiving,) = joining(boards[:1], server)
        sent = server.space.run(
            ["udp-sender", "--file", other, "--nokbd", "--interface", server.interface,
             "--portbase", str(way.port), "--mcast-rdv-address", str(way.rendezvous),
             "--min-receivers", "1", "--full-duplex"]
        )  # fmt: skip
        assert sent.returncode == 0
        code, document = ended(receiving)
        assert code != 0
        assert says in document["error"]["message"]
        assert boards[0].names() == set()
    is_idle(boards[0])


def test_cancelled_they_leave_nothing(server: Machine, boards: list[Machine]) -> None:
    (receiving,) = joining(boards[:1], server)
    fetching = boards[1].start(
        "repo", "receive", ADDRESS, "--torrent", "--from", side(server, ".torrent")
    )
    sending = server.start("repo", "send", ADDRESS, "--receivers", "3")
    for machine, program in ((boards[0], "udp-receiver"), (boards[1], "aria2c"),
                             (server, "udp-sender")):  # fmt: skip
        until(lambda m=machine, p=program: any(p in o for o in m.programs()), 30, program)
    second, refused = server.run("repo", "send", ADDRESS)
    assert second == REFUSED
    assert "on its way from here already" in refused["error"]["message"]
    for one in (receiving, fetching, sending):
        one.send_signal(signal.SIGINT)
    assert [ended(one)[0] for one in (receiving, fetching, sending)] == [INTERRUPTED] * 3
    is_idle(server, *boards[:2])
    assert boards[0].names() == boards[1].names() == set()
    killed = server.start("repo", "send", ADDRESS)
    until(lambda: any("udp-sender" in one for one in server.programs()), 30, "udp-sender")
    os.killpg(killed.pid, signal.SIGKILL)
    is_idle(server)


def test_nobody_joins_and_nobody_sends(server: Machine, boards: list[Machine]) -> None:
    (receiving,) = joining(boards[:1], server, "--wait", "1")
    code, document = server.run("repo", "send", "lab/lonely.img", "--wait", "1")
    assert code == NONE
    lonely = server.image.parent / "lonely.img"
    lonely.write_bytes(b"x" * 9000)
    code, document = server.run("repo", "send", "lab/lonely.img", "--wait", "1")
    assert {path.unlink() for path in lonely.parent.glob(f"{lonely.name}*")} == {None}
    assert code == OUTSIDE
    assert "nobody joined within 1 s" in document["error"]["message"]
    code, document = ended(receiving)
    assert (code, boards[0].names()) == (OUTSIDE, set())
    assert "no sender was heard within 1 s" in document["error"]["message"]
    is_idle(server, boards[0])
