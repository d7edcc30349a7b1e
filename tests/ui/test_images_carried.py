"""What the screen of repositories does with others: send, receive, mount, forget, former, index."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import NoSuchNode
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.requests import AddRepository, CreateRoot, ExportRoot, UpdateCache
from sbctui.engine.model.settings import Network, Pool, Settings
from tests.driver import Tui, open_tui
from tests.lab import needs
from tests.repository.place import Machine, archive, machines, sparse_disk
from tests.repository.places import labelled_stick
from tests.ui.conftest import MIB, SETTINGS, do
from tests.ui.test_flows import start, starts_at_once

IMAGE = "lab/debian.tar.zst"


def networked(machine: Machine) -> None:
    """The machine's site knows its interface, as one that is set up does."""
    subnet = IPv4Network(f"{machine.address}/24", strict=False)
    first, last = subnet[100], subnet[200]
    network = Network(
        subnet=subnet,
        pool=Pool(first=first, last=last),
        server=machine.address,
        interface=machine.interface,
    )
    shutil.rmtree(machine.site)
    init_site(machine.site, Settings.model_validate({**SETTINGS.model_dump(), "network": network}))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[list[Machine]]:
    """One machine with an image, and one without, in a network of their own."""
    needs("udp-sender", "udp-receiver", "aria2c", "zstd")
    with machines(tmp_path, 1) as found:
        for machine in found:
            networked(machine)
        archive(sparse_disk(tmp_path, data=2 * MIB, apparent=32 * MIB), found[0].image)
        yield found


async def at_images(tui: Tui, key: str = "") -> None:
    await tui.press("i")
    await tui.expect("1 Images", "ready")
    if key:
        rows = tui.app.screen.images.rows
        await tui.until(lambda: key in rows.keys, f"no row {key}")
        rows.move_to(key)
        await tui.settled()


async def receives(machine: Machine, by: str, side: Path) -> None:
    """Have the form of the other machine's console begin a transfer, and leave that console."""
    with machine.space.inside():
        async with open_tui(machine.site) as tui:
            await at_images(tui)
            await tui.press("e")
            await tui.expect("Receive an image")
            await tui.paste(IMAGE)
            await tui.press("tab", *(["space"] if by == "torrent" else []), "tab")
            await tui.paste(str(side))
            await tui.expect(f"repo receive {IMAGE} --{by}")
            await tui.press("enter")
            await tui.expect("The plan", f"by {by} on eth0")
            await tui.awake()
            await tui.press("y")
            await tui.expect("wait" if by == "multicast" else "looking for who seeds it")


async def came(machine: Machine, server: Machine) -> None:
    """The job of the console that was left went on to its end, as the next console shows."""
    async with open_tui(machine.site) as tui:
        await tui.expect_jobs_over()
        await at_images(tui, f"img:repo:{IMAGE}")
        await tui.expect("ok          receive")
    assert machine.image.read_bytes() == server.image.read_bytes()


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.xdist_group("distribution")
async def test_an_image_is_sent_and_seeded_and_the_other_console_receives_it(
    pair: list[Machine],
) -> None:
    server, other = pair
    with server.space.inside():
        async with open_tui(server.site, (100, 30)) as tui:
            await at_images(tui, f"img:repo:{IMAGE}")
            await tui.expect("no side files; f makes them")
            await tui.press("f")
            await start(tui, "side files")
            await tui.expect("stmc")
    await receives(other, "multicast", Path(f"{server.image}.mcast"))
    with server.space.inside():
        async with open_tui(server.site, (100, 30)) as tui:
            await at_images(tui, f"img:repo:{IMAGE}")
            await tui.press("b")
            await tui.expect("Send repo:lab/debian.tar.zst by multicast")
            await tui.press("enter")
            await start(tui, "begins with 1 receiver")
            await tui.press("3", "g")
            await tui.expect(f"{other.address}: verified", "ok          send")
            await came(other, server)
            other.image.unlink()
            await tui.press("1", "t")
            await tui.expect("Offer repo:lab/debian.tar.zst by torrent")
            await tui.type("1")
            await tui.press("enter")
            await tui.expect("The plan", "seed repo:lab/debian.tar.zst")
            await tui.awake()
            await tui.press("y")
            await tui.expect("seeding on")
            await receives(other, "torrent", Path(f"{server.image}.torrent"))
            await tui.expect_jobs_over()
            await came(other, server)


@pytest.mark.loop
async def test_a_stick_is_mounted_read_and_forgotten(small_site: Path, tmp_path: Path) -> None:
    with labelled_stick(tmp_path) as label:
        place = Configured(kind="removable", place=label)
        do(small_site, AddRepository(name="stick", repository=place))
        async with open_tui(small_site, read_only=True) as tui:
            await at_images(tui)
            await tui.press("2", "j", "p")
            await tui.expect("not possible", "read-only")
        async with open_tui(small_site) as tui:
            await at_images(tui)
            await tui.expect("stick    removable unmounted")
            await tui.press("2", "j")
            await tui.expect("p mounts it")
            await tui.press("p")
            await starts_at_once(tui, "mount the repository stick: done")
            await tui.expect("stick    removable ready", "pi.img", "removable, read-only")
            await tui.press("A")
            await tui.expect("not possible", "repo unmount stick")
            await tui.press("p")
            await starts_at_once(tui, "unmount the repository stick: done")
            await tui.expect_gone("pi.img")
            await tui.press("A")
            await starts_at_once(tui, "forget the repository stick: done")
            await tui.expect(f"back with: sbctui repo add stick removable {label}")
            await tui.expect_gone("stick    removable")
            await tui.press("r")
            await tui.expect("repo     own       ready")
    engine = Engine(small_site)
    assert "stick" not in engine.repository_names()
    with pytest.raises(NoSuchNode, match="no repository 'stick'"):
        engine.shelf("stick")


async def test_a_cache_gives_back_the_former_version(empty_site: Path, tmp_path: Path) -> None:
    kept, site = tmp_path / "kept", empty_site
    kept.mkdir()
    place = Configured(kind="cache", place=str(kept))
    target = Engine(site).target(f"repo:{IMAGE}")
    do(
        site,
        CreateRoot(name="debian", size=2 * MIB),
        ExportRoot(name="debian", target=target),
        AddRepository(name="cache", repository=place),
        UpdateCache(repository="repo"),
    )
    image = kept / "images" / IMAGE
    first, since = image.read_bytes(), int(image.stat().st_mtime)
    with open(site / "nodes/debian/root.img", "r+b") as disk:
        disk.write(b"other")
    again = Engine(site).target(f"repo:{IMAGE}")
    do(
        site,
        ExportRoot(name="debian", target=again, replace=True),
        UpdateCache(repository="repo"),
    )
    assert image.read_bytes() != first
    async with open_tui(site) as tui:
        await at_images(tui, f"img:cache:{IMAGE}")
        kept = time.strftime("%Y-%m-%d %H:%M", time.localtime(since))
        await tui.expect(f"former {kept}, ")
        await tui.press("F")
        await starts_at_once(tui, "ok          restore the former version of cache:lab")
        await tui.expect("repo (another version)")
        assert image.read_bytes() == first
        (site / "repo/index.json").unlink()
        await tui.press("n")
        await starts_at_once(tui, "index this server's repository: done")
    assert (site / "repo/index.json").exists()
