"""The wall of all boards: what has not changed is neither read nor judged again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sbctui.engine.boards.history import NAME, History, Kept
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.boots import Boot
from sbctui.engine.model.requests import AllocateRoot, CreateRoot, EditNode
from sbctui.engine.model.settings import Settings

MAC = "dc:a6:32:0a:00:01"


def boot(mac: str = MAC, ago: float = 900.0, **more: float) -> Boot:
    at = time.time() - ago
    return Boot(mac, at, at, "10.77.0.51", 1, asked=at, offered=at, leased=at, **more)  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    settings = Settings.model_validate(
        {
            "network": {
                "subnet": "10.77.0.0/24",
                "pool": {"first": "10.77.0.50", "last": "10.77.0.99"},
            }
        }
    )
    init_site(tmp_path / "site", settings)
    (tmp_path / "site" / "state").mkdir(exist_ok=True)
    return tmp_path / "site"


def do(engine: Engine, *requests: CreateRoot | AllocateRoot | EditNode) -> None:
    for request in requests:
        assert not engine.apply(engine.plan(request)).code


def test_boards_that_settled_are_the_same_lines_until_something_changes(site: Path) -> None:
    History(site / "state").append([boot()], {})
    engine = Engine(site)
    first = engine.boots()
    assert [(one.mac, one.state, one.hostname) for one in first] == [(MAC, "stopped", "")]
    assert engine.boots() is first
    do(engine, CreateRoot(name="rack", size=1 << 24), AllocateRoot(name="rack", mac=MAC))
    (named,) = engine.boots()
    assert named.hostname == "rack"
    History(site / "state").append([boot("dc:a6:32:0a:00:02")], {})
    both = engine.boots()
    assert len(both) == 2
    assert both[0] is named


def test_a_board_that_boots_is_judged_each_time(site: Path) -> None:
    History(site / "state").append([boot(ago=1.0)], {})
    engine = Engine(site)
    (first,), (second,) = engine.boots(), engine.boots()
    assert first.state == second.state == "booting"
    assert second.seconds > first.seconds


def test_what_was_written_down_is_read_once(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(site)
    assert kept.news(0).boots == ()
    History(site / "state").append([boot()], {})
    news = kept.news(0)
    assert [one.mac for one in news.boots] == [MAC]
    assert kept.news(news.version).boots == ()
    assert kept.news(0) is news
    monkeypatch.setattr(History, "load", lambda *_: pytest.fail("read again"))
    assert kept.news(0) is news
    monkeypatch.undo()
    (site / "state" / NAME).unlink()
    assert kept.news(news.version).boots == ()
