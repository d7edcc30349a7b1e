"""Progress of programs that tell none: from outside, going up through all phases."""

from __future__ import annotations

import os
import threading

from sbctui.engine.disks.create import inspect_source, make_root
from sbctui.engine.disks.watch import phase, watched

MIB = 1024**2


def test_what_is_seen_never_exceeds_the_total_and_its_end_is_told():
    seen, looked = [], threading.Event()

    def look():
        looked.set()
        return 900

    with watched(look, 500, lambda *numbers: seen.append(numbers)):
        assert looked.wait(5)
    assert seen[0] == (500, 500)
    assert seen[-1] == (500, 500)


def test_two_phases_are_one_number_that_goes_up():
    seen = []
    first, second = (phase(n, 2, 1000, lambda *numbers: seen.append(numbers)) for n in (0, 1))
    first(7, 14)
    first(14, 14)
    second(500, 1000)
    second(1000, 1000)
    assert seen == [(500, 2000), (1000, 2000), (1500, 2000), (2000, 2000)]


def test_filling_from_a_folder_tells_its_bytes(tmp_path):
    source, node = tmp_path / "source", tmp_path / "node"
    source.mkdir()
    (node / "boot").mkdir(parents=True)
    for number in range(4):
        (source / str(number)).write_bytes(os.urandom(8 * MIB))
    seen = []
    found = inspect_source(source)
    make_root(
        node / "root.img", 256 * MIB, found,
        stop=threading.Event(), report=lambda *numbers: seen.append(numbers),
    )  # fmt: skip
    assert seen == sorted(seen)
    assert seen[-1] == (found.bytes, found.bytes)
