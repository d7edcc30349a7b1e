"""Extended attributes of files that are laid: kept from the source to the disk, told, compared."""

from __future__ import annotations

import os
import shutil
import struct
import threading
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model import xattrs
from sbctui.engine.model.overlay import Place
from sbctui.engine.repository.mirror import mirror
from sbctui.engine.repository.overlay_read import layer
from sbctui.engine.repository.overlay_table import parse_table
from sbctui.engine.repository.source import FolderSource
from tests.disks.place import mounted_image, needs_loop, tool
from tests.repository.overlaid import (
    Seen,
    do,
    image_tree,
    leaf,
    make_site,
    name,
    put,
    states,
    table,
)

KITCHEN = "groups/kitchen"
NOBODY = 2**32 - 1
NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)
    for entry in [(1, 6, NOBODY), (2, 4, 1000), (4, 4, NOBODY), (16, 5, NOBODY), (32, 0, NOBODY)]
)


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the root alone, in which /opt/ping has a capability; not to be written."""
    folder = tmp_path_factory.mktemp("furnished")
    tree = image_tree(folder / "tree")
    (tree / "opt/ping").write_text("ping\n")
    engine = make_site(folder / "site", tree)
    disk = engine.path / "nodes/deb/root.img"
    (folder / "value").write_bytes(NET_RAW)
    for what in (f"-f {folder}/value /opt/ping {xattrs.CAPABILITY}", "/opt/ping user.of root"):
        tool("debugfs", "-w", "-R", f"ea_set {what}", disk)
    return engine.path


@pytest.fixture
def engine(furnished: Path, tmp_path: Path) -> Engine:
    """An engine on a site of its own."""
    tool("cp", "-a", furnished, tmp_path / "site")
    return Engine(tmp_path / "site")


def on_disk(engine: Engine, path: str, folder: Path) -> dict[str, bytes]:
    """The attributes that the kernel sees on the leaf's disk."""
    disk = engine.path / "nodes" / name(1) / "root.img"
    with mounted_image(disk, folder / "seen", "ro") as point:
        file = point / path
        return {one: os.getxattr(file, one) for one in os.listxattr(file)}


def app(folder: Path) -> Path:
    """A folder to lay: a file with all kinds of attributes, in a folder with two."""
    (folder / "app/bin").mkdir(parents=True)
    run = folder / "app/bin/run"
    run.write_text("#!/bin/sh\n")
    run.chmod(0o755)
    try:
        os.setxattr(folder / "app", xattrs.DEFAULT, ACL)
        os.setxattr(folder / "app", "user.of", b"kitchen")
    except OSError as error:
        if os.environ.get("SBCTUI_REQUIRE_LAB"):
            raise
        pytest.skip(f"no extended attributes in {folder}: {error}")
    os.setxattr(run, "user.note", b'a "b" \'\x00\xff\n')
    os.setxattr(run, "user.empty", b"")
    (folder / "app/link").symlink_to("bin/run")
    if os.geteuid() == 0:
        os.setxattr(run, xattrs.CAPABILITY, NET_RAW)
        os.setxattr(run, "trusted.here", b"of this machine")
    os.setxattr(run, xattrs.ACCESS, ACL)
    return folder / "app"


def add(source: Path, target: str, **more: object) -> ask.AddOverlay:
    given = {"source": str(source), "target": target, "image": "deb", "group": "kitchen", **more}
    return ask.AddOverlay.model_validate(given)


def test_the_kernel_sees_on_the_disk_what_the_source_had(engine: Engine, tmp_path: Path) -> None:
    needs_loop()
    plan = engine.plan(add(app(tmp_path), "/srv/app"))
    assert "extended attributes come along: of 2 files" in plan.notes
    assert engine.apply(plan).code == 0
    leaf(engine, 1, "kitchen")
    assert on_disk(engine, "srv/app/bin/run", tmp_path) == {
        "user.note": b'a "b" \'\x00\xff\n',
        "user.empty": b"",
        xattrs.CAPABILITY: NET_RAW,
        xattrs.ACCESS: ACL,
    }
    assert on_disk(engine, "srv/app", tmp_path) == {"user.of": b"kitchen", xattrs.DEFAULT: ACL}
    seen = Seen(engine, 1, tmp_path)
    assert seen.sound()
    assert seen.facts("/srv/app/bin/run")[1] == "0650"
    (row,) = [row for row in engine.overlay(name(1)).rows if row.path == "srv/app/bin/run"]
    assert dict(xattrs.said(row.xattrs)) | {"user.note": ""} == {
        xattrs.CAPABILITY: "cap_net_raw=ep",
        xattrs.ACCESS: "user::rw-,user:1000:r--,group::r--,mask::r-x,other::---",
        "user.note": "",
        "user.empty": "",
    }
    assert set(states(engine, 1).values()) == {"applied"}


def test_another_attribute_is_another_version_and_the_roots_come_back(
    engine: Engine, tmp_path: Path
) -> None:
    needs_loop()
    put(engine.path, KITCHEN, "opt/ping", "mine\n")
    put(engine.path, KITCHEN, "etc/motd", "mine\n")
    leaf(engine, 1, "kitchen")
    assert on_disk(engine, "opt/ping", tmp_path) == {}
    table(engine.path, KITCHEN, '[files."etc/motd".xattrs]\n"user.a" = "text"\n')
    assert states(engine, 1) == {"etc/motd": "changed", "opt/ping": "applied"}
    assert [f.id for f in engine.audit() if f.id.startswith("overlay")] == [f"overlay:{name(1)}"]
    (engine.path / "repo" / KITCHEN / "deb/opt/ping").unlink()
    do(engine, ask.ApplyOverlays(names=(name(1),)))
    assert on_disk(engine, "etc/motd", tmp_path) == {"user.a": b"text"}
    assert on_disk(engine, "opt/ping", tmp_path) == {xattrs.CAPABILITY: NET_RAW, "user.of": b"root"}
    assert Seen(engine, 1, tmp_path).sound()


def test_a_file_that_is_laid_anew_keeps_none_of_the_former_ones(
    engine: Engine, tmp_path: Path
) -> None:
    given = {"user.big": "x" * 600, "user.b": "0x00ff"}
    (tmp_path / "plain").write_text("plain\n")
    do(engine, add(tmp_path / "plain", "/etc/motd", xattrs=given, owner="7"))
    where = engine.path / "repo" / KITCHEN / "deb/.overlay.toml"
    (row,) = parse_table(where.read_bytes(), "").values()
    assert (row.xattrs, row.owner) == (given, "7")
    leaf(engine, 1, "kitchen")
    do(engine, add(tmp_path / "plain", "/etc/motd"))
    assert parse_table(where.read_bytes(), "") == {}
    do(engine, ask.ApplyOverlays(names=(name(1),)))
    seen = Seen(engine, 1, tmp_path)
    assert tool("debugfs", "-R", "ea_list /etc/motd", seen.disk).stdout == ""
    assert seen.sound()


def test_a_mode_that_is_said_counts_before_that_of_an_access_list(
    engine: Engine, tmp_path: Path
) -> None:
    do(engine, add(app(tmp_path) / "bin/run", "/etc/run", mode="0711"))
    (row,) = engine.overlay(_made(engine)).rows
    assert (row.mode, xattrs.ACCESS in dict(row.xattrs)) == (0o711, False)


def _made(engine: Engine) -> str:
    leaf(engine, 1, "kitchen")
    return name(1)


def by_hand(engine: Engine, source: Path) -> Path:
    """Files that an admin copies into the overlay; where they are then."""
    put(engine.path, KITCHEN, "etc/motd")
    tool("cp", "-a", source, engine.path / "repo" / KITCHEN / "deb/srv")
    return engine.path / "repo" / KITCHEN / "deb/srv"


def test_files_put_there_by_hand_bring_their_own(engine: Engine, tmp_path: Path) -> None:
    """But no lists: those say who may do what with a file here."""
    needs_loop()
    lies = by_hand(engine, app(tmp_path))
    leaf(engine, 1, "kitchen")
    notes = {"user.note": b'a "b" \'\x00\xff\n', "user.empty": b""}
    assert on_disk(engine, "srv/bin/run", tmp_path) == {**notes, xattrs.CAPABILITY: NET_RAW}
    assert on_disk(engine, "srv", tmp_path) == {"user.of": b"kitchen"}
    assert set(states(engine, 1).values()) == {"applied"}
    os.setxattr(lies / "bin/run", "user.empty", b"no more")
    assert states(engine, 1)["srv/bin/run"] == "changed"
    rows = '"srv/bin/run"]\nxattrs = {}\n[files.srv.xattrs]\n"user.of" = "table"\n'
    table(engine.path, KITCHEN, f"[files.{rows}")
    do(engine, ask.ApplyOverlays(names=(name(1),)))
    assert on_disk(engine, "srv/bin/run", tmp_path) == {}
    assert on_disk(engine, "srv", tmp_path) == {"user.of": b"table"}
    assert Seen(engine, 1, tmp_path).sound()


def test_what_overlay_verbs_build_anew_keeps_them(engine: Engine, tmp_path: Path) -> None:
    lies = by_hand(engine, app(tmp_path))
    (tmp_path / "plain").write_text("plain\n")
    before = {path: _all(path) for path in (lies, lies / "bin/run")}
    do(engine, add(tmp_path / "plain", "/etc/plain"))
    assert {path: _all(path) for path in before} == before
    do(engine, add(lies, "/srv"))
    where = engine.path / "repo" / KITCHEN / "deb/.overlay.toml"
    rows = parse_table(where.read_bytes(), "")
    assert rows["srv/bin/run"].xattrs[xattrs.CAPABILITY] == f"0x{NET_RAW.hex()}"
    assert xattrs.ACCESS in rows["srv/bin/run"].xattrs


def _all(path: Path) -> dict[str, bytes]:
    return {one: os.getxattr(path, one) for one in os.listxattr(path)}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: capabilities of a namespace")
def test_capabilities_of_a_namespace_are_no_boards(engine: Engine) -> None:
    """Any user who makes himself root in a namespace can give them to files of his own."""
    file = put(engine.path, KITCHEN, "opt/mine")
    own = struct.pack("<6I", 0x03000001, 1 << 13, 0, 0, 0, 1000)
    os.setxattr(file, xattrs.CAPABILITY, own)
    assert os.getxattr(file, xattrs.CAPABILITY) == own
    (row,) = engine.overlay(_made(engine)).rows
    assert row.xattrs == ()


def test_of_another_repository_only_the_table_counts(engine: Engine, tmp_path: Path) -> None:
    """A drive from elsewhere may hold files with any capabilities."""
    by_hand(engine, app(tmp_path))
    place = Place.parse("repo/groups/kitchen/deb")
    assert place is not None
    mine = layer(engine.path, place)
    assert any(item.xattrs for item in mine.items)
    theirs = layer(engine.path, place, engine.path / "repo")
    assert not any(item.xattrs for item in theirs.items)


def test_a_cache_carries_them(engine: Engine, tmp_path: Path) -> None:
    do(engine, add(app(tmp_path), "/srv/app"))
    stop = threading.Event()
    source = FolderSource("main", engine.path / "repo", stop)
    (tmp_path / "cache").mkdir()
    mirror(source, tmp_path / "cache", (), stop, all_=True)
    before = engine.overlay(_made(engine)).rows
    shutil.rmtree(engine.path / "repo/groups")
    tool("cp", "-a", tmp_path / "cache/groups", engine.path / "repo")
    assert engine.overlay(name(1)).rows == before
    assert any(row.xattrs for row in before)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('"odd.name" = "x"', "no extended attribute that can be laid"),
        ('"user." = "x"', "no extended attribute that can be laid"),
        ('"user.a b" = "x"', "no extended attribute that can be laid"),
        ('"user.a\\nb" = "x"', "no extended attribute that can be laid"),
        ('"user.a" = "0x0"', "neither hex"),
        ('"user.a" = "0s*"', "neither hex"),
        ('"security.capability" = "cap_net_raw=ep"', "no file capabilities"),
        ('"system.posix_acl_access" = "0x02000000"', "no access control list"),
        (f'"user.a" = "{"x" * 65537}"', "longer than the 65536"),
    ],
)
def test_what_can_not_be_an_attribute_is_named(engine: Engine, text: str, why: str) -> None:
    put(engine.path, KITCHEN, "etc/motd")
    table(engine.path, KITCHEN, f'[files."etc/motd".xattrs]\n{text}\n')
    with pytest.raises(BadInput, match=why) as refused:
        leaf(engine, 1, "kitchen")
    assert str(refused.value).isprintable()


def test_links_have_none_and_a_list_has_a_mode_of_its_own(engine: Engine) -> None:
    put(engine.path, KITCHEN, "etc/motd")
    (engine.path / "repo" / KITCHEN / "deb/etc/to").symlink_to("motd")
    where = engine.path / "repo" / KITCHEN / "deb/etc/to"
    with pytest.raises(BadInput, match="links have no attributes"):
        engine.plan(add(where, "/etc/to", xattrs={"user.a": "x"}))
    table(engine.path, KITCHEN, '[files."etc/to".xattrs]\n"user.a" = "x"\n')
    with pytest.raises(Refused, match="etc/to is a link, and links have no attributes"):
        leaf(engine, 1, "kitchen")
    text = f'[files."etc/motd"]\nmode = "0600"\nxattrs = {{"{xattrs.ACCESS}" = "0x{ACL.hex()}"}}\n'
    table(engine.path, KITCHEN, text)
    with pytest.raises(BadInput, match="comes with a mode of its own"):
        leaf(engine, 1, "kitchen")


def test_more_than_the_file_system_has_room_for_changes_nothing(engine: Engine) -> None:
    leaf(engine, 1, "kitchen")
    put(engine.path, KITCHEN, "etc/a-first-one")
    put(engine.path, KITCHEN, "etc/motd")
    table(engine.path, KITCHEN, f'[files."etc/motd".xattrs]\n"user.a" = "{"x" * 5000}"\n')
    disk = engine.path / "nodes" / name(1) / "root.img"
    before = disk.read_bytes()
    report = engine.apply(engine.plan(ask.ApplyOverlays(names=(name(1),))))
    assert "the extended attributes of /etc/motd take 50" in report.results[0].error
    assert disk.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (struct.pack("<3I", 0x01000000, 1, 0), "cap_chown=p"),
        (struct.pack("<5I", 0x02000001, 1 << 10 | 1, 1, 1 << 6, 0),
         "cap_chown=eip cap_net_bind_service,cap_perfmon=ep"),
        (struct.pack("<6I", 0x03000000, 0, 0, 0, 1 << 31, 1000), "63=i [rootid=1000]"),
        (struct.pack("<5I", 0x02000000, 0, 0, 0, 0), "none"),
    ],
)  # fmt: skip
def test_capabilities_in_words(value: bytes, text: str) -> None:
    said = dict(xattrs.said([(xattrs.CAPABILITY, value)]))[xattrs.CAPABILITY]
    assert said.replace("cap_63", "63") == text
    assert xattrs.parse(xattrs.written([(xattrs.CAPABILITY, value)])) == (  # type: ignore[arg-type]
        (xattrs.CAPABILITY, value),
    )


@pytest.mark.parametrize(
    "value", [b"", b"text", b"0x41", b"0sQQ==", b"\xff\x00", "ü".encode(), b"a\nb"]
)
def test_every_value_can_be_written_down(value: bytes) -> None:
    assert xattrs.parse(xattrs.written((("user.a", value),))) == (("user.a", value),)
