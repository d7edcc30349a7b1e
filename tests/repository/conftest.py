"""A site whose cache follows a repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.requests import AddRepository, Request, UpdateCache
from sbctui.engine.model.settings import Settings
from sbctui.engine.plan import Report

Update = Callable[..., Report]


@pytest.fixture
def engine(site_path: Path, tmp_path: Path) -> Engine:
    """A site with a cache ``disk``, and the folder ``lab`` as a repository."""
    init_site(site_path, Settings())
    found = Engine(site_path)
    for name in ("lab", "cache"):
        (tmp_path / name).mkdir()
    add(found, "disk", kind="cache", place=str(tmp_path / "cache"))
    add(found, "lab", kind="folder", place=str(tmp_path / "lab"))
    return found


def add(engine: Engine, name: str, **fields: object) -> None:
    one = Configured.model_validate(fields)
    done(engine, AddRepository(name=name, repository=one))


def done(engine: Engine, request: Request) -> Report:
    """A request planned and carried out; it must succeed."""
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return report


def update(engine: Engine, path: str = "", repository: str = "lab", **more: object) -> Report:
    return done(engine, UpdateCache(repository=repository, path=path, **more))  # type: ignore[arg-type]


def fetched(report: Report) -> int:
    """Bytes that came from the repository."""
    return sum(int(one.data.get("fetched", 0)) for one in report.results)
