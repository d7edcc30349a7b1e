"""What every ``Exports`` promises, against the real thing: one suite, a subclass an adapter."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from sbctui.engine.services.port import Changes, Exports, Target
from tests.nbdclient import Board, Closed, NbdError
from tests.services import nbd_place
from tests.services.nbd_place import MIB, Place, mac, source


class ExportsContract:
    """``serve`` makes the exports under test and a place with disks to serve."""

    @abstractmethod
    def exports(self, here: Place) -> Exports: ...

    @pytest.fixture
    def here(self) -> Iterator[Place]:
        with nbd_place.place() as here:
            yield here

    @staticmethod
    def wanted(*targets: Target) -> dict[str, Target]:
        return {target.export: target for target in targets}

    def test_adds_changes_and_removes_by_name(self, here: Place) -> None:
        exports = self.exports(here)
        one, two = here.raw(1), here.raw(2)
        assert exports.reconcile(self.wanted(one, two)).added == (mac(1), mac(2))
        with here.board(1) as board:
            assert board.size == 8 * MIB
        larger = here.raw(3, 16 * MIB)
        changed = replace(larger, export=mac(1), address=one.address)
        assert exports.reconcile(self.wanted(changed, two)) == Changes(changed=(mac(1),))
        with here.board(1) as board:
            assert board.size == 16 * MIB
        assert exports.reconcile(self.wanted(two)) == Changes(removed=(mac(1),))
        with pytest.raises((NbdError, Closed)):
            here.board(1)

    def test_the_same_again_changes_nothing(self, here: Place) -> None:
        exports = self.exports(here)
        wanted = self.wanted(here.raw(1), here.overlay(2, here.base("root", b"x")))
        exports.reconcile(wanted)
        assert exports.reconcile(wanted) == Changes()

    def test_a_refused_disk_keeps_no_other_from_its_board(self, here: Place) -> None:
        exports = self.exports(here)
        one, two, three = here.raw(1), here.raw(2), here.raw(3)
        two.file.unlink()
        changes = exports.reconcile(self.wanted(one, two, three))
        assert changes.added == (mac(1), mac(3))
        ((name, why),) = changes.refused
        assert name == mac(2)
        assert "root.img is missing" in why
        for number in (1, 3):
            here.board(number).leave()

    def test_who_is_on_what(self, here: Place) -> None:
        exports = self.exports(here)
        exports.reconcile(self.wanted(here.raw(1), here.raw(2)))
        assert exports.sessions() == ()
        with here.board(2) as board:
            board.read(0, 4096)
            (session,) = exports.sessions()
            assert (session.export, session.address) == (mac(2), source(2))
            assert session.bytes_read >= 4096
            assert session.first_write is None
            board.write(0, b"x" * 512)
            (session,) = exports.sessions()
            assert session.first_write is not None
            assert session.bytes_written >= 512

    def test_a_new_address_is_admitted_and_the_old_one_no_more(self, here: Place) -> None:
        exports = self.exports(here)
        target = here.raw(1)
        exports.reconcile(self.wanted(target))
        moved = replace(target, address=IPv4Address(source(9)))
        assert exports.reconcile(self.wanted(moved)).refused == ()
        here.board(1, source(9)).leave()
        with pytest.raises((NbdError, Closed)):
            here.board(1, source(1))

    def test_no_change_is_noticed_by_a_board_that_writes(self, here: Place) -> None:
        exports = self.exports(here)
        base = here.base("root", b"base" * 1024)
        steady = self.wanted(here.raw(1), here.overlay(2, base))
        others = [here.raw(number) for number in range(3, 9)]
        others += [here.overlay(number, base) for number in range(9, 12)]
        exports.reconcile(steady)
        with here.board(1) as first, here.board(2) as second, Writers(first, second) as writers:
            for other in others:
                exports.reconcile({**steady, **self.wanted(other)})
            exports.reconcile({**steady, **self.wanted(*others)})
            exports.reconcile(steady)
        assert writers.written > 20
        assert writers.trouble == []

    def test_an_unwanted_disk_goes_when_its_session_has(self, here: Place) -> None:
        exports = self.exports(here)
        exports.reconcile(self.wanted(here.raw(1)))
        with here.board(1) as board:
            assert exports.reconcile({}) == Changes()
            board.write(0, b"still mine")
            with pytest.raises((NbdError, Closed)):
                here.board(1)
            assert board.read(0, 10) == b"still mine"
        assert nbd_place.until(lambda: not exports.sessions())
        assert exports.reconcile({}) == Changes(removed=(mac(1),))


class Writers:
    """Boards that write, flush and read back all the while."""

    def __init__(self, *boards: Board) -> None:
        self.written = 0
        self.trouble: list[str] = []
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(b,)) for b in boards]

    def _write(self, board: Board) -> None:
        number = 0
        try:
            while not self._done.is_set():
                block = number.to_bytes(4, "big") * 1024
                board.write(number % 1000 * 4096, block)
                if number % 8 == 0:
                    board.flush()
                if board.read(number % 1000 * 4096, 4096) != block:
                    self.trouble.append(f"block {number} is another")
                number += 1
                self.written += 1
        except (OSError, Closed, NbdError) as error:
            self.trouble.append(repr(error))

    def __enter__(self) -> Writers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(20)


class TestStorageBehindTheGate(ExportsContract):
    def exports(self, here: Place) -> Exports:
        return here.exports
