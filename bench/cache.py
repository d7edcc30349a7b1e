"""A cache's update of an image in which one hundredth changed, and how fast a cache is verified.

The image is seekable zstd as an export writes it: each MiB of the disk is packed on its own. Bytes
are counted by the https server, chunk lists, side files and the listing included. Verifying stands
beside openssl on the same file in the same run. Prints one table; exits 1 when a limit is broken.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.repository import parse_address
from sbctui.engine.model.requests import AddRepository, IndexRepository, Request, UpdateCache
from sbctui.engine.model.settings import Settings
from sbctui.engine.repository import chunks
from tests.repository.places import MIB, disk, https, put, seekable

SIZE = 400
"""MiB of the disk; a hundredth of them changes."""
TRAVELS, VERIFIES = 0.02, 1.15
RUNS, COPIES = 3, 3


def done(engine: Engine, request: Request) -> float:
    """Seconds a request took from being asked to its end."""
    began = time.monotonic()
    report = engine.apply(engine.plan(request))
    assert report.code == 0, report
    return time.monotonic() - began


def main() -> int:
    """Measure, print, judge."""
    with tempfile.TemporaryDirectory(prefix="sbctui-bench-") as name:
        folder = Path(name)
        init_site(folder / "site", Settings())
        engine = Engine(folder / "site")
        (folder / "cache").mkdir()
        own = engine.path / "repo"
        image = put(own, "images/pi.tar.zst", seekable(disk(SIZE), head=b"first"))
        done(engine, IndexRepository())
        with https(folder / "web", own) as web:
            for name_, kind, place in (
                ("disk", "cache", str(folder / "cache")),
                ("web", "https", web.base),
            ):
                ca = str(web.ca) if kind == "https" else ""
                one = Configured.model_validate({"kind": kind, "place": place, "ca": ca})
                done(engine, AddRepository(name=name_, repository=one))
            first = done(engine, UpdateCache(repository="web"))
            whole, web.sent = web.sent, 0
            changed = random.Random(7).sample(range(SIZE), SIZE // 100)
            put(
                own, "images/pi.tar.zst", seekable(disk(SIZE, changed=tuple(changed)), head=b"2nd!")
            )
            done(engine, IndexRepository())
            second = done(engine, UpdateCache(repository="web"))
            share = web.sent / image.stat().st_size
        cached = folder / "cache" / "images" / "pi.tar.zst"
        assert cached.read_bytes() == image.read_bytes()
        ratio = verifying(engine, cached)
    print(f"{'image':<34}{image_mib(whole):>10}")
    print(f"{'whole, seconds':<34}{first:>10.2f}")
    print(f"{'1 % changed, seconds':<34}{second:>10.2f}")
    print(f"{'1 % changed, share that travels':<34}{share:>10.2%}   limit {TRAVELS:.0%}")
    print(f"{'verify / sha256 of the same file':<34}{ratio:>10.2f}   limit {VERIFIES}")
    return 0 if share <= TRAVELS and ratio <= VERIFIES else 1


def image_mib(size: int) -> str:
    """Bytes as MiB."""
    return f"{size / MIB:.0f} MiB"


def verifying(engine: Engine, cached: Path) -> float:
    """How much longer verifying takes than hashing the same files with OpenSSL's own program."""
    ours, theirs, files = [], [], [cached]
    for number in range(COPIES):
        files.append(cached.with_name(f"{number}.{cached.name}"))
        os.link(cached, files[-1])
        os.link(chunks.beside(cached), chunks.beside(files[-1]))
    for _ in range(RUNS):
        began = time.monotonic()
        assert engine.check_images(parse_address("cache"), threading.Event()) == ()
        ours.append(time.monotonic() - began)
        began = time.monotonic()
        subprocess.run(["openssl", "dgst", "-sha256", *files], check=True, capture_output=True)
        theirs.append(time.monotonic() - began)
    return min(ours) / min(theirs)


if __name__ == "__main__":
    sys.exit(main())
