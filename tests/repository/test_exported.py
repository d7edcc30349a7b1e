"""A root that is exported into the repository: nothing is left to do for those who follow it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from sbctui.engine import files
from sbctui.engine.engine import Engine
from sbctui.engine.errors import BadInput, ToolFailed
from sbctui.engine.events import silent
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from sbctui.engine.repository import sidefiles
from sbctui.engine.repository.origin import offered
from sbctui.engine.siteinit import init_site
from tests.archives.place import make_root
from tests.lab import needs
from tests.repository.conftest import add, done, fetched, update
from tests.repository.places import https, sshd

IMAGE = "lab/pi.tar.zst"
SIDES = {f"pi.tar.zst{ending}" for ending in ("", ".sha256", ".torrent", ".mcast", ".chunks")}


@pytest.fixture
def images(engine: Engine) -> Path:
    make_root(engine, "pi")
    return engine.path / "repo" / "images"


def export(engine: Engine, address: str = f"repo:{IMAGE}", *, replace: bool = False) -> None:
    done(engine, asked(engine, address, replace=replace))


def asked(engine: Engine, address: str, *, replace: bool = False) -> ask.ExportRoot:
    return ask.ExportRoot(name="pi", target=engine.target(address), replace=replace)


def change(engine: Engine) -> None:
    with open(engine.path / "nodes" / "pi" / "root.img", "r+b") as disk:
        disk.seek(3 * 1024**2 + 4096)
        disk.write(os.urandom(4096))


def stale(engine: Engine) -> list[str]:
    return [one.title for one in engine.audit() if one.group == "drift" and "repo" in one.subject]


def whole(images: Path) -> None:
    """All that lies beside the image is of the image, by what others make of it."""
    assert set(os.listdir(images / "lab")) == SIDES
    argv = ["sha256sum", "--strict", "-c", "pi.tar.zst.sha256"]
    subprocess.run(argv, cwd=images / "lab", check=True, capture_output=True)


def test_its_side_files_are_made_with_it(engine: Engine, images: Path) -> None:
    for replace in (False, True):
        export(engine, replace=replace)
        whole(images)
        assert stale(engine) == []
        (right,) = engine.verify_side_files((), silent, threading.Event())
        assert right.lacking == ()
        change(engine)
    (images / "lab" / "pi.tar.zst.chunks").unlink()
    assert [one.lacking for one in engine.side_files()] == [(".chunks",)]
    assert len(stale(engine)) == 1


def test_many_are_listed_once(engine: Engine, images: Path) -> None:
    make_root(engine, "b")
    targets = tuple(engine.target(f"repo:lab/{name}.tar.zst") for name in ("pi", "b"))
    plan = engine.plan(ask.ExportMany(names=("pi", "b"), targets=targets))
    assert [unit.title for unit in plan.units][2:] == ["list what is in the repository"]
    assert engine.apply(plan).code == 0
    assert [one.lacking for one in engine.side_files()] == [(), ()]
    assert stale(engine) == []


def test_a_cache_elsewhere_follows_over_ssh(engine: Engine, images: Path, tmp_path: Path) -> None:
    with sshd(tmp_path / "sshd") as server:
        add(engine, "far", kind="ssh", place=f"root@127.0.0.1:{images.parent}", port=server.port,
            key=str(server.key), known_hosts=str(server.known_hosts))  # fmt: skip
        follow(engine, images, tmp_path / "cache")


def test_a_cache_elsewhere_follows_over_https(engine: Engine, images: Path, tmp_path: Path) -> None:
    with https(tmp_path / "web", images.parent) as web:
        add(engine, "far", kind="https", place=web.base, ca=str(web.ca))
        follow(engine, images, tmp_path / "cache")


def test_what_is_offered_is_told_over_ssh(
    engine: Engine, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Receivers learn of it by the user's own ssh, whatever characters the path has."""
    address = "repo:room (one)/pi.tar.zst"
    export(engine, address)
    image = images / "room (one)" / "pi.tar.zst"
    with sshd(tmp_path / "sshd") as server:
        programs = tmp_path / "programs"
        programs.mkdir()
        options = f"-p {server.port} -i {server.key} -o UserKnownHostsFile={server.known_hosts}"
        ssh = shutil.which("ssh")
        (programs / "ssh").write_text(f'#!/bin/sh\nexec {ssh} {options} "$@"\n')
        (programs / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        other = tmp_path / "other"
        init_site(other, Settings())
        (right,) = engine.side_files()
        for ending, by in ((".mcast", "multicast"), (".torrent", "torrent"), ("", "multicast")):
            told = offered(other / "lab/pi.tar.zst", f"root@127.0.0.1:{image}{ending}", by)
            assert (told.size, told.sha256) == (right.size, right.sha256)
        with pytest.raises(ToolFailed, match="No such file"):
            offered(other / "lab/x", f"root@127.0.0.1:{image}-none", "multicast")
        (image.parent / "bad.mcast").write_bytes(b"{}")
        with pytest.raises(BadInput, match="can't be read"):
            offered(other / "lab/x", f"root@127.0.0.1:{image.parent}/bad.mcast", "multicast")


def follow(engine: Engine, images: Path, cache: Path) -> None:
    """Export, follow, change, export, follow: no further verb, and only what changed travels."""
    export(engine)
    everything = fetched(update(engine, repository="far"))
    change(engine)
    export(engine, replace=True)
    assert 0 < fetched(update(engine, repository="far")) < everything * 2 // 3
    assert (cache / "images" / IMAGE).read_bytes() == (images / IMAGE).read_bytes()
    done(engine, ask.DeleteImages(images=(IMAGE,)))
    assert IMAGE not in (images.parent / "index.json").read_text()


@pytest.mark.parametrize("name", ["repo:pi.sha256", "repo:../pi", "repo:lab/.pi", "repo:a/pi.part"])
def test_what_no_image_is_called_is_refused(engine: Engine, images: Path, name: str) -> None:
    with pytest.raises(BadInput, match="image"):
        engine.target(name)


def test_without_room_for_the_side_files_there_is_no_image(
    engine: Engine, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = engine.plan(asked(engine, f"repo:{IMAGE}"))
    write = sidefiles.write_new

    def full(path: Path, data: bytes, **more: object) -> None:
        if ".mcast" in Path(path).name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sidefiles, "write_new", full)
    assert engine.apply(plan).code == 9
    assert not (images / "lab").exists()


def test_an_image_stands_though_its_side_files_fail(
    engine: Engine, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = engine.plan(asked(engine, f"repo:{IMAGE}"))

    def fail(name: str) -> None:
        if name == "sidefile.rename":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(files, "failpoint", fail)
    assert engine.apply(plan).code == 0
    monkeypatch.setattr(files, "failpoint", None)
    assert os.listdir(images / "lab") == ["pi.tar.zst"]
    finding = next(one for one in engine.audit() if "repo:" in one.subject)
    done(engine, ask.FixFindings(findings=(finding.id,)))
    whole(images)


def test_only_one_export_writes_an_image(engine: Engine, images: Path) -> None:
    """The part is held while it is hashed, and nobody else's takes its place meanwhile."""
    needs("flock")
    seen: list[int] = []

    def look(name: str) -> None:
        if name == "archive.publish" or (name.startswith("rename") and not seen):
            part = images / "lab" / "pi.tar.zst.part"
            seen.append(subprocess.run(["flock", "-n", part, "true"], check=False).returncode)

    files.failpoint = look
    try:
        export(engine)
    finally:
        files.failpoint = None
    assert seen
    assert seen[0] == 1


def test_the_audit_locks_nobody_out_while_it_reads(
    engine: Engine, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What else it mends comes first, under the lock; then images are read without it."""
    (images / "lab").mkdir(parents=True)
    (images / "lab" / "pi.tar.zst").write_bytes(b"by hand")
    stray = engine.path / "nodes" / ".new-half"
    stray.mkdir()
    found = engine.audit()
    ids = tuple(one.id for one in found if one.fix and "services" not in one.id)
    assert len(ids) == 2
    seen: list[tuple[bool, bool]] = []
    read = sidefiles.read

    def look(*args: object) -> sidefiles.Digest:
        seen.append((files.is_held(engine.path / "lock"), stray.exists()))
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(sidefiles, "read", look)
    done(engine, ask.FixFindings(findings=ids))
    assert seen == [(False, False)]
    whole(images)
