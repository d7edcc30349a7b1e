"""The screen of repositories: images, their side files, caches, a server that does not answer."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.requests import (
    AddRepository,
    CreateRoot,
    DeleteRoot,
    ExportMany,
    ExportRoot,
    MakeSideFiles,
    UpdateCache,
)
from sbctui.engine.model.settings import Settings
from sbctui.screens.images import ImagesScreen
from tests.driver import Tui, open_tui
from tests.repository.interrupted import interrupted_seeding
from tests.ui.conftest import MIB, SETTINGS, do
from tests.ui.test_archives import picking
from tests.ui.test_flows import start

GOLDEN = "img:repo:lab/golden.tar.zst"


@pytest.fixture
def shelved(site_path: Path) -> Path:
    """golden and debian12, both exported; golden's image has side files."""
    lab = SETTINGS.network.model_copy(update={"interface": "lo"})
    init_site(site_path, Settings.model_validate({**SETTINGS.model_dump(), "network": lab}))
    engine = Engine(site_path)
    do(
        site_path,
        CreateRoot(name="debian12", size=16 * MIB),
        CreateRoot(name="golden", size=16 * MIB),
        ExportRoot(name="golden", target=engine.target("repo:lab/golden.tar.zst")),
        ExportMany(names=("debian12",), targets=(engine.target("repo:debian12.tar.zst"),)),
        MakeSideFiles(images=("lab/golden.tar.zst",)),
    )
    return site_path


async def at_image(tui: Tui, key: str = GOLDEN) -> ImagesScreen:
    """The screen, its cursor on an image."""
    await tui.press("i")
    await tui.expect("golden.tar.zst", "2 images")
    screen = tui.app.screen
    assert isinstance(screen, ImagesScreen)
    screen.images.rows.move_to(key)
    await tui.pilot.pause()
    return screen


async def test_an_empty_repository_says_what_to_do(small_site: Path) -> None:
    async with open_tui(small_site) as tui:
        await tui.press("i")
        await tui.expect("no images yet", "x writes a root", "import-tree", "(e Receive)", "ready")
        await tui.press("b")
        await tui.expect("not possible", "this sends an image: put the cursor on one")
        await tui.press("escape")
        await tui.expect("1 Tree")


async def test_images_tell_their_side_files_and_who_uses_them(shelved: Path) -> None:
    motd = shelved / "repo/groups/room-a/golden/etc/motd"
    motd.parent.mkdir(parents=True)
    motd.write_text("welcome\n")
    async with open_tui(shelved, (100, 30)) as tui:
        await at_image(tui)
        await tui.expect("files for group")
        await tui.expect("stmc", "golden, 0 leaves", "all 4 side files")
        await tui.press("enter")
        await tui.expect("root golden, made", "disk    16M", "no files")
        await tui.press("escape", "slash", *"debian", "enter")
        await tui.expect_gone("v lab/")
        await tui.press("escape")
        await tui.expect("golden.tar.zst")


async def test_a_changed_image_is_stale_until_its_side_files_are_made(shelved: Path) -> None:
    image = shelved / "repo/images/lab/golden.tar.zst"
    image.write_bytes(image.read_bytes() + b"\0" * 512)
    os.utime(image, (image.stat().st_mtime + 1,) * 2)
    async with open_tui(shelved) as tui:
        await at_image(tui)
        await tui.expect("1 stale", "!!!!", "f makes them")
        await tui.press("f")
        await start(tui, "side files")
        await tui.expect("stmc")
        await tui.expect_gone("1 stale")


async def test_reading_images_finds_a_flipped_bit(shelved: Path) -> None:
    image = shelved / "repo/images/lab/golden.tar.zst"
    was, data = image.stat(), bytearray(image.read_bytes())
    data[100] ^= 1
    image.write_bytes(data)
    os.utime(image, ns=(was.st_atime_ns, was.st_mtime_ns))
    async with open_tui(shelved) as tui:
        await at_image(tui)
        await tui.expect("stmc")
        await tui.press("c")
        await tui.expect("Check repo:lab/golden", "it is not what its .sha256 says", "mend it with")
        await tui.press("q")
        await tui.expect("1 Images")


async def test_deleted_images_come_back(shelved: Path) -> None:
    image = shelved / "repo/images/lab/golden.tar.zst"
    async with open_tui(shelved) as tui:
        await at_image(tui)
        await tui.press("D")
        await tui.expect("delete repo:lab/golden.tar.zst", "with 4 files beside it")
        await start(tui, "repo delete lab/golden.tar.zst")
        await tui.until(lambda: not image.exists(), "it is still there")
        await tui.expect("1 Images  1, ")
        await tui.press("z")
        await tui.until(image.exists, "it did not come back")
        await tui.expect_jobs_over()
    assert (image.parent / "golden.tar.zst.torrent").exists()


async def test_a_cache_is_added_and_follows(shelved: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    async with open_tui(shelved) as tui:
        await at_image(tui)
        await tui.press("u")
        await tui.expect("not possible", "there is no cache; a adds one")
        await tui.press("a")
        await tui.expect("Add a repository")
        await tui.press(*"cache", "tab", "left", "tab")
        await tui.type(str(kept))
        await tui.expect("(x) cache", "$ sbctui repo add cache cache")
        await tui.press("enter")
        await tui.until(lambda: "cache" in Engine(shelved).repository_names(), "not added")
        await tui.expect("cache    cache     ready", within=30)
        await tui.press("u")
        await tui.expect("Bring a cache up to date", "cache update repo:lab/golden.tar.zst")
        await tui.press("enter")
        await start(tui, "update the cache from repo:lab/golden.tar.zst")
        await tui.expect("also in")
        await tui.expect("cache")
    assert (kept / "images/lab/golden.tar.zst").exists()


async def test_a_cache_takes_over(shelved: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    place = Configured(kind="cache", place=str(tmp_path / "kept"))
    do(
        shelved,
        AddRepository(name="cache", repository=place),
        UpdateCache(repository="repo", path="lab"),
        DeleteRoot(name="golden"),
    )
    async with open_tui(shelved) as tui:
        screen = await at_image(tui)
        await tui.until(lambda: "dir:cache:lab" in screen.images.rows.keys, "no cache is shown")
        screen.images.rows.move_to("dir:cache:lab")
        await tui.pilot.pause()
        await tui.press("T")
        await tui.expect("$ sbctui cache serve cache:lab", "import golden")
        await tui.awake()
        await tui.press("y")
        await tui.until(lambda: "golden" in Engine(shelved).site().nodes, "not made")
        await tui.expect_jobs_over()


async def test_a_server_that_hangs_holds_up_its_own_row_only(shelved: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = Configured(kind="ssh", place="root@127.0.0.1:/x", port=silent.getsockname()[1])
        do(shelved, AddRepository(name="far", repository=place))
        async with open_tui(shelved) as tui:
            await at_image(tui)
            await tui.expect("far      ssh       ! ", "repo     own       ready")
            await tui.press("2", "j")
            await tui.expect("far:", "no answer")
            await tui.press("1", "s", "s")
            await tui.expect("by age")


async def test_a_side_file_is_chosen_from_a_list_of_such(shelved: Path) -> None:
    away = shelved / "repo/images/lab/golden.tar.zst"
    async with open_tui(shelved) as tui:
        await at_image(tui)
        away.unlink()
        await tui.press("e")
        await tui.expect("repo receive lab/IMAGE", "as it is named where it comes from")
        await tui.press("enter")
        await tui.expect("name the image as it is named")
        await tui.type("golden.tar.zst")
        await tui.press("tab", "tab")
        await tui.type("repo:l")
        await tui.press("right")
        screen = await picking(tui)
        await tui.expect("Choose its side file", "golden.tar.zst.mcast")
        assert not any(key.endswith((".sha256", ".chunks")) for key in screen.pane.rows.keys)
        screen.pane.rows.move_to("file:golden.tar.zst.mcast")
        await tui.expect("for receiving by multicast an image of")
        screen.pane.rows.move_to("file:golden.tar.zst.torrent")
        await tui.expect("for receiving by torrent an image of")
        await tui.press("enter")
        await tui.expect("--from repo:lab/golden.tar.zst.torrent")
        await tui.press("enter")
        await tui.expect("is for receiving by torrent, not multicast")
        await tui.press("shift+tab", "space", "enter")
        await tui.expect("The plan", "--torrent --wait 600", f"--from {away}.torrent")


async def test_an_image_is_offered_until_it_is_stopped(shelved: Path) -> None:
    async with open_tui(shelved) as tui:
        await at_image(tui)
        await tui.press("t")
        await tui.expect("Offer repo:lab/golden.tar.zst by torrent", "repo seed lab/golden.tar.zst")
        await tui.press("enter")
        await tui.expect("The plan", "until stopped")
        await tui.awake()
        await tui.press("y")
        await tui.expect("running     seed")
        await tui.press("3", "X")
        await tui.expect("stopping: what is done stays")
        await tui.expect_jobs_over()


async def test_a_transfer_that_ends_badly_tells_where_to_read_on(shelved: Path) -> None:
    side = shelved / "repo/images/lab/golden.tar.zst.mcast"
    async with open_tui(shelved) as tui:
        await at_image(tui)
        await tui.press("e", "ctrl+u")
        await tui.type("new.img")
        await tui.press("tab", "tab")
        await tui.paste(str(side))
        await tui.press("enter")
        await tui.expect("The plan")
        await tui.awake()
        await tui.press("y", "3", "g")
        await tui.expect("waiting for the sender")
        await tui.press("X")
        await tui.expect("enter on it in pane 3 shows all")


async def test_an_interrupted_transfer_tells_its_receivers_and_goes_on(shelved: Path) -> None:
    told = {"10.0.0.7": "verified", "10.0.0.8": "has 40 % of it", "10.0.0.9": "no room\x1b[2J"}
    engine = Engine(shelved)
    job = interrupted_seeding(engine, "lab/golden.tar.zst", told)
    async with open_tui(shelved, (120, 40)) as tui:
        await at_image(tui)
        await tui.expect("interrupted seed repo:lab/golden.tar.zst", "1/3 verified!")
        await tui.press("3")
        await tui.expect("10.0.0.7: verified", "10.0.0.8: has 40 % of it",
                         "10.0.0.9: no room", ") E Resume")  # fmt: skip
        await tui.press("E")
        await tui.expect("The plan", "until 9 receivers have it")
        await tui.awake()
        await tui.press("y")
        await tui.expect("running     seed", "resumed")
        await tui.press("1", "3", "g", "X")
        await tui.expect("stopping: what is done stays")
        await tui.expect_jobs_over()
    assert engine.jobs()[0].resumes == job


async def test_what_is_not_possible_says_why(shelved: Path) -> None:
    async with open_tui(shelved, (160, 48)) as tui:
        screen = await at_image(tui)
        for action, why in {
            "former": "only caches keep the former version",
            "serve": "there is no cache; a adds one",
            "mount": "repo is of kind own, which wants no mounting",
            "remove": "repo is this server's own",
            "stop_job": "it has ended",
            "resume_job": "it did all it was to do",
            "unmark": "nothing is marked",
        }.items():
            assert why in (screen.why_not(action) or ""), action
        screen.images.rows.move_to("shelf:repo")
        assert "put the cursor on one" in (screen.why_not("delete") or "")
        await tui.press("asterisk")
        await tui.expect("2 marked")
        assert "2 are marked" in (screen.why_not("send") or "")
        screen.images.rows.move_to("shelf:repo")
        await tui.expect("f Side files", "D Delete")
    async with open_tui(shelved, read_only=True) as tui:
        screen = await at_image(tui)
        assert "read-only" in (screen.why_not("import") or "")
        assert screen.why_not("verify") is None
