"""Unknown boards in a private network: seen with what their own requests tell."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.boards.listener import Listener
from sbctui.engine.boards.packet import Asked
from sbctui.engine.model.site import Seen
from tests.lab import Board, Lab, until
from tests.services import dhcp_client as dhcp
from tests.services.dhcp_world import World, host, mac, table, world
from tests.stopwatch import Stopwatch

pytestmark = pytest.mark.lab


@pytest.fixture
def served(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path, server="10.77.0.1") as made:
        with made.lab.server.inside():
            assert made.boards_seen.listen([made.lab.interface]) == ""
        yield made
        made.boards_seen.close()


def say(board: Board, options: dict[int, bytes]) -> None:
    with board.inside(), dhcp.Client(board.mac) as asking:
        assert asking.ask(dhcp.DISCOVER, options, 0.2) is None


def test_an_unknown_pi_is_seen_within_two_seconds_with_model_and_serial(served: World) -> None:
    board = served.lab.board("dc:a6:32:00:00:63")
    began = time.monotonic()
    say(board, dhcp.pi(board.mac))
    until(served.seen, 2, "the board is seen")
    assert time.monotonic() - began < 2
    (one,) = served.seen()
    assert (one.mac, one.model, one.serial) == (board.mac, "Raspberry Pi 4B, 4 GB", "9ffefdef")
    assert (one.architecture, one.local) == ("ARM64", False)
    assert abs(one.last - time.time()) < 2


def test_a_board_that_becomes_known_is_seen_no_more_and_known_ones_never_are(
    served: World,
) -> None:
    served.hosts.reconcile(table(host(1)))
    with served.lab.board(mac(1)).inside(), dhcp.Client(mac(1)) as asking:
        assert asking.lease(dhcp.UBOOT) is not None
    say(served.lab.board(mac(2)), dhcp.UBOOT)
    until(served.seen, 20, "the unknown board is seen")
    assert [one.mac for one in served.seen()] == [mac(2)]
    served.hosts.reconcile(table(host(1), host(2)))
    assert served.seen() == ()


def test_as_a_proxy_boards_that_dnsmasq_says_nothing_of_are_seen_too(tmp_path: Path) -> None:
    with world(tmp_path, server="10.77.0.1", dhcp="proxy") as made:
        with made.lab.server.inside():
            made.boards_seen.listen([made.lab.interface])
        say(made.lab.board("02:00:00:00:00:01"), dhcp.UBOOT)
        say(made.lab.board(mac(3)), dhcp.pi(mac(3)))
        until(lambda: len(made.seen()) == 2, 20, "both boards are seen")
        found = {one.mac: one for one in made.seen()}
        assert found["02:00:00:00:00:01"].local
        assert found["02:00:00:00:00:01"].architecture == "ARM64 U-Boot"
        assert found[mac(3)].model == "Raspberry Pi 4B, 4 GB"
        made.boards_seen.close()


def test_what_it_counts_is_what_was_asked_not_asked_and_logged(served: World) -> None:
    board = served.lab.board(mac(9))
    for _ in range(3):
        say(board, dhcp.pi(board.mac))

    def counted() -> tuple[int, ...]:
        return tuple(one.count for one in served.seen())

    until(lambda: counted() == (3,), 20, f"three requests, not {counted()}")


def test_junk_on_the_port_and_requests_elsewhere_are_not_heard_and_end_nothing() -> None:
    heard: list[Asked] = []
    with Lab() as lab:
        listener = Listener(lambda: {lab.interface}, heard.append)
        board = lab.board(mac(1))
        with lab.server.inside():
            assert listener.begin() == ""
            assert listener.begin() == ""
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(dhcp.packet(mac(8), 1, 1, {}), ("127.0.0.1", 67))
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, lab.interface.encode())
                sock.sendto(dhcp.packet(mac(7), 1, 1, {}), ("255.255.255.255", 67))
        with board.inside(), dhcp.Client(board.mac) as asking:
            for junk in (b"", b"\1\1\6", b"\xff" * 1400, b"\0" * 240):
                asking.sock.sendto(junk, ("255.255.255.255", 67))
            until(lambda: asking.send(1, {}) or heard, 3, "the one request is heard")
        assert {one.mac for one in heard} == {mac(1)}
        listener.close()
        listener.close()


def test_five_hundred_at_once_are_bounded_and_cheap(served: World) -> None:
    board = served.lab.board(mac(1))
    with board.inside(), dhcp.Client(board.mac) as asking:
        for number in range(500):
            asking.mac = f"dc:a6:32:aa:{number >> 8:02x}:{number & 255:02x}"
            asking.send(dhcp.DISCOVER, dhcp.pi(asking.mac), number)
    until(lambda: len(served.seen()) >= 450, 5, "most of 500 boards are seen")
    watch = Stopwatch()
    found: tuple[Seen, ...] = served.seen()
    assert watch.seconds < 0.2
    assert len(found) <= 512
