"""Disks that come and go by the hundred while boards write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from tests.nbdclient import Closed, NbdError, until
from tests.services import nbd_place
from tests.services.nbd_place import MIB, Place, mac
from tests.services.test_storage_contract import Writers


@pytest.fixture
def here() -> Iterator[Place]:
    with nbd_place.place() as here:
        yield here


def churn(here: Place, cycles: int) -> None:
    """Add a board, let it write, take its disk away; others never notice."""
    base = here.base("root", b"base")
    here.raw(1)
    here.overlay(2, base)
    raw, overlay = here.raw(3), here.overlay(4, base)
    here.underive(raw.export)
    here.underive(overlay.export)
    here.exports.apply()
    with here.board(1) as one, here.board(2) as two, Writers(one, two) as writers:
        for cycle in range(cycles):
            guest = (raw, overlay)[cycle % 2]
            here.derive(guest)
            assert here.exports.apply().added == (guest.export,)
            visitor = here.board(3 + cycle % 2)
            visitor.write(0, b"%08d" % cycle)
            visitor.sock.close()
            here.exports.withdraw(guest.export, cut=True)
            here.underive(guest.export)
            here.exports.apply()
            with pytest.raises((NbdError, Closed)):
                here.board(3 + cycle % 2)
    assert writers.trouble == []
    assert writers.written > cycles


def test_coming_and_going_drops_nobody(here: Place) -> None:
    churn(here, 60)


@pytest.mark.slow
def test_coming_and_going_a_thousand_times_drops_nobody(here: Place) -> None:
    churn(here, 1000)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_idle_boards_slow_nobody_down(here: Place) -> None:
    for number in range(1, 1002):
        here.raw(number, MIB)
    here.exports.apply()
    with ExitStack() as stack:
        for number in range(2, 1002):
            stack.enter_context(here.board(number))
        assert len(here.exports.sessions()) == 1000
        with here.board(1) as board:
            began = monotonic()
            for _ in range(500):
                board.read(0, 4096)
            assert monotonic() - began < 5
    assert until(lambda: len(here.exports.sessions()) == 0, 30)
    assert here.storage.exported() == {mac(number) for number in range(1, 1002)}
