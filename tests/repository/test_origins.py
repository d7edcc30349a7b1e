"""What a root was made of is written down, goes with its copies, and tells who has an image."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model import requests as ask
from sbctui.engine.model.repository import parse_address
from sbctui.engine.model.shelf import Users, users
from sbctui.engine.repository.sumfile import told_sum
from sbctui.engine.repository.tree import from_json, walk
from tests.archives.place import do, import_of, make_root, make_site

IMAGE = "repo:lab/pi.tar.zst"
MAC = "dc:a6:32:00:00:01"


def who(engine: Engine, address: str) -> Users:
    site, shelf = engine.site(), engine.shelf("repo")
    (image,) = (one for one in shelf.images if one.address == parse_address(address))
    return users(site, (shelf,), image)


def test_it_goes_by_what_they_were_made_of(tmp_path: Path) -> None:
    engine = make_site(tmp_path / "site")
    make_root(engine, "pi")
    plan = engine.plan(ask.ExportRoot(name="pi", target=engine.target(IMAGE)))
    assert plan.title == f"export pi to {IMAGE}"
    assert engine.apply(plan).code == 0
    assert who(engine, IMAGE).roots == ("pi",), "by its name, where nothing is known"
    plan = engine.plan(ask.ImportRoot(name="kitchen", archive=engine.archive(IMAGE)))
    assert plan.units[0].detail == f"from {IMAGE}"
    assert engine.apply(plan).code == 0
    origin = engine.site().nodes["kitchen"].config.origin
    assert origin is not None
    assert origin.image == IMAGE
    assert origin.sha256 == told_sum(engine.path / "repo/images/lab/pi.tar.zst") != ""
    do(engine, ask.CloneRoot(source="kitchen", name="hall"))
    do(engine, ask.CreateLeaves(root="hall", leaves=(ask.LeafSpec(mac=MAC),)))
    assert engine.site().nodes["dc-a6-32-00-00-01"].config.origin == origin
    found = who(engine, IMAGE)
    assert (found.roots, found.leaves) == (("hall", "kitchen", "pi"), 1)
    older = engine.path / "nodes" / "kitchen" / "config.json"
    config = json.loads(older.read_text())
    del config["origin"]
    older.write_text(json.dumps(config))
    assert who(Engine(engine.path), IMAGE).roots == ("hall", "pi")


def test_a_file_elsewhere_is_known_by_its_name_only(tmp_path: Path) -> None:
    engine = make_site(tmp_path / "site")
    make_root(engine, "pi")
    file = tmp_path / "pi.tar.zst"
    do(engine, ask.ExportRoot(name="pi", target=engine.target(str(file))))
    do(engine, ask.ExportRoot(name="pi", target=engine.target(IMAGE)))
    do(engine, import_of(engine, file, "hall"))
    origin = engine.site().nodes["hall"].config.origin
    assert origin is not None
    assert (origin.image, origin.sha256) == ("pi.tar.zst", "")
    assert who(engine, IMAGE).roots == ("pi",)


def test_lists_follow_the_nodes_and_a_stale_one_is_found(tmp_path: Path) -> None:
    engine = make_site(tmp_path / "site")
    make_root(engine, "pi")
    do(engine, ask.ExportRoot(name="pi", target=engine.target(IMAGE)))
    repo = engine.path / "repo"
    do(engine, ask.CreateLeaves(root="pi", leaves=(ask.LeafSpec(mac=MAC, alias="pi-1"),)))
    assert f"{MAC},pi-1" in (repo / "boards/pi.csv").read_text()
    assert "boards/pi.csv" in (repo / "index.json").read_text()
    assert lists(engine) == []
    for path in (repo / "images/lab").iterdir():
        path.unlink()
    (found,) = lists(engine)
    do(engine, ask.FixFindings(findings=(found,)))
    assert lists(engine) == []
    assert "pi.tar.zst" not in (repo / "index.json").read_text()


def laid_by_hand(folder: Path) -> None:
    (folder / "motd").write_text("by hand\n")


def of_another_mode(folder: Path) -> None:
    (folder / "motd").chmod(0o600)


def rewritten_within_a_second(folder: Path) -> None:
    """As ``cp -a`` does: of the same time, and another length."""
    facts = (folder / "motd").stat()
    (folder / "motd").write_text("longer than before\n")
    os.utime(folder / "motd", ns=(facts.st_atime_ns, facts.st_mtime_ns))


def elsewhere(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("issue")


def with_a_table(folder: Path) -> None:
    (folder.parent / ".overlay.toml").write_text("[files]\n")


def gone(folder: Path) -> None:
    (folder / "motd").unlink()


@pytest.mark.parametrize("top", ["groups/kitchen", "clients/dc-a6-32-00-00-01"])
@pytest.mark.parametrize(
    "change", [of_another_mode, rewritten_within_a_second, elsewhere, with_a_table, gone]
)
def test_files_laid_by_hand_are_missed_in_the_list(
    tmp_path: Path, top: str, change: Callable[[Path], None]
) -> None:
    engine = make_site(tmp_path / "site")
    make_root(engine, "pi")
    folder = engine.path / "repo" / top / "pi/etc"
    folder.mkdir(parents=True)
    (folder / "link").symlink_to("motd")
    laid_by_hand(folder)
    assert lists(engine) == [], "nobody reads a repository without a list"
    do(engine, ask.IndexRepository())
    assert lists(engine) == []
    change(folder)
    (found,) = lists(engine)
    do(engine, ask.FixFindings(findings=(found,)))
    assert lists(engine) == []
    listed = from_json((engine.path / "repo/index.json").read_bytes())
    assert set(listed) == set(walk(engine.path / "repo"))


def test_the_list_follows_what_overlay_verbs_do(tmp_path: Path) -> None:
    engine = make_site(tmp_path / "site")
    make_root(engine, "pi")
    (tmp_path / "motd").write_text("hello\n")
    add = ask.AddOverlay(source=str(tmp_path / "motd"), target="/etc/motd", image="pi", group="a")
    do(engine, add)
    assert not (engine.path / "repo/index.json").exists()
    do(engine, ask.IndexRepository())
    for request in (
        ask.AddOverlay(**{**add.model_dump(), "target": "/etc/issue", "mode": "0600"}),
        ask.HideOverlay(target="/usr/games", image="pi", group="a"),
        ask.RemoveOverlay(target="/etc/issue", image="pi", group="a"),
        ask.RenameGroup(name="a", to="b"),
        ask.DeleteGroup(name="b"),
    ):
        do(engine, request)
        assert lists(engine) == [], request
    (trashed,) = [one.folder for one in engine.site().trash if "b" in one.folder[20:]]
    do(engine, ask.RestoreTrash(folders=(trashed,)))
    assert "groups/b/pi/etc/motd" in (engine.path / "repo/index.json").read_text()
    assert lists(engine) == []


def test_what_is_half_made_is_in_no_list(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    for path in (".b.1.tmp/pi/x", "a/.pi.1.tmp/x", "a/pi/.x", "a/pi/etc/.y"):
        (repo / "groups" / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / "groups" / path).touch()
    found = [one.path for one in walk(repo) if one.kind == "file"]
    assert found == ["groups/a/pi/.x", "groups/a/pi/etc/.y"]


def lists(engine: Engine) -> list[str]:
    return [one.id for one in engine.audit() if one.id.startswith("lists")]


def test_a_failed_export_leaves_no_folders(tmp_path: Path) -> None:
    engine = make_site(tmp_path / "site")
    make_root(engine, "pi")
    request = ask.ExportRoot(name="pi", target=engine.target("repo:a/b/pi.tar.zst"))
    plan = engine.plan(request)
    with open(engine.path / "nodes/pi/root.img", "r+b"):
        assert engine.apply(plan).code != 0
    assert list((engine.path / "repo").rglob("*/a")) == []
