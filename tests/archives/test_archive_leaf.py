"""A leaf comes back out of its archive: for its own board as it was, for another as another's."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sbctui.engine.archive.leaf import take_leaf
from sbctui.engine.context import Context
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import BadInput, NoSpace, NoSuchNode, Refused, SbcError, ToolFailed
from sbctui.engine.events import silent
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.plan import TakeLeaf
from tests.archives import hostile, tars
from tests.archives.place import (
    MIB,
    NETWORK,
    SIZE,
    do,
    everything,
    holes,
    make_root,
    make_site,
)
from tests.disks.place import tool

MAC, OTHER = "dc:a6:32:00:00:01", "dc:a6:32:00:00:02"
LEAF = dashed(MAC)


def written(engine: Engine) -> None:
    """The board writes: 64 KiB of sevens, and zeros over the root's data."""
    disk = engine.site().disk_path(LEAF)
    kind = "qcow2" if disk.suffix == ".qcow2" else "raw"
    tool("qemu-io", "-c", "write -P 7 5M 64k", "-c", "write -z 3M 1M", "-f", kind, disk)


def world(path: Path, kind: str) -> Engine:
    engine = make_site(path, kind=kind)
    make_root(engine, "web")
    spec = ask.LeafSpec(mac=MAC, alias="pi-1", group="lab")
    do(engine, ask.CreateLeaves(root="web", leaves=(spec,)))
    key = f"ssh-ed25519 {'A' * 68}"
    edit(engine, LEAF, notes="by the window", personalised=["hostname"], host_key=key)
    written(engine)
    return Engine(path)


def edit(engine: Engine, name: str, **changes: object) -> None:
    path = engine.path / "nodes" / name / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def exported(engine: Engine, file: Path, *, difference: bool = False, name: str = LEAF) -> Path:
    do(engine, ask.ExportLeaf(name=name, target=engine.target(str(file)), difference=difference))
    return file


def seen(engine: Engine, name: str, folder: Path) -> bytes:
    """What the board sees."""
    raw, disk = folder / "seen.img", engine.site().disk_path(name)
    tool("qemu-img", "convert", "-O", "raw", disk, raw)
    return raw.read_bytes()


def wrong(engine: Engine) -> list[str]:
    return [one.title for one in engine.audit() if one.id != "services:services"]


@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.parametrize("kind", ["overlay", "copy"])
def test_it_comes_back_as_it_was(tmp_path: Path, kind: str, *, difference: bool) -> None:
    engine = world(tmp_path / "site", kind)
    file = exported(engine, tmp_path / "leaf.tar.zst", difference=difference)
    before, config = seen(engine, LEAF, tmp_path), engine.site().nodes[LEAF].config
    do(engine, ask.DeleteLeaves(root="web", macs=(MAC,)))
    do(engine, ask.ImportLeaf(archive=engine.archive(str(file))))
    assert seen(engine, LEAF, tmp_path) == before
    after = engine.site().nodes[LEAF].config
    kept = {"alias", "group", "notes", "personalised", "host_key", "mac", "parent"}
    assert after.model_dump(include=kept) == config.model_dump(include=kept)
    assert after.disk.format == {"overlay": "qcow2", "copy": "raw"}[kind]
    assert after.disk.filesystem == "ext4"
    assert after.origin is not None
    assert after.origin.image == "leaf.tar.zst"
    assert engine.site().nodes["web"].config.children == {MAC: LEAF}
    if kind == "overlay":
        assert holes(engine.site().disk_path(LEAF)) < 2 * MIB
    assert wrong(Engine(engine.path)) == []


@pytest.mark.parametrize("through", ["-", "http"])
def test_what_is_no_file_tells_its_board_as_well(
    tmp_path: Path, through: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its beginning is read for the plan, and not lost when the leaf is made."""
    engine = world(tmp_path / "site", "overlay")
    file = exported(engine, tmp_path / "leaf.tar.zst", difference=True)
    before = seen(engine, LEAF, tmp_path)
    do(engine, ask.DeleteLeaves(root="web", macs=(MAC,)))
    with served(tmp_path) as address, open(file, "rb") as stream:
        monkeypatch.setattr(sys, "__stdin__", stream)
        place = {"-": "-", "http": f"{address}/leaf.tar.zst"}[through]
        do(engine, ask.ImportLeaf(archive=engine.archive(place, far=True)))
    assert seen(engine, LEAF, tmp_path) == before
    config = engine.site().nodes[LEAF].config
    assert (config.alias, config.parent) == ("pi-1", "web")


def test_a_web_server_without_the_archive_is_named(tmp_path: Path) -> None:
    engine = world(tmp_path / "site", "copy")
    with served(tmp_path) as address, pytest.raises(ToolFailed, match=r"code 22: .*gone.tar.* 404"):
        engine.archive(f"{address}/gone.tar", far=True)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server of the files in a folder: its address."""
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def test_for_another_board_it_is_another_s(tmp_path: Path) -> None:
    """Host name, machine-id and keys are not those of the board that it was."""
    tree = tmp_path / "tree"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "hostname").write_text("image\n")
    (tree / "etc" / "machine-id").write_text("0" * 32)
    init_site(
        tmp_path / "site", Settings.model_validate({"network": NETWORK, "disk_kind": "overlay"})
    )
    engine = Engine(tmp_path / "site")
    do(engine, ask.CreateRoot(name="web", size=SIZE, source=engine.source(tree)))
    spec = ask.LeafSpec(mac=MAC, alias="pi-1")
    do(engine, ask.CreateLeaves(root="web", leaves=(spec,)))
    file = exported(engine, tmp_path / "leaf.tar.zst")
    plan = engine.plan(ask.ImportLeaf(archive=engine.archive(str(file)), mac=OTHER))
    assert any(MAC in note and "do not come along" in note for note in plan.notes)
    assert engine.apply(plan).code == 0
    config = engine.site().nodes[dashed(OTHER)].config
    assert (config.alias, config.hostname) == ("", "sbc-000002")
    assert {"hostname", "machine_id"} <= set(config.personalised)
    seen(engine, dashed(OTHER), tmp_path)
    name = subprocess.run(
        ["debugfs", "-R", "cat /etc/hostname", tmp_path / "seen.img"],
        capture_output=True,
        check=True,
    ).stdout
    assert name == b"sbc-000002\n"


@pytest.fixture(scope="module")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A site with the root web, a root beside it, and archives of a leaf of web that is gone."""
    top = tmp_path_factory.mktemp("leaf")
    engine = world(top / "site", "overlay")
    exported(engine, top / "whole.tar.zst")
    exported(engine, top / "diff.tar.zst", difference=True)
    do(engine, ask.DeleteLeaves(root="web", macs=(MAC,)))
    do(engine, ask.PurgeTrash(folders=tuple(t.folder for t in engine.site().trash)))
    make_root(engine, "other")
    do(engine, ask.CreateRoot(name="lent", size=4 * MIB))
    do(engine, ask.AllocateRoot(name="lent", mac="dc:a6:32:00:00:09"))
    root = ask.ExportRoot(name="web", target=engine.target(str(top / "root.tar.zst")))
    do(engine, root)
    return Engine(top / "site")


def incoming(engine: Engine, name: str, **more: object) -> ask.ImportLeaf:
    archive = engine.archive(str(engine.path.parent / name))
    return ask.ImportLeaf.model_validate({"archive": archive, **more})


@pytest.mark.parametrize(
    ("name", "more", "error", "told"),
    [
        ("root.tar.zst", {"root": "web"}, Refused, "name one with --mac"),
        ("root.tar.zst", {"mac": OTHER}, Refused, "name one with --root"),
        (
            "whole.tar.zst",
            {"mac": "dc:a6:32:00:00:09"},
            Refused,
            "taken by lent; delete that before",
        ),
        ("whole.tar.zst", {"root": "lent"}, Refused, "lent is allocated"),
        ("whole.tar.zst", {"root": "nobody"}, NoSuchNode, "no node"),
        ("diff.tar.zst", {"root": "other"}, Refused, "not the one that this differs from"),
    ],
)
def test_what_can_not_be_is_refused_in_words(
    thin: Engine, name: str, more: dict[str, object], error: type[SbcError], told: str
) -> None:
    said = _refusal(thin, lambda: incoming(thin, name, **more), error)
    assert told in said
    assert set(os.listdir(thin.path / "nodes")) == {"web", "other", "lent"}
    assert all(not node.config.children for node in thin.site().roots)


def leaf_config(**changes: object) -> bytes:
    config = NodeConfig.model_validate(
        {"kind": "leaf", "name": LEAF, "mac": MAC, "parent": "web", "disk": {"size": 4096}}
    )
    return json.dumps(json.loads(config.to_json()) | changes).encode()


HOSTILE: list[dict[str, object]] = [
    {"alias": "x\nevil", "group": "../../etc", "notes": "\x1b[2J", "host_key": "ssh-rsa A\nb"},
    {"alias": ["pi-1"], "group": 7, "notes": {}, "personalised": {"a": 1}, "host_key": None},
    {"mac": "no mac", "parent": "../web", "personalised": ["hostname", "\n", 7]},
    {"disk": {"size": -1, "format": "qcow2", "base": "/etc"}, "children": {"x": "y"}, "ip": "::"},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_config_tells_nothing(
    tmp_path: Path, thin: Engine, changes: dict[str, object]
) -> None:
    data = tars.tar(
        tars.member(b"config.json", leaf_config(**changes)),
        tars.member(b"root.img", bytes(SIZE)),
    )
    (tmp_path / "hostile.tar").write_bytes(data)
    archive = thin.archive(str(tmp_path / "hostile.tar"))
    do(thin, ask.ImportLeaf(archive=archive, mac=MAC, root="web", unverified=True))
    config = thin.site().nodes[LEAF].config
    assert (config.alias, config.group, config.host_key) == ("", "", "")
    assert set(config.personalised) <= {"hostname"}
    assert "\x1b" not in config.notes
    assert (config.parent, config.disk.base) == ("web", "web")
    do(thin, ask.DeleteLeaves(root="web", macs=(MAC,)))


def test_no_hostile_archive_becomes_a_leaf(thin: Engine) -> None:
    """The whole corpus, into a staged leaf: it is empty again, and nothing else was touched."""
    top, site = thin.path.parent, thin.site()
    (top / "sentinel").write_text("do not touch")
    staged = site.staging_path(dashed(OTHER))
    (staged / "boot").mkdir(parents=True)
    file = top / "hostile.tar"
    take = TakeLeaf(name=dashed(OTHER), place=str(file), root="web", thin=True, unverified=True)
    quiet = (file, staged / "boot", thin.path / "jobs")
    before = everything(top, *quiet)
    for name, data, told in hostile.cases():
        file.write_bytes(data)
        ctx = Context(
            site=site,
            emit=silent,
            stop=threading.Event(),
            control=thin.control,
            reload=lambda: site,
            changed=lambda name: None,
        )
        with pytest.raises((BadInput, Refused, NoSpace)) as refusal:
            take_leaf(take, ctx)
        assert told in str(refusal.value), name
        assert everything(top, *quiet) == before, name
        assert not os.listdir(staged / "boot"), name
    shutil.rmtree(staged)


def test_a_hostile_archive_is_refused_and_the_root_lists_no_leaf(thin: Engine) -> None:
    (thin.path.parent / "cut.tar").write_bytes(tars.member(b"root.img", bytes(4096))[:700])
    asked = incoming(thin, "cut.tar", mac=OTHER, root="web", unverified=True)
    assert "cut off" in _refusal(thin, lambda: asked)
    assert thin.site(full=True).nodes["web"].config.children == {}
    assert wrong(thin) == []


def _refusal(
    engine: Engine, request: Callable[[], ask.ImportLeaf], kind: type[SbcError] = SbcError
) -> str:
    """What was said, before anything was done or as it was undone."""
    try:
        report = engine.apply(engine.plan(request()))
    except kind as error:
        return str(error)
    assert report.code not in (0, 1), report
    return report.of("failed")[0].error
