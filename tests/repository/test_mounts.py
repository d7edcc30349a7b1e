"""Repositories that are mounted, and those whose server never answers."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sbctui.engine import programs
from sbctui.engine.engine import Engine
from sbctui.engine.errors import NotPermitted, Refused, ToolMissing
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.requests import MountRepository, RemoveRepository, UnmountRepository
from sbctui.engine.repository import hookenv, mounts
from sbctui.engine.repository.look import look
from tests.lab import needs
from tests.repository.conftest import add, done, update
from tests.repository.places import disk, labelled_stick, put

POINT = Path("/run/point")


def test_what_is_mounted_is_only_ever_data() -> None:
    def argv(**fields: str) -> list[str]:
        return mounts.mount_argv(Configured.model_validate(fields), "/dev/sdx1", POINT)

    assert argv(kind="nfs", place="nas:/srv/images", options="vers=4.2") == [
        "mount", "-t", "nfs", "-o", "ro,nosuid,nodev,noexec,soft,timeo=50,retrans=2,vers=4.2",
        "--", "nas:/srv/images", "/run/point",
    ]  # fmt: skip
    assert argv(kind="smb", place="//nas/images", options="credentials=/etc/nas") == [
        "mount", "-t", "cifs", "-o", "ro,nosuid,nodev,noexec,soft,credentials=/etc/nas",
        "--", "//nas/images", "/run/point",
    ]  # fmt: skip
    assert argv(kind="removable", place="USB")[1:] == [
        "-o", "ro,nosuid,nodev,noexec", "--", "/dev/sdx1", "/run/point",
    ]  # fmt: skip
    assert argv(kind="cache", place="LABEL=C")[2] == "rw,nosuid,nodev,noexec"


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "nfs", "place": "nas:/x", "options": "rw"},
        {"kind": "nfs", "place": "nas:/x", "options": "vers=4,exec"},
        {"kind": "nfs", "place": "nas:/x", "options": "a b"},
        {"kind": "nfs", "place": "-oProxyCommand=x:/x"},
        {"kind": "nfs", "place": "/x"},
        {"kind": "ssh", "place": "-oProxyCommand=x:/x"},
        {"kind": "ssh", "place": "host:/a/../b"},
        {"kind": "ssh", "place": "host:/x", "ca": "/x"},
        {"kind": "ssh", "place": "host:/x\n"},
        {"kind": "https", "place": "http://host/x"},
        {"kind": "https", "place": "https://user@host/x"},
        {"kind": "https", "place": "https://host/x", "options": "ro"},
        {"kind": "folder", "place": "relative"},
        {"kind": "removable", "place": "../x"},
        {"kind": "own", "place": "/x"},
        {"kind": "folder", "place": "/x", "full": "lru"},
    ],
)
def test_a_place_that_could_mean_something_else_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Configured.model_validate(fields)


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[str]:
    with labelled_stick(tmp_path) as label:
        yield label


def state(engine: Engine, name: str) -> str:
    return next(one.state for one in engine.repositories() if one.name == name)


@pytest.mark.loop
def test_a_removable_one_is_mounted_by_its_label(
    engine: Engine, stick: str, tmp_path: Path
) -> None:
    add(engine, "stick", kind="removable", place=stick)
    assert state(engine, "stick") == "unmounted"
    with pytest.raises(Refused, match="sbctui repo mount stick"):
        update(engine, repository="stick")
    report = done(engine, MountRepository(name="stick"))
    folder = Path(report.results[0].data["folder"])
    assert state(engine, "stick") == "ready"
    with pytest.raises(OSError, match="Read-only"):
        (folder / "x").touch()
    variable = f"MEDIA_{stick.upper()}"
    assert engine.hook_variables()[variable] == str(folder)
    assert engine.plan(MountRepository(name="stick")).units == ()
    with pytest.raises(Refused, match="repo unmount stick"):
        engine.plan(RemoveRepository(name="stick"))
    update(engine, repository="stick")
    assert (tmp_path / "cache/images/pi.img").read_bytes() == disk(1)
    done(engine, UnmountRepository(name="stick"))
    assert state(engine, "stick") == "unmounted"
    assert not folder.exists()


@pytest.mark.loop
def test_a_cache_on_a_partition_of_its_own_is_one_while_it_is_mounted(
    engine: Engine, stick: str
) -> None:
    add(engine, "disk", kind="cache", place=f"LABEL={stick}")
    done(engine, MountRepository(name="cache"))
    try:
        found = next(one for one in engine.repositories() if one.name == "disk")
        assert (found.state, found.writable, found.images) == ("ready", True, 1)
    finally:
        done(engine, UnmountRepository(name="disk"))
    assert engine.hook_variables()["CACHE"] == ""


def test_without_root_the_command_is_said(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    add(engine, "nas", kind="nfs", place="nas:/x")
    monkeypatch.setattr("sbctui.engine.repository.gather.os.geteuid", lambda: 1000)
    with pytest.raises(NotPermitted, match="sudo sbctui repo mount 'nas'"):
        engine.plan(MountRepository(name="nas"))


def test_a_helper_that_is_missing_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "search_path", lambda: str(tmp_path))
    with pytest.raises(ToolMissing, match="apt-get install nfs-common"):
        mounts.mount(Configured(kind="nfs", place="nas:/x"), "", tmp_path / "point")


def test_hook_variables_are_safe_in_a_shell() -> None:
    hostile = "/mnt/it's $(touch /tmp/x); `id`\n\"'"
    lines = hookenv.shell_lines({"REPO": hostile, "CACHE": ""})
    script = "\n".join([*lines, 'printf %s "$REPO"'])
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True).stdout == hostile


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Path]:
    """A mount whose server took the request and never answers."""
    needs("qemu-storage-daemon")
    if os.geteuid() or not os.access("/dev/fuse", os.W_OK):
        pytest.skip("no FUSE here")
    image, point = put(tmp_path, "image", b"x" * 4096), put(tmp_path, "point", b"")
    with subprocess.Popen(
        ["qemu-storage-daemon", "--blockdev", f"file,node-name=a,filename={image}",
         "--export", f"fuse,id=e,node-name=a,mountpoint={point}"],
    ) as server:  # fmt: skip
        while point.stat().st_size != 4096:
            assert server.poll() is None
            time.sleep(0.01)
        server.send_signal(signal.SIGSTOP)
        try:
            yield point
        finally:
            server.send_signal(signal.SIGCONT)
            _ended(server)


def _ended(server: subprocess.Popen[bytes]) -> None:
    """Told again until it is: a TERM just before it begins to wait is lost on it."""
    while True:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(1)
            return


@pytest.mark.lab
def test_a_dead_file_server_holds_up_nobody(engine: Engine, dead: Path) -> None:
    threads = threading.active_count()
    began = time.monotonic()
    assert "does not answer" in str(look(dead, 0.5))
    add(engine, "dead", kind="folder", place=str(dead))
    found = {one.name: one for one in engine.repositories()}
    assert time.monotonic() - began < 8
    assert found["dead"].state == "unreachable"
    assert found["lab"].state == "ready"
    assert threading.active_count() == threads
