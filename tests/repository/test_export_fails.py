"""A first export that fails, is stopped or killed leaves a repository as it was: none at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.events import Event, Progress
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from tests.archives.place import make_root
from tests.faults import harness
from tests.faults.harness import NONE, Fault

IMAGE = "lab/new/pi.tar.zst"


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the root pi, from which nothing was exported; not to be written."""
    site = tmp_path_factory.mktemp("fails") / "site"
    init_site(site, Settings())
    make_root(Engine(site), "pi")
    return site


def export(engine: Engine) -> ask.Request:
    return ask.ExportRoot(name="pi", target=engine.target(f"repo:{IMAGE}"))


def copies(source: Path, folder: Path) -> Iterator[Path]:
    """One site after another, each as it was."""
    target = folder / "site"
    while True:
        shutil.rmtree(target, ignore_errors=True)
        harness.copy_site(source, target)
        yield target


def listed(site: Path) -> list[str]:
    """Images in the list for others."""
    entries = json.loads((site / "repo/index.json").read_bytes())["entries"]
    return [one["path"] for one in entries if one["path"].endswith(".zst")]


def steps(site: Path) -> list[str]:
    """What an export does, in order."""
    return list(harness.run(site, export, NONE).names)


def wrong(site: Path) -> str:
    """What of an export is neither there nor gone; empty when it is one of them, and all of it."""
    if not (site / "repo").exists():
        return ""
    found = {str(one.relative_to(site / "repo")) for one in (site / "repo").rglob("*")}
    image = f"images/{IMAGE}"
    if image not in found:
        return f"left without an image: {sorted(found)}"
    odd = [one for one in found if one.endswith((".part", ".tmp"))]
    return f"left beside it: {odd}" if odd else "" if listed(site) == [image] else "not listed"


def test_killed_anywhere(furnished: Path, tmp_path: Path) -> None:
    """Before the first and the last step of each kind."""
    sites = copies(furnished, tmp_path)
    names = steps(next(sites))
    last = {name: at for at, name in enumerate(names, 1)}
    for at in sorted({*last.values(), *(names.index(name) + 1 for name in last)}):
        site = next(sites)
        assert harness.run(site, export, Fault(at, kill=True)).code is None
        harness.recover(site)
        assert not (said := wrong(site)), f"killed at step {at}, {names[at - 1]}: {said}"


def test_without_room_from_anywhere_on(furnished: Path, tmp_path: Path) -> None:
    sites = copies(furnished, tmp_path)
    names = steps(next(sites))
    for at in sorted(names.index(name) + 1 for name in set(names)):
        site = next(sites)
        outcome = harness.run(site, export, Fault(at, errno=errno.ENOSPC, sticky=True))
        there = (site / "repo/images" / IMAGE).exists()
        assert there or outcome.code, f"at step {at}, {names[at - 1]}"
        assert there or not (site / "repo").exists(), f"at step {at}: {wrong(site)}"


def test_stopped(furnished: Path, tmp_path: Path) -> None:
    site, stop = next(copies(furnished, tmp_path)), threading.Event()
    engine = Engine(site)

    def emit(event: Event) -> None:
        if isinstance(event, Progress):
            stop.set()

    assert engine.apply(engine.plan(export(engine)), emit, stop).code == 130
    assert not (site / "repo").exists()


def test_what_is_somebody_else_s_stays(furnished: Path, tmp_path: Path) -> None:
    """A folder that an admin made for others, and an image that is there."""
    sites = copies(furnished, tmp_path)
    at = steps(next(sites)).index("archive.write") + 1
    site = next(sites)
    (site / "repo/images/lab").mkdir(parents=True)
    (site / "repo/images/lab").chmod(0o2775)
    (site / "repo/images/other.img").write_bytes(b"x" * 99)
    assert harness.run(site, export, Fault(at, kill=True)).code is None
    harness.recover(site)
    assert os.listdir(site / "repo/images/lab") == []
    assert (site / "repo/images/other.img").exists()
