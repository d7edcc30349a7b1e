"""Extended attributes of files laid by hand come through a cache, whatever leads there."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.events import Event, Note
from sbctui.engine.model import requests as ask
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.repository import parse_address
from sbctui.engine.model.xattrs import CAPABILITY
from sbctui.engine.repository import attributes
from sbctui.engine.repository.overlay_read import layer
from tests.repository.conftest import add, done
from tests.repository.overlaid import Seen, image_tree, leaf, make_site, name, put, table
from tests.repository.places import https, sshd
from tests.repository.test_cache_serve import IMAGE, Pair, other

NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
BY_HAND = """# by hand
[files."etc/motd"]
owner = "1000:1000"
[files."etc/plain"]
xattrs = {}
"""
KITCHEN = Place("group", "kitchen", "deb")


def by_hand(site: Path) -> None:
    """An overlay as an admin makes it with ``cp -a``, setfattr and setcap."""
    ping = put(site, "groups/kitchen", "opt/tools/ping", "ping\n", mode=0o751)
    motd = put(site, "groups/kitchen", "etc/motd", "hello\n", mode=0o604)
    plain = put(site, "groups/kitchen", "etc/plain", "x\n")
    try:
        for path in (ping, motd, plain, ping.parent):
            os.setxattr(path, "user.note", b"\x00of " + path.name.encode())
        os.setxattr(ping, CAPABILITY, NET_RAW)
    except OSError as error:
        if os.environ.get("SBCTUI_REQUIRE_LAB"):
            raise
        pytest.skip(f"no extended attributes or capabilities in {site}: {error}")
    table(site, "groups/kitchen", BY_HAND)


@contextmanager
def reached(kind: str, pair: Pair, folder: Path) -> Iterator[None]:
    """The second server knows the first one's repository by that kind."""
    own = pair.first.path / "repo"
    if kind == "folder":
        add(pair.second, "main", kind="folder", place=str(own))
        yield
    elif kind == "ssh":
        with sshd(folder / "sshd") as server:
            add(pair.second, "main", kind="ssh", place=f"root@127.0.0.1:{own}", port=server.port,
                key=str(server.key), known_hosts=str(server.known_hosts))  # fmt: skip
            yield
    else:
        with https(folder / "web", own) as web:
            add(pair.second, "main", kind="https", place=web.base, ca=str(web.ca))
            yield


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """A server with files laid by hand, and one with nothing but a cache."""
    first = make_site(tmp_path / "a", image_tree(tmp_path / "tree"))
    by_hand(first.path)
    second = other(tmp_path / "b")
    (tmp_path / "cache").mkdir()
    add(second, "cache", kind="cache", place=str(tmp_path / "cache"))
    return Pair(first, second, tmp_path / "cache")


def copied(engine: Engine) -> tuple[int, list[str]]:
    """How many files an update of the cache brought, and what it warned of."""
    told: list[Event] = []
    report = engine.apply(engine.plan(ask.UpdateCache(repository="main")), told.append)
    assert report.code == 0, report
    warned = [one.text for one in told if isinstance(one, Note) and one.level == "warning"]
    return int(report.results[-1].data["copied"]), warned


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["folder", "ssh", "https"])
def test_a_leaf_made_from_the_cache_is_as_one_made_at_the_source(
    pair: Pair, kind: str, tmp_path: Path
) -> None:
    leaf(pair.first, 1, "kitchen")
    pair.export("deb", IMAGE)
    with reached(kind, pair, tmp_path):
        pair.follow()
        assert copied(pair.second) == (0, []), "all of it is there"
        note = pair.first.path / "repo/groups/kitchen/deb/etc/motd"
        os.setxattr(note, "user.note", b"\x00is motd")
        done(pair.first, ask.IndexRepository())
        assert copied(pair.second) == (1, []), "only the table, of the same length"
    pair.serve()
    done(pair.first, ask.ApplyOverlays(names=(name(1),)))
    rows = pair.first.overlay(name(1)).rows
    assert pair.second.overlay(name(1)).rows == rows
    assert {row.path: [one for one, _ in row.xattrs] for row in rows} == {
        "etc/motd": ["user.note"],
        "etc/plain": [],
        "opt/tools": ["user.note"],
        "opt/tools/ping": [CAPABILITY, "user.note"],
    }
    assert [row.state for row in rows] == ["applied"] * 4
    source, standby = (Seen(one, 1, tmp_path) for one in (pair.first, pair.second))
    for row in rows:
        assert standby.facts(row.path) == source.facts(row.path), row.path


def test_attributes_that_were_taken_away_go_from_the_cache(pair: Pair, tmp_path: Path) -> None:
    with reached("folder", pair, tmp_path):
        pair.follow()
        here = pair.cache / "groups/kitchen/deb/.overlay.toml"
        assert here.read_text().startswith("# by hand")
        folder = pair.first.path / "repo/groups/kitchen/deb"
        for path in ("opt/tools/ping", "opt/tools", "etc/motd"):
            os.removexattr(folder / path, "user.note")
        os.removexattr(folder / "opt/tools/ping", CAPABILITY)
        pair.follow()
        assert here.read_text() == BY_HAND
        (folder / ".overlay.toml").unlink()
        pair.follow()
        assert 'etc/plain".xattrs' in here.read_text(), "a table where there is none"


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["ssh", "https"])
def test_a_server_that_does_not_tell_them_is_named(pair: Pair, kind: str, tmp_path: Path) -> None:
    pair.export("deb", IMAGE)
    (pair.first.path / "repo" / attributes.LIST).unlink()
    with reached(kind, pair, tmp_path):
        (warned,) = copied(pair.second)[1]
        assert warned.startswith("main does not tell of extended attributes and capabilities")
        assert not (pair.cache / attributes.LIST).exists()
        (found,) = [one for one in pair.first.audit() if attributes.LIST in one.proof]
        done(pair.first, ask.FixFindings(findings=(found.id,)))
        assert copied(pair.second) == (1, [])
        assert any(item.xattrs for item in layer(pair.first.path, KITCHEN, pair.cache).items)


def test_the_list_of_a_copy_counts_where_its_files_lost_theirs(pair: Pair, tmp_path: Path) -> None:
    """As on a stick that a folder was copied to by something that knows no attributes."""
    done(pair.first, ask.IndexRepository())
    stick = tmp_path / "stick"
    for one in (pair.first.path / "repo").rglob("*"):
        target = stick / one.relative_to(pair.first.path / "repo")
        target.parent.mkdir(parents=True, exist_ok=True)
        if one.is_file():
            target.write_bytes(one.read_bytes())
            target.chmod(one.stat().st_mode & 0o777)
    add(pair.second, "main", kind="folder", place=str(stick))
    done(pair.second, ask.UpdateCache(repository="main"))
    there, here = (layer(pair.first.path, KITCHEN, at) for at in (None, pair.cache))
    assert {i.path: (i.uid, i.mode, i.xattrs) for i in here.items} == {
        i.path: (i.uid, i.mode, i.xattrs) for i in there.items
    }


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"files": []}', '{"files": {"groups/g/i/a": {"odd": "x"}}}',
     '{"files": {"groups/g/i/a": {"user.a": "0x0"}}}', '{"files": {"groups/g/i/a": 1}}'],
)  # fmt: skip
def test_a_list_that_can_not_be_used_is_no_list(text: str) -> None:
    with pytest.raises(ValueError):
        attributes.from_json(text.encode())


@pytest.mark.parametrize("path", ["images/a", "groups/g/i", "groups/../i/a", "/etc/a", "groups"])
def test_what_is_in_no_overlay_has_none(path: str) -> None:
    told = b'{"files": {"%s": {"user.a": "x"}}}' % path.encode()
    assert attributes.from_json(told) == {}


def test_of_images_in_the_cache_nothing_is_listed(pair: Pair) -> None:
    done(pair.first, ask.IndexRepository())
    listed = attributes.from_json((pair.first.path / "repo" / attributes.LIST).read_bytes())
    assert sorted(listed) == [
        "groups/kitchen/deb/etc/motd",
        "groups/kitchen/deb/etc/plain",
        "groups/kitchen/deb/opt/tools",
        "groups/kitchen/deb/opt/tools/ping",
    ]
    assert pair.first.images(parse_address("repo")) == ()
