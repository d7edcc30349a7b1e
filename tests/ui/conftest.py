"""A small real site for the console, made by the engine."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from sbctui import configfile
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.requests import (
    AllocateRoot,
    CreateLeaves,
    CreateRoot,
    LeafSpec,
    Request,
)
from sbctui.engine.model.settings import Network, Personalise, Pool, Settings
from sbctui.engine.plan import Report

MIB = 1024**2
SETTINGS = Settings(
    network=Network(
        subnet=IPv4Network("10.77.0.0/22"),
        pool=Pool(first=IPv4Address("10.77.0.50"), last=IPv4Address("10.77.3.250")),
        server=IPv4Address("10.77.0.1"),
    ),
    disk_kind="overlay",
    personalise=Personalise(hostname=False, machine_id=False, ssh_host_key=False),
)


def do(site: Path, *requests: Request) -> list[Report]:
    """Have the engine do these, here and now; every one must succeed."""
    engine = Engine(site)
    reports = [engine.apply(engine.plan(r)) for r in requests]
    assert not any(r.code for r in reports), reports
    return reports


def specs(count: int, first: int = 1, prefix: str = "pi") -> tuple[LeafSpec, ...]:
    """Leaves ``pi-01`` and on, with MACs that end alike."""
    numbers = range(first, first + count)
    return tuple(
        LeafSpec(mac=f"dc:a6:32:0a:{n >> 8:02x}:{n & 255:02x}", alias=f"{prefix}-{n:02}")
        for n in numbers
    )


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, history and faults are kept here; where ``config.toml`` would be."""
    for name in ("CONFIG", "STATE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name.lower()))
    monkeypatch.setattr(configfile, "SYSTEM", tmp_path / "etc" / "config.toml")
    return tmp_path / "config" / "sbctui" / "config.toml"


@pytest.fixture
def empty_site(site_path: Path) -> Path:
    """A site with nothing in it."""
    init_site(site_path, SETTINGS)
    return site_path


@pytest.fixture
def small_site(empty_site: Path) -> Path:
    """debian12 with three leaves, golden free, rescue-07 allocated."""
    do(
        empty_site,
        CreateRoot(name="debian12", size=16 * MIB),
        CreateRoot(name="golden", size=16 * MIB),
        CreateRoot(name="rescue-07", size=16 * MIB),
        CreateLeaves(root="debian12", leaves=specs(3)),
        AllocateRoot(name="rescue-07", mac="dc:a6:32:01:02:03"),
    )
    return empty_site


@pytest.fixture
def look(small_site: Path) -> Callable[[], Engine]:
    """The same site through the engine, read anew."""
    return lambda: Engine(small_site)
