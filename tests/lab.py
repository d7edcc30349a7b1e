"""A private world of network namespaces: a server behind a bridge, and boards that boot from it.

Nothing here touches the machine's own network. A lab names its namespaces after its process,
removes them and whatever runs in them when it closes, and sweeps up after processes that died
without closing theirs.

    with Lab() as lab:
        lab.server.run(["sbctui", ...])         # or: with lab.server.inside(): ...
        board = lab.board("dc:a6:32:00:00:01")
        board.dhcp()                            # {"ip": "10.77.0.50", "siaddr": ...} or None
        board.tftp("boot.scr.uimg")             # bytes, or TftpError
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from types import TracebackType

import pytest

REPO = Path(__file__).resolve().parent.parent
NBD_CLIENT = REPO / "tests" / "nbdclient.py"
SYSTEM_PYTHON = "/usr/bin/python3"
"""The interpreter that has libnbd's module."""
PACKAGES = {
    "busybox": "busybox",
    "dhcp_release": "dnsmasq-utils",
    "dnsmasq": "dnsmasq-base",
    "ip": "iproute2",
    "qemu-storage-daemon": "qemu-system-common",
    "ss": "iproute2",
}
_PREFIX = "sblab"
_CLONE_NEWNET = 0x40000000
_counter = itertools.count(1)
_libc = ctypes.CDLL(None, use_errno=True)

_LEASE_SCRIPT = """#!/bin/sh
case $1 in
bound|renew)
    ip addr flush dev "$interface"
    ip addr add "$ip/$mask" dev "$interface"
    env > "$LAB_LEASE" ;;
esac
"""


class TftpError(Exception):
    """What the server said instead of sending the file."""


def which(tool: str) -> str | None:
    """Where a program is, the sbin folders included."""
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def needs(*tools: str) -> None:
    """Skip the test when a program is missing; in CI that is a failure."""
    missing = [tool for tool in tools if which(tool) is None]
    if not missing:
        return
    packages = " ".join(PACKAGES.get(tool, tool) for tool in missing)
    reason = f"{', '.join(missing)} not installed: apt-get install {packages}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def unable() -> str:
    """Empty when this machine can make network namespaces; else why not. Probed once."""
    if os.geteuid() != 0:
        return "no private network: not root"
    name = f"{_PREFIX}-{os.getpid()}-probe"
    made = _run(["ip", "netns", "add", name], check=False)
    if made.returncode:
        return f"no private network: {made.stderr.strip() or 'ip netns add failed'}"
    try:
        link = _run(["ip", "-n", name, "link", "add", "probe0", "type", "veth"], check=False)
        return f"no private network: {link.stderr.strip()}" if link.returncode else ""
    finally:
        _run(["ip", "netns", "del", name], check=False)


def require_lab() -> None:
    """Skip when this kernel or user can't have a lab; a failure with SBCTUI_REQUIRE_LAB=1."""
    needs("ip", "busybox")
    reason = unable()
    if not reason:
        return
    if os.environ.get("SBCTUI_REQUIRE_LAB") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Poll until ``condition`` holds; the test fails with ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.01)


def _run(
    argv: Sequence[str], *, check: bool = True, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=check)


class Space:
    """One network namespace and what runs in it."""

    def __init__(self, name: str, environment: Mapping[str, str] | None = None) -> None:
        self.name = name
        self._environment = dict(environment or {})
        self._started: list[subprocess.Popen[bytes]] = []

    def argv(self, argv: Sequence[str | os.PathLike[str]]) -> list[str]:
        """The command that runs another one in here."""
        return ["ip", "netns", "exec", self.name, *map(os.fspath, argv)]

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        timeout: float = 60,
        env: Mapping[str, str] | None = None,
        data: bytes = b"",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in here to its end, whatever its exit code."""
        return subprocess.run(
            self.argv(argv),
            input=data,
            capture_output=True,
            timeout=timeout,
            env={**os.environ, **self._environment, **(env or {})},
        )

    def start(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.DEVNULL,
        stderr: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a program in here; it is ended with the lab."""
        process = subprocess.Popen(
            self.argv(argv),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **self._environment, **(env or {})},
            start_new_session=True,
        )
        self._started.append(process)
        return process

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, its sockets and the programs it starts are in here meanwhile."""
        with open("/proc/thread-self/ns/net") as home:
            with open(f"/run/netns/{self.name}") as there:
                _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def end(self) -> None:
        """Kill what was started in here, and what that started."""
        for process in self._started:
            if process.poll() is None:  # it may be on its way in: not among the namespace's yet
                os.killpg(process.pid, signal.SIGKILL)
        _end_all(self.name)
        for process in self._started:
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
            process.wait(60)


class Board(Space):
    """A board on the bridge: one network card with a MAC of its own, named eth0."""

    def __init__(self, lab: Lab, name: str, mac: str) -> None:
        super().__init__(name)
        self.lab = lab
        self.mac = mac
        self.lease: dict[str, str] | None = None

    @property
    def dashed(self) -> str:
        """The MAC with dashes: the board's export and folder name."""
        return self.mac.replace(":", "-")

    def _udhcpc(self, vendor: str, tries: int, options: Sequence[str]) -> list[str]:
        script = self.lab.folder / "lease.sh"
        fixed = ["-f", "-n", "-q", "-i", "eth0", "-T", "1", "-t", str(tries), "-s", str(script)]
        named = ["-V", vendor] if vendor else []
        return ["busybox", "udhcpc", *fixed, *named, *options]

    def ask(self, *, vendor: str = "", tries: int = 3, options: Sequence[str] = ()) -> None:
        """Begin to ask for an address, without waiting; ``answer`` tells the outcome."""
        dump = self.lab.folder / f"{self.name}.lease"
        dump.unlink(missing_ok=True)
        self._asking = self.start(
            self._udhcpc(vendor, tries, options),
            env={"LAB_LEASE": str(dump)},
            stderr=subprocess.PIPE,
        )

    def answer(self, timeout: float = 30) -> dict[str, str] | None:
        """What came of ``ask``: the lease as udhcpc names its parts, or None."""
        self._asking.communicate(timeout=timeout)
        dump = self.lab.folder / f"{self.name}.lease"
        self.lease = _pairs(dump.read_text()) if dump.exists() else None
        return self.lease

    def dhcp(
        self, *, vendor: str = "", tries: int = 3, options: Sequence[str] = ()
    ) -> dict[str, str] | None:
        """Ask for an address and take it: the lease, or None after ``tries`` seconds."""
        self.ask(vendor=vendor, tries=tries, options=options)
        return self.answer()

    def tftp(self, path: str, *, timeout: float = 30) -> bytes:
        """Fetch a file from the server that the lease named. Raises TftpError."""
        server = (self.lease or {}).get("siaddr") or str(self.lab.address)
        target = self.lab.folder / f"{self.name}.tftp"
        target.unlink(missing_ok=True)
        got = self.run(
            ["busybox", "tftp", "-g", "-b", "1468", "-r", path, "-l", target, server],
            timeout=timeout,
        )
        if got.returncode:
            raise TftpError(got.stderr.decode(errors="replace").strip())
        return target.read_bytes()

    def use(self, ip: IPv4Address | str) -> None:
        """Take an address without asking anybody."""
        self.run(["ip", "addr", "flush", "dev", "eth0"])
        width = self.lab.subnet.prefixlen
        self.run(["ip", "addr", "add", f"{ip}/{width}", "dev", "eth0"])

    def use_here(self, ip: IPv4Address | str) -> None:
        """The same from a thread that is in here already."""
        _run(["ip", "addr", "add", f"{ip}/{self.lab.subnet.prefixlen}", "dev", "eth0"])

    def nbd(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        """Run the NBD test client on the board; see tests/nbdclient.py for its arguments."""
        return self.run([SYSTEM_PYTHON, str(NBD_CLIENT), *arguments], timeout=timeout)


class Lab:
    """A server namespace with a bridge, and boards plugged into it."""

    def __init__(self, subnet: str = "10.77.0.0/24", interface: str = "lab0") -> None:
        require_lab()
        _sweep()
        self.subnet = IPv4Network(subnet)
        self.address = next(iter(self.subnet.hosts()))
        self.interface = interface
        self._name = f"{_PREFIX}-{os.getpid()}-{next(_counter)}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self._name}-"))
        self.server = Space(f"{self._name}-server")
        self.boards: dict[str, Board] = {}
        try:
            self._make()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        script = self.folder / "lease.sh"
        script.write_text(_LEASE_SCRIPT)
        script.chmod(0o755)
        bridge = self.interface
        address = IPv4Interface((self.address, self.subnet.prefixlen))
        _run(["ip", "netns", "add", self.server.name])
        _batch(
            self.server.name,
            "link set lo up",
            f"link add {bridge} type bridge",
            f"link set {bridge} address 02:5b:c0:00:00:01",
            f"address add {address} dev {bridge}",
            f"link set {bridge} up",
        )

    def board(self, mac: str) -> Board:
        """A board with this MAC, made and plugged in at the first call."""
        if mac not in self.boards:
            number = len(self.boards) + 1
            board = Board(self, f"{self._name}-b{number}", mac)
            self.boards[mac] = board
            _run(["ip", "netns", "add", board.name])
            port = f"p{number}"
            _batch(
                self.server.name,
                f"link add {port} type veth peer name eth0 address {mac} netns {board.name}",
                f"link set {port} master {self.interface} up",
            )
            _batch(board.name, "link set lo up", "link set eth0 up")
        return self.boards[mac]

    def run_product(
        self,
        arguments: Sequence[str | os.PathLike[str]],
        *,
        timeout: float = 120,
        data: bytes = b"",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the command line of this checkout in the server's namespace."""
        return self.server.run(
            [sys.executable, "-m", "sbctui", *arguments],
            timeout=timeout,
            data=data,
            env={"PYTHONPATH": str(REPO)},
        )

    def close(self) -> None:
        """End whatever runs in the lab, then remove it; a second call does nothing."""
        spaces = [self.server, *self.boards.values()]
        for space in spaces:
            space.end()
            if Path(f"/run/netns/{space.name}").exists():
                _run(["ip", "netns", "del", space.name], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _batch(space: str, *lines: str) -> None:
    _run(["ip", "-n", space, "-batch", "-"], text="\n".join(lines) + "\n")


def _pairs(text: str) -> dict[str, str]:
    """The variables udhcpc set: lower case, unlike those of our own environment."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {name: value for name, _, value in pairs if name.islower()}


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _end_all(space: str) -> None:
    """Kill every process whose network is this namespace, until none is left."""
    for _ in range(50):
        pids = _run(["ip", "netns", "pids", space], check=False).stdout.split()
        pids = [pid for pid in pids if int(pid) != os.getpid()]
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)


def _sweep() -> None:
    """Remove the namespaces and folders of labs whose process is gone."""
    gone = set()
    names = [p.name for p in Path("/run/netns").glob(f"{_PREFIX}-*")]
    folders = list(Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*"))
    for name in [*names, *(f.name for f in folders)]:
        owner = name.split("-")[1]
        if owner.isdecimal() and not Path(f"/proc/{owner}").exists():
            gone.add(owner)
    for name in names:
        if name.split("-")[1] in gone:
            _end_all(name)
            _run(["ip", "netns", "del", name], check=False)
    for folder in folders:
        if folder.name.split("-")[1] in gone:
            shutil.rmtree(folder, ignore_errors=True)
