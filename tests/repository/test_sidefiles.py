"""Side files: made in one reading, right for sha256sum and aria2, and never silently stale."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, Cancelled, NoSuchNode, Refused
from sbctui.engine.events import silent
from sbctui.engine.model import requests as ask
from sbctui.engine.model.distribution import MADE, parse_image
from sbctui.engine.model.repository import SIDE_FILES
from sbctui.engine.model.settings import Settings
from sbctui.engine.repository import chunks, sidefiles
from sbctui.engine.siteinit import init_site
from tests.lab import needs

IMAGE = "lab/debian.tar.zst"
CONTENT = bytes(range(256)) * 9000


@pytest.fixture
def site(tmp_path: Path) -> Path:
    init_site(tmp_path / "site", Settings())
    return tmp_path / "site"


@pytest.fixture
def image(site: Path) -> Path:
    path = site / "repo" / "images" / IMAGE
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def engine(site: Path) -> Engine:
    return Engine(site)


def make(engine: Engine, *images: str, anew: bool = False) -> int:
    request = ask.MakeSideFiles(images=images, anew=anew)
    return engine.apply(engine.plan(request)).counted("done")


def beside(image: Path, ending: str) -> Path:
    return image.with_name(image.name + ending)


def test_they_are_made_once_and_other_programs_take_them(engine: Engine, image: Path) -> None:
    needs("aria2c")
    assert [one.lacking for one in engine.side_files()] == [MADE]
    assert make(engine) == 1
    assert make(engine) == 0
    assert make(engine, anew=True) == 1
    (one,) = engine.side_files()
    assert (one.image, one.lacking) == (IMAGE, ())
    assert one.sha256 == hashlib.sha256(CONTENT).hexdigest()
    run = {"cwd": image.parent, "check": True, "capture_output": True}
    subprocess.run(["sha256sum", "--strict", "-c", beside(image, ".sha256")], **run)
    fetch = ["aria2c", "--no-conf", "--enable-dht=false", "--seed-time=0", "--bt-hash-check-seed",
             "--check-integrity", "--hash-check-only", "--dir", image.parent]  # fmt: skip
    subprocess.run([*fetch, beside(image, ".torrent")], **run)
    known = chunks.known(image)
    assert known is not None
    assert known == chunks.compute(image, threading.Event(), lambda done, total: None)


def test_the_same_contents_give_the_same_torrent(engine: Engine, image: Path) -> None:
    make(engine)
    first = beside(image, ".torrent").read_bytes()
    os.utime(image, ns=(1, 1))
    assert make(engine) == 1
    assert beside(image, ".torrent").read_bytes() == first


def rewritten(image: Path) -> None:
    image.write_bytes(CONTENT[::-1])


def touched(image: Path) -> None:
    os.utime(image, ns=(5, 5))


def replaced(image: Path) -> None:
    other = image.with_name("other")
    other.write_bytes(b"other")
    other.replace(image)


def of_another(ending: str) -> Callable[[Path], None]:
    def spoil(image: Path) -> None:
        side = beside(image, ending)
        side.write_bytes(side.read_bytes().replace(b"debian", b"centos"))

    return spoil


def gone(ending: str) -> Callable[[Path], None]:
    return lambda image: beside(image, ending).unlink()


def garbage(ending: str) -> Callable[[Path], None]:
    return lambda image: beside(image, ending).write_bytes(b"d4:infoi-1e")  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("spoil", "lacking"),
    [
        (rewritten, MADE),
        (touched, MADE),
        (replaced, MADE),
        *((gone(e), (e,) if e != ".mcast" else MADE) for e in MADE),
        *((garbage(e), (e,) if e != ".mcast" else MADE) for e in MADE),
        (of_another(".sha256"), (".sha256",)),
        (of_another(".torrent"), (".torrent",)),
    ],
)
def test_what_is_stale_is_a_finding_that_its_fix_mends(
    engine: Engine, image: Path, spoil: Callable[[Path], None], lacking: tuple[str, ...]
) -> None:
    make(engine)
    assert not found(engine)
    spoil(image)
    assert engine.side_files()[0].lacking == lacking
    assert found(engine) == [f"side-files:repo:{IMAGE}"]
    engine.apply(engine.plan(ask.FixFindings(findings=(f"side-files:repo:{IMAGE}",))))
    assert engine.side_files()[0].lacking == ()
    assert not found(engine)


def found(engine: Engine) -> list[str]:
    """Findings about the repository."""
    return [one.id for one in engine.audit() if "repo" in one.id]


def test_only_reading_finds_a_change_that_left_size_and_time(engine: Engine, image: Path) -> None:
    make(engine)
    before = image.stat()
    with open(image, "r+b") as file:
        file.write(b"!")
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert engine.side_files()[0].lacking == ()
    (wrong,) = engine.verify_side_files((), silent, threading.Event())
    assert wrong.lacking == (*MADE, chunks.ENDING)


def test_side_files_without_their_image_are_strays(engine: Engine, image: Path) -> None:
    make(engine)
    image.unlink()
    strays = [f"stray:repo/images/{IMAGE}{ending}" for ending in sorted(SIDE_FILES)]
    assert found(engine) == [*strays, "lists:repo:"]
    part = beside(image, ".part")
    part.write_bytes(b"x")
    for ending in SIDE_FILES:
        beside(image, ending).unlink()
    assert found(engine) == [f"stray:repo/images/{IMAGE}.part", "lists:repo:"]
    assert engine.side_files() == ()


def test_an_image_that_is_written_meanwhile_gets_none(image: Path) -> None:
    def write(done: int, total: int) -> None:
        with open(image, "ab") as file:
            file.write(b"more")

    with pytest.raises(Refused, match="changed while it was read"):
        sidefiles.read(image, image.name, threading.Event(), write)


def test_reading_can_be_stopped(image: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        sidefiles.read(image, image.name, stop, lambda done, total: None)


def test_links_and_folders_are_no_images(engine: Engine, image: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    (image.parent / "link.img").symlink_to(outside)
    (image.parent / "folder.img").mkdir()
    assert [one.image for one in engine.side_files()] == [IMAGE]
    for name in ("link.img", "folder.img", "none.img"):
        with pytest.raises(NoSuchNode):
            engine.side_files([f"lab/{name}"])


@pytest.mark.parametrize(
    "text",
    ["", "repo:", "../x", "a/../b", "/a", "a//b", "a.part", "a.torrent", "x:y", "-x", "a\nb", ".a",
     "a.part.aria2", "cache:a"],
)  # fmt: skip
def test_what_is_no_image_of_this_site_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_image(text)


def test_a_full_disk_leaves_the_old_side_files(
    engine: Engine, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(engine)
    before = {ending: beside(image, ending).read_bytes() for ending in MADE}
    digest = sidefiles.read(image, image.name, threading.Event(), lambda done, total: None)
    monkeypatch.setattr("sbctui.engine.files.os.write", _no_space)
    with pytest.raises(OSError, match="No space"):
        sidefiles.write(image, digest)
    monkeypatch.undo()
    assert {ending: beside(image, ending).read_bytes() for ending in MADE} == before
    assert sorted(p.name for p in image.parent.iterdir() if p.name.startswith(".")) == []


def _no_space(fd: int, data: bytes) -> int:
    raise OSError(28, os.strerror(28))


def test_a_copy_with_its_side_files_and_times_is_right_at_once(
    engine: Engine, image: Path, site: Path
) -> None:
    make(engine)
    shutil.copytree(image.parent, image.parent.parent / "copy")
    assert [one.lacking for one in engine.side_files()] == [(), ()]
