"""Which site a command is about, and what is said where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput
from sbctui.engine.places import SYSTEM_SITE
from tests.cli.program import Program


def configure(home: Path, text: str) -> Path:
    file = home / ".config" / "sbctui" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_the_option_wins_over_the_environment_over_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(home, 'site = "/srv/file"\n')
    assert Place().path == Path("/srv/file")
    monkeypatch.setenv("SBCTUI_SITE", "/srv/environment")
    assert Place().path == Path("/srv/environment")
    assert Place("/srv/option").path == Path("/srv/option")


def test_the_default_is_the_systems_for_root_and_ones_own_for_a_user(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert Place().path == SYSTEM_SITE
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Place().path == home / ".local" / "share" / "sbctui"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Place().path == Path("/data/sbctui")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("site = ", "TOML"),
        ("site = 3", "full path"),
        ('site = "relative"', "full path"),
        ('sites = "/srv"', "'sites'"),
        ("\x00", "TOML"),
    ],
)
def test_a_bad_configuration_is_named(home: Path, text: str, says: str) -> None:
    file = configure(home, text)
    with pytest.raises(BadInput, match=says) as caught:
        _ = Place().path
    assert str(file) in str(caught.value)


def test_a_relative_option_is_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Place("lab/../site").path == tmp_path / "site"


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_where_there_is_no_site_it_says_how_to_make_one(fresh: Program, state: str) -> None:
    if state == "empty":
        fresh.site.mkdir()
    ran = fresh("root", "list")
    assert ran.code == 4
    assert f"sbctui --site {fresh.site} site init" in ran.sentence


@pytest.mark.parametrize(
    "words",
    [("root", "list"), ("root", "create", "x", "--size", "32M", "-y"), ("site", "init"), ()],
    ids=["read", "mutate", "init", "console"],
)
def test_a_folder_with_something_else_in_it_is_refused(
    fresh: Program, words: tuple[str, ...]
) -> None:
    fresh.site.mkdir()
    (fresh.site / "thesis.tex").write_text("x")
    ran = fresh(*words)
    if words:
        assert ran.code == 3
        assert "not empty" in ran.sentence
    assert [p.name for p in fresh.site.iterdir()] == ["thesis.tex"]


def test_a_file_in_its_place_is_refused(fresh: Program) -> None:
    fresh.site.write_text("x")
    assert fresh("root", "list").code == 3
    assert fresh("root", "create", "x", "--size", "32M", "-y").code == 3


def test_a_site_anybody_could_write_to_is_5(sbctui: Program) -> None:
    sbctui.site.chmod(0o777)
    ran = sbctui("root", "list")
    assert ran.code == 5
    assert "chmod o-w" in ran.sentence


def test_init_takes_the_servers_address_from_the_interface(fresh: Program) -> None:
    ran = fresh.ok("site", "init", "--interface", "lo", "--subnet", "127.0.0.0/8", "--json")
    assert ran.json["site"]["settings"]["network"]["server"] == "127.0.0.1"
