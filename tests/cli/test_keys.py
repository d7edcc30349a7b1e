"""The table's keys, the settings file's keys over them, and the verb that lists them."""

from __future__ import annotations

import string
from pathlib import Path

import pytest

from sbctui.actions import ACTIONS, BY_NAME, FOOTERS
from sbctui.keymap import character_key, key_named, keymap, shadowed
from tests.cli.program import Program


def config(home: Path, text: str) -> None:
    folder = home / ".config/sbctui"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(text)


def test_no_key_of_a_screen_does_two_things_but_where_it_is_meant() -> None:
    assert keymap({}).faults == ()
    assert set(shadowed()) == {("list.open", "settings.change", "enter")}


def test_names_are_used_once_and_keys_are_keys() -> None:
    assert len(BY_NAME) == len(ACTIONS)
    for action in ACTIONS:
        for key in action.keys.split(","):
            assert key_named(key) == key, action
        assert len(action.label) <= 11, action
    for names in FOOTERS.values():
        assert set(names) <= set(BY_NAME)


def test_no_unshifted_letter_destroys() -> None:
    for name in ("home.delete", "home.delete_all", "home.stop_job", "audit.trash", "trash.purge",
                 "bulk.stop", "job.stop", "home.deallocate"):  # fmt: skip
        assert not set(BY_NAME[name].keys.split(",")) & set(string.ascii_lowercase), name


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("^p", "ctrl+p"), ("Ctrl+P", "ctrl+p"), ("?", "question_mark"), ("pgdn", "pagedown"),
        ("D", "D"), ("shift+d", "D"), ("esc", "escape"), ("comma", "comma"), ("+", "plus"),
        ("^", "circumflex_accent"), ("F5", "f5"), ("shift+tab", "shift+tab"), (" x ", "x"),
    ],
)  # fmt: skip
def test_keys_are_read_as_they_are_named_and_as_they_are_shown(text: str, key: str) -> None:
    assert key_named(text) == key


@pytest.mark.parametrize("text", ["", "foo", "ctrl+", "hyper+x", "ctrl+foo", "^i", "ctrl+m"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no key; write it as|can't tell"):
        key_named(text)


def test_characters_have_the_names_that_textual_gives_them() -> None:
    from textual.keys import _character_to_key

    for character in string.printable:
        if character.isprintable():
            assert character_key(character) == _character_to_key(character)


def test_keys_can_change_places() -> None:
    found = keymap({"home": {"create": "c", "clone": "n", "leaf": "off"}})
    assert found.faults == ()
    assert found.changed == {"home.create", "home.clone", "home.leaf"}
    assert found.changes() == {"home.create": "c", "home.clone": "n", "home.leaf": "off"}
    assert found.shown("home.create") == "c"
    assert found.shown("home.leaf") == ""


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (
            {"hoem": {"create": "x"}},
            "[keys.hoem] create: there is no scope 'hoem'; there are home,",
        ),
        (
            {"home": {"creat": "x"}},
            "[keys.home] creat: there is no such action; did you mean create?",
        ),
        ({"home": {"zzz": "x"}}, "[keys.home] zzz: there is no such action; see: sbctui keys"),
        ({"home": {"create": "foo"}}, "[keys.home] create: 'foo' is no key; write it as ctrl+p"),
        (
            {"home": {"create": "c"}},
            "[keys] c would be home.create as well as home.clone; give one",
        ),
        ({"home": {"create": "j"}}, "[keys] j would be home.create as well as list.down; give one"),
        ({"any": {"copy": "j"}}, "[keys] j would be list.down as well as any.copy; give one"),
        ({"audit": {"fix": "?"}}, "[keys] ? would be any.help as well as audit.fix; give one"),
        ({"any": {"palette": "P"}}, "[keys.any] palette: P could be typed nowhere any more; take"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_the_usual_keys_stay(
    chosen: dict[str, dict[str, str]], sentence: str
) -> None:
    found = keymap(chosen)
    assert [fault[: len(sentence)] for fault in found.faults] == [sentence]
    assert found.changes() == {}
    assert found.shown("home.create") == "n"


def test_all_keys_are_listed(fresh: Program) -> None:
    out = fresh.ok("keys").out
    for action in ACTIONS:
        assert f" {action.id} " in out
        assert action.help in out
    first = fresh.ok("keys", "--json").json["keys"][0]
    assert first == {
        "scope": "home", "id": "create", "keys": ["n"], "default": ["n"], "remapped": False,
        "help": BY_NAME["home.create"].help,
    }  # fmt: skip


def test_remapped_keys_are_marked(fresh: Program, home: Path) -> None:
    config(home, '[keys.home]\ncreate = "C,^n"\ndelete = "off"\n')
    rows = [line.split() for line in fresh.ok("keys").out.splitlines()]
    assert ["home", "C", "^n", "*", "create"] in [row[:5] for row in rows]
    assert ["home", "off", "*", "delete"] in [row[:4] for row in rows]
    assert fresh.ok("keys", "-o", "json").json["keys"][0]["keys"] == ["C", "ctrl+n"]


def test_keys_that_cannot_be_are_told_and_none_counts(fresh: Program, home: Path) -> None:
    config(home, '[keys.home]\ncreate = "c"\nleaf = "foo"\n')
    ran = fresh("keys")
    assert ran.code == 2
    assert "config.toml: [keys.home] leaf: 'foo' is no key" in ran.sentence
    assert "and 1 more; until then the usual keys are in force" in ran.sentence
    assert "*" not in [line.split()[2] for line in ran.out.splitlines() if "create" in line]
    told = fresh("keys", "--json").json
    assert told["error"]["code"] == 2
    assert told["keys"][0]["keys"] == ["n"]
