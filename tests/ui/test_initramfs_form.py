"""The console's way to another initramfs, and to several networks."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.requests import CreateLeaves, CreateRoot
from sbctui.engine.model.settings import Settings
from tests.boot.initrds import VERSION, cpio, system, without
from tests.boot.kits import plant
from tests.driver import open_tui
from tests.ui.conftest import MIB, SETTINGS, do, specs
from tests.ui.test_flows import start

KIT = f"bootkit-{VERSION}.img"


@pytest.fixture
def unable(empty_site: Path, tmp_path: Path) -> Path:
    """r1, whose image knows nothing of NBD, with two leaves."""
    packed = gzip.compress(cpio(without("usr/sbin/nbd-client")))
    source = Engine(empty_site).source(system(tmp_path / "tree", packed))
    do(empty_site, CreateRoot(name="r1", size=32 * MIB, source=source))
    do(empty_site, CreateLeaves(root="r1", leaves=specs(2)))
    plant(empty_site)
    return empty_site


async def test_a_root_and_its_leaves_load_the_sites_own(unable: Path) -> None:
    async with open_tui(unable) as tui:
        await tui.until(lambda: "r1" in tui.text, "the root is not there")
        await tui.press("K")
        await tui.expect("Initramfs of r1", "r1 and its 2 leaves load initrd.img", "(x) bootkit")
        await tui.expect("3 nodes changed", "sbctui boot use r1 --initramfs bootkit")
        await tui.press("enter")
        await start(tui, "let r1 load the site's own initramfs")
    site = Engine(unable).site()
    assert {node.config.boot.initramfs for node in site.nodes.values()} == {KIT}


async def test_a_build_that_names_nothing_is_refused_in_the_form(unable: Path) -> None:
    async with open_tui(unable) as tui:
        await tui.until(lambda: "r1" in tui.text, "the root is not there")
        await tui.press("B")
        await tui.expect("Build an initramfs", "sbctui bootkit build --root r1")
        await tui.press("enter")
        await tui.expect("The plan", "build the initramfs for arm64 and the kernel of r1")
        await tui.press("escape")
        await tui.expect_gone("The plan")
        await tui.press("ctrl+u", "enter")
        await tui.expect("say with --arch which it is: arm64, armhf, amd64")


@pytest.fixture
def two_networks(tmp_path: Path) -> Path:
    """A site with two subnets and a root."""
    text = SETTINGS.model_dump(mode="json", exclude_none=True, by_alias=True)
    pool = {"first": "10.88.0.20", "last": "10.88.0.90"}
    second = {"interface": "lab1", "subnet": "10.88.0.0/24", "pool": pool}
    text["network"] |= {"interface": "lab0", "more": [second]}
    init_site(tmp_path / "site", Settings.model_validate(text))
    do(tmp_path / "site", CreateRoot(name="debian12", size=16 * MIB))
    return tmp_path / "site"


async def test_leaves_are_made_on_the_network_that_is_chosen(two_networks: Path) -> None:
    async with open_tui(two_networks) as tui:
        await tui.paste("b8:27:eb:0c:00:01\nb8:27:eb:0c:00:02\n")
        await tui.expect("sbc-0c0001 gets 10.77.0.50", "Network:", "(x) lab0")
        tui.app.screen.query_one("#network").focus()
        await tui.press("right")
        await tui.expect("sbc-0c0001 gets 10.88.0.20 ... sbc-0c0002 gets 10.88.0.21")
        await tui.press("ctrl+g")
        await tui.expect("--network lab1")
        await start(tui, "create 2 leaves of debian12")
        await tui.press("escape")
        await tui.press("L")
        await tui.expect("Create a leaf", "(x) lab0", "( ) lab1", "the subnet of its address")
    ips = {str(leaf.config.ip) for leaf in Engine(two_networks).site().leaves}
    assert ips == {"10.88.0.20", "10.88.0.21"}
