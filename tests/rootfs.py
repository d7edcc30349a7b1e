"""Root file systems for tests: a hand-made one with everything awkward, and a real Debian."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests import lab

CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""cap_net_raw+ep as the kernel stores it."""


def cache() -> Path:
    """A folder outside the checkout for what is slow to make."""
    path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sbctui-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path


def debian_tar() -> Path:
    """A small real Debian 12 with an SSH server as a tar; made once from the package mirror."""
    lab.needs("mmdebstrap")
    path = cache() / "debian12.tar"
    with open(path.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            part = path.with_suffix(".part.tar")
            command = ["mmdebstrap", "--quiet", "--variant=essential"]
            command += ["--include=openssh-server", "bookworm", str(part)]
            subprocess.run(command, check=True, capture_output=True)
            part.replace(path)
    return path


def _folder(name: str, mode: int = 0o755) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def _device(name: str, kind: bytes, major: int, minor: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.devmajor, info.devminor, info.mode = kind, major, minor, 0o600
    return info


def _file(
    name: str, data: bytes, mode: int = 0o644, owner: int = 0
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.uid, info.gid = len(data), mode, owner, owner
    return info, data


def awkward_tar(path: Path, compression: str = "") -> Path:
    """Write a tar with devices, hard links, set-id bits, foreign owners, attributes, odd names.

    ``compression`` is "", "gz" or "xz".
    """
    members: list[tuple[tarfile.TarInfo, bytes | None]] = [
        (_folder("./"), None),
        (_folder("./etc"), None),
        (_folder("./etc/ssh"), None),
        (_folder("./tmp", 0o1777), None),
        (_folder("./root", 0o700), None),
        (_folder("./dev"), None),
        (_folder("./boot"), None),
        (_folder("./boot/dtbs"), None),
        (_folder("./usr"), None),
        (_folder("./usr/bin"), None),
        (_folder("./var"), None),
        (_folder("./var/lib"), None),
        (_folder("./var/lib/dbus"), None),
        _file("./etc/hostname", b"golden\n"),
        _file("./etc/hosts", b"127.0.0.1\tlocalhost\n127.0.1.1\tgolden.lab.example golden # us\n"),
        _file("./etc/machine-id", b"0123456789abcdef0123456789abcdef\n", 0o444),
        _file("./var/lib/dbus/machine-id", b"0123456789abcdef0123456789abcdef\n"),
        _file("./etc/shadow", b"root:*:1::::::\n", 0o640, 42),
        _file("./etc/ssh/sshd_config", b"# none\n"),
        _file("./etc/ssh/ssh_host_rsa_key", b"old\n", 0o600),
        _file("./etc/ssh/ssh_host_rsa_key.pub", b"old\n"),
        _file("./etc/ssh/ssh_host_ed25519_key", b"old\n", 0o600),
        _file("./usr/bin/su", b"#!/bin/false\n" * 100, 0o4755),
        (_link("./usr/bin/su-too", "./usr/bin/su", tarfile.LNKTYPE), None),
        _file("./usr/bin/ping", b"ping" * 3000, 0o755),
        _file("./usr/bin/strange \n name\"'", b"x"),
        (_link("./bin", "usr/bin"), None),
        (_link("./etc/absolute", "/etc/hostname"), None),
        (_device("./dev/null", tarfile.CHRTYPE, 1, 3), None),
        (_device("./dev/vda", tarfile.BLKTYPE, 254, 0), None),
        (_device("./dev/pipe", tarfile.FIFOTYPE, 0, 0), None),
        _file("./boot/vmlinuz-6.1.0-1-arm64", b"MZkernel" * 5000, 0o600),
        _file("./boot/initrd.img-6.1.0-1-arm64", b"initrd" * 9000),
        _file("./boot/dtbs/board.dtb", b"\xd0\x0d\xfe\xed" * 100),
        _file("./boot/boot.scr", b"the image's own"),
        (_link("./boot/vmlinuz", "vmlinuz-6.1.0-1-arm64"), None),
        (_link("./boot/dtb", "/boot/dtbs"), None),
        (_link("./boot/self", "."), None),
        (_link("./boot/outside", "../../../../../../etc/passwd"), None),
        (_link("./boot/loop", "loop"), None),
    ]
    with tarfile.open(path, f"w:{compression}", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            if info.name == "./usr/bin/ping":
                value = CAPABILITY.decode("utf-8", "surrogateescape")
                info.pax_headers = {"SCHILY.xattr.security.capability": value}
            tar.addfile(info, BytesIO(data) if data is not None else None)
    return path
