"""What a root was made of is written down, goes with its copies, and tells who has an image."""

from __future__ import annotations

import json
from pathlib import Path

from sbctui.engine.engine import Engine
from sbctui.engine.model import requests as ask
from sbctui.engine.model.repository import parse_address
from sbctui.engine.model.shelf import Users, users
from sbctui.engine.repository.sumfile import told_sum
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
