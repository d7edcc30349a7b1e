"""An archive as root export writes it: an ordinary tar, whole or not there, its frames alone."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.cli.main import run as cli
from sbctui.engine.archive.look import verified
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, Refused, SbcError
from sbctui.engine.events import Event, Progress
from sbctui.engine.model import requests as ask
from tests.archives.place import MIB, do, export, holes, import_of, make_root, make_site
from tests.disks.place import needs_loop, tool
from tests.faults import harness
from tests.faults.harness import Fault

LEAF = "dc:a6:32:00:00:01"
FOLDER = LEAF.replace(":", "-")
NEVER = threading.Event()
SEEKABLE = 0x8F92EAB1
"""The last four bytes of a zstd file in the seekable format."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A site with the root web, and its leaf, an overlay that was written to."""
    engine = make_site(tmp_path_factory.mktemp("export") / "site", kind="overlay")
    make_root(engine, "web")
    do(engine, ask.CreateLeaves(root="web", leaves=(ask.LeafSpec(mac=LEAF, alias="pi-1"),)))
    overlay = engine.path / "nodes" / FOLDER / "root.qcow2"
    tool("qemu-io", "-c", "write -P 7 5M 64k", "-c", "write -z 3M 1M", "-f", "qcow2", overlay)
    return engine


def shown(engine: Engine, folder: Path) -> Path:
    """What the leaf's board sees."""
    raw = folder / "seen.img"
    tool("qemu-img", "convert", "-O", "raw", engine.path / "nodes" / FOLDER / "root.qcow2", raw)
    return raw


def frames(path: Path) -> list[bytes]:
    """The frames of an archive by the table at its end."""
    data = path.read_bytes()
    count, flags, magic = struct.unpack("<IBI", data[-9:])
    assert (flags, magic) == (0, SEEKABLE)
    table = data[-9 - 8 * count : -9]
    assert struct.unpack("<II", data[-17 - 8 * count : -9 - 8 * count])[1] == len(table) + 9
    found, at = [], 0
    for packed, _ in struct.iter_unpack("<II", table):
        found.append(data[at : at + packed])
        at += packed
    return found


@pytest.mark.parametrize(
    ("kind", "suffix"), [("zstd", "zst"), ("gzip", "gz"), ("xz", "xz"), ("none", "tar")]
)
def test_other_programs_read_it(world: Engine, tmp_path: Path, kind: str, suffix: str) -> None:
    file = tmp_path / f"web.tar.{suffix}"
    export(world, "web", file, packing={"compression": kind})
    listed = tool("tar", "-tvf", file).stdout
    assert [line.split()[-1] for line in listed.splitlines()] == [
        "config.json", "boot/", "boot/initrd.img-6.1", "boot/vmlinuz-6.1", "boot/dtbs/",
        "boot/dtbs/vendor/", "boot/dtbs/vendor/board.dtb", "root.img", "manifest.json",
    ]  # fmt: skip
    out = tmp_path / "out"
    out.mkdir()
    tool("tar", "-xf", file, "-C", out)
    node = world.path / "nodes" / "web"
    tool("diff", "-r", node / "boot", out / "boot")
    tool("cmp", node / "root.img", out / "root.img")
    assert holes(out / "root.img") <= holes(node / "root.img") * 1.01
    manifest = json.loads((out / "manifest.json").read_bytes())
    for one in manifest["members"]:
        if one["name"] != "root.img":
            data = (out / one["name"]).read_bytes()
            assert (one["size"], one["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert verified(world.path, str(file), NEVER, lambda a, b: None).read


def test_python_reads_it_too(world: Engine, tmp_path: Path) -> None:
    file = tmp_path / "web.tar.gz"
    export(world, "web", file, packing={"compression": "gzip"})
    with tarfile.open(file) as made:
        disk = made.extractfile("root.img")
        assert disk is not None
        assert disk.read() == (world.path / "nodes" / "web" / "root.img").read_bytes()


def test_a_change_of_the_disk_changes_its_own_frames_only(world: Engine, tmp_path: Path) -> None:
    root = make_root(world, "changing", 16 * MIB)
    export(world, "changing", tmp_path / "before")
    with open(root / "root.img", "r+b") as file:
        file.seek(8 * MIB)  # a hole, so that all that follows moves in the tar
        file.write(b"new" * 1000)
        file.seek(4 * MIB + 9000)
        file.write(b"new")
    export(world, "changing", tmp_path / "after")
    before, after = set(frames(tmp_path / "before")), frames(tmp_path / "after")
    fresh = [frame for frame in after if frame not in before]
    # map and header of the disk, its two frames, and the manifest's header and text
    assert len(fresh) <= 6
    assert sum(map(len, fresh)) < MIB + 8192
    assert manifest_of(tmp_path / "after") is not None


def test_blocks_of_zeros_are_left_out_however_they_lie(world: Engine, tmp_path: Path) -> None:
    root = make_root(world, "dense")
    export(world, "dense", tmp_path / "sparse")
    tool("cp", "--sparse=never", root / "root.img", tmp_path / "dense.img")
    shutil.move(tmp_path / "dense.img", root / "root.img")
    assert holes(root / "root.img") >= 8 * MIB
    export(world, "dense", tmp_path / "dense")
    one, other = manifest_of(tmp_path / "sparse"), manifest_of(tmp_path / "dense")
    assert one is not None
    assert other is not None
    assert one.members[-1] == other.members[-1]
    assert other.disk.data < 3 * MIB


def test_a_file_that_is_there_stays_unless_replaced(world: Engine, tmp_path: Path) -> None:
    file = tmp_path / "web.tar.zst"
    file.write_text("precious")
    with pytest.raises(Refused, match="--replace"):
        export(world, "web", file)
    assert file.read_text() == "precious"
    export(world, "web", file, replace=True)
    assert manifest_of(file) is not None


@pytest.mark.parametrize("file", ["/nowhere/web.tar", "/dev/null", "repo:../x", "repo:", ""])
def test_what_is_no_file_is_refused(world: Engine, file: str) -> None:
    with pytest.raises(BadInput):
        world.target(file)


def test_the_site_s_own_files_are_no_place_for_it(world: Engine) -> None:
    with pytest.raises(BadInput, match=r"among the site's own files.*repo:"):
        world.target(str(world.path / "nodes" / "x.tar.zst"))


@pytest.mark.parametrize(
    ("name", "option", "magic"),
    [
        ("a.tar.gz", (), b"\x1f\x8b"),
        ("a.tar", (), b"config.json"),
        ("a.tar.zst", (), b"\x28\xb5\x2f\xfd"),
        ("a.tar.xz", ("--compress", "zstd"), b"\x28\xb5\x2f\xfd"),
    ],
)
def test_it_is_packed_as_its_name_says(
    world: Engine, tmp_path: Path, name: str, option: tuple[str, ...], magic: bytes
) -> None:
    site, file = str(world.path), tmp_path / name
    assert cli(["--site", site, "root", "export", "web", str(file), *option, "-y", "-q"]) == 0
    assert file.read_bytes().startswith(magic)


def test_it_goes_into_the_repository(world: Engine) -> None:
    do(world, ask.ExportRoot(name="web", target=world.target("repo:pi/4/web.tar.zst")))
    assert manifest_of(world.path / "repo" / "images" / "pi" / "4" / "web.tar.zst") is not None
    do(world, import_of(world, "repo:pi/4/web.tar.zst", "from-repo"))


def test_stopped_in_the_middle_it_leaves_nothing(world: Engine, tmp_path: Path) -> None:
    stop = threading.Event()

    def emit(event: Event) -> None:
        if isinstance(event, Progress) and event.done:
            stop.set()

    request = ask.ExportRoot(name="web", target=world.target(str(tmp_path / "web.tar.zst")))
    assert world.apply(world.plan(request), emit, stop).code == 130
    assert list(tmp_path.iterdir()) == []


def test_killed_anywhere_the_file_is_whole_or_not_there(world: Engine, tmp_path: Path) -> None:
    site, file = tmp_path / "site", tmp_path / "web.tar.zst"
    harness.copy_site(world.path, site)
    for at in range(1, 40):
        file.unlink(missing_ok=True)
        outcome = harness.run(
            site,
            lambda e: ask.ExportRoot(name="web", target=e.target(str(file))),
            Fault(at, kill=True),
        )
        if file.exists():
            verified(site, str(file), NEVER, lambda a, b: None)
        else:
            assert outcome.code is None
        if outcome.code == 0:
            break
    assert outcome.code == 0, "never came to its end over what the killed ones left"
    assert [one.name for one in tmp_path.iterdir() if "part" in one.name] == []


def test_two_that_write_one_file(world: Engine, tmp_path: Path) -> None:
    part = tmp_path / "web.tar.zst.part"
    part.write_text("somebody else's")
    with open(part) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        request = ask.ExportRoot(name="web", target=world.target(str(tmp_path / "web.tar.zst")))
        report = world.apply(world.plan(request))
    assert report.code == 3
    assert "being written by another export" in report.results[0].error
    assert part.read_text() == "somebody else's"


@pytest.mark.loop
def test_where_there_is_no_room(world: Engine, tmp_path: Path) -> None:
    needs_loop()
    place = tmp_path / "small"
    place.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place)
    try:
        request = ask.ExportRoot(name="web", target=world.target(str(place / "web.tar.zst")))
        plan = world.plan(request)
        assert "may not fit" in plan.notes[-1]
        report = world.apply(plan)
        assert (report.code, list(place.iterdir())) == (9, [])
        raw = request.model_copy(update={"packing": ask.Packing(compression="none")})
        with pytest.raises(SbcError, match="free") as caught:
            world.plan(raw)
        assert caught.value.code == 9
    finally:
        tool("umount", place)


def test_a_pipe(world: Engine, tmp_path: Path) -> None:
    """Nothing but the archive on stdout, what is said of it on stderr; and in again by stdin."""
    argv = [sys.executable, "-m", "sbctui", "--site", str(world.path), "root"]
    out = subprocess.run([*argv, "export", "web", "-", "-y"], capture_output=True, check=True)
    assert b"1 done" in out.stderr
    got = subprocess.run(
        [*argv, "import", "-", "--name", "piped", "-y", "--json"],
        input=out.stdout,
        capture_output=True,
        check=True,
    )
    assert json.loads(got.stdout)["report"]["code"] == 0
    tool("cmp", world.path / "nodes/web/root.img", world.path / "nodes/piped/root.img")
    gone = subprocess.run(
        ["sh", "-c", '"$@" | head -c 10 >/dev/null', "sh", *argv, "export", "web", "-", "-y"],
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in gone.stderr


def test_memory_stays_flat(tmp_path: Path) -> None:
    """A disk larger than the memory it may take, out and in."""
    engine = make_site(tmp_path / "site")
    do(engine, ask.CreateRoot(name="large", size=256 * MIB))
    with open(engine.path / "nodes" / "large" / "root.img", "r+b") as file:
        file.seek(20 * MIB)
        for number in range(180):
            file.write(hashlib.shake_128(bytes([number])).digest(MIB))
    code = (
        "import sys; from sbctui.cli.main import run; code = run(sys.argv[1:]);"
        "print(code, open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    file = str(tmp_path / "large.tar.zst")
    for words in (
        ("root", "export", "large", file, "-yq"),
        ("root", "import", file, "--name", "again", "-yq"),
    ):
        argv = [sys.executable, "-c", code, "--site", str(engine.path), *words]
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        exit_code, most = out.split()[-2:]
        assert exit_code == "0", out
        assert int(most) < 150 * 1024


@pytest.fixture
def again(world: Engine, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "leaf.tar.zst"
    for name in ("again", "other"):
        if name in world.site().nodes:
            do(world, ask.DeleteRoot(name=name))


def leaf(world: Engine, file: Path, *, difference: bool) -> None:
    target = world.target(str(file))
    do(world, ask.ExportLeaf(name=FOLDER, target=target, difference=difference))


@pytest.mark.parametrize("difference", [False, True])
def test_a_leaf_on_an_overlay(
    world: Engine, tmp_path: Path, again: Path, *, difference: bool
) -> None:
    leaf(world, again, difference=difference)
    manifest = manifest_of(again)
    assert manifest is not None
    assert (manifest.disk.base is not None) == difference
    do(world, import_of(world, again, "again"))
    made = world.path / "nodes" / "again"
    tool("cmp", shown(world, tmp_path), made / "root.img")
    config = world.site().nodes["again"].config
    assert (config.mac, config.ip, config.alias, config.kind) == (None, None, "", "root")
    assert config.disk.format == "raw"
    assert not [s for s in world.site(full=True).strays if s.kind == "staging"]
    tool("qemu-img", "check", world.path / "nodes" / FOLDER / "root.qcow2")


def test_a_difference_is_laid_over_its_own_base_only(world: Engine, again: Path) -> None:
    leaf(world, again, difference=True)
    make_root(world, "other")
    report = world.apply(world.plan(import_of(world, again, "again", base="other")))
    assert report.code == 3
    assert "is not the one that this differs from" in report.results[0].error
    do(world, import_of(world, again, "again", base="web"))


def test_a_difference_without_its_base(world: Engine, tmp_path: Path, again: Path) -> None:
    leaf(world, again, difference=True)
    elsewhere = make_site(tmp_path / "elsewhere")
    with pytest.raises(SbcError, match="web"):
        elsewhere.plan(import_of(elsewhere, again, "again"))
    export(world, "web", tmp_path / "web.tar.zst")
    do(elsewhere, import_of(elsewhere, tmp_path / "web.tar.zst", "moved"))
    do(elsewhere, import_of(elsewhere, again, "again", base="moved"))
    tool("cmp", shown(world, tmp_path), elsewhere.path / "nodes" / "again" / "root.img")


def test_a_level_that_there_is_not(world: Engine, tmp_path: Path) -> None:
    request = ask.ExportRoot(
        name="web",
        target=world.target(str(tmp_path / "x")),
        packing=ask.Packing(compression="gzip", level=12),
    )
    with pytest.raises(BadInput, match="from 1 to 9"):
        world.plan(request)
    assert os.listdir(tmp_path) == []
