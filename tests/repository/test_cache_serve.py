"""A cache whose repository is away: what is made of it, what is left out, and boards that boot."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from sbctui.engine import files
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.errors import NoCache, NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.repository import parse_address
from sbctui.engine.model.settings import Settings
from sbctui.engine.plan import Plan
from sbctui.engine.repository import serving as serving_
from tests.faults.verbs import make_source
from tests.lab import until
from tests.repository.conftest import add, done, fetched
from tests.repository.overlaid import MIB, OFF, Seen, image_tree, leaf, mac, make_site, name, put
from tests.repository.places import sshd
from tests.system.world import Serving, serving

IMAGE = "lab/deb.tar.zst"


def other(path: Path, subnet: str = "10.77.0") -> Engine:
    """Another server: a site with nothing in it but a cache that is its own."""
    network = {
        "subnet": f"{subnet}.0/24",
        "pool": {"first": f"{subnet}.150", "last": f"{subnet}.250"},
        "server": f"{subnet}.2",
    }
    given = {"network": network, "personalise": OFF, "disk_kind": "copy"}
    init_site(path, Settings.model_validate(given))
    return Engine(path)


@dataclass
class Pair:
    """A server whose repository was indexed, its folder, and another with a cache of it."""

    first: Engine
    second: Engine
    cache: Path

    def export(self, root: str, image: str, *, replace: bool = False) -> None:
        target = self.first.target(f"repo:{image}")
        done(self.first, ask.ExportRoot(name=root, target=target, replace=replace))

    def follow(self) -> None:
        """Index the repository and bring the cache up to date."""
        done(self.first, ask.IndexRepository())
        done(self.second, ask.UpdateCache(repository="main"))

    def plan(self, *images: str) -> Plan:
        return self.second.plan(ask.ServeCache(images=images))

    def serve(self, *images: str, code: int = 0) -> Plan:
        plan = self.plan(*images)
        report = self.second.apply(plan)
        assert report.code == code, report
        return plan


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """The root deb with two boards, one of them in the kitchen, for which a file is laid over."""
    first = make_site(tmp_path / "a", image_tree(tmp_path / "tree"))
    leaf(first, 1, "kitchen")
    leaf(first, 2)
    put(first.path, "groups/kitchen", "etc/issue", "the kitchen's\n")
    put(first.path, f"clients/{name(2)}", "etc/issue", "the second's\n", mode=0o600)
    second = other(tmp_path / "b")
    (tmp_path / "cache").mkdir()
    add(second, "cache", kind="cache", place=str(tmp_path / "cache"))
    add(second, "main", kind="folder", place=str(first.path / "repo"))
    found = Pair(first, second, tmp_path / "cache")
    found.export("deb", IMAGE)
    found.follow()
    return found


def titles(plan: Plan) -> list[str]:
    return [unit.title for unit in plan.units if unit.work]


def test_what_is_missing_is_made_and_nothing_twice(pair: Pair, tmp_path: Path) -> None:
    shutil.rmtree(pair.first.path)
    plan = pair.serve()
    assert titles(plan) == [
        "import deb",
        f"copy repo/clients/{name(2)}/deb",
        "copy repo/groups/kitchen/deb",
        f"leaf {name(1)}",
        f"leaf {name(2)}",
    ]
    site = pair.second.site(full=True)
    addresses = {n: str(site.nodes[name(n)].config.ip) for n in (1, 2)}
    assert addresses == {1: "10.77.0.51", 2: "10.77.0.52"}, "as they were on the first server"
    assert site.nodes[name(1)].config.group == "kitchen"
    first, second = (Seen(pair.second, n, tmp_path) for n in (1, 2))
    assert first.read("/etc/issue") == "the kitchen's\n"
    assert second.read("/etc/issue") == "the second's\n"
    assert second.facts("/etc/issue")[1] == "0600"
    assert first.read("/etc/motd") == "of the image\n"
    assert {f.id for f in pair.second.audit(site)} == {"services:services"}
    assert not pair.plan().units
    done(pair.second, ask.DeleteLeaves(root="deb", macs=(mac(2),)))
    assert titles(pair.serve()) == [
        f"copy repo/clients/{name(2)}/deb", f"leaf {name(2)}"
    ]  # fmt: skip


def test_what_came_over_ssh_serves_when_that_server_is_gone(tmp_path: Path) -> None:
    """Nothing of the first server is on the second's disk, but what sftp brought."""
    tree = image_tree(tmp_path / "tree")
    (tree / "opt/thing").write_bytes(os.urandom(2 * MIB))
    first = make_site(tmp_path / "a", tree)
    leaf(first, 1, "kitchen")
    put(first.path, "groups/kitchen", "etc/issue", "the kitchen's\n")
    put(first.path, f"clients/{name(1)}", "etc/secret", "the first's\n", mode=0o600)
    second = other(tmp_path / "b")
    (tmp_path / "cache").mkdir()
    add(second, "cache", kind="cache", place=str(tmp_path / "cache"))
    pair = Pair(first, second, tmp_path / "cache")
    pair.export("deb", IMAGE)
    with sshd(tmp_path / "sshd") as server:
        add(second, "main", kind="ssh", place=f"root@127.0.0.1:{first.path}/repo",
            port=server.port, key=str(server.key), known_hosts=str(server.known_hosts))  # fmt: skip
        pair.follow()
        done(first, ask.EditNode(name="deb", notes="changed"))
        pair.export("deb", IMAGE, replace=True)
        done(first, ask.IndexRepository())
        assert 0 < fetched(done(second, ask.UpdateCache(repository="main"))) < 2 * MIB
    shutil.rmtree(first.path)
    assert second.check_images(parse_address("cache"), threading.Event()) == ()
    pair.serve()
    site = second.site(full=True)
    assert set(site.nodes) == {"deb", name(1)}
    assert site.nodes["deb"].config.notes == "changed"
    one = site.nodes[name(1)].config
    assert (one.alias, one.group, str(one.ip)) == ("pi-1", "kitchen", "10.77.0.51")
    seen = Seen(second, 1, tmp_path)
    assert seen.sound()
    assert seen.read("/etc/issue") == "the kitchen's\n"
    assert seen.facts("/etc/secret")[1:] == ("0600", "0:0")
    assert {f.id for f in second.audit(site)} == {"services:services"}


def test_an_address_of_another_subnet_becomes_one_of_here(pair: Pair, tmp_path: Path) -> None:
    far = other(tmp_path / "c", "10.99.0")
    add(far, "cache", kind="cache", place=str(pair.cache))
    plan = far.plan(ask.ServeCache())
    assert "pi-1 gets another address than it had: 10.77.0.51 is no host address" in plan.notes[0]
    assert far.apply(plan).code == 0
    assert str(far.site().nodes[name(1)].config.ip) == "10.99.0.151"


def test_a_newer_image_is_named_and_its_root_left_alone(pair: Pair) -> None:
    pair.serve()
    before = (pair.second.path / "nodes/deb/root.img").stat().st_mtime_ns
    done(pair.first, ask.EditNode(name="deb", notes="changed"))
    pair.export("deb", IMAGE, replace=True)
    pair.follow()
    image = pair.cache / "images" / IMAGE
    later = pair.second.site().nodes["deb"].config.created.timestamp() + 10
    while image.stat().st_ctime <= later - 9:
        os.utime(image)
    plan = pair.plan()
    assert not plan.units
    assert f"cache:{IMAGE} came into the cache after the root deb was made here" in plan.notes[0]
    assert (pair.second.path / "nodes/deb/root.img").stat().st_mtime_ns == before


def test_the_newest_image_of_a_root_counts_and_the_rest_is_named(pair: Pair) -> None:
    first = manifest_of(pair.cache / "images" / IMAGE)
    assert first is not None
    until(lambda: time.time() >= first.made.timestamp() + 1, 2, "an export tells its second")
    pair.export("deb", "new/deb.tar.zst")
    leafs = pair.first.target("repo:board.tar.zst")
    done(pair.first, ask.ExportLeaf(name=name(1), target=leafs))
    (pair.first.path / "repo/images/pi.img").write_bytes(b"x" * 4096)
    pair.follow()
    plan = pair.plan()
    assert [u.detail for u in plan.units if u.title == "import deb"] == [
        "from cache:new/deb.tar.zst"
    ]
    notes = "\n".join(plan.notes)
    assert f"cache:{IMAGE} is left out: new/deb.tar.zst is the newer one" in notes
    assert "cache:board.tar.zst is left out: it is the disk of one board" in notes
    assert "cache:pi.img is left out: it does not tell what it is" in notes
    named = pair.plan("lab")
    assert "import deb" in titles(named)
    assert f"cache:{IMAGE}" in named.units[0].detail
    with pytest.raises(NoSuchNode, match=r"no image lab/x in cache; see: sbctui repo tree cache:"):
        pair.plan("lab/x")


def test_boards_that_can_not_be_here_are_named_and_hold_up_no_other(pair: Pair) -> None:
    listed = pair.cache / "boards/deb.csv"
    bad = f"nonsense\x1b[2J,x,y,\n{mac(3)},pi-3,,10.77.0.999\n{mac(4)},../x,,\n{mac(5)},pi-1,,\n"
    listed.write_text(listed.read_text() + bad)
    done(pair.second, ask.CreateRoot(name="own", size=16 * MIB))
    spec = ask.LeafSpec(mac=mac(2), alias="taken")
    done(pair.second, ask.CreateLeaves(root="own", leaves=(spec,)))
    plan = pair.serve()
    notes = "\n".join(plan.notes)
    assert f"pi-2 is left out: {mac(2)} is taken by {name(2)}" in notes
    assert "boards/deb.csv, line 4, is left out" in notes
    assert "boards/deb.csv, line 5, is left out: '10.77.0.999' is not an IPv4 address" in notes
    assert "\x1b" not in notes
    assert titles(plan)[-1] == f"leaf {name(1)}"
    listed.unlink()
    assert "no list of the boards of deb: sbctui repo index makes it" in pair.plan().notes[0]


def test_a_damaged_image_holds_up_its_own_leaves_only(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The damage is where an archive of the usual size has its disk, far before its manifest."""
    done(pair.first, ask.CloneRoot(source="deb", name="deb2"))
    done(pair.first, ask.CreateLeaves(root="deb2", leaves=(ask.LeafSpec(mac=mac(7)),)))
    pair.export("deb2", "z/deb2.tar.zst")
    pair.follow()
    image = pair.cache / "images" / IMAGE
    good = image.read_bytes()
    told = {path: manifest_of(path) for path in (image, pair.cache / "images/z/deb2.tar.zst")}
    monkeypatch.setattr(serving_, "manifest_of", told.__getitem__)
    at = len(good) // 2
    image.write_bytes(good[:at] + bytes([good[at] ^ 255]) + good[at + 1 :])
    report = pair.second.apply(pair.plan())
    assert report.code == 7
    assert [one.title for one in report.of("failed")] == ["import deb"]
    assert set(pair.second.site().nodes) == {"deb2", name(7)}
    image.write_bytes(good)
    pair.serve()
    assert set(pair.second.site().nodes) == {"deb", "deb2", *map(name, (1, 2, 7))}


def test_what_can_not_be_is_said(pair: Pair, tmp_path: Path) -> None:
    init_site(tmp_path / "c", Settings())
    bare = Engine(tmp_path / "c")
    with pytest.raises(NoCache, match="sbctui repo add NAME cache"):
        bare.plan(ask.ServeCache())
    add(bare, "cache", kind="cache", place=str(pair.cache))
    with pytest.raises(Refused, match=r"no subnet, .* sbctui site init --interface IF --subnet"):
        bare.plan(ask.ServeCache())
    (pair.cache / "groups/kitchen/deb/etc/odd\n").write_text("x")
    with pytest.raises(Refused, match="characters that no file of a board should"):
        pair.plan()


def killed_at(engine: Engine, step: int) -> bool:
    """Serve in a process that is killed at its so manieth step; False when it ended before."""
    plan = engine.plan(ask.ServeCache())
    child = os.fork()
    if child == 0:
        steps = itertools.count(1)
        files.failpoint = lambda _: os.kill(os.getpid(), 9) if next(steps) == step else None
        os._exit(engine.apply(plan).code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9


def test_killed_anywhere_the_next_run_makes_the_rest(pair: Pair, tmp_path: Path) -> None:
    whole = {"deb", name(1), name(2)}
    for step in itertools.count(5, 23):
        engine = other(tmp_path / f"k{step}")
        add(engine, "cache", kind="cache", place=str(pair.cache))
        killed = killed_at(engine, step)
        engine = Engine(engine.path)
        assert engine.apply(engine.plan(ask.ServeCache())).code == 0, step
        site = engine.site(full=True)
        assert set(site.nodes) == whole, step
        assert {f.id for f in engine.audit(site)} == {"services:services"}, step
        assert Seen(engine, 1, tmp_path).read("/etc/issue") == "the kitchen's\n", step
        if not killed:
            break
    assert step > 50


@pytest.mark.lab
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_second_server_with_the_cache_alone_boots_the_boards(tmp_path: Path) -> None:
    board_mac, words = mac(7), "only the first server had this\n"
    source = make_source(tmp_path / "tree")
    (source / "etc" / "motd").write_text(words)
    cache, away = tmp_path / "cache", tmp_path / "away"
    cache.mkdir()
    with serving() as first, serving() as second:
        first.sbctui("root", "create", "deb", "--size", "16M", "--from", str(source), "-y")
        board = f"{board_mac},pi-07,kitchen"
        first.sbctui("leaf", "create", "deb", board, "--ip", "10.77.0.99", "-y")
        put(first.path, "groups/kitchen", "etc/issue", "from the kitchen\n")
        before = booted(first, board_mac)
        first.sbctui("root", "export", "deb", "repo:lab/deb.tar.zst", "-y")
        first.sbctui("repo", "index", "-y")
        second.sbctui("repo", "add", "cache", "cache", str(cache), "-y")
        second.sbctui("repo", "add", "main", "folder", str(first.path / "repo"), "-y")
        second.sbctui("cache", "update", "main", "-y")
        first.sbctui("services", "stop", "--cut", "-y")
        shutil.move(first.path, away)
        second.sbctui("cache", "serve", "-y")
        after = booted(second, board_mac)
        assert words.encode() in after.disk
        assert b"from the kitchen\n" in after.disk
        assert (after.ip, after.kernel) == (before.ip, before.kernel) == ("10.77.0.99", KERNEL)
        assert "nothing to do" in second.sbctui("cache", "serve", "-y")


KERNEL = "vmlinuz-6.1"


@dataclass
class Booted:
    """What a board got: its address, the kernel of its script, all of its disk."""

    ip: str
    kernel: str
    disk: bytes


def booted(site: Serving, address: str) -> Booted:
    """Ask for an address, fetch the boot script and the kernel in it, and read the disk."""
    board = site.lab.board(address)
    lease = board.dhcp()
    assert lease is not None
    script = board.tftp(lease["boot_file"])
    assert KERNEL.encode() in script
    assert board.tftp(KERNEL)
    with site.disk(board) as disk:
        data = b"".join(disk.read(at, MIB) for at in range(0, disk.size, MIB))
        disk.leave()
    return Booted(lease["ip"], KERNEL, data)
