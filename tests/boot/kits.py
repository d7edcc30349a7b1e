"""The site's own initramfs, put where ``bootkit build`` puts it, without building one."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path

from sbctui.engine.bootkit.kits import MANIFEST, Manifest, initrd
from tests.boot.initrds import VERSION, cpio, without


def kit_bytes(text: str = "") -> bytes:
    """What the product's has in it: a program that connects the disk, started by /init."""
    files = without("usr/sbin/nbd-client", "scripts/local-top/nbd")
    own = {"bin/nbdlink": b"#!/bin/perl\n", "init": f"#!/bin/sh\nnbdlink {text}\n".encode()}
    return gzip.compress(cpio({**files, **own}), mtime=0)


def plant(site: Path, text: str = "", *, arch: str = "arm64", version: str = VERSION) -> Path:
    """A kit; another ``text`` gives another file, in the place of the one before."""
    data = kit_bytes(text)
    path = initrd(site, arch, version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(data)
    about = Manifest(arch=arch, kernel=version, of="a test", epoch=0, size=len(data),
                     sha256=sha256(data).hexdigest(), packages=(), modules=("nbd",))  # fmt: skip
    (path.parent / MANIFEST).write_bytes(about.to_json())
    return path
