"""Settings on disk: read, refused in words, written without losing what else is there."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from sbctui import configfile, prefs
from sbctui.engine.errors import BadInput, NotPermitted
from sbctui.prefs import Column, Prefs
from sbctui.screens.column_choice import _MEANS
from sbctui.screens.columns import COLUMNS
from sbctui.screens.settings import SETTINGS


@pytest.fixture(autouse=True)
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(configfile, "SYSTEM", tmp_path / "etc.toml")
    return tmp_path / "config" / "sbctui" / "config.toml"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_without_files_all_is_usual() -> None:
    assert prefs.load() == Prefs()


def test_the_users_file_goes_before_the_systems_setting_by_setting(own: Path) -> None:
    write(configfile.SYSTEM, '[console]\ntheme = "mono"\nrefresh = 5\n[keys.home]\ncreate = "C"\n')
    write(own, '[console]\ntheme = "dark"\n[keys.home]\nclone = "x"\n[keys.list]\nup = "u"\n')
    found = prefs.load()
    assert (found.theme, found.refresh) == ("dark", 5)
    assert found.keys == {"home": {"create": "C", "clone": "x"}, "list": {"up": "u"}}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[console]\ntheme = 'purple'", r"theme 'purple' in \[console\] is none of terminal, dark"),
        ("[console]\ntheme = 3", "theme 3 "),
        ("[console]\nrefresh = 0", "refresh 0 .*from 0.5 to 60; correct or remove"),
        ("[console]\nrefresh = 'often'", "refresh 'often'"),
        ("[console]\nrefresh = nan", "refresh nan"),
        ("[console]\ncolour = 1", "no setting 'colour'; there are: theme, refresh"),
        ("[console]\ncolumns = ['name', 'weight']", "columns 'weight'.*is none of name"),
        ("[console]\ncolumns = ['name', 'name']", "columns .*names a column twice"),
        ("[console]\ncolumns = []", "columns .*one column or more"),
        ("[console]\ncolumns = 'name'", "columns "),
        ("[console]\nsort = 'weight'", "sort 'weight' .*is none of mac, name"),
        ("[console]\nkeys = {}", r"tables of their own, as \[keys.home\]"),
        ("console = 1", r"console must be a table, written as \[console\]"),
        ("[keys]\nhome = 'x'", r"keys.home must be a table, written as \[keys.home\]"),
        ("[keys.home]\ncreate = 3", r"'create' in \[keys.home\] must be text"),
        ("[console", "can't be read as TOML"),
        ("[konsole]", "unknown key 'konsole'; there are: site, console, keys"),
    ],
)
def test_nonsense_is_named_with_file_key_and_remedy(own: Path, text: str, says: str) -> None:
    write(own, text)
    with pytest.raises(BadInput, match=says) as caught:
        prefs.load()
    assert str(own) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_nonsense_too(own: Path) -> None:
    write(own, "")
    own.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="TOML"):
        prefs.load()


def test_what_is_saved_is_loaded_and_the_rest_stays(own: Path) -> None:
    before = '# mine\nsite = "/srv/lab"  # the lab\n\n[keys.home]\ncreate = "C"\n'
    write(own, before)
    prefs.save({"theme": "dark"})
    prefs.save({"columns": ("name", "seen"), "refresh": 5.0})
    assert own.read_text().startswith(before)
    found = prefs.load()
    assert (found.theme, found.columns, found.refresh) == ("dark", ("name", "seen"), 5)
    prefs.save({"theme": "terminal", "columns": Prefs().columns, "refresh": 1.0})
    assert own.read_text().rstrip() == before.rstrip()


def test_only_what_differs_from_the_systems_is_written(own: Path) -> None:
    write(configfile.SYSTEM, '[console]\ntheme = "mono"\n')
    prefs.save({"theme": "mono", "confirm": "always"})
    assert tomllib.loads(own.read_text()) == {"console": {"confirm": "always"}}
    prefs.save({"theme": "terminal"})
    assert prefs.load().theme == "terminal"


def test_the_folder_is_private_and_a_files_mode_stays(own: Path) -> None:
    prefs.save({"theme": "dark"})
    assert own.parent.stat().st_mode & 0o777 == 0o700
    own.chmod(0o644)
    prefs.save({"theme": "light"})
    assert own.stat().st_mode & 0o777 == 0o644
    assert [p.name for p in own.parent.iterdir()] == [own.name]


def test_a_link_is_followed_not_replaced(own: Path, tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "sbctui.toml"
    write(kept, 'site = "/srv"\n')
    own.parent.mkdir(parents=True)
    own.symlink_to(kept)
    prefs.save({"theme": "dark"})
    assert own.is_symlink()
    assert "dark" in kept.read_text()


def test_a_file_that_cant_be_read_is_not_written_over(own: Path) -> None:
    write(own, "[console\n")
    with pytest.raises(BadInput, match="mend or remove"):
        prefs.save({"theme": "dark"})
    assert own.read_text() == "[console\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cant_be_written_is_said(own: Path) -> None:
    own.parent.mkdir(parents=True)
    own.parent.chmod(0o500)
    with pytest.raises(NotPermitted, match="permission denied"):
        prefs.save({"theme": "dark"})


def test_no_folder_for_settings_is_said(own: Path) -> None:
    write(own.parent, "a file")
    with pytest.raises(Exception, match="writing") as caught:
        prefs.save({"theme": "dark"})
    assert str(own) in str(caught.value)


def test_every_setting_has_a_row_and_every_value_a_meaning() -> None:
    assert set(SETTINGS) == set(prefs.NAMES)
    for name, setting in SETTINGS.items():
        literal = get_args(get_type_hints(Prefs)[name])
        if literal and all(isinstance(value, str) for value in literal):
            assert setting.values == literal, name
        for value in setting.values:
            assert setting.means(value)
            assert getattr(Prefs().changed(**{name: value}), name) == value
    assert set(_MEANS) == set(COLUMNS) == set(get_args(Column))
