"""An image that many receive comes into a cache: it is then as an update brings it there."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import NoSpace, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.repository import parse_address
from sbctui.engine.repository.keep import LOCK, PART, hidden
from sbctui.engine.repository.tree import PREVIOUS
from tests.lab import needs
from tests.repository.conftest import add, done, fetched, update
from tests.repository.overlaid import MIB, image_tree, leaf, make_site, name
from tests.repository.place import IMAGE, Machine, ended, machines
from tests.repository.test_cache_serve import other

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.xdist_group("distribution")]
DATA = 4 * MIB


@dataclass
class Pair:
    """A server with an image, and another with an empty cache, each on a machine of its own."""

    server: Machine
    board: Machine
    first: Engine
    second: Engine
    cache: Path

    @property
    def image(self) -> Path:
        return self.cache / "images" / IMAGE

    def publish(self) -> None:
        """Export the root to the repository, over what is there."""
        target = self.first.target(f"repo:{IMAGE}")
        done(self.first, ask.ExportRoot(name="deb", target=target, replace=True))
        done(self.first, ask.IndexRepository())

    def bring(self, *by: str) -> None:
        """From the one to the other, by the verbs."""
        torrent = "--torrent" in by
        origin = f"{self.server.image}.{'torrent' if torrent else 'mcast'}"
        coming = self.board.start("repo", "receive", f"cache:{IMAGE}", "--from", origin, *by)
        how = ("seed", "--receivers", "1") if torrent else ("send",)
        code, document = self.server.run("repo", how[0], IMAGE, *how[1:])
        assert code == 0, document
        told = document["report"]["results"][-1]["data"]
        assert told == {str(self.board.address): "verified"}
        assert ended(coming)[0] == 0

    def is_kept_well(self, *more: str) -> None:
        """The bytes, what lies beside them, and what an update and a check say of them."""
        assert self.image.read_bytes() == self.server.image.read_bytes()
        endings = ("", ".sha256", ".torrent", ".mcast", ".chunks")
        hiddens = (hidden(self.image, ending).name for ending in (LOCK, *more))
        names = {*(self.image.name + ending for ending in endings), *hiddens}
        assert set(os.listdir(self.image.parent)) == names
        assert self.second.check_images(parse_address("cache"), threading.Event()) == ()
        assert fetched(update(self.second, repository="main")) == 0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    needs("udp-sender", "udp-receiver", "aria2c", "zstd")
    with machines(tmp_path / "machines", 1) as (server, board):
        tree = image_tree(tmp_path / "tree")
        (tree / "opt/thing").write_bytes(os.urandom(DATA))
        server, board = (replace(m, site=tmp_path / m.site.name) for m in (server, board))
        first = make_site(server.site, tree, size=16 * MIB)
        leaf(first, 1)
        second = other(board.site)
        (tmp_path / "cache").mkdir()
        add(second, "cache", kind="cache", place=str(tmp_path / "cache"))
        found = Pair(server, board, first, second, tmp_path / "cache")
        found.publish()
        yield found


def test_by_multicast_and_a_newer_one_by_torrent_on_top_of_a_half_done_update(pair: Pair) -> None:
    pair.bring()
    add(pair.second, "main", kind="folder", place=str(pair.first.path / "repo"))
    pair.is_kept_well()
    older = pair.image.read_bytes()

    done(pair.first, ask.EditNode(name="deb", notes="changed"))
    done(pair.first, ask.CloneRoot(source="deb", name="more"))
    pair.publish()
    newer = pair.server.image.read_bytes()
    assert newer != older
    half = hidden(pair.image, PART)
    half.write_bytes(newer[: DATA // 2] + bytes(len(newer) - DATA // 2 + 4096))
    half.with_name(f"{half.name}.chunks").write_text("of another version")
    before = pair.board.received()
    pair.bring("--torrent")
    assert pair.board.received() - before < DATA * 3 // 4, "what was there did not travel"
    pair.is_kept_well(PREVIOUS, f"{PREVIOUS}.chunks")
    done(pair.second, ask.RestoreImage(path=IMAGE))
    assert pair.image.read_bytes() == older
    done(pair.second, ask.RestoreImage(path=IMAGE))

    done(pair.second, ask.ServeCache())
    assert set(pair.second.site().nodes) == {"deb", name(1)}


def test_a_cache_that_has_no_room_and_one_that_is_none(pair: Pair) -> None:
    asked = ask.ReceiveImage(image=IMAGE, cache="cache", origin=f"{pair.server.image}.mcast",
                             interface="lo")  # fmt: skip
    plan = pair.second.plan(asked)
    assert plan.title == f"receive cache:{IMAGE} by multicast on lo"
    assert f" cache:{IMAGE} --multicast" in plan.command
    full = plan.request.model_copy(update={"room": 4096})
    from sbctui.engine.repository.plan_distribution import plan_distribution

    with pytest.raises(NoSpace, match=r'the cache has 4K free .* full = "lru"'):
        plan_distribution(full, pair.second.site())
    assert plan_distribution(full.model_copy(update={"drop": True}), pair.second.site()).units
    add(pair.second, "main", kind="folder", place=str(pair.first.path / "repo"))
    with pytest.raises(Refused, match="main is no cache"):
        pair.second.plan(asked.model_copy(update={"cache": "main"}))
