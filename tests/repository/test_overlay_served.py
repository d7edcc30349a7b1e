"""Laying files while the real services serve the disk: off, it gets them; on, it is left alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.disks import fuse
from sbctui.engine.engine import Engine
from sbctui.engine.errors import Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.services.control import start_services, stop_services
from tests.nbdclient import board, until
from tests.repository.overlaid import do, image_tree, leaf, make_site, name, put
from tests.services.nbd_place import free_port

pytestmark = [pytest.mark.lab]


@pytest.fixture
def served() -> Iterator[Engine]:
    """A served site with two leaves in the kitchen, at addresses of this machine."""
    if reason := fuse.unavailable():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="overlaid-") as folder:
        port = free_port()
        engine = make_site(
            Path(folder) / "s", image_tree(Path(folder) / "tree"), kind="overlay", port=port
        )
        leaf(engine, 1, "kitchen")
        leaf(engine, 2, "kitchen")
        start_services(engine.path)
        try:
            yield engine
        finally:
            stop_services(engine.path, force=True)


def test_only_boards_that_are_off_get_files(served: Engine) -> None:
    site = served.site()
    port = site.settings.network.nbd_port
    addresses = [str(site.nodes[name(n)].config.ip) for n in (1, 2)]
    put(served.path, "groups/kitchen", "etc/motd", "served\n")
    before = site.disk_path(name(1)).read_bytes()
    with board(port, name(1), addresses[0]) as session:
        session.read(0, 4096)
        assert until(lambda: served.site().sessions_of.get(name(1)))
        with pytest.raises(Refused, match=r"is running from .* shut it down first"):
            served.plan(ask.ApplyOverlays(names=(name(1),)))
        plan = served.plan(ask.ApplyOverlays(group="kitchen"))
        assert "1 leaf left alone, boards run from them: pi-1" in plan.notes[0]
        assert served.apply(plan).code == 0
        session.read(4096, 4096)
    assert site.disk_path(name(1)).read_bytes() == before
    assert served.overlay(name(2)).pending == 0
    assert until(lambda: not served.site().sessions_of.get(name(1)))
    do(served, ask.ApplyOverlays(group="kitchen"))
    for number, address in enumerate(addresses, 1):
        with board(port, name(number), address) as again:
            disk = b"".join(again.read(at, 1 << 20) for at in range(0, 8 << 20, 1 << 20))
            assert b"served\n" in disk
