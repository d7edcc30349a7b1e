"""Torrents across subnets: the tracker of who seeds, hostile questions, two routed networks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model.requests import MakeSideFiles
from sbctui.engine.model.settings import Settings
from sbctui.engine.repository.bencode import decode
from sbctui.engine.repository.tracker import Swarm, tracking
from sbctui.engine.siteinit import init_site
from tests.lab import Lab, needs, until
from tests.repository.place import ADDRESS, MIB, Machine, ended
from tests.services.nbd_place import free_port

HASH = bytes(range(0, 200, 10))
QUERY = f"info_hash={quote(HASH)}&peer_id=x&port=6881&left=0&compact=1"


def peers(told: bytes) -> list[str]:
    """Addresses of an answer."""
    found = decode(told)
    assert isinstance(found, dict)
    data = found[b"peers"]
    return [f"{IPv4Address(data[at : at + 4])}:{int.from_bytes(data[at + 4 : at + 6], 'big')}"
            for at in range(0, len(data), 6)]  # fmt: skip


def test_each_is_told_of_the_others() -> None:
    swarm = Swarm(HASH)
    one, two = IPv4Address("10.0.0.1"), IPv4Address("10.1.0.2")
    assert peers(swarm.answer(QUERY, one)) == []
    assert peers(swarm.answer(QUERY.replace("6881", "7000"), two)) == ["10.0.0.1:6881"]
    assert peers(swarm.answer(QUERY, one)) == ["10.1.0.2:7000"]
    swarm.answer(f"{QUERY}&event=stopped".replace("6881", "7000"), two)
    assert peers(swarm.answer(QUERY, one)) == []


@pytest.mark.parametrize(
    "query",
    ["", "info_hash=x", QUERY.replace("6881", "0"), QUERY.replace("6881", "65536"),
     QUERY.replace("6881", "٣"), QUERY.replace("6881", "9" * 5000), QUERY.replace("port", "p"),
     "info_hash=%ff%00&port=1", "&".join(["a=b"] * 5000), QUERY.replace("%0A", "%0a%0")],
)  # fmt: skip
def test_what_is_no_question_gets_no_peers(query: str) -> None:
    found = decode(Swarm(HASH).answer(query, IPv4Address("10.0.0.1")))
    assert isinstance(found, dict)
    assert [*found] == [b"failure reason"]


def test_so_many_peers_and_no_more() -> None:
    swarm = Swarm(HASH)
    for number in range(3000):
        client = IPv4Address("10.0.0.0") + number
        assert len(peers(swarm.answer(QUERY, client))) <= 50


def test_who_is_slow_holds_up_nobody() -> None:
    here, port = IPv4Address("127.0.0.1"), free_port()
    with tracking(here, port, HASH) as url:
        slow = [socket.create_connection((str(here), port)) for _ in range(8)]
        with urlopen(f"{url}?{QUERY}", timeout=5) as answer:
            assert peers(answer.read()) == []
        for one in slow:
            one.close()
        with pytest.raises(OSError, match="404"):
            urlopen(url.replace("announce", "etc/passwd"), timeout=5)


@pytest.fixture
def routed(tmp_path: Path) -> Iterator[list[Machine]]:
    """Who seeds and who receives, each in a network of its own, and a router between them."""
    needs("aria2c", "ss", "sysctl")
    with Lab() as lab:
        found = []
        for number, network in ((1, "10.77.0"), (2, "10.88.0")):
            board = lab.board(f"dc:a6:32:00:08:{number:02x}")
            gateway = f"{network}.1"
            if number > 1:  # not on the bridge, so no multicast of the other network is heard
                lab.server.run(["ip", "link", "set", f"p{number}", "nomaster"])
                lab.server.run(["ip", "addr", "add", f"{gateway}/24", "dev", f"p{number}"])
            address = IPv4Address(f"{network}.9")
            board.use(address)
            board.run(["ip", "route", "add", "default", "via", gateway])
            found.append(Machine(board, tmp_path / f"machine{number}", address, "eth0"))
            init_site(found[-1].site, Settings())
        lab.server.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        yield found


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.xdist_group("distribution")
def test_a_receiver_in_another_subnet(routed: list[Machine]) -> None:
    server, board = routed
    server.image.parent.mkdir(parents=True)
    server.image.write_bytes(os.urandom(3 * MIB))
    engine = Engine(server.site)
    assert engine.apply(engine.plan(MakeSideFiles())).code == 0
    seeding = server.start("repo", "seed", ADDRESS, "--receivers", "1")
    until(lambda: any("LISTEN" in one and "aria2c" in one for one in server.sockets()), 30, "aria2")
    words = ("repo", "receive", ADDRESS, "--torrent", "--from", f"{server.image}.torrent")
    code, document = board.run(*words, "--seeder", str(server.address))
    assert code == 0, document
    assert board.image.read_bytes() == server.image.read_bytes()
    code, document = ended(seeding)
    assert code == 0, "it heard that one has it"
    assert document["report"]["results"][-1]["data"] == {str(board.address): "verified"}
