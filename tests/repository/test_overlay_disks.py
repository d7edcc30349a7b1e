"""Files laid over real ext4 disks: all as wanted, or nothing changed and one sentence why."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from sbctui.engine.disks import fuse
from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, NoSpace, Refused, SbcError
from sbctui.engine.model import requests as ask
from sbctui.engine.model.overlay import RECORD
from tests.disks.place import needs_loop, tool
from tests.repository.overlaid import (
    Seen,
    do,
    image_tree,
    leaf,
    mac,
    make_site,
    name,
    put,
    states,
    table,
)

FIELDS = "of {{hostname}} {{ip}} {{group}} {{root}}\n"
KITCHEN, BOARD = "groups/kitchen", f"clients/{name(1)}"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the root alone; not to be written."""
    folder = tmp_path_factory.mktemp("furnished")
    make_site(folder / "site", image_tree(folder / "tree"))
    return folder / "site"


@pytest.fixture
def engine(furnished: Path, tmp_path: Path) -> Engine:
    """An engine on a site of its own."""
    tool("cp", "-a", furnished, tmp_path / "site")
    return Engine(tmp_path / "site")


def apply(engine: Engine, *numbers: int, again: bool = False) -> None:
    do(engine, ask.ApplyOverlays(names=tuple(map(name, numbers)), again=again))


def test_a_new_leaf_has_them_from_the_start_the_boards_before_the_groups(
    engine: Engine, tmp_path: Path
) -> None:
    put(engine.path, KITCHEN, "etc/motd", "kitchen {{hostname}}\n")
    put(engine.path, KITCHEN, "etc/group.conf", FIELDS, 0o600)
    put(engine.path, KITCHEN, 'opt/my "own" tool/run it #1', "#!/bin/sh\n", 0o755)
    put(engine.path, KITCHEN, "opt/<2>", "no inode\n")
    put(engine.path, BOARD, "etc/motd", "the board's\n")
    (engine.path / "repo" / BOARD / "deb/etc/lighttpd").symlink_to("/etc/nginx/with a blank")
    (engine.path / "repo" / BOARD / "deb/srv/empty").mkdir(parents=True)
    table(
        engine.path,
        KITCHEN,
        '[files."etc/group.conf"]\ntemplate = true\nowner = "33:100000"\n'
        '[files."opt/<2>"]\nmode = "4711"\nowner = "root"\n',
    )
    table(engine.path, BOARD, '[files."etc/issue"]\nremove = true\n[files."srv"]\nmode = "0700"\n')
    plan = engine.plan(
        ask.CreateLeaves(
            root="deb", leaves=(ask.LeafSpec(mac=mac(1), alias="pi-1", group="kitchen"),)
        )
    )
    assert "3 files from group kitchen, 3 files from the board" in plan.units[1].detail
    assert engine.apply(plan).code == 0
    seen = Seen(engine, 1, tmp_path)
    assert seen.sound()
    assert seen.read("/etc/motd") == "the board's\n"
    assert seen.read("/etc/group.conf") == "of pi-1 10.77.0.51 kitchen deb\n"
    assert seen.facts("/etc/group.conf") == ("regular", "0600", "33:100000")
    assert seen.facts("/etc/motd") == ("regular", "0644", "0:0")
    assert seen.facts('/opt/my ""own"" tool/run it #1')[:2] == ("regular", "0755")
    assert seen.read("/opt/<2>") == "no inode\n"
    assert seen.facts("/opt/<2>") == ("regular", "04711", "0:0")
    assert seen.leads("/etc/lighttpd") == "/etc/nginx/with a blank"
    assert seen.facts("/srv") == ("directory", "0700", "0:0")
    assert seen.facts("/srv/empty") == ("directory", "0755", "0:0")
    assert seen.facts("/etc/issue") == ("", "", "")
    assert seen.read("/opt/old/thing") == "thing\n"
    assert set(states(engine, 1).values()) == {"applied"}
    hides = {row.path: [p.said for p in row.hides] for row in engine.overlay(name(1)).rows}
    assert hides["etc/motd"] == ["group kitchen"]
    assert not [f for f in engine.audit() if f.id.startswith(("overlay", "stray"))]


def test_what_changes_is_told_and_laid_on_demand_and_what_goes_is_given_back(
    engine: Engine, tmp_path: Path
) -> None:
    put(engine.path, KITCHEN, "etc/motd", "one\n")
    put(engine.path, KITCHEN, "etc/new.d/a/b", "two\n")
    put(engine.path, KITCHEN, "etc/mtab", "no link\n")
    table(engine.path, KITCHEN, '[files."etc/issue"]\nremove = true\n')
    leaf(engine, 1, "kitchen")
    leaf(engine, 2, "kitchen")
    leaf(engine, 3)
    shutil.rmtree(engine.path / "repo" / KITCHEN / "deb")
    put(engine.path, KITCHEN, "etc/issue", "mine\n")
    put(engine.path, KITCHEN, "etc/extra", "extra\n")
    assert states(engine, 1) == {
        "etc/issue": "changed",
        "etc/extra": "new",
        "etc/motd": "gone",
        "etc/mtab": "gone",
        "etc/new.d": "gone",
        "etc/new.d/a": "gone",
        "etc/new.d/a/b": "gone",
    }
    found = {f.id: f for f in engine.audit() if f.id.startswith("overlay")}
    assert set(found) == {f"overlay:{name(1)}", f"overlay:{name(2)}"}
    before = (engine.path / "nodes" / name(3) / "root.img").read_bytes()
    do(engine, ask.ApplyOverlays(group="kitchen"))
    assert (engine.path / "nodes" / name(3) / "root.img").read_bytes() == before
    for number in (1, 2):
        seen = Seen(engine, number, tmp_path)
        assert seen.sound()
        assert seen.read("/etc/motd") == "of the image\n"
        assert seen.facts("/etc/motd")[1] == "0640"
        assert seen.leads("/etc/mtab") == "../proc/self/mounts"
        assert seen.facts("/etc/new.d") == ("", "", "")
        assert (seen.read("/etc/issue"), seen.read("/etc/extra")) == ("mine\n", "extra\n")
        assert sorted(os.listdir(engine.path / "nodes" / name(number))) == [
            "boot", "config.json", "overlay.json", "root.img",
        ]  # fmt: skip
    assert engine.plan(ask.ApplyOverlays(group="kitchen")).units == ()
    assert not [f for f in engine.audit() if f.id.startswith(("overlay", "stray"))]


def test_again_lays_over_what_a_board_has_changed(engine: Engine, tmp_path: Path) -> None:
    put(engine.path, KITCHEN, "etc/motd", "mine\n")
    leaf(engine, 1, "kitchen")
    disk = engine.path / "nodes" / name(1) / "root.img"
    tool("debugfs", "-w", "-R", "rm /etc/motd", disk)
    assert engine.plan(ask.ApplyOverlays(names=(name(1),))).units == ()
    apply(engine, 1, again=True)
    assert Seen(engine, 1, tmp_path).read("/etc/motd") == "mine\n"


def test_the_audit_lays_them_too(engine: Engine, tmp_path: Path) -> None:
    leaf(engine, 1, "kitchen")
    put(engine.path, KITCHEN, "etc/motd", "late\n")
    do(engine, ask.FixFindings(findings=(f"overlay:{name(1)}",)))
    assert Seen(engine, 1, tmp_path).read("/etc/motd") == "late\n"


def test_qcow2_leaves_are_written_to_through_a_private_export(tmp_path: Path) -> None:
    if reason := fuse.unavailable():
        pytest.skip(reason)
    engine = make_site(tmp_path / "site", image_tree(tmp_path / "tree"), kind="overlay")
    put(engine.path, KITCHEN, "etc/motd", "thin\n")
    hides = '[files."opt"]\nremove = true\n[files."etc/motd".xattrs]\n"user.of" = "kitchen"\n'
    table(engine.path, KITCHEN, hides)
    leaf(engine, 1, "kitchen")
    assert (engine.path / "nodes" / name(1) / "root.qcow2").exists()
    seen = Seen(engine, 1, tmp_path)
    assert (seen.read("/etc/motd"), seen.facts("/opt")) == ("thin\n", ("", "", ""))
    assert 'user.of (7) = "kitchen"' in tool("debugfs", "-R", "ea_list /etc/motd", seen.disk).stdout
    put(engine.path, KITCHEN, "etc/motd", "thinner\n")
    base = (engine.path / "nodes/deb/root.img").read_bytes()
    apply(engine, 1)
    seen = Seen(engine, 1, tmp_path)
    assert (seen.sound(), seen.read("/etc/motd")) == (True, "thinner\n")
    (engine.path / "repo" / KITCHEN / "deb/etc/motd").unlink()
    table(engine.path, KITCHEN, "")
    apply(engine, 1)
    seen = Seen(engine, 1, tmp_path)
    assert (seen.read("/etc/motd"), seen.read("/opt/old/thing")) == ("of the image\n", "thing\n")
    assert (engine.path / "nodes/deb/root.img").read_bytes() == base


REFUSED_DISK = [
    ("lib/firmware/x", "on the disk of .* a link to usr/lib; lay it where that leads"),
    ("etc/motd/x", "is no folder|in the overlay and none on the disk"),
    ("opt/old", "is a folder on the disk"),
]


@pytest.mark.parametrize(("path", "why"), REFUSED_DISK)
def test_what_the_disk_can_not_take_leaves_it_as_it_was(
    engine: Engine, path: str, why: str
) -> None:
    leaf(engine, 1, "kitchen")
    put(engine.path, KITCHEN, "etc/a-first-one", "x\n")
    put(engine.path, KITCHEN, path)
    _nothing_changes(engine, why)


def test_more_than_the_disk_has_room_for(engine: Engine) -> None:
    leaf(engine, 1, "kitchen")
    put(engine.path, KITCHEN, "opt/big", "x" * (7 * 1024**2))
    _nothing_changes(engine, "bytes free|has .* free", code=NoSpace.code)


def _nothing_changes(engine: Engine, why: str, code: int = Refused.code) -> None:
    disk = engine.path / "nodes" / name(1) / "root.img"
    before = disk.read_bytes()
    report = engine.apply(engine.plan(ask.ApplyOverlays(names=(name(1),))))
    assert report.code == code, report
    assert re.search(why, report.results[0].error), report
    assert disk.read_bytes() == before
    assert sorted(p.name for p in disk.parent.iterdir()) == ["boot", "config.json", "root.img"]
    assert not [p for p in (engine.path / "nodes").iterdir() if p.name.startswith(".")]


def test_a_link_of_the_disk_is_never_followed_even_one_a_board_made(
    engine: Engine, tmp_path: Path
) -> None:
    leaf(engine, 1, "kitchen")
    disk = engine.path / "nodes" / name(1) / "root.img"
    for words in ("rm /opt/old/thing", "rmdir /opt/old", "symlink /opt/old /etc"):
        tool("debugfs", "-w", "-R", words, disk)
    put(engine.path, KITCHEN, "opt/old/motd", "planted\n")
    report = engine.apply(engine.plan(ask.ApplyOverlays(names=(name(1),))))
    assert "a link to /etc; lay it where that leads" in report.results[0].error
    assert Seen(engine, 1, tmp_path).read("/etc/motd") == "of the image\n"


def hostile(folder: Path, what: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if what == "pipe":
        os.mkfifo(folder / "etc-pipe")
    elif what == "device":
        os.mknod(folder / "null", 0o20666, os.makedev(1, 3))
    elif what == "newline":
        (folder / "a\nrm b").write_text("x")
    elif what == "escape":
        (folder / "a\x1b[2J").write_text("x")
    elif what == "bytes":
        (folder / os.fsdecode(b"a\xff")).write_text("x")
    elif what == "direction":
        (folder / "a\u202eb").write_text("x")
    elif what == "link target":
        (folder / "l").symlink_to("a\nrm b")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("pipe", "neither file, folder nor link"),
        ("device", "neither file, folder nor link"),
        ("newline", "odd|should"),
        ("escape", "odd|should"),
        ("bytes", "odd|should"),
        ("direction", "odd|should"),
        ("link target", "odd characters"),
    ],
)
def test_hostile_files_are_refused_before_anything_is_made(
    engine: Engine, what: str, why: str
) -> None:
    if what == "device" and os.geteuid():
        pytest.skip("only root makes devices")
    hostile(engine.path / "repo" / KITCHEN / "deb", what)
    with pytest.raises(Refused, match=why) as refused:
        leaf(engine, 1, "kitchen")
    assert str(refused.value).isprintable()
    assert not (engine.path / "nodes" / name(1)).exists()
    assert [f.id for f in engine.audit() if f.id.startswith("overlay-fault")]
    assert all(one.fault for one in engine.overlays())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[files."../x"]\n', "is no path"),
        ('[files."/etc/../../x"]\nowner = "0"\n', "is no path"),
        ('[files."a\\nb"]\n', "characters"),
        (f'[files."{"a" * 300}"]\n', "longer than the 255"),
        ('[files."a"]\nowner = "www-data"\n', "write numbers"),
        ('[files."a"]\nowner = "4294967295"\n', "write numbers"),
        ('[files."a"]\nmode = "rwx"\n', "octal"),
        ('[files."a"]\nmode = 644\n', "string"),
        ('[files."a"]\nshell = "x"\n', "not permitted"),
        ("schema = 2\n", "schema"),
        ("files = 3 3\n", "overlay.toml"),
    ],
)
def test_a_table_that_can_not_be_used_is_named(engine: Engine, text: str, why: str) -> None:
    put(engine.path, KITCHEN, "etc/motd")
    table(engine.path, KITCHEN, text)
    with pytest.raises(BadInput, match=why):
        leaf(engine, 1, "kitchen")
    assert not (engine.path / "nodes" / name(1)).exists()


def test_links_on_the_way_to_an_overlay_are_not_followed(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (secret / "deb").mkdir(parents=True)
    (secret / "deb" / "shadow").write_text("secret")
    (engine.path / "repo/groups").mkdir(parents=True)
    (engine.path / "repo" / KITCHEN).symlink_to(secret)
    assert engine.overlays() == ()
    (engine.path / "repo" / KITCHEN).unlink()
    (engine.path / "repo" / KITCHEN).mkdir()
    (engine.path / "repo" / KITCHEN / "deb").symlink_to(secret / "deb")
    assert engine.overlays() == ()
    leaf(engine, 1, "kitchen")
    assert not (engine.path / "nodes" / name(1) / RECORD).exists()


def test_a_bad_template_is_named_with_line_and_column(engine: Engine) -> None:
    put(engine.path, KITCHEN, "etc/motd", "fine\n  {{hostnam}}\n")
    table(engine.path, KITCHEN, '[files."etc/motd"]\ntemplate = true\n')
    with pytest.raises(BadInput, match=r"etc/motd, line 2, column 3: 'hostnam' is no placeholder"):
        leaf(engine, 1, "kitchen")
    table(engine.path, KITCHEN, "")
    leaf(engine, 1, "kitchen")


def test_a_path_can_not_be_a_folder_for_one_and_a_file_for_the_other(engine: Engine) -> None:
    put(engine.path, KITCHEN, "srv/x/y")
    put(engine.path, BOARD, "srv/x")
    with pytest.raises(Refused, match="srv/x is a folder in repo/groups/kitchen/deb and none in"):
        leaf(engine, 1, "kitchen")


def test_a_disk_in_use_is_never_touched(engine: Engine) -> None:
    leaf(engine, 1, "kitchen")
    put(engine.path, KITCHEN, "etc/motd")
    plan = engine.plan(ask.ApplyOverlays(names=(name(1),)))
    disk = engine.path / "nodes" / name(1) / "root.img"
    before = disk.read_bytes()
    with open(disk, "r+b"):
        report = engine.apply(plan)
    assert report.code == Refused.code
    assert "by another program" in report.results[0].error
    assert disk.read_bytes() == before
    apply(engine, 1)


def test_files_changed_after_the_plan_are_not_laid(engine: Engine) -> None:
    leaf(engine, 1, "kitchen")
    put(engine.path, KITCHEN, "etc/motd")
    plan = engine.plan(ask.ApplyOverlays(names=(name(1),)))
    put(engine.path, KITCHEN, "etc/motd", "other\n")
    report = engine.apply(plan)
    assert "changed since this was planned" in report.results[0].error
    assert not (engine.path / "nodes" / name(1) / RECORD).exists()


def test_a_record_that_can_not_be_read_is_said(engine: Engine) -> None:
    leaf(engine, 1, "kitchen")
    (engine.path / "nodes" / name(1) / RECORD).write_text("{")
    with pytest.raises(SbcError, match=r"overlay\.json can't be read"):
        engine.overlay(name(1))
    assert [f.id for f in engine.audit() if f.id.startswith("overlay")] == [f"overlay:{name(1)}"]


@pytest.mark.loop
def test_an_ordinary_user_lays_them_as_well(furnished: Path, tmp_path: Path) -> None:
    needs_loop()
    folder = Path("/var/tmp") / f"overlaid-{os.getpid()}"
    tool("cp", "-a", furnished.parent, folder)
    try:
        put(folder / "site", KITCHEN, "etc/motd", "by a user\n")
        table(folder / "site", KITCHEN, '[files."etc/motd"]\nowner = "7:8"\nmode = "0400"\n'
              'xattrs = { "security.capability" = "0x01000002' + "0" * 32 + '" }\n')  # fmt: skip
        tool("chown", "-R", "65534:65534", folder)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setresgid(65534, 65534, 65534)
                os.setresuid(65534, 65534, 65534)
                engine = Engine(folder / "site")
                leaf(engine, 1)
                do(engine, ask.SetGroup(names=(name(1),), group="kitchen"))
                apply(engine, 1)
                code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        seen = Seen(Engine(folder / "site"), 1, tmp_path)
        assert seen.read("/etc/motd") == "by a user\n"
        assert seen.facts("/etc/motd") == ("regular", "0400", "7:8")
        named = tool("debugfs", "-R", "ea_list /etc/motd", seen.disk).stdout
        assert "security.capability (20)" in named
        assert seen.sound()
    finally:
        shutil.rmtree(folder)
