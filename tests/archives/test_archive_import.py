"""Archives of other makes and ages: they are taken, and what had to be guessed is said."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sbctui.engine.engine import Engine
from sbctui.engine.model import requests as ask
from sbctui.engine.plan import Report
from tests.archives.place import do, export, holes, import_of, make_root, make_site
from tests.disks.place import tool
from tests.lab import REPO, needs, unable


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = make_site(tmp_path_factory.mktemp("import") / "site")
    make_root(engine, "web")
    return engine


@pytest.fixture
def take(world: Engine, tmp_path: Path) -> Iterator[object]:
    """Import a file as the root new; all traces of it go again."""

    def take(file: Path) -> Report:
        return world.apply(world.plan(import_of(world, file, "new", unverified=True)))

    yield take
    if "new" in world.site().nodes:
        do(world, ask.DeleteRoot(name="new"))


@pytest.fixture
def hand(world: Engine, tmp_path: Path) -> Path:
    """A folder as somebody made it by hand, in another."""
    folder = tmp_path / "hand"
    folder.mkdir()
    tool("cp", "-a", "--sparse=always", world.path / "nodes/web/root.img", folder)
    tool("cp", "-a", world.path / "nodes/web/boot", folder)
    return folder


TARS = {
    "old GNU": ("--format=gnu", "-S"),
    "pax 1.0": ("--format=pax", "-S", "--sparse-version=1.0"),
    "pax 0.1": ("--format=pax", "-S", "--sparse-version=0.1"),
    "pax 0.0": ("--format=pax", "-S", "--sparse-version=0.0"),
    "dense pax": ("--format=pax",),
    "ustar": ("--format=ustar",),
    "old tar": ("--format=v7",),
    "gzip": ("-S", "-z"),
    "xz": ("-S", "-J"),
    "zstd": ("-S", "--zstd"),
    "bzip2": ("-S", "-j"),
}


LEADS = [("hand/", "old GNU"), ("hand/", "pax 1.0"), ("", "gzip")]


@pytest.mark.parametrize(("lead", "make"), [*LEADS, *(("./", make) for make in TARS)])
def test_tars_of_GNU_tar(
    world: Engine, take: object, hand: Path, tmp_path: Path, lead: str, make: str
) -> None:
    file = tmp_path / "hand.tar"
    names = {"": ["root.img", "boot"], "./": ["."], "hand/": ["hand"]}[lead]
    where = tmp_path if lead == "hand/" else hand
    tool("tar", *TARS[make], "-cf", file, "-C", where, *names)
    report = take(file)  # type: ignore[operator]
    assert report.code == 0, report
    assert "config.json" in report.results[0].data["guessed"]
    made = world.path / "nodes" / "new"
    tool("cmp", hand / "root.img", made / "root.img")
    assert holes(made / "root.img") <= holes(hand / "root.img") * 1.01
    tool("diff", "-r", hand / "boot", made / "boot")
    config = world.site().nodes["new"].config
    assert (config.boot.kernel, config.boot.arch) == ("vmlinuz-6.1", "arm64")
    assert config.disk.size == (hand / "root.img").stat().st_size
    assert config.disk.filesystem == "ext4"
    assert (made / "root.img").stat().st_mode & 0o777 == 0o640
    assert (made / "boot" / "vmlinuz-6.1").stat().st_mode & 0o777 == 0o644


def test_without_hashes_only_when_told(world: Engine, hand: Path, tmp_path: Path) -> None:
    tool("tar", "-cf", tmp_path / "hand.tar", "-C", hand, ".")
    report = world.apply(world.plan(import_of(world, tmp_path / "hand.tar", "new")))
    assert report.code == 3
    assert "--allow-unverified" in report.results[0].error
    assert "new" not in world.site(full=True).nodes
    assert world.site().strays == ()


CONFIGS = {
    "broken": ("{", "can't be read", ""),
    "a list": ("[]", "can't be read", ""),
    "bytes": ("\x00\x01", "can't be read", ""),
    "deep": ("[" * 90_000, "can't be read", ""),
    "older": (json.dumps({"name": "old", "notes": "from 2019", "mac": "x"}), "no schema",
              "from 2019"),
    "schema 0": (json.dumps({"schema": 0, "notes": ["x"]}), "schema 0", ""),
    "newer": (json.dumps({"schema": 9, "notes": "from 2031"}), "schema 9", "from 2031"),
    "another size": (json.dumps({"schema": 1, "disk": {"size": 7}}), "another size", ""),
    "hostile notes": (json.dumps({"schema": 1, "notes": "a\x1b[2Jb"}), "no size", "a\\x1b[2Jb"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CONFIGS)
def test_any_config(world: Engine, take: object, hand: Path, tmp_path: Path, kind: str) -> None:
    text, told, notes = CONFIGS[kind]
    (hand / "config.json").write_text(text)
    tool("tar", "-S", "-cf", tmp_path / "hand.tar", "-C", hand, ".")
    report = take(tmp_path / "hand.tar")  # type: ignore[operator]
    assert report.code == 0, report
    assert told in report.results[0].data["guessed"]
    config = world.site().nodes["new"].config
    assert (config.name, config.mac, config.children) == ("new", None, {})
    assert config.notes == notes


def test_nothing_of_its_identity_comes_along(
    world: Engine, take: object, hand: Path, tmp_path: Path
) -> None:
    theirs = json.loads((world.path / "nodes/web/config.json").read_bytes())
    theirs |= {
        "name": "stolen", "mac": "dc:a6:32:00:00:77", "ip": "10.77.0.99", "ip_rule": "explicit",
        "children": {"dc:a6:32:00:00:78": "dc-a6-32-00-00-78"}, "alias": "boss",
        "disk": {"format": "qcow2", "size": 8388608, "base": "web"},
        "host_key": "ssh-ed25519 " + "A" * 60, "future": "kept?",
    }  # fmt: skip
    (hand / "config.json").write_text(json.dumps(theirs))
    (hand / "boot" / "boot.scr").write_text("theirs")
    os.link(hand / "boot" / "boot.scr", hand / "boot" / "boot.scr.uimg")
    os.symlink(".", hand / "boot" / "dc-a6-32-00-00-77")
    tool("tar", "-S", "-cf", tmp_path / "hand.tar", "-C", hand, "config.json", "boot", "root.img")
    assert take(tmp_path / "hand.tar").code == 0  # type: ignore[operator]
    config = world.site().nodes["new"].config
    assert (config.mac, config.ip, config.ip_rule, config.children) == (None, None, None, {})
    assert (config.alias, config.host_key, config.disk.format) == ("", "", "raw")
    assert config.notes == "the notes of web"
    boot = world.path / "nodes" / "new" / "boot"
    assert not any(one.is_symlink() or "scr" in one.name for one in boot.rglob("*"))


def sbctui(world: Engine, *words: str, wrap: tuple[str, ...] = ()) -> tuple[int, str]:
    argv = [*wrap, sys.executable, "-m", "sbctui", "--site", str(world.path), *words]
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPO)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing on stderr; cuts off what is called short."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_from_the_web(world: Engine, tmp_path: Path) -> None:
    needs("curl")
    export(world, "web", tmp_path / "mirror.tar.zst")
    handler = functools.partial(Quiet, directory=str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        place = f"http://127.0.0.1:{server.server_port}"
        code, said = sbctui(world, "root", "import", "--from", f"{place}/mirror.tar.zst", "-y")
        assert code == 0, said
        assert sbctui(world, "root", "import", "--from", f"{place}/gone.tar", "-y")[0] == 6
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    tool("cmp", world.path / "nodes/web/root.img", world.path / "nodes/mirror/root.img")
    assert "gone" not in world.site(full=True).nodes
    assert world.site().strays == ()


@pytest.mark.lab
def test_from_another_machine(world: Engine, tmp_path: Path) -> None:
    """Through the system's ssh and a real server, with keys and a network of their own."""
    needs("dropbear", "dropbearconvert", "ssh", "ssh-keygen", "unshare", "ip")
    if unable() or os.geteuid():
        pytest.skip(unable() or "needs root")
    folder = tmp_path / "a folder"
    folder.mkdir()
    export(world, "web", folder / "it's.tar.zst")
    keys = tmp_path / "ssh"
    keys.mkdir(mode=0o700)
    for name in ("id_ed25519", "host"):
        tool("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name)
    (keys / "authorized_keys").write_bytes((keys / "id_ed25519.pub").read_bytes())
    tool("dropbearconvert", "openssh", "dropbear", keys / "host", keys / "dropbear")
    kind, key, *_ = (keys / "host.pub").read_text().split()
    (keys / "known_hosts").write_text(f"127.0.0.1 {kind} {key}\n")
    script = (
        'mkdir -p ~/.ssh; mount --bind "$1" ~/.ssh; ip link set lo up; '
        'dropbear -F -E -s -r "$1/dropbear" -p 127.0.0.1:22 2>/dev/null & server=$!; shift; '
        "until ss -ltn | grep -q :22; do kill -0 $server || exit 99; done; "
        '"$@"; code=$?; kill $server; exit $code'
    )
    wrap = ("unshare", "-nm", "--propagation", "private", "sh", "-c", script, "sh", str(keys))
    place = f"root@127.0.0.1:{folder}/it's.tar.zst"
    code, said = sbctui(
        world, "root", "import", "--from", place, "--name", "remote", "-y", wrap=wrap
    )
    assert code == 0, said
    tool("cmp", world.path / "nodes/web/root.img", world.path / "nodes/remote/root.img")
    code, said = sbctui(
        world, "root", "import", "--from", f"{place}.gone", "--name", "gone", "-y", wrap=wrap
    )
    assert code == 6, said
    assert "No such file" in said


def test_the_name_is_that_of_the_file(world: Engine, tmp_path: Path) -> None:
    export(world, "web", tmp_path / "Debian-12.tar.zst")
    assert sbctui(world, "root", "import", str(tmp_path / "Debian-12.tar.zst"), "-y")[0] == 0
    assert "debian-12" in world.site().nodes
    code, said = sbctui(world, "root", "import", str(tmp_path / "Debian-12.tar.zst"), "-y")
    assert (code, "already" in said) == (3, True)
    code, said = sbctui(world, "root", "import", "-", "-y")
    assert (code, "--name" in said) == (2, True)


def test_root_create_knows_what_was_exported(world: Engine, tmp_path: Path) -> None:
    file = tmp_path / "x.tar.zst"
    export(world, "web", file)
    code, said = sbctui(world, "root", "create", "made", "--from", str(file), "-y")
    assert code == 0, said
    tool("cmp", world.path / "nodes/web/root.img", world.path / "nodes/made/root.img")
    code, said = sbctui(world, "root", "create", "more", "--from", str(file), "--size", "1G", "-y")
    assert (code, "--size" in said) == (2, True)


def test_list_and_verify(world: Engine, tmp_path: Path) -> None:
    file = tmp_path / "x.tar.zst"
    export(world, "web", file)
    code, said = sbctui(world, "archive", "list", str(file))
    assert code == 0
    assert "boot/vmlinuz-6.1" in said
    found = json.loads(sbctui(world, "archive", "verify", str(file), "--json")[1])["archive"]
    assert (found["verified"], found["node"], found["kind"]) == (True, "web", "root")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    code, said = sbctui(world, "archive", "verify", str(file))
    assert (code, "damaged" in said) == (2, True)
