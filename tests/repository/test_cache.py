"""A cache follows a repository: only what changed travels, and nothing unverified ever stands."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from sbctui.cli.main import run
from sbctui.cli.output import when
from sbctui.engine import files
from sbctui.engine.engine import Engine
from sbctui.engine.errors import NoCache, NoSpace, NoSuchNode, Refused
from sbctui.engine.files import flocked
from sbctui.engine.model.repository import Version, parse_address
from sbctui.engine.model.requests import (
    CreateLeaves,
    CreateRoot,
    IndexRepository,
    LeafSpec,
    RemoveRepository,
    RestoreImage,
    UpdateCache,
)
from sbctui.engine.repository import chunks, keep
from sbctui.engine.repository.keep import LOCK, PART, hidden
from tests.repository.conftest import add, done, fetched, update
from tests.repository.places import MIB, disk, killed_after, program, put, seekable

IMAGE = "images/room/pi.tar.zst"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return tmp_path / "lab"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def index(path: Path) -> None:
    """Chunks as the other server would have made them."""
    chunks.write(path, chunks.compute(path, threading.Event(), lambda a, b: None))


def faults(engine: Engine) -> list[str]:
    found = engine.check_images(parse_address("cache"), threading.Event())
    return [one.what for one in found]


def former(engine: Engine) -> Version | None:
    """The former version of the cache's one image, as it is listed."""
    (image,) = engine.images(parse_address("cache"))
    return image.former


def test_the_tree_is_the_same_everywhere(engine: Engine, lab: Path, cache: Path) -> None:
    put(lab, IMAGE, seekable(disk(3)))
    put(lab, f"{IMAGE}.torrent", b"torrent")
    put(lab, f"{IMAGE}.desc", b"spring")
    motd = put(lab, "groups/room-b/pi/etc/motd", b"hello")
    motd.chmod(0o604)
    (lab / "groups/room-b/pi/etc/link").symlink_to("/etc/passwd")
    put(lab, "clients/dc-a6-32-01-02-03/pi/.hidden", b"x")
    update(engine)
    for path in (IMAGE, f"{IMAGE}.torrent", f"{IMAGE}.desc", "groups/room-b/pi/etc/motd",
                 "clients/dc-a6-32-01-02-03/pi/.hidden"):  # fmt: skip
        assert (cache / path).read_bytes() == (lab / path).read_bytes(), path
    assert (cache / "groups/room-b/pi/etc/motd").stat().st_mode & 0o777 == 0o604
    assert os.readlink(cache / "groups/room-b/pi/etc/link") == "/etc/passwd"
    digest = hashlib.sha256((lab / IMAGE).read_bytes()).hexdigest()
    assert (cache / f"{IMAGE}.sha256").read_text() == f"{digest}  pi.tar.zst\n"
    assert faults(engine) == []
    assert [str(one.address) for one in engine.images(parse_address("cache:room"))] == [
        "disk:room/pi.tar.zst"
    ]


def test_of_one_percent_that_changed_at_most_two_travel(
    engine: Engine, lab: Path, cache: Path
) -> None:
    put(lab, IMAGE, seekable(disk(100), head=b"first"))
    whole = fetched(update(engine))
    assert whole == (lab / IMAGE).stat().st_size
    put(lab, IMAGE, seekable(disk(100, changed=(42,)), head=b"the second, which is longer"))
    index(lab / IMAGE)
    assert 0 < fetched(update(engine)) <= whole // 50
    assert (cache / IMAGE).read_bytes() == (lab / IMAGE).read_bytes()
    assert fetched(update(engine)) == 0


def test_zeros_do_not_travel_and_stay_holes(engine: Engine, lab: Path, cache: Path) -> None:
    put(lab, "images/raw.img", disk(2) + bytes(60 * MIB) + disk(1))
    assert fetched(update(engine)) <= 3 * MIB
    assert (cache / "images/raw.img").stat().st_blocks * 512 <= 4 * MIB
    assert (cache / "images/raw.img").read_bytes() == (lab / "images/raw.img").read_bytes()


@pytest.mark.slow
def test_killed_anywhere_it_goes_on_where_it_was(engine: Engine, lab: Path, cache: Path) -> None:
    put(lab, IMAGE, seekable(disk(96)))
    index(lab / IMAGE)
    part = hidden(cache / IMAGE, PART)
    argv = program(engine.path, "cache", "update", "lab", "-y")
    for mib in (1, 30, 60, 90):
        killed_after(argv, mib * MIB, part)
        if not part.exists():
            break  # faster than it could be killed
        assert not (cache / IMAGE).exists()
    kept = part.stat().st_blocks * 512 if part.exists() else 96 * MIB
    report = update(engine)
    assert fetched(report) <= (lab / IMAGE).stat().st_size - kept + 16 * MIB
    assert (cache / IMAGE).read_bytes() == (lab / IMAGE).read_bytes()
    assert faults(engine) == []
    assert not list(cache.rglob(".*part*"))


def test_what_is_left_of_another_version_counts_too(engine: Engine, lab: Path, cache: Path) -> None:
    whole = put(lab, IMAGE, seekable(disk(20), head=b"first"))
    index(whole)
    part = put(cache, f"images/room/.pi.tar.zst{PART}", whole.read_bytes()[: 15 * MIB])
    shutil.copy(chunks.beside(whole), chunks.beside(part))
    put(lab, IMAGE, seekable(disk(20), head=b"the second, which is longer"))
    index(whole)
    assert fetched(update(engine)) < 7 * MIB
    assert (cache / IMAGE).read_bytes() == whole.read_bytes()
    assert not list(cache.rglob(".*older*"))


def test_a_torn_part_is_never_believed(engine: Engine, lab: Path, cache: Path) -> None:
    whole = put(lab, IMAGE, seekable(disk(4)))
    part = put(cache, f"images/room/.pi.tar.zst{PART}", os.urandom(whole.stat().st_size))
    update(engine)
    assert (cache / IMAGE).read_bytes() == whole.read_bytes()
    assert not part.exists()


def test_an_image_that_is_not_what_its_chunks_say_is_not_taken(
    engine: Engine, lab: Path, cache: Path
) -> None:
    whole = put(lab, IMAGE, seekable(disk(4)))
    update(engine)
    before = (cache / IMAGE).read_bytes()
    whole.write_bytes(seekable(disk(4, 2)))
    index(whole)
    data = bytearray(whole.read_bytes())
    data[MIB] ^= 1
    times = whole.stat()
    whole.write_bytes(data)
    os.utime(whole, ns=(times.st_atime_ns, times.st_mtime_ns))
    report = engine.apply(engine.plan(UpdateCache(repository="lab")))
    assert report.code != 0
    assert "is not what its chunks say at byte" in report.of("failed")[0].error
    assert (cache / IMAGE).read_bytes() == before


def test_the_former_version_is_kept_and_restored(
    engine: Engine, lab: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = put(lab, IMAGE, seekable(disk(3))).read_bytes()
    index(lab / IMAGE)
    update(engine)
    assert former(engine) is None
    with pytest.raises(NoSuchNode, match="no former version"):
        engine.plan(RestoreImage(path="room/pi.tar.zst"))
    since = int((cache / IMAGE).stat().st_mtime)
    second = put(lab, IMAGE, seekable(disk(3, 2))).read_bytes()
    index(lab / IMAGE)
    update(engine)
    assert former(engine) == Version(len(first), since)
    assert run(["--site", str(engine.path), "repo", "tree", "cache:", "-o", "json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["images"]
    assert (told["former"]["size"], told["former"]["changed"]) == (len(first), when(since))
    assert run(["--site", str(engine.path), "repo", "tree", "cache:"]) == 0
    assert "former version" in capsys.readouterr().out
    later = int((cache / IMAGE).stat().st_mtime)
    done(engine, RestoreImage(path="room/pi.tar.zst"))
    assert (cache / IMAGE).read_bytes() == first
    assert former(engine) == Version(len(second), later)
    assert faults(engine) == []
    done(engine, RestoreImage(path="room/pi.tar.zst"))
    assert (cache / IMAGE).read_bytes() == second
    assert faults(engine) == []


def test_a_damaged_image_is_found_and_only_the_damage_is_fetched(
    engine: Engine, lab: Path, cache: Path
) -> None:
    whole = put(lab, IMAGE, seekable(disk(30)))
    update(engine)
    with (cache / IMAGE).open("r+b") as file:
        times = os.fstat(file.fileno())
        file.seek(5 * MIB)
        file.write(b"\0" * 9)
    os.utime(cache / IMAGE, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert any(".chunks say, first at byte" in one for one in faults(engine))
    assert fetched(update(engine)) == 0
    assert 0 < fetched(update(engine, check=True)) < 2 * MIB
    assert (cache / IMAGE).read_bytes() == whole.read_bytes()
    assert faults(engine) == []


def test_two_at_once_don_t_work_on_one_image(engine: Engine, lab: Path, cache: Path) -> None:
    put(lab, IMAGE, seekable(disk(1)))
    lock = put(cache, f"images/room/.pi.tar.zst{LOCK}", b"")
    plan = engine.plan(UpdateCache(repository="lab"))
    with flocked(lock):
        report = engine.apply(plan)
    assert report.of("failed")[0].code == 75
    assert engine.apply(engine.plan(UpdateCache(repository="lab"))).code == 0


def test_no_cache_has_a_code_of_its_own(engine: Engine, lab: Path, cache: Path) -> None:
    shutil.rmtree(cache)
    with pytest.raises(NoCache, match="is not there"):
        engine.plan(UpdateCache(repository="lab"))
    done(engine, RemoveRepository(name="disk"))
    with pytest.raises(NoCache, match="repo add") as caught:
        engine.plan(UpdateCache(repository="lab"))
    assert caught.value.code == 10
    assert engine.hook_variables()["CACHE"] == ""


def test_what_is_not_there_is_said(engine: Engine, lab: Path) -> None:
    with pytest.raises(NoSuchNode, match="no image nowhere"):
        engine.plan(UpdateCache(repository="lab", path="nowhere"))
    with pytest.raises(NoSuchNode, match="no repository other"):
        engine.plan(UpdateCache(repository="other"))
    with pytest.raises(Refused, match="can't follow itself"):
        engine.plan(UpdateCache(repository="disk"))


def test_a_random_delay_can_be_stopped(engine: Engine, lab: Path, cache: Path) -> None:
    put(lab, IMAGE, seekable(disk(1)))
    stop = threading.Event()
    stop.set()
    report = engine.apply(engine.plan(UpdateCache(repository="lab", delay=86400)), stop=stop)
    assert report.code == 130
    assert not (cache / IMAGE).exists()


def test_what_is_gone_there_goes_here_and_no_link_is_followed(
    engine: Engine, lab: Path, cache: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(lab, "groups/g/pi/old", b"x")
    (lab / "groups/g/pi/etc").symlink_to(outside)
    put(cache, "groups/g/other/mine", b"from elsewhere")
    update(engine)
    assert (cache / "groups/g/pi/etc").is_symlink()
    (lab / "groups/g/pi/etc").unlink()
    (lab / "groups/g/pi/old").unlink()
    put(lab, "groups/g/pi/etc/passwd", b"new")
    update(engine)
    assert (cache / "groups/g/pi/etc/passwd").read_bytes() == b"new"
    assert not (cache / "groups/g/pi/old").exists()
    assert (cache / "groups/g/other/mine").exists()
    assert list(outside.iterdir()) == []


def small(folder: Path, mib: int) -> None:
    """A file system of its own, in memory."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "small", folder], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no mounts here")


@pytest.mark.loop
@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
@pytest.mark.parametrize("policy", ["refuse", "lru"])
def test_a_full_cache_refuses_or_drops_what_was_used_least(
    engine: Engine, lab: Path, cache: Path, policy: str
) -> None:
    small(cache, 8)
    try:
        add(engine, "disk", kind="cache", place=str(cache), full=policy, backup=False)
        for name, at in (("a", 1), ("b", 2), ("c", 3)):
            put(lab, f"images/{name}.img", disk(3, at))
        update(engine, "b.img")
        update(engine, "a.img")
        os.utime(cache / "images/.b.img.lock", (1, 1))
        if policy == "refuse":
            with pytest.raises(NoSpace, match="full = ") as caught:
                engine.plan(UpdateCache(repository="lab", path="c.img"))
            assert caught.value.code == 9
            plan = engine.plan(UpdateCache(repository="lab", path="a.img", check=True))
            (cache / "images/a.img").unlink()
            with (cache / "other").open("wb") as file:
                file.write(bytes(4 * MIB))
            report = engine.apply(plan)
            assert (report.code, report.of("failed")[0].code) == (9, 9)
            assert not list(cache.rglob(".*.part"))
        else:
            update(engine, "c.img")
            assert sorted(p.name for p in cache.glob("images/*.img")) == ["a.img", "c.img"]
            assert not list(cache.glob("images/*b.img*"))
            assert faults(engine) == []
            put(lab, "images/huge.img", disk(9, 4))
            report = engine.apply(engine.plan(UpdateCache(repository="lab", path="huge.img")))
            said = report.of("failed")[0].error
            assert "M for huge.img, even without all that it may drop; make room" in said
            assert "lru" not in said
    finally:
        subprocess.run(["umount", cache], check=True)


def killed_at(engine: Engine, step: int) -> bool:
    """Update the cache in a process that is killed at its so manieth step; False when it ended."""
    plan = engine.plan(UpdateCache(repository="lab"))
    child = os.fork()
    if child == 0:
        steps = itertools.count(1)
        files.failpoint = lambda _: os.kill(os.getpid(), 9) if next(steps) == step else None
        os._exit(engine.apply(plan).code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9


@pytest.mark.slow
@pytest.mark.parametrize(("links", "each"), [(True, 1), (False, 4)], ids=["links", "no links"])
def test_killed_at_any_step_a_whole_image_stands(
    engine: Engine,
    lab: Path,
    cache: Path,
    links: bool,
    each: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = seekable(disk(2)), seekable(disk(2, changed=(1,)))
    if not links:
        monkeypatch.setattr(keep.os, "link", no_links)
    index(put(lab, IMAGE, old))
    update(engine)
    before = shutil.copytree(cache, cache.with_name("before"))
    index(put(lab, IMAGE, new))
    for step in itertools.count(1, each):
        shutil.rmtree(cache)
        shutil.copytree(before, cache)
        killed = killed_at(engine, step)
        stands = (cache / IMAGE).read_bytes() if links or (cache / IMAGE).exists() else b""
        assert stands in (old, new, b""), step
        update(engine)
        assert (cache / IMAGE).read_bytes() == new, step
        assert faults(engine) == [], step
        assert not list(cache.rglob(".*part*")), step
        if not killed:
            break
    assert step > 20


def no_links(*_: object, **__: object) -> None:
    raise PermissionError(1, "no hard links here")


def test_a_cache_alone_knows_which_boards_a_root_has(
    engine: Engine, tmp_path: Path, cache: Path
) -> None:
    done(engine, CreateRoot(name="pi", size=32 * MIB))
    leaves = (LeafSpec(mac="dc:a6:32:01:02:03", alias="pi-01", group="room-b"),)
    done(engine, CreateLeaves(root="pi", leaves=leaves))
    done(engine, IndexRepository())
    update(engine, repository="repo")
    listed = cache / "boards" / "pi.csv"
    assert listed.read_text() == "mac,alias,group,ip\ndc:a6:32:01:02:03,pi-01,room-b,\n"
    other = tmp_path / "other"
    assert run(["--site", str(other), "root", "create", "pi", "--size", "32M", "-y"]) == 0
    words = ["leaf", "create", "pi", "--macs", str(listed), "-y"]
    assert run(["--site", str(other), *words]) == 0
    assert Engine(other).site().by_alias["pi-01"] == ("dc-a6-32-01-02-03",)
    update(engine)
    assert listed.exists(), "a repository without lists takes none away"
