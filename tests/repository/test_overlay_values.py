"""What overlays give together, what their table says, and which paths are none."""

from __future__ import annotations

import pytest

from sbctui.engine.errors import BadInput
from sbctui.engine.model.overlay import (
    Item,
    Layer,
    Place,
    Record,
    conflicts,
    fingerprint,
    merged,
    parse_path,
)
from sbctui.engine.repository.overlay_table import Row, parse_table, with_row

GROUP, BOARD = Place("group", "kitchen", "deb"), Place("board", "dc-a6-32-00-00-01", "deb")


def layer(place: Place, *items: Item) -> Layer:
    return Layer(place, items)


def test_the_board_counts_before_the_group() -> None:
    group = layer(GROUP, Item("etc", "folder"), Item("etc/a", "file"), Item("etc/b", "file"))
    board = layer(BOARD, Item("etc", "folder"), Item("etc/b", "removed"))
    found = {one.item.path: (one.place, one.hides, one.item.kind) for one in merged((group, board))}
    assert found == {
        "etc": (GROUP, (), "folder"),
        "etc/a": (GROUP, (), "file"),
        "etc/b": (BOARD, (GROUP,), "removed"),
    }
    said = Item("etc", "folder", mode=0o700, set_=True)
    (one,) = merged((layer(GROUP, Item("etc", "folder")), layer(BOARD, said)))
    assert (one.place, one.hides) == (BOARD, (GROUP,))
    assert list(conflicts((group, board))) == []


def test_a_folder_and_a_file_of_one_path_can_not_stand_together() -> None:
    one = layer(GROUP, Item("a", "folder"), Item("a/b", "file"))
    for kind in ("file", "link", "removed"):
        (said,) = conflicts((one, layer(BOARD, Item("a", kind))))
        assert said.startswith(f"a is a folder in {GROUP.path} and none in {BOARD.path}")


def test_anything_of_a_layer_changes_its_fingerprint() -> None:
    items = [
        Item("a", "file", content="x"),
        Item("a", "file", content="y"),
        Item("a", "file", content="x", mode=0o600),
        Item("a", "file", content="x", uid=1),
        Item("a", "file", content="x", template=True),
        Item("a", "link", target="x"),
        Item("b", "file", content="x"),
    ]
    prints = {fingerprint((layer(GROUP, item),)) for item in items}
    assert len(prints | {fingerprint((layer(BOARD, items[0]),))}) == len(items) + 1


def test_a_record_says_what_it_can_not_know() -> None:
    begun = Record(files={"same": "1", "other": "2", "gone": "3"}).begun(
        {"same": "1", "other": "4", "new": "5"}
    )
    assert begun.files == {"same": "1", "other": "", "gone": "", "new": ""}
    assert [begun.state(path, "1") for path in ("same", "other", "none")] == [
        "applied", "changed", "new",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["/etc/motd", "etc/motd", "etc/motd/"])
def test_paths(text: str) -> None:
    assert parse_path(text) == "etc/motd"


@pytest.mark.parametrize(
    "text",
    ["", "/", "..", "etc/../x", "./x", "a//b", "a\nb", "a\x00b", "a\x1bb", "a\u202eb", "a\udcffb",
     "a" * 256, "ü" * 128, "/".join(["abcdefgh"] * 460)],
)  # fmt: skip
def test_what_is_no_path(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_path(text)
    assert str(refused.value).isprintable()


def test_places() -> None:
    assert [Place.parse(place.path) for place in (GROUP, BOARD)] == [GROUP, BOARD]
    for text in ("repo/groups/kitchen", "repo/images/x/y", "nodes/x/y", "repo/groups/a/b/c"):
        assert Place.parse(text) is None


def test_a_row_is_changed_and_the_rest_stays_as_it_was_written() -> None:
    before = b'# by hand\nschema = 1\n\n[files."etc/motd"] # why\ntemplate = true\n'
    after = with_row(before, "etc/a b", Row(owner="1:2", mode="0600"))
    assert after.startswith(before)
    assert parse_table(after, "x") == {
        "etc/motd": Row(template=True),
        "etc/a b": Row(owner="1:2", mode="0600"),
    }
    assert parse_table(with_row(after, "etc/a b", None), "x") == {"etc/motd": Row(template=True)}
    assert parse_table(with_row(b"", "etc/x", Row(remove=True)), "x") == {"etc/x": Row(remove=True)}
