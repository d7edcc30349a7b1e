"""An archive that stops coming: whoever waits for it can leave, and nothing is left of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from select import PIPE_BUF

import pytest

from sbctui.engine.engine import Engine
from tests.archives.place import export, make_root, make_site
from tests.lab import REPO, needs, until

Begun = tuple[tuple[str, ...], int]
"""The words that tell where it comes from, and what the importer has as its standard input."""


@pytest.fixture
def world(tmp_path: Path) -> Engine:
    engine = make_site(tmp_path / "site")
    make_root(engine, "web")
    return engine


@contextmanager
def piped(half: bytes) -> Iterator[Begun]:
    source, sink = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError):
            for at in range(0, len(half), PIPE_BUF):
                os.write(sink, half[at : at + PIPE_BUF])

    feeding = threading.Thread(target=feed)
    feeding.start()
    try:
        yield ("-",), source
    finally:
        os.close(source)
        feeding.join()
        os.close(sink)


@contextmanager
def fetched(half: bytes) -> Iterator[Begun]:
    over = threading.Event()

    class Stalling(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(2 * len(half)))
            self.end_headers()
            self.wfile.write(half)
            over.wait()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Stalling) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            place = f"http://127.0.0.1:{server.server_port}/x.tar.zst"
            yield ("--from", place), subprocess.DEVNULL
        finally:
            over.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("way", [piped, fetched])
def test_it_ends_when_it_is_told_to(
    world: Engine, tmp_path: Path, way: Callable[[bytes], AbstractContextManager[Begun]]
) -> None:
    needs("curl")
    file = tmp_path / "x.tar.zst"
    export(world, "web", file)
    half = file.read_bytes()[: file.stat().st_size // 2]
    argv = [sys.executable, "-m", "sbctui", "--site", str(world.path), "root", "import", "-y"]
    with (
        way(half) as (words, stdin),
        subprocess.Popen(
            [*argv, *words, "--name", "new"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPO)},
        ) as importer,
    ):
        staged = world.site().staging_path("new")
        until(lambda: staged.exists() and any(staged.iterdir()), 30, "it has begun")
        importer.send_signal(signal.SIGINT)
        said, _ = importer.communicate(timeout=30)
    assert importer.returncode == 130, said
    assert "stopped" in said
    assert not staged.exists()
    assert "new" not in world.site().nodes
    assert world.site().strays == ()
