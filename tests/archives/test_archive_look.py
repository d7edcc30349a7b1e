"""What an archive tells of itself before it is taken, however it is packed."""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
from pathlib import Path

import pytest

from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.engine import Engine
from sbctui.engine.errors import NoSuchNode
from sbctui.engine.model import requests as ask
from tests.archives import hostile, tars
from tests.archives.fuzz import looked_at
from tests.archives.place import MIB, import_of, make_site
from tests.archives.test_archive_leaf import LEAF, MAC, world
from tests.disks.place import tool

PACKINGS = ("zstd", "gzip", "xz", "none")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A leaf that differs from its root by more than one piece of an archive holds."""
    engine = world(tmp_path_factory.mktemp("look") / "site", "copy")
    with open(engine.site().disk_path(LEAF), "r+b") as file:
        file.seek(5 * MIB)
        file.write(hashlib.shake_128(b"leaf").digest(5 * MIB // 2))
    return engine


def difference(engine: Engine, file: Path, packing: str) -> Path:
    request = ask.ExportLeaf(
        name=LEAF,
        target=engine.target(str(file)),
        difference=True,
        packing=ask.Packing.model_validate({"compression": packing}),
    )
    assert engine.apply(engine.plan(request)).code == 0
    return file


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_difference_says_so_however_it_is_packed(
    lab: Engine, tmp_path: Path, packing: str
) -> None:
    file = difference(lab, tmp_path / "leaf", packing)
    assert file.stat().st_size > 2 * MIB
    manifest = manifest_of(file)
    assert manifest is not None
    assert manifest.disk.base is not None
    seen = lab.archive(str(file))
    assert (seen.base, seen.parent, seen.mac, seen.alias) == ("web", "web", MAC, "pi-1")
    plan = lab.plan(import_of(lab, file, "again"))
    assert "only what differs from the disk of the root web" in " ".join(plan.notes)


@pytest.mark.parametrize("program", ["zstd", "gzip", "xz", "bzip2"])
def test_one_that_was_packed_again_in_one_piece_says_so_by_its_beginning(
    lab: Engine, tmp_path: Path, program: str
) -> None:
    file = difference(lab, tmp_path / "leaf", "none")
    with open(tmp_path / "packed", "wb") as out:
        subprocess.run([program, "-1", "-c", file], stdout=out, check=True)
    packed = tmp_path / "packed"
    assert manifest_of(packed) is None
    seen = lab.archive(str(packed))
    assert (seen.base, seen.parent, seen.mac) == ("web", "web", MAC)
    elsewhere = make_site(tmp_path / "elsewhere")
    with pytest.raises(NoSuchNode, match="web"):
        elsewhere.plan(import_of(elsewhere, packed, "again"))


def test_xz_of_many_blocks_and_streams_is_read_from_its_end(lab: Engine, tmp_path: Path) -> None:
    whole = difference(lab, tmp_path / "leaf", "none").read_bytes()
    cut = len(whole) - MIB
    end = tmp_path / "end"
    end.write_bytes(whole[cut:])
    tool("xz", "-1", "--block-size=4096", end)
    packed = lzma.compress(whole[:cut]) + end.with_suffix(".xz").read_bytes()
    (tmp_path / "leaf.xz").write_bytes(packed)
    found = manifest_of(tmp_path / "leaf.xz")
    assert found is not None
    assert found.name == LEAF


def damaged(data: bytes) -> list[bytes]:
    """Archives whose ends are not what they seem."""
    right = {"format": 1, "product": "x", "made": "2026-11-21T00:00:00Z", "name": "web",
             "kind": "root", "disk": {"size": 1, "data": 1}, "members": []}  # fmt: skip
    last = tars.member("manifest.json", json.dumps(right).encode())
    magics = b"\x1f\x8b\x08\0" * (2 * MIB)
    bomb = tars.gz(bytes(20 * MIB))
    footer = bytes(4) + b"\xff" * 4 + b"\0\4YZ"
    return [
        b"", data[:100], data[:-1], tars.tar(last) + b"x", tars.tar(last, tars.member("more")),
        tars.gz(b"") + magics, tars.gz(b"") + bomb, tars.xz(b"") + footer, footer,
        tars.xz(b"") + tars.xz(bytes(20 * MIB)), tars.xz(b"")[:-12] + footer,
    ]  # fmt: skip


def test_ends_that_are_not_what_they_seem_tell_nothing(tmp_path: Path) -> None:
    file = tmp_path / "archive"
    for data in damaged(tars.xz(tars.tar(tars.config()))):
        file.write_bytes(data)
        assert manifest_of(file) is None, data[:20]


def test_hostile_ones_are_looked_at_without_harm(tmp_path: Path) -> None:
    for _, data, _ in hostile.cases():
        if len(data) < MIB:
            for packed in (data, tars.gz(data), tars.xz(data)):
                looked_at(packed, tmp_path)
