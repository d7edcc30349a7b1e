"""Places that images come from, for tests: images, a plain ssh server, an https server."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import random
import secrets
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zstandard

from sbctui.engine.repository import mounts
from tests.lab import needs

MIB = 1024**2


def disk(size: int, seed: int = 1, *, changed: tuple[int, ...] = ()) -> bytes:
    """A disk of so many MiB that can't be packed; those MiB of it that are ``changed`` differ."""
    parts = [random.Random(f"{seed}/{n}/{n in changed}").randbytes(MIB) for n in range(size)]
    return b"".join(parts)


def seekable(data: bytes, *, checksums: bool = False, head: bytes = b"") -> bytes:
    """A seekable zstd file: ``head`` and then each MiB packed on its own, and the table."""
    packer = zstandard.ZstdCompressor(level=1)
    pieces = [head] if head else []
    pieces += [data[at : at + MIB] for at in range(0, len(data), MIB)]
    frames = [packer.compress(piece) for piece in pieces]
    table = b"".join(
        struct.pack("<II", len(frame), len(piece))
        + (hashlib.sha256(piece).digest()[:4] if checksums else b"")
        for frame, piece in zip(frames, pieces, strict=True)
    )
    foot = struct.pack("<IBI", len(frames), 0x80 if checksums else 0, 0x8F92EAB1)
    skippable = struct.pack("<II", 0x184D2A5E, len(table) + len(foot)) + table + foot
    return b"".join(frames) + skippable


def put(root: Path, path: str, data: bytes) -> Path:
    """A file of a repository."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file


@contextmanager
def labelled_stick(folder: Path) -> Iterator[str]:
    """A stick with a label of its own, in a loop device, that has an image on it: the label."""
    needs("mke2fs", "losetup")
    if os.geteuid():
        pytest.skip("wants root")
    label = f"SBC{secrets.token_hex(4)}"
    tree, file = folder / "tree", folder / "stick"
    put(tree, "images/pi.img", disk(1))
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-L", label, "-d", tree, file, "8M"], check=True)
    made = subprocess.run(["losetup", "-f", "--show", file], capture_output=True, text=True)
    if made.returncode:
        pytest.skip("no loop devices here")
    device = made.stdout.strip()
    try:
        if all(one.label != label for one in mounts.labelled()):
            pytest.skip("lsblk tells no labels here")
        yield label
    finally:
        subprocess.run(["umount", "-q", device], check=False)
        subprocess.run(["losetup", "-d", device], check=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@dataclass(frozen=True)
class Sshd:
    """A server that has nothing but sshd and its sftp."""

    port: int
    key: Path
    known_hosts: Path


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run one on the loopback, in a home folder of its own."""
    needs("dropbear", "dropbearkey", "ssh-keygen", "unshare")
    if os.geteuid() or not Path("/usr/lib/sftp-server").exists():
        pytest.skip("wants root and sftp-server")
    folder.mkdir()
    key, host, port = folder / "key", folder / "host", free_port()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    told = subprocess.run(
        ["dropbearkey", "-t", "ed25519", "-f", host], check=True, capture_output=True, text=True
    ).stdout
    public = next(line for line in told.splitlines() if line.startswith("ssh-ed25519"))
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{port} {' '.join(public.split()[:2])}\n")
    script = """mount -t tmpfs -o mode=700 none "$HOME" && mkdir -m 700 "$HOME/.ssh" &&
        cp "$1" "$HOME/.ssh/authorized_keys" && exec dropbear -F -E -s -r "$2" -p "$3" """
    home = os.path.expanduser("~root")
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script, "sshd", f"{key}.pub", host, f"127.0.0.1:{port}"],
        env={**os.environ, "HOME": home},
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _until_open(port, process)
            yield Sshd(port, key, known)
        finally:
            process.kill()


def _until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the ssh server does not start")


@dataclass
class Web:
    """An https server: its address, its authority, what it sent, and what was asked of it."""

    base: str = ""
    ca: Path = Path()
    sent: int = 0
    asked: list[str] = field(default_factory=list)
    ranges: bool = True


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: object, web: Web, **more: object) -> None:
        self.web = web
        super().__init__(*args, **more)  # type: ignore[arg-type]

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        asked = self.headers.get("Range", "") if self.web.ranges else ""
        self.web.asked.append(f"{self.path} {asked}")
        if not path.is_file():
            self.send_error(404)
            return
        first, last = 0, path.stat().st_size - 1
        if asked:
            first, last = (int(one) for one in asked.removeprefix("bytes=").split("-"))
        with path.open("rb") as file:
            file.seek(first)
            data = file.read(last + 1 - first)
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.web.sent += len(data)
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True


@contextmanager
def https(folder: Path, root: Path) -> Iterator[Web]:
    """Serve a folder on the loopback with a certificate of an authority of our own."""
    needs("openssl", "curl")
    folder.mkdir()
    ca, certificate = folder / "ca.pem", folder / "server.pem"
    _certificates(folder, ca, certificate)
    web = Web(ca=ca)
    handler = functools.partial(_Handler, web=web, directory=str(root))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)  # fmt: skip
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        web.base = f"https://localhost:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()


def _certificates(folder: Path, ca: Path, certificate: Path) -> None:
    def openssl(*words: str | Path) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(*new, "-x509", "-days", "2", "-subj", "/CN=lab", "-keyout", folder / "ca.key",
            "-out", ca)  # fmt: skip
    openssl(*new, "-subj", "/CN=localhost", "-keyout", folder / "key", "-out", folder / "csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost")
    openssl("x509", "-req", "-days", "2", "-in", folder / "csr", "-CA", ca, "-CAkey",
            folder / "ca.key", "-CAcreateserial", "-extfile", folder / "names",
            "-out", folder / "crt")  # fmt: skip
    certificate.write_bytes((folder / "crt").read_bytes() + (folder / "key").read_bytes())


def killed_after(argv: list[str], bytes_: int, part: Path) -> None:
    """Run a program and kill it with -9 as soon as a file has so many bytes on the disk."""
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if part.exists() and part.stat().st_blocks * 512 >= bytes_:
                process.kill()
            time.sleep(0.001)


def program(site: Path, *words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "sbctui", "--site", str(site), *words]
