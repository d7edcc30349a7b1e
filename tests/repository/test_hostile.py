"""Servers and settings that are not what they should be."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sbctui.engine.engine import Engine
from sbctui.engine.errors import SbcError
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.requests import RemoveRepository
from sbctui.engine.repository import tree
from sbctui.engine.repository.settings import edited
from sbctui.engine.repository.sftp import SftpSource
from tests.repository.conftest import add, done
from tests.repository.places import put

HELLO = struct.pack(">IBI", 5, 2, 3)


class Answers:
    """A program that says what it will, whatever it is asked."""

    complaint = "gone"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def write(self, data: bytes) -> None:
        """Nobody listens."""

    def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def ended(self) -> int:
        return 0


def message(kind: int, number: int, body: bytes) -> bytes:
    return struct.pack(">IBI", len(body) + 5, kind, number) + body


def text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def source(data: bytes) -> SftpSource:
    return SftpSource("far", "/x", Answers(HELLO + data))  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.integers(100, 106), st.integers(0, 4), st.binary(max_size=60))))
@example([(102, 1, text(b"h")), (104, 2, struct.pack(">I", 2**32 - 1))])
@example([(102, 1, text(b"h")), (103, 2, text(b"x" * 50))])
def test_a_server_that_talks_nonsense_is_an_error(said: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(message(*one) for one in said)
    with pytest.raises(SbcError):
        source(data).entries(("images",))
    with pytest.raises(SbcError):
        list(source(data).ranges("images/a", [(0, 9)]))


def test_names_that_lead_elsewhere_are_passed_over() -> None:
    mode = struct.pack(">II", 4, 0o100644)
    names = (b"..", b".", b"", b"../../etc/passwd", b"a/b", b"a\0b", b"good")
    listed = b"".join(text(name) + text(b"") + mode for name in names)
    said = (
        message(102, 1, text(b"h"))
        + message(104, 2, struct.pack(">I", len(names)) + listed)
        + message(101, 3, struct.pack(">I", 1) + text(b"end") + text(b""))
        + message(101, 4, struct.pack(">I", 0) + text(b"") + text(b""))
    )
    assert [one.path for one in source(said).entries(("groups",))] == ["groups/good"]


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "images/../../x", "images//x", "other/x", "images/a\0b", ""]
)
def test_an_index_that_leads_elsewhere_is_passed_over(path: str) -> None:
    good = tree.Entry("images/a", "file", 1)
    data = tree.to_json([good, tree.Entry(path, "file", 1)])
    assert tree.from_json(data) == (good,)


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{}", b'{"entries":[{}]}', b'{"entries":[1]}',
     b'{"entries":[{"path":1,"kind":"file"}]}', b"[" * 99999],
)  # fmt: skip
def test_an_index_that_is_none_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        tree.from_json(data)


def test_no_link_leads_out_of_a_repository(tmp_path: Path) -> None:
    put(tmp_path, "secret", b"x")
    root = tmp_path / "repo"
    put(root, "images/a", b"x")
    (root / "images/link").symlink_to(tmp_path / "secret")
    (root / "images/out").symlink_to(tmp_path)
    assert [one.path for one in tree.walk(root) if one.kind == "file"] == ["images/a"]
    for path in ("images/link", "images/out/secret", "images/../secret"):
        with pytest.raises((OSError, ValueError)), tree.opened(root, path):
            pass


def test_comments_and_order_of_the_settings_stay(engine: Engine) -> None:
    path = engine.path / "site.toml"
    text_ = f"# ours\n{path.read_text()}\n[network]  # the lab\nreply_delay = 2  # slow ROMs\n"
    path.write_text(text_)
    add(engine, "nas", kind="nfs", place="nas:/x", options="vers=4.2")
    assert "# ours" in path.read_text()
    assert "reply_delay = 2  # slow ROMs" in path.read_text()
    assert engine.site().settings.repositories["nas"].options == "vers=4.2"
    done(engine, RemoveRepository(name="nas"))
    assert path.read_text() == text_


def test_the_last_one_takes_its_table_along() -> None:
    one = Configured(kind="folder", place="/x")
    text_ = edited("schema = 1\n", "a b", one)
    assert edited(text_, "a b", None).strip() == "schema = 1"
