"""A dry run prints the plan, or the refusal with its code, and changes not even a time stamp."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sbctui.cli.main import run
from tests.cli.program import MAC, Program, tree

VERBS = [
    ("site", "init", "--interface", "lab7"),
    ("root", "create", "x", "--size", "32M"),
    ("root", "clone", "spare", "x"),
    ("root", "export", "spare", "/tmp/never.tar.zst"),
    ("leaf", "export", "pi-01", "/tmp/never.tar.zst"),
    ("root", "import", "--from", "https://localhost:1/never.tar.zst"),
    ("root", "allocate", "spare", "--mac", MAC.format(9)),
    ("root", "deallocate", "busy"),
    ("root", "resize", "spare", "64M"),
    ("root", "rename", "spare", "extra"),
    ("root", "delete", "spare"),
    ("leaf", "create", "spare", MAC.format(9)),
    ("leaf", "edit", "pi-01", "--alias", "pi-77"),
    ("leaf", "attach", "pi-03", "debian12"),
    ("leaf", "delete", "debian12", "--all"),
    ("overlay", "add", "/etc/hostname", "/etc/x", "--group", "lab", "--image", "debian12"),
    ("overlay", "add", "/etc/hostname", "/etc/x", "--client", "pi-01", "--template"),
    ("overlay", "hide", "/etc/x", "--client", MAC.format(9), "--image", "spare"),
    ("overlay", "remove", "/etc/old", "--group", "lab", "--image", "debian12"),
    ("overlay", "apply", "pi-01"),
    ("group", "set", "pi-01", "spare", "lab"),
    ("group", "rename", "lab", "hall"),
    ("group", "delete", "lab"),
    ("trash", "restore", "gone"),
    ("trash", "purge", "--all"),
    ("undo",),
    ("audit", "--fix"),
    ("audit", "--trash", f"orphan:{MAC.format(3).replace(':', '-')}"),
    ("audit", "--keep", "services:services", "--note", "no boards yet"),
    ("bootkit", "build", "--arch", "arm64"),
    ("repo", "add", "nas", "nfs", "nas:/images"),
    ("repo", "remove", "shelf"),
    ("repo", "index"),
    ("cache", "update", "shelf"),
    ("cache", "serve"),
    ("repo", "sidefiles", "--all", "--anew"),
    ("repo", "seed", "repo:own.img", "--interface", "lo"),
    ("repo", "send", "own.img", "--interface", "lo", "--background"),
    ("repo", "delete", "own.img"),
    ("archive", "export", "spare", "pi-01", "--to", "repo:lab/", "--difference"),
    ("cache", "restore", "cache:pi.img"),
    ("services", "start"),
    ("services", "stop"),
    ("services", "apply"),
]


def repositories(site: Path) -> None:
    """A folder, and a cache that follows it and has a former version of its image."""
    image = site.parent / "shelf" / "images" / "pi.img"
    image.parent.mkdir(parents=True, exist_ok=True)
    (site.parent / "cache").mkdir()
    own = site / "repo" / "images" / "own.img"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"4444")
    for content, words in (
        (b"1", ("repo", "add", "shelf", "folder", str(site.parent / "shelf"))),
        (b"1", ("repo", "add", "disk", "cache", str(site.parent / "cache"))),
        (b"1", ("cache", "update", "shelf")),
        (b"22", ("cache", "update", "shelf")),
        (b"333", ("repo", "index")),
    ):
        image.write_bytes(content)
        assert run(["--site", str(site), *words, "-y"]) == 0, words


@pytest.fixture(scope="module")
def busy_site(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The furnished site, with an allocated root, an orphan and something in the trash."""
    path = tmp_path_factory.mktemp("busy") / "site"
    shutil.copytree(furnished, path, symlinks=True)
    shelf = path.parent / "shelf" / "images"
    shelf.mkdir(parents=True)
    for words in (
        ("root", "create", "busy", "--size", "32M"),
        ("root", "allocate", "busy", "--mac", MAC.format(8)),
        ("root", "create", "gone", "--size", "32M"),
        ("root", "export", "gone", str(shelf / "gone.tar.zst")),
        ("root", "delete", "gone"),
        ("leaf", "create", "debian12", f"{MAC.format(3)},pi-03"),
    ):
        assert run(["--site", str(path), *words, "-y"]) == 0, words
    repositories(path)
    old = path / "repo" / "groups" / "lab" / "debian12" / "etc"
    old.mkdir(parents=True)
    (old / "old").write_text("old\n")
    late = path / "repo" / "clients" / MAC.format(1).replace(":", "-") / "debian12"
    late.mkdir(parents=True)
    (late / "late").write_text("late\n")
    config = path / "nodes" / "debian12" / "config.json"
    raw = json.loads(config.read_text())
    del raw["children"][MAC.format(3)]
    config.write_text(json.dumps(raw))
    return path


@pytest.fixture
def busy(busy_site: Path, fresh: Program) -> Program:
    """The program on a busy site of its own."""
    shutil.copytree(busy_site, fresh.site, symlinks=True)
    return fresh


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
@pytest.mark.parametrize("more", [(), ("-y",), ("--json",)], ids=["plain", "yes", "json"])
def test_a_dry_run_changes_nothing(
    busy: Program, words: tuple[str, ...], more: tuple[str, ...]
) -> None:
    before = tree(busy.site)
    ran = busy.ok(*words, "--dry-run", *more)
    if "--json" in more:
        assert ran.json["plan"]["title"]
    else:
        assert "nothing was changed" in ran.out
    assert ran.err == ""
    assert tree(busy.site) == before


def test_without_a_terminal_and_a_yes_nothing_happens_and_it_says_so(busy: Program) -> None:
    before = tree(busy.site)
    asking = [w for w in VERBS if w not in (("services", "start"), ("services", "stop"))]
    for words in asking:
        ran = busy(*words)
        assert ran.code == 1, (words, ran)
        assert "--yes" in ran.err.splitlines()[-1], (words, ran)
        assert ran.out == "", (words, ran)
    assert tree(busy.site) == before


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_a_dry_run_makes_no_site(fresh: Program, state: str) -> None:
    if state == "empty":
        fresh.site.mkdir()
    before = tree(fresh.site.parent)
    ran = fresh.ok("root", "create", "x", "--size", "32M", "--dry-run")
    assert f"there is no site at {fresh.site} yet" in ran.out
    fresh.ok("site", "init", "--dry-run")
    assert fresh("root", "create", "x", "--size", "32M").code == 1
    assert fresh("root", "create", "x", "--size", "64T", "-y").code == 9
    assert fresh("root", "create", "x", "--size", "0", "-y").code == 2
    assert fresh("root", "create", "x", "--size", "32M", "--from", "/nowhere", "-y").code == 2
    assert fresh("leaf", "create", "x", MAC.format(1), "-y").code == 4
    assert fresh("root", "list").code == 4
    assert tree(fresh.site.parent) == before


def test_reading_verbs_change_nothing(busy: Program) -> None:
    before = tree(busy.site)
    for words in (
        ("site", "show"), ("root", "list"), ("leaf", "list"), ("leaf", "list", "debian12"),
        ("node", "show", "pi-01"), ("trash", "list"), ("job", "list"), ("services", "status"),
        ("repo", "list"), ("repo", "tree", "shelf"), ("repo", "check"), ("repo", "env"),
        ("cache", "verify"), ("repo", "sidefiles"), ("repo", "transfers"),
    ):  # fmt: skip
        busy.ok(*words)
        busy.ok(*words, "--json")
    busy("audit")
    busy("doctor")
    assert tree(busy.site) == before
