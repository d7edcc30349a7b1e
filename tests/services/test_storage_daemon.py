"""The storage daemon itself: found again, restarted, hostile or unusable disks, many disks."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import signal
import statistics
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from sbctui.engine.errors import Refused, SbcError, ServiceFailed
from sbctui.engine.services.nbd_targets import DerivedExports
from sbctui.engine.services.port import Changes, Target
from sbctui.engine.services.qmp import Qmp
from sbctui.engine.services.storage import QMP, StorageDaemon
from tests.nbdclient import NbdError, until
from tests.services import nbd_place
from tests.services.nbd_place import MIB, NOBODY, Place, mac


@pytest.fixture
def here() -> Iterator[Place]:
    with nbd_place.place(start=False) as here:
        here.start(here.storage)
        yield here


def reconcile(here: Place) -> Changes:
    return here.storage.reconcile(here.derived.read().targets)


def successor(here: Place) -> StorageDaemon:
    """What the next supervisor makes of the daemon that is running."""
    here.storage.close()
    here.storage = StorageDaemon(here.derived, here.run, here.owner)
    return here.storage


def nodes(here: Place) -> set[str]:
    """Names of the daemon's own nodes, asked past the adapter."""
    here.storage.close()
    qmp = Qmp(here.run / QMP)
    qmp.connect()
    listed = qmp.execute("query-named-block-nodes", {"flat": True})
    qmp.close()
    return {node["node-name"] for node in listed if node["node-name"][0] != "#"}


class TestAfterARestart:
    def test_a_running_daemon_is_found_as_it_is(self, here: Place) -> None:
        base = here.base("root", b"base")
        here.raw(1), here.overlay(2, base), here.overlay(3, base)
        reconcile(here)
        with here.unix(1) as board:
            assert successor(here).exported() == {mac(1), mac(2), mac(3)}
            assert reconcile(here) == Changes()
            board.write(0, b"untouched")

    def test_a_disk_replaced_meanwhile_is_seen(self, here: Place) -> None:
        target = here.raw(1)
        reconcile(here)
        successor(here)
        target.file.rename(target.file.with_name("old"))
        with open(target.file, "wb") as file:
            file.write(b"the new disk")
            file.truncate(MIB)
        assert reconcile(here).changed == (mac(1),)
        with here.unix(1) as board:
            assert board.read(0, 12) == b"the new disk"

    def test_what_nobody_wants_any_more_goes(self, here: Place) -> None:
        here.overlay(1, here.base("root", b"base"))
        reconcile(here)
        assert len(nodes(here)) == 1
        here.underive(mac(1))
        successor(here)
        assert reconcile(here).removed == (mac(1),)
        assert nodes(here) == set()

    def test_a_node_left_between_two_steps_is_taken_away(self, here: Place) -> None:
        target = here.raw(1)
        reconcile(here)
        successor(here).close()
        qmp = Qmp(here.run / QMP)
        qmp.connect()
        qmp.execute("block-export-del", {"id": f"e-{mac(1)}"})
        assert qmp.wait_for("BLOCK_EXPORT_DELETED", 2, id=f"e-{mac(1)}")
        qmp.close()
        assert reconcile(here).added == (target.export,)

    def test_killed_it_has_every_export_and_every_flushed_byte_back(self, here: Place) -> None:
        base = here.base("root", b"base")
        for number in range(1, 21):
            here.raw(number)
            here.overlay(100 + number, base)
        reconcile(here)
        boards = [here.unix(number) for number in (1, 20, 101, 120)]
        for number, board in enumerate(boards):
            board.write(4096 * number, b"flushed %d" % number)
            board.flush()
        began = monotonic()
        here.kill("storage")
        assert all(board.gone() for board in boards)
        here.start(here.storage)
        assert monotonic() - began < 2
        for number, export in enumerate((1, 20, 101, 120)):
            with here.unix(export) as board:
                assert board.read(4096 * number, 9) == b"flushed %d" % number
        assert reconcile(here) == Changes()

    def test_a_daemon_that_stops_answering_is_not_healthy(self, here: Place) -> None:
        process = here.processes["storage"]
        process.send_signal(signal.SIGSTOP)
        try:
            began = monotonic()
            assert "no answer" in here.storage.healthy()
            assert monotonic() - began < 1.5
        finally:
            process.send_signal(signal.SIGCONT)
        assert until(lambda: not here.storage.healthy())


class TestWithdrawing:
    def test_the_file_is_free_until_it_is_restored(self, here: Place) -> None:
        target = here.raw(1)
        reconcile(here)
        assert held(target.file)
        here.storage.withdraw(mac(1))
        assert not held(target.file)
        assert reconcile(here) == Changes()
        here.storage.started()
        assert here.storage.exported() == set()
        here.storage.restore(mac(1), target)
        assert here.storage.exported() == {mac(1)}

    def test_refused_while_someone_is_connected(self, here: Place) -> None:
        target = here.raw(1)
        reconcile(here)
        with here.unix(1) as board:
            with pytest.raises(Refused, match="a board has it open"):
                here.storage.withdraw(mac(1))
            board.write(0, b"on")
        assert until(lambda: not refused(lambda: here.storage.withdraw(mac(1))))
        assert not held(target.file)

    def test_without_a_daemon_it_is_left_out_at_the_next_start(self, here: Place) -> None:
        here.raw(1)
        here.raw(2)
        here.kill("storage")
        here.storage.withdraw(mac(1))
        here.start(here.storage)
        assert here.storage.exported() == {mac(2)}


class TestDisks:
    def test_overlays_share_a_base_and_nothing_else(self, here: Place) -> None:
        base = here.base("root", b"common" + bytes(4090))
        before = base.read_bytes()
        here.overlay(1, base)
        here.overlay(2, base)
        reconcile(here)
        with here.unix(1) as one, here.unix(2) as two:
            one.write(0, b"of one")
            one.flush()
            assert two.read(0, 6) == b"common"
            two.write(0, b"of two")
            assert one.read(0, 6) == b"of one"
        assert base.read_bytes() == before

    def test_a_base_is_freed_with_its_last_overlay(self, here: Place) -> None:
        base = here.base("root", b"common")
        one, two = here.overlay(1, base), here.overlay(2, base)
        reconcile(here)
        here.storage.adjust({one.export: None})
        assert held(base)
        here.storage.adjust({two.export: None})
        assert not held(base)

    @pytest.mark.parametrize("with_base", [True, False])
    def test_the_path_in_the_header_is_never_followed(self, here: Place, with_base: bool) -> None:
        secret = here.path / "secret"
        secret.write_bytes(b"secret" * 1000)
        base = here.base("root", b"common") if with_base else None
        here.overlay(1, base, header=str(secret))
        assert reconcile(here) == Changes(added=(mac(1),))
        with here.unix(1) as board:
            assert board.read(0, 6) == (b"common" if with_base else bytes(6))

    def test_data_in_another_file_is_refused(self, here: Place) -> None:
        secret = here.path / "secret"
        secret.write_bytes(b"secret" * 1000)
        here.overlay(1, None, "-o", f"data_file={secret},data_file_raw=on")
        ((_, why),) = reconcile(here).refused
        assert "keeps its data in another file" in why

    def test_a_qcow2_that_is_none(self, here: Place) -> None:
        target = here.overlay(1, None)
        target.file.write_bytes(b"no disk at all")
        ((_, why),) = reconcile(here).refused
        assert why == f"{target.file} is no qcow2 disk"

    def test_a_damaged_qcow2_brings_the_daemons_own_line(self, here: Place) -> None:
        target = here.overlay(1, None)
        with open(target.file, "r+b") as file:
            file.write(b"QFI\xfb\0\0\0\x03" + b"\xff" * 60)
        ((_, why),) = reconcile(here).refused
        assert "cluster" in why.lower() or "qcow2" in why.lower()

    def test_a_link_is_no_disk(self, here: Place) -> None:
        target = here.raw(1)
        target.file.unlink()
        target.file.symlink_to("/etc/hostname")
        ((_, why),) = reconcile(here).refused
        assert "root.img can't be opened" in why

    def test_a_disk_under_a_lease_does_not_stop_the_daemon(self, here: Place) -> None:
        here.raw(1)
        target = here.raw(2)
        with open(target.file, "r+b") as file:
            fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            began = monotonic()
            changes = reconcile(here)
            assert monotonic() - began < 1
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        assert changes.added == (mac(1),)
        assert "is held by a job" in changes.refused[0][1]
        assert reconcile(here).added == (mac(2),)

    def test_one_disk_is_never_served_twice(self, here: Place) -> None:
        target = here.raw(1)
        here.derive(replace(target, export=mac(2)))
        changes = reconcile(here)
        assert len(changes.added) == 1
        assert len(changes.refused) == 1

    def test_trimmed_blocks_are_given_back(self, here: Place) -> None:
        target = here.raw(1)
        reconcile(here)
        with here.unix(1) as board:
            board.write(0, os.urandom(4 * MIB))
            board.flush()
            full = target.file.stat().st_blocks
            board.trim(0, 4 * MIB)
            board.flush()
        assert target.file.stat().st_blocks < full / 10

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a daemon of another user")
    def test_a_disk_the_daemon_may_not_write_is_refused_with_the_remedy(self) -> None:
        with nbd_place.place(NOBODY, start=False) as here:
            here.start(here.storage)
            assert here.processes["storage"].poll() is None
            here.raw(1)
            target = here.raw(2)
            os.chown(target.file, 0, 0)
            target.file.chmod(0o644)
            changes = reconcile(here)
            assert changes.added == (mac(1),), changes
            ((_, why),) = changes.refused
            assert "Permission denied" in why
            assert "chown 65534:65534" in why
            with pytest.raises(NbdError):
                here.unix(2)


class TestMany:
    def test_adding_one_costs_the_same_among_many(self, here: Place) -> None:
        few = median_add(here, range(1, 21))
        for number in range(21, 301):
            here.raw(number)
        reconcile(here)
        many = median_add(here, range(301, 321))
        assert many < 3 * few + 0.01, f"{few * 1000:.1f} ms, then {many * 1000:.1f} ms"

    def test_the_limit_of_open_files_is_raised(self) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        try:
            with nbd_place.place(start=False) as here:
                here.start(here.storage)
                pid = here.processes["storage"].pid
                assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (hard, hard)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_a_disk_too_many_is_refused_before_the_daemon_fails(self, here: Place) -> None:
        here.raw(1)
        here.raw(2)
        pid = here.processes["storage"].pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (259, 259))
        successor(here)
        changes = reconcile(here)
        assert len(changes.added) == 1
        assert "too few left" in changes.refused[0][1]


class TestExportFiles:
    BAD = (
        b"",
        b"[]",
        b"{",
        b"[" * 10000,
        b'{"export": 1}',
        json.dumps({"export": mac(1), "file": "/etc/shadow", "format": "raw",
                    "address": "127.0.0.1", "base": None}).encode(),
        json.dumps({"export": mac(1), "file": "nodes/../../x/root.img", "format": "raw",
                    "address": "127.0.0.1", "base": None}).encode(),
        json.dumps({"export": mac(2), "file": f"nodes/{mac(1)}/root.img", "format": "raw",
                    "address": "127.0.0.1", "base": None}).encode(),
        json.dumps({"export": mac(1), "file": f"nodes/{mac(1)}/root.img", "format": [],
                    "address": "127.0.0.1", "base": None}).encode(),
        json.dumps({"export": mac(1), "file": f"nodes/{mac(1)}/root.img", "format": "raw",
                    "address": "127.0.0.1\n", "base": None}).encode(),
        json.dumps({"export": mac(1), "file": f"nodes/{mac(1)}/root.img", "format": "raw",
                    "address": "127.0.0.1", "base": f"nodes/{mac(2)}/root.img"}).encode(),
        b"\xff\xfe" * 100,
        b" " * 20000,
    )  # fmt: skip

    @pytest.mark.parametrize("content", BAD)
    def test_a_bad_one_is_reported_and_keeps_none_out(self, content: bytes) -> None:
        with nbd_place.place(start=False) as here:
            here.raw(5)
            (here.path / "derived" / "exports" / f"{mac(1)}.json").write_bytes(content)
            for _ in range(2):
                wanted = here.derived.read()
                assert set(wanted.targets) == {mac(5)}
                assert set(wanted.refused) == {mac(1)}

    def test_only_a_replaced_one_is_read_again(self) -> None:
        with nbd_place.place(start=False) as here:
            target = here.raw(1)
            derived = DerivedExports(here.path)
            first = derived.read().targets[mac(1)]
            assert derived.read().targets[mac(1)] is first
            here.derive(replace(target, format="qcow2"))
            assert derived.read().targets[mac(1)].format == "qcow2"


def median_add(here: Place, numbers: range) -> float:
    times = []
    for number in numbers:
        here.raw(number)
        targets = here.derived.read().targets
        began = monotonic()
        assert here.storage.reconcile(targets).added == (mac(number),)
        times.append(monotonic() - began)
    return statistics.median(times)


def held(disk: Path) -> bool:
    """Whether any process has the disk open."""
    with open(disk, "r+b") as file:
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except BlockingIOError:
            return True
    return False


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except ServiceFailed:
        return True
    except Refused:
        return True
    return False


def test_acts_from_many_threads_do_not_mix(here: Place) -> None:
    targets = [here.raw(number) for number in range(1, 9)]
    trouble: list[Exception] = []

    def cycle(target: Target) -> None:
        try:
            for _ in range(10):
                assert here.storage.adjust({target.export: target}).added == (target.export,)
                assert here.storage.healthy() == ""
                assert here.storage.adjust({target.export: None}).removed == (target.export,)
        except (AssertionError, SbcError) as error:
            trouble.append(error)

    threads = [threading.Thread(target=cycle, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert nodes(here) == set()


def test_qemu_img_agrees_about_what_was_written(here: Place) -> None:
    target = here.overlay(1, here.base("root", b"common"))
    reconcile(here)
    with here.unix(1) as board:
        board.write(MIB, b"x" * 65536)
        board.flush()
    here.storage.withdraw(mac(1))
    report = subprocess.run(["qemu-img", "check", target.file], capture_output=True, text=True)
    assert "No errors were found" in report.stdout
