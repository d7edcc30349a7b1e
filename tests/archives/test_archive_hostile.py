"""Whatever an archive holds: it is refused in one sentence that names the member, and nothing
outside the staging folder was touched, and nothing is left."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from tests.archives import hostile, tars
from tests.archives.place import everything, export, import_of, make_root, make_site

CASES = list(hostile.cases())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, Path]:
    """A site two levels below a tree of sentinels."""
    top = tmp_path_factory.mktemp("hostile")
    (top / "sentinel").write_text("do not touch")
    (top / "middle").mkdir()
    (top / "middle" / "sentinel").write_text("nor this")
    engine = make_site(top / "middle" / "site")
    make_root(engine, "web")
    return engine, top


def refused(world: tuple[Engine, Path], data: bytes) -> SbcError | str:
    """Import it, and look that nothing else happened; what was said."""
    engine, top = world
    file = top / "hostile.tar"
    file.write_bytes(data)
    quiet = (engine.path / "jobs", engine.path / "lock")
    before = everything(top, *quiet)
    began = time.process_time()
    try:
        report = engine.apply(engine.plan(import_of(engine, file, "new", unverified=True)))
    except SbcError as error:
        said: SbcError | str = error
    else:
        assert report.code not in (0, 1), report
        said = report.of("failed")[0].error
    assert time.process_time() - began < 5
    assert everything(top, *quiet) == before
    return said


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 150
    assert len({name for name, _, _ in CASES}) == len(CASES)


@pytest.mark.parametrize(("data", "told"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_it_is_refused(world: tuple[Engine, Path], data: bytes, told: str) -> None:
    said = str(refused(world, data))
    assert told in said
    assert "\n" not in said
    assert "\x1b" not in said


def test_the_right_one_is_taken(world: tuple[Engine, Path]) -> None:
    """So that the others are refused for what is wrong with them."""
    engine, top = world
    right = tars.tar(tars.config(), tars.member("boot/k", b"x"), tars.disk())
    for number, pack in enumerate((bytes, tars.gz, tars.xz, tars.zstd)):
        (top / "right").write_bytes(pack(right))
        plan = engine.plan(import_of(engine, top / "right", f"right{number}", unverified=True))
        assert engine.apply(plan).code == 0
        assert (engine.path / "nodes" / f"right{number}" / "root.img").stat().st_size == 4096


@pytest.fixture(scope="module")
def exported(world: tuple[Engine, Path]) -> bytes:
    engine, top = world
    export(engine, "web", top / "web.tar.zst")
    return (top / "web.tar.zst").read_bytes()


def test_an_export_cut_off_anywhere_is_refused(world: tuple[Engine, Path], exported: bytes) -> None:
    dice = random.Random(1)
    places = {*range(0, 40, 5), *(len(exported) - n for n in range(1, 40, 4))}
    for place in sorted(places | {dice.randrange(len(exported)) for _ in range(25)}):
        assert refused(world, exported[:place]), place


def test_an_export_with_a_bit_flipped_anywhere_is_refused(
    world: tuple[Engine, Path], exported: bytes
) -> None:
    dice = random.Random(2)
    places = {*range(0, 24, 3), *(len(exported) - n for n in range(1, 60, 5))}
    for place in sorted(places | {dice.randrange(len(exported)) for _ in range(40)}):
        flipped = bytearray(exported)
        flipped[place] ^= 1 << dice.randrange(8)
        assert refused(world, bytes(flipped)), place


def test_what_is_damaged_is_named(world: tuple[Engine, Path], exported: bytes) -> None:
    """The file, and the member that the damage is in."""
    middle = len(exported) // 2
    flipped = exported[:middle] + bytes([exported[middle] ^ 1]) + exported[middle + 1 :]
    for data in (flipped, exported[:middle]):
        said = str(refused(world, data))
        assert "the member 'root.img' of " in said
        assert "hostile.tar" in said
