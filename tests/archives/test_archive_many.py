"""Many nodes in one export, and what is left of one that was stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import Refused
from sbctui.engine.model.requests import ExportMany, Request
from sbctui.engine.nodes.rest import rest
from tests.ui.conftest import empty_site, own_settings, small_site  # noqa: F401

NAMES = ("golden", "dc-a6-32-0a-00-01")


def many(engine: Engine, folder: Path, **more: object) -> Request:
    """golden and pi-01, each under its name."""
    targets = tuple(engine.target(str(folder / f"{name}.tar")) for name in NAMES)
    given = {"names": NAMES, "targets": targets, "packing": {"compression": "none"}, **more}
    return ExportMany.model_validate(given)


def test_each_is_a_unit_and_an_archive(small_site: Path, tmp_path: Path) -> None:  # noqa: F811
    engine = Engine(small_site)
    plan = engine.plan(many(engine, tmp_path, difference=True))
    assert [u.node for u in plan.units if not u.always] == list(NAMES)
    assert "what differs from debian12" in plan.units[1].detail
    assert plan.command.startswith("sbctui archive export golden dc-a6-32-0a-00-01 --to")
    assert engine.apply(plan).code == 0
    assert sorted(f.stem for f in tmp_path.glob("*.tar")) == sorted(NAMES)


def test_one_that_is_there_is_refused_but_not_by_the_rest(
    small_site: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    engine = Engine(small_site)
    plan = engine.plan(many(engine, tmp_path))
    (tmp_path / "golden.tar").write_bytes(b"whole")
    with pytest.raises(Refused, match=r"golden\.tar is there already"):
        engine.plan(many(engine, tmp_path))
    left = rest(plan, engine.site())
    assert left is not None
    again = engine.plan(left.model_copy(update={"rest_of": "a-job"}))
    assert [u.node for u in again.units if not u.always] == [NAMES[1]]
    assert (tmp_path / "golden.tar").read_bytes() == b"whole"
