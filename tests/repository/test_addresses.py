"""Images by their addresses on the command line, wherever an archive is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbctui.cli.completing import complete
from sbctui.cli.main import run
from sbctui.cli.place import Place
from sbctui.engine.engine import Engine
from sbctui.engine.model import requests as ask
from tests.archives.place import make_root
from tests.repository.conftest import done, update

IMAGE = "lab/pi.tar.zst"


@pytest.fixture
def site(engine: Engine) -> Path:
    """An image in the site's own repository and, as ``disk``, in its cache."""
    make_root(engine, "pi")
    done(engine, ask.ExportRoot(name="pi", target=engine.target(f"repo:{IMAGE}")))
    update(engine, repository="repo")
    return engine.path


def sbctui(site: Path, *words: str) -> int:
    return run(["--site", str(site), *words])


@pytest.mark.parametrize("repository", ["repo", "cache", "disk"])
@pytest.mark.parametrize("verb", ["list", "verify"])
def test_an_archive_is_looked_at(
    site: Path, repository: str, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sbctui(site, "archive", verb, f"{repository}:{IMAGE}", "--json") == 0
    assert json.loads(capsys.readouterr().out)["archive"]["node"] == "pi"


def test_a_root_is_made_of_one(site: Path) -> None:
    assert sbctui(site, "root", "import", f"repo:{IMAGE}", "--name", "a", "-y") == 0
    assert sbctui(site, "root", "import", f"cache:{IMAGE}", "--name", "b", "-y") == 0
    assert sbctui(site, "root", "create", "c", "--from", f"disk:{IMAGE}", "-y") == 0
    found = Engine(site).site().nodes
    assert {found[name].config.cloned_from for name in "abc"} == {"pi"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("archive", "list", "cache:none"), "there is no"),
        (("archive", "list", "cache:"), "whole repository"),
        (("root", "export", "pi", "cache:x", "-y"), "export to repo:"),
        (("root", "export", "pi", "disk:x", "-y"), "export to repo:"),
        (("root", "import", "repo:../x", "--name", "x", "-y"), "no address"),
    ],
)
def test_what_is_none_is_refused(
    site: Path, words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sbctui(site, *words) in (2, 3, 4)
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "archive list repo:",
        "archive verify cache:l",
        "root import disk:lab/p",
        "root create new --from repo:",
        "root export pi repo:lab",
        "leaf export x repo:lab",
        "repo sidefiles repo:l",
        "repo check cache:lab/",
    ],
)
def test_the_tab_key_offers_them(site: Path, line: str) -> None:
    *words, typed = line.split(" ")
    offered = [value for value, _ in complete(words, typed, Place(str(site)))]
    assert offered == [f"{typed.partition(':')[0]}:{IMAGE}"]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("cache restore ", ["disk:"]),
        ("cache update --cache ", ["disk"]),
        ("repo seed ", ["repo:"]),
        ("repo receive ", ["repo:", "disk:"]),
        ("repo mount ", ["disk", "lab", "other"]),
    ],
)
def test_only_what_can_be_meant_is_offered(site: Path, line: str, offered: list[str]) -> None:
    add = ("repo", "add", "other", "folder", "/nowhere", "-y", "-q")
    assert sbctui(site, *add) == 0
    *words, typed = line.split(" ")
    found = [value for value, _ in complete(words, typed, Place(str(site)))]
    assert found == offered


def test_files_are_offered_beside_repositories(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "report.tar").touch()
    monkeypatch.chdir(tmp_path / "here")
    offered = [value for value, _ in complete(["archive", "list"], "rep", Place(str(site)))]
    assert offered == ["repo:", "report.tar"]
