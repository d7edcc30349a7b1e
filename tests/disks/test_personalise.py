"""Forty clones become forty machines, and no image is hurt on the way."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sbctui.engine import files
from sbctui.engine.disks import fuse
from sbctui.engine.disks.create import inspect_source, make_root
from sbctui.engine.disks.ext4 import superblock
from sbctui.engine.disks.inuse import write_lease
from sbctui.engine.disks.personalise import Personalised, personalise
from sbctui.engine.disks.stores import store_for
from sbctui.engine.disks.usage import verify
from sbctui.engine.errors import Refused, ToolFailed
from tests import lab, rootfs
from tests.disks.place import MIB, NEVER, allocated, mounted_image, seen, silent, tool

EVERYTHING = ("hostname", "machine_id", "ssh_host_key", "filesystem_uuid")
USUAL = EVERYTHING[:3]
_SHUTDOWN = 0x8004587D


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root's raw disk, not to be written."""
    folder = tmp_path_factory.mktemp("golden") / "golden"
    (folder / "boot").mkdir(parents=True)
    tar = rootfs.awkward_tar(folder.parent / "a.tar")
    make_root(folder / "root.img", 64 * MIB, inspect_source(tar), stop=NEVER, report=silent)
    return folder / "root.img"


@pytest.fixture
def disk(golden: Path, tmp_path: Path) -> Path:
    """A raw copy to personalise."""
    store_for("copy").clone(golden, tmp_path / "root.img", stop=NEVER, report=silent)
    return tmp_path / "root.img"


def run(disk: Path, what: tuple[str, ...] = USUAL, hostname: str = "pi-07") -> Personalised:
    result = personalise(disk, "raw", None, hostname, what, stop=NEVER)
    assert verify(disk, "raw") == ""
    assert [p.name for p in disk.parent.iterdir() if p.name.startswith(".")] == []
    return result


def read(disk: Path, path: str) -> str:
    return tool("debugfs", "-R", f"cat {path}", disk).stdout


def facts(disk: Path, path: str) -> tuple[str, str]:
    """Mode and owner of a path in the image, by debugfs."""
    text = tool("debugfs", "-R", f"stat {path}", disk).stdout
    mode = text.split("Mode:")[1].split()[0]
    owner = text.split("User:")[1].split()[0] + ":" + text.split("Group:")[1].split()[0]
    return mode, owner


def names(disk: Path, folder: str) -> set[str]:
    lines = tool("debugfs", "-R", f"ls -p {folder}", disk).stdout.splitlines()
    return {line.split("/")[5] for line in lines if line.count("/") >= 6} - {".", ".."}


def test_every_name_is_written_with_its_owner_and_mode(disk: Path) -> None:
    before = superblock(disk)
    uuid = tool("dumpe2fs", "-h", disk).stdout.split("UUID:")[1].split()[0]
    result = run(disk, EVERYTHING)
    assert result.done == EVERYTHING
    assert result.left_out == ()
    assert read(disk, "/etc/hostname") == "pi-07\n"
    assert read(disk, "/etc/hosts") == (
        "127.0.0.1\tlocalhost\n127.0.1.1\tpi-07.lab.example pi-07 # us\n"
    )
    assert read(disk, "/etc/machine-id") == ""
    assert names(disk, "/var/lib/dbus") == set()
    assert names(disk, "/etc/ssh") == {
        "sshd_config",
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    }
    assert read(disk, "/etc/ssh/ssh_host_ed25519_key.pub").startswith(result.public_key)
    assert result.public_key.startswith("ssh-ed25519 AAAA")
    assert facts(disk, "/etc/ssh/ssh_host_ed25519_key") == ("0600", "0:0")
    assert facts(disk, "/etc/ssh/ssh_host_ed25519_key.pub") == ("0644", "0:0")
    assert facts(disk, "/etc/hostname") == ("0644", "0:0")
    assert facts(disk, "/etc/machine-id") == ("0444", "0:0")
    after = superblock(disk)
    assert before is not None
    assert after is not None
    assert after.free_inodes == before.free_inodes + 2  # the image's own rsa pair, dbus' id
    assert uuid not in tool("dumpe2fs", "-h", disk).stdout


def test_the_private_key_fits_the_public_one(disk: Path, tmp_path: Path) -> None:
    result = run(disk)
    key = tmp_path / "key"
    key.write_text(read(disk, "/etc/ssh/ssh_host_ed25519_key"))
    key.chmod(0o600)
    derived = tool("ssh-keygen", "-y", "-f", key).stdout.split()[:2]
    assert " ".join(derived) == result.public_key


def test_two_leaves_are_two_machines_and_twice_is_no_harm(disk: Path, golden: Path) -> None:
    before = seen(golden)
    first = run(disk, hostname="one")
    second = run(disk, hostname="two")
    assert first.public_key != second.public_key
    assert read(disk, "/etc/hostname") == "two\n"
    assert "two.lab.example two" in read(disk, "/etc/hosts")
    assert seen(golden) == before


def test_only_what_is_asked_for(disk: Path) -> None:
    result = run(disk, ("hostname",))
    assert result == Personalised(done=("hostname",))
    assert read(disk, "/etc/ssh/ssh_host_rsa_key") == "old\n"
    assert read(disk, "/etc/machine-id").startswith("0123")


def test_an_overlay_takes_it_and_its_base_does_not(golden: Path, tmp_path: Path) -> None:
    if reason := fuse.unavailable():
        pytest.skip(reason)
    before = seen(golden)
    leaf = tmp_path / "root.qcow2"
    store_for("overlay").clone(golden, leaf, stop=NEVER, report=silent)
    result = personalise(leaf, "qcow2", golden, "pi-08", EVERYTHING, stop=NEVER)
    assert result.done == EVERYTHING
    assert verify(leaf, "qcow2") == ""
    assert seen(golden) == before
    assert allocated(leaf) < 2 * MIB
    assert list(tmp_path.iterdir()) == [leaf]
    flat = tmp_path / "flat"
    spec = '{"driver":"qcow2","file":{"driver":"file","filename":"%s"},"backing":{"driver":"raw",'
    spec += '"file":{"driver":"file","filename":"%s"}}}'
    tool("qemu-img", "convert", "-O", "raw", "json:" + spec % (leaf, golden), flat)
    assert read(flat, "/etc/hostname") == "pi-08\n"
    assert verify(flat, "raw") == ""


def test_a_killed_job_leaves_no_daemon_and_no_mount(golden: Path, tmp_path: Path) -> None:
    if reason := fuse.unavailable():
        pytest.skip(reason)
    leaf = tmp_path / "root.qcow2"
    store_for("overlay").clone(golden, leaf, stop=NEVER, report=silent)
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from sbctui.engine.disks.fuse import exported\n"
        "leaf, base = map(Path, sys.argv[1:])\n"
        "with exported(leaf, base, base.stat().st_size, stop=threading.Event()) as view:\n"
        "    print(view, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, leaf, golden], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as job:
        assert job.stdout is not None
        view = job.stdout.readline().decode().strip()
        assert view in Path("/proc/mounts").read_text()
        with pytest.raises(Refused, match="open by another program"):
            write_lease(leaf).__enter__()
        job.kill()
    lab.until(lambda: view not in Path("/proc/mounts").read_text(), 5, "the mount is gone")
    lab.until(lambda: not taken(leaf), 5, "nobody has the disk open")
    files.remove_tree(tmp_path)
    assert not tmp_path.exists()


def taken(disk: Path) -> bool:
    try:
        with write_lease(disk):
            return False
    except Refused:
        return True


def test_an_overlay_that_can_not_be_edited_is_left_out_in_words(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuse, "unavailable", lambda: "no FUSE here")
    leaf = tmp_path / "root.qcow2"
    store_for("overlay").clone(golden, leaf, stop=NEVER, report=silent)
    before = leaf.read_bytes()
    result = personalise(leaf, "qcow2", golden, "pi-08", USUAL, stop=NEVER)
    assert result.left_out == USUAL
    assert "no FUSE here" in result.why
    assert leaf.read_bytes() == before


def test_a_disk_without_ext4_is_left_alone(tmp_path: Path) -> None:
    disk = tmp_path / "root.img"
    disk.write_bytes(bytes(2 * MIB))
    result = personalise(disk, "raw", None, "pi-07", USUAL, stop=NEVER)
    assert (result.done, result.left_out) == ((), USUAL)
    assert "ext4" in result.why
    assert not any(disk.read_bytes())


def test_an_empty_file_system_says_what_it_lacks(tmp_path: Path) -> None:
    disk = tmp_path / "root.img"
    make_root(disk, 8 * MIB, None, stop=NEVER, report=silent)
    result = run(disk)
    assert (result.done, result.left_out) == ((), USUAL)
    assert "/etc" in result.why


def tree_disk(tmp_path: Path, tree: Path, size: int = 32 * MIB) -> Path:
    folder = tmp_path / "made"
    (folder / "boot").mkdir(parents=True)
    disk = folder / "root.img"
    make_root(disk, size, inspect_source(tree), stop=NEVER, report=silent)
    return disk


def test_an_image_without_ssh_gets_the_rest(tmp_path: Path) -> None:
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    disk = tree_disk(tmp_path, tmp_path / "tree")
    result = run(disk)
    assert result.done == ("hostname", "machine_id")
    assert result.left_out == ("ssh_host_key",)
    assert read(disk, "/etc/hostname") == "pi-07\n"
    assert facts(disk, "/etc/machine-id") == ("0444", "0:0")


def test_links_and_folders_where_files_should_be(tmp_path: Path) -> None:
    etc = tmp_path / "tree" / "etc"
    (etc / "machine-id").mkdir(parents=True)
    (etc / "hostname").symlink_to("/run/" + "x" * 200)
    (etc / "hosts").symlink_to("/etc/hosts.real")
    (etc / "ssh").write_text("no folder")
    disk = tree_disk(tmp_path, tmp_path / "tree")
    result = run(disk)
    assert result.done == ("hostname",)
    assert result.left_out == ("machine_id", "ssh_host_key")
    assert read(disk, "/etc/hostname") == "pi-07\n"


def test_names_in_the_image_are_no_commands(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    ssh = tmp_path / "tree" / "etc" / "ssh"
    ssh.mkdir(parents=True)
    for name in (
        f"ssh_host_x_key\ndump {tmp_path.name} {victim.name}",
        'ssh_host_"_key',
        "ssh_host_ecdsa_key",
        "ssh_host_ key",
        "-f",
    ):
        (ssh / name).write_text("old")
    disk = tree_disk(tmp_path, tmp_path / "tree")
    result = run(disk)
    assert result.done == USUAL
    assert "ssh_host_ecdsa_key" not in names(disk, "/etc/ssh")
    assert 'ssh_host_"_key' in names(disk, "/etc/ssh")
    assert victim.read_text() == "mine"


def test_a_full_image_is_left_alone(tmp_path: Path) -> None:
    etc = tmp_path / "tree" / "etc"
    etc.mkdir(parents=True)
    (etc / "hostname").write_text("golden\n")
    disk = tree_disk(tmp_path, tmp_path / "tree", 8 * MIB)
    (tmp_path / "filler").write_bytes(b"\1" * 16 * MIB)
    tool("debugfs", "-w", "-R", f"write {tmp_path}/filler filler", disk)
    tool("e2fsck", "-fy", disk, check=False)
    result = run(disk)
    assert result.left_out == USUAL
    assert "full" in result.why
    assert read(disk, "/etc/hostname") == "golden\n"


@pytest.mark.loop
def test_a_worn_image_with_indexed_folders_and_attribute_blocks(disk: Path, tmp_path: Path) -> None:
    with mounted_image(disk, tmp_path / "m") as point:
        for number in range(900):
            (point / "etc" / f"some-quite-long-name-of-a-file-{number:05}").write_text("x")
            (point / "etc/ssh" / f"some-quite-long-name-of-a-file-{number:05}").touch()
        os.setxattr(point / "etc/hostname", "user.big", b"v" * 2000)
        os.setxattr(point / "etc/ssh/ssh_host_rsa_key", "user.big", b"w" * 2000)
        os.link(point / "etc/hostname", point / "etc/hostname.saved")
    assert "Flags: 0x81000" in tool("debugfs", "-R", "stat /etc", disk).stdout  # indexed
    result = run(disk)
    assert result.done == USUAL
    with mounted_image(disk, tmp_path / "m", "ro") as point:
        assert (point / "etc/hostname").read_text() == "pi-07\n"
        assert (point / "etc/hostname.saved").read_text() == "golden\n"
        assert (point / "etc/some-quite-long-name-of-a-file-00777").exists()
        assert not (point / "etc/ssh/ssh_host_rsa_key").exists()


@pytest.mark.loop
def test_what_was_written_survives_the_replay_of_a_journal(disk: Path, tmp_path: Path) -> None:
    """A disk that lost power: its journal must not put the old files back."""
    with mounted_image(disk, tmp_path / "m") as point:
        (point / "etc/hostname").write_text("before the power cut\n")
        (point / "etc/new").write_text("kept")
        os.sync()
        fd = os.open(point, os.O_RDONLY)
        fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", 1))
        os.close(fd)
    before = superblock(disk)
    assert before is not None
    assert before.dirty
    result = run(disk)
    assert result.done == USUAL
    with mounted_image(disk, tmp_path / "m") as point:
        assert (point / "etc/hostname").read_text() == "pi-07\n"
        assert (point / "etc/new").read_text() == "kept"


def test_a_broken_image_is_left_alone_and_that_is_said(disk: Path) -> None:
    with open(disk, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8 * MIB)
    before = seen(disk)
    result = personalise(disk, "raw", None, "pi-07", USUAL, stop=NEVER)
    assert result.left_out == USUAL
    assert "can't be read" in result.why
    assert seen(disk) == before


def test_a_write_that_debugfs_refuses_is_an_error(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """debugfs ends with 0 all the same."""
    monkeypatch.setattr(files, "failpoint", lambda name: name == "disk.debugfs" and spoil(disk))
    with pytest.raises(ToolFailed, match="debugfs"):
        personalise(disk, "raw", None, "pi-07", USUAL, stop=NEVER)
    assert [p.name for p in disk.parent.iterdir()] == ["root.img"]


def spoil(disk: Path) -> None:
    tool("debugfs", "-w", "-R", "rm /etc/hostname", disk)


@pytest.mark.slow
def test_a_real_debian_becomes_another_machine(tmp_path: Path) -> None:
    (tmp_path / "boot").mkdir()
    disk = tmp_path / "root.img"
    source = inspect_source(rootfs.debian_tar())
    make_root(disk, 1024 * MIB, source, stop=NEVER, report=silent)
    old = read(disk, "/etc/ssh/ssh_host_ed25519_key.pub")
    assert run(disk).done == USUAL
    assert read(disk, "/etc/ssh/ssh_host_ed25519_key.pub") != old
    assert {n for n in names(disk, "/etc/ssh") if n.startswith("ssh_host_")} == {
        "ssh_host_ed25519_key",
        "ssh_host_ed25519_key.pub",
    }
