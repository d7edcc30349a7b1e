"""What overlays give together, what their table says, and which paths are none."""

from __future__ import annotations

import pytest

from sbctui.engine.errors import BadInput
from sbctui.engine.model.overlay import (
    Item,
    Layer,
    Place,
    Record,
    fingerprint,
    parse_path,
)
from sbctui.engine.model.overlay_merge import Back, conflicts, given_back, hidden, merged
from sbctui.engine.repository.overlay_table import Row, parse_table, with_rows

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
    for kind in ("file", "link"):
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
        Item("a", "file", content="x", clears=True),
        Item("a", "file", content="x", xattrs=(("user.a", b"x"),)),
        Item("a", "file", content="x", xattrs=(("user.a", b"y"),)),
    ]
    prints = {fingerprint((layer(GROUP, item),)) for item in items}
    assert len(prints | {fingerprint((layer(BOARD, items[0]),))}) == len(items) + 1
    assert len({item.digest(item.content) for item in items}) == len(items) - 2


def kinds(*layers: Layer) -> dict[str, str]:
    """What each path is; ``new`` before it where nothing of the image is left."""
    return {
        one.item.path: f"{'new ' if one.item.clears else ''}{one.item.kind}"
        for one in merged(layers)
    }


APP = [
    Item("app", "folder"),
    Item("app/a", "file"),
    Item("app/d", "folder"),
    Item("app/d/b", "file"),
]


def test_a_folder_that_is_hidden_takes_what_lies_below_it_along() -> None:
    group, hides = layer(GROUP, *APP), layer(BOARD, Item("app", "removed"))
    assert kinds(group, hides) == {"app": "removed"}
    assert kinds(group, layer(BOARD, Item("app/d", "removed"))) == {
        "app": "folder", "app/a": "file", "app/d": "removed",
    }  # fmt: skip
    assert [one.hides for one in merged((group, hides))] == [(GROUP,)]
    assert list(conflicts((group, hides))) == []


def test_what_a_board_has_in_a_folder_its_group_hides_stands_alone_in_it() -> None:
    hides, board = layer(GROUP, Item("app", "removed")), layer(BOARD, *APP[:2])
    assert kinds(hides, board) == {"app": "new folder", "app/a": "file"}
    assert list(conflicts((hides, board))) == []
    assert kinds(hides, layer(BOARD, Item("app", "file"))) == {"app": "new file"}
    assert kinds(hides, layer(BOARD, Item("app/a", "removed"))) == {"app": "removed"}
    own = layer(GROUP, Item("app", "folder", clears=True), Item("app/a", "file"))
    assert kinds(own, layer(BOARD, Item("app", "folder", set_=True))) == {
        "app": "new folder", "app/a": "file",
    }  # fmt: skip
    assert kinds(own, layer(BOARD, Item("app", "file", clears=True))) == {"app": "new file"}
    assert list(conflicts((own, layer(BOARD, Item("app", "file", clears=True))))) == []


def test_what_was_hidden_comes_back_whole_and_what_was_laid_by_its_path() -> None:
    before = Record(files={"app": "1", "app/a": "2", "etc": "3"}, hidden=("app",))
    assert given_back(before, ()) == Back(("app", "app/a", "etc"), ("app",))
    shown = merged((layer(BOARD, *APP[:2]),))
    assert given_back(before, shown) == Back(("etc",), ("app",))
    assert given_back(before, shown).all == ("app", "etc")
    still = merged((layer(GROUP, Item("app", "folder", clears=True)),))
    assert (hidden(still), given_back(before, still)) == (("app",), Back(("etc",), ()))
    above = Record(files={"a/b": "", "a/b/c": ""}, hidden=("a/b", "a/b/c"))
    assert given_back(above, merged((layer(GROUP, Item("a", "removed")),))) == Back()
    assert given_back(above, ()).folders == ("a/b",)


def test_a_record_says_what_it_can_not_know() -> None:
    begun = Record(files={"same": "1", "other": "2", "gone": "3"}, hidden=("other",)).begun(
        Record(files={"same": "1", "other": "4", "new": "5"}, hidden=("new",))
    )
    assert begun.files == {"same": "1", "other": "", "gone": "", "new": ""}
    assert begun.hidden == ("new", "other")
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
    after = with_rows(before, {"etc/a b": Row(owner="1:2", mode="0600", xattrs={"user.a": "x"})})
    assert after.startswith(before)
    assert parse_table(after, "x") == {
        "etc/motd": Row(template=True),
        "etc/a b": Row(owner="1:2", mode="0600", xattrs={"user.a": "x"}),
    }
    assert parse_table(with_rows(after, {"etc/a b": Row()}), "x") == {
        "etc/motd": Row(template=True)
    }
    hides = {"etc/x": Row(remove=True)}
    assert parse_table(with_rows(b"", hides), "x") == hides
    assert with_rows(after, {"etc/motd": Row(template=True), "none": Row()}) == after
