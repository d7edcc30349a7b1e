"""Addresses of images: what they mean, and what none can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.errors import BadInput, NoSuchNode
from sbctui.engine.model.repository import (
    ImageAddress,
    is_image,
    parse_address,
    resolve,
    stem,
)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("repo:debian12.tar.zst", ("debian12.tar.zst",)),
        ("repo:lab/2026 spring/debian12.img.xz", ("lab", "2026 spring", "debian12.img.xz")),
        ("USB_STICK:a/", ("a",)),
        ("cache:", ()),
        ("cache", ()),
        ("repo:größe/größe.tar.zst", ("größe", "größe.tar.zst")),
    ],
)
def test_an_address_is_a_repository_and_parts(text: str, parts: tuple[str, ...]) -> None:
    found = parse_address(text)
    assert found.parts == parts
    assert parse_address(str(found)) == found


def test_an_image_has_a_folder_a_name_and_a_root() -> None:
    found = parse_address("repo:sub/dir/debian12.tar.zst")
    assert (found.folder, found.image) == ("sub/dir", "debian12.tar.zst")
    assert stem(found.image) == "debian12"


@pytest.mark.parametrize(
    "path",
    ["..", "a/../b", "/a", "a//b", ".hidden", "-rf", "a\nb", "a\x1b[2J", "a\u202eb", "a\0b",
     "a:b", " a", "a ", "a\\b", "x" * 231, "_x", "\udcff", "/".join("a" * 17)],
)  # fmt: skip
def test_a_path_that_could_mean_something_else_is_refused(path: str) -> None:
    with pytest.raises(BadInput):
        parse_address(f"repo:{path}")


@pytest.mark.parametrize("name", ["", "-x", "a/b", "..", "a\nb", "a" * 64, " a"])
def test_a_name_that_could_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        parse_address(f"{name}:x")


@given(st.text(max_size=40))
def test_whatever_is_let_through_stays_below_its_folder(text: str) -> None:
    try:
        found = parse_address(text)
    except BadInput:
        return
    assert parse_address(str(found)) == found
    assert all(part not in ("", ".", "..") and "/" not in part for part in found.parts)


def test_side_files_and_what_is_in_the_making_are_no_images() -> None:
    assert is_image("debian12.tar.zst")
    for name in (".x", "a.sha256", "a.torrent", "a.mcast", "a.chunks", "a.part"):
        assert not is_image(name)


def test_the_cache_is_found_whatever_its_name() -> None:
    known = {"repo": "own", "disk": "cache", "stick": "removable"}
    assert resolve("repo", known) == "repo"  # type: ignore[arg-type]
    assert resolve("cache", known) == "disk"  # type: ignore[arg-type]
    with pytest.raises(NoSuchNode):
        resolve("other", known)  # type: ignore[arg-type]
    with pytest.raises(NoSuchNode):
        resolve("cache", {"repo": "own"})
    with pytest.raises(BadInput):
        resolve("cache", {"a": "cache", "b": "cache"})


def test_an_address_is_a_frozen_value() -> None:
    assert ImageAddress("repo") < ImageAddress("repo", ("a",))
