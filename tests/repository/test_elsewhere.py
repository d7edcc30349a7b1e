"""Repositories on other servers: a plain sshd, and a web server, each a real one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.errors import Refused, SbcError
from sbctui.engine.model.repository import parse_address
from sbctui.engine.model.requests import IndexRepository, UpdateCache
from tests.repository.conftest import add, done, fetched, update
from tests.repository.places import MIB, Sshd, Web, disk, https, put, seekable, sshd

IMAGE = "images/room one/pi.tar.zst"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd") / "sshd") as found:
        yield found


@pytest.fixture
def own(engine: Engine) -> Path:
    """The repository of another server, which has its index: here the site's own."""
    root = engine.path / "repo"
    put(root, IMAGE, seekable(disk(25), head=b"first"))
    put(root, "groups/g/pi/etc/motd", b"hello" * 9999)
    (root / "groups/g/pi/link").symlink_to("etc/motd")
    put(root, "groups/g/pi/empty", b"")
    done(engine, IndexRepository())
    return root


@pytest.fixture
def web(own: Path, tmp_path: Path) -> Iterator[Web]:
    with https(tmp_path / "web", own) as found:
        yield found


def change(engine: Engine, own: Path) -> None:
    put(own, IMAGE, seekable(disk(25, changed=(17,)), head=b"the second, which is longer"))
    done(engine, IndexRepository())


def same(own: Path, cache: Path) -> bool:
    paths = (IMAGE, "groups/g/pi/etc/motd", "groups/g/pi/empty")
    alike = all((cache / path).read_bytes() == (own / path).read_bytes() for path in paths)
    return alike and os.readlink(cache / "groups/g/pi/link") == "etc/motd"


def test_over_ssh_only_what_changed_travels(
    engine: Engine, own: Path, server: Sshd, tmp_path: Path
) -> None:
    add(engine, "far", kind="ssh", place=f"root@127.0.0.1:{own}", port=server.port,
        key=str(server.key), known_hosts=str(server.known_hosts))  # fmt: skip
    far = next(one for one in engine.repositories() if one.name == "far")
    assert (far.state, far.images, far.told) == ("ready", 1, "")
    assert far.free
    whole = fetched(update(engine, repository="far"))
    assert whole > 25 * MIB
    assert same(own, tmp_path / "cache")
    change(engine, own)
    assert 0 < fetched(update(engine, repository="far")) < whole // 8
    assert same(own, tmp_path / "cache")
    assert engine.check_images(parse_address("far"), threading.Event()) == ()


def test_a_stranger_with_the_servers_address_is_not_believed(
    engine: Engine, own: Path, server: Sshd, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    words = server.known_hosts.read_text().split()
    known.write_text(f"{words[0]} {words[1]} {words[2][:-6]}AAAAAA\n")
    add(engine, "far", kind="ssh", place=f"root@127.0.0.1:{own}", port=server.port,
        key=str(server.key), known_hosts=str(known))  # fmt: skip
    with pytest.raises(SbcError, match="ssh to far failed"):
        engine.plan(UpdateCache(repository="far"))
    far = next(one for one in engine.repositories() if one.name == "far")
    assert far.state == "unreachable"


def test_over_https_only_what_changed_travels(
    engine: Engine, own: Path, web: Web, tmp_path: Path
) -> None:
    add(engine, "web", kind="https", place=web.base, ca=str(web.ca))
    whole = fetched(update(engine, repository="web"))
    assert same(own, tmp_path / "cache")
    change(engine, own)
    web.sent = 0
    assert 0 < fetched(update(engine, repository="web")) < whole // 8
    assert web.sent < whole // 7
    assert same(own, tmp_path / "cache")
    found = next(one for one in engine.repositories() if one.name == "web")
    assert (found.state, found.images) == ("ready", 1)


def test_an_unknown_authority_is_refused(engine: Engine, own: Path, web: Web) -> None:
    add(engine, "web", kind="https", place=web.base)
    with pytest.raises(SbcError, match="certificate"):
        engine.plan(UpdateCache(repository="web"))
    assert web.asked == []


def test_a_web_server_without_ranges_is_found_out(
    engine: Engine, own: Path, web: Web, tmp_path: Path
) -> None:
    add(engine, "web", kind="https", place=web.base, ca=str(web.ca))
    plan = engine.plan(UpdateCache(repository="web"))
    web.ranges = False
    report = engine.apply(plan)
    assert report.code != 0
    assert not (tmp_path / "cache" / IMAGE).exists()


def test_an_image_without_chunks_elsewhere_says_what_to_do_there(
    engine: Engine, own: Path, web: Web
) -> None:
    (own / f"{IMAGE}.chunks").unlink()
    add(engine, "web", kind="https", place=web.base, ca=str(web.ca))
    with pytest.raises(Refused, match="sbctui repo index"):
        engine.plan(UpdateCache(repository="web"))


def test_a_server_that_is_away_costs_seconds_and_hides_no_other(engine: Engine) -> None:
    add(engine, "gone", kind="ssh", place="root@127.0.0.1:/x", port=1)
    add(engine, "away", kind="https", place="https://127.0.0.1:1/x")
    began = time.monotonic()
    found = {one.name: one for one in engine.repositories()}
    assert time.monotonic() - began < 15
    assert [found[name].state for name in ("gone", "away", "lab")] == [
        "unreachable", "unreachable", "ready",
    ]  # fmt: skip
    assert "refused" in found["gone"].told


def test_the_own_repository_is_ready_before_anything_was_exported(engine: Engine) -> None:
    own = next(one for one in engine.repositories() if one.name == "repo")
    assert not (engine.path / "repo").exists()
    assert (own.state, own.told, own.images) == ("ready", "nothing was exported yet", 0)
    assert own.writable


def test_an_own_repository_that_leads_nowhere_is_not_called_empty(engine: Engine) -> None:
    (engine.path / "repo").symlink_to("/nowhere")
    own = next(one for one in engine.repositories() if one.name == "repo")
    assert own.state == "unreachable"
    assert "can't be read: No such file" in own.told
