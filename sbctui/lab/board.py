"""One simulated board, as a process in a network of its own: from power on to its own disk.

``python -m sbctui.lab.board SPEC`` prints one JSON line for each thing that becomes of it. TERM
shuts it down in an orderly way; a board that is killed has lost its power.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from socket import if_nametoindex
from typing import NoReturn

from sbctui.engine import commands
from sbctui.engine.services import dhcp_wire as dhcp
from sbctui.lab import bootfiles, nbd, tftp
from sbctui.lab.bootfiles import Kernel
from sbctui.lab.spec import Spec, Stage

CARD = "eth0"
_CARD_WAIT = 10.0
_ANSWER = 2.0
_AGAIN = 4.0
_PI_AGAIN = 10.0
"""A Raspberry Pi begins anew when it can't go on; U-Boot stops at its prompt."""
_WORK = 3.0
"""Seconds between two rounds of a running board's work on its disk."""
_STEP = 0.5
_MARK = 1024
"""The first 1 KiB of an ext4 file system is nobody's: there a board writes that it was here."""
_MAGIC_AT, _MAGIC = 1024 + 56, b"\x53\xef"


class Stuck(Exception):
    """It goes no further by itself; the message is what stands on its serial console."""


class ShutDown(Exception):
    """It was told to end in an orderly way."""


class Board:
    """A board's life, from power on."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._renew = 0.0
        self._written = 0

    def live(self) -> None:
        """Boot and work until shut down. Raises ShutDown, wherever it is."""
        while True:
            try:
                self._boot()
            except Stuck as error:
                self._tell("stuck", str(error))
            while self._spec.firmware != "pi":
                signal.pause()
            time.sleep(_PI_AGAIN)

    def _boot(self) -> NoReturn:
        kernel = None if self._spec.exports else self._load(self._address())
        if self._spec.hangs:
            raise Stuck("Starting kernel ... and nothing more: is it a kernel for this board?")
        if kernel is None:
            self._keep_to(self._loopback)
        self._tell("starts", f"its kernel starts and connects to {kernel.export}")
        self._keep_to(lambda: nbd.Disk(kernel.server, kernel.port, kernel.export))

    # ── its address ───────────────────────────────────────────────────────────────────────

    def _address(self) -> dhcp.Message:
        """A lease, however long it takes."""
        with dhcp.line(CARD) as line:
            for tries in itertools.count(1):
                self._tell("asks", f"for an address, try {tries}; nobody answers yet")
                lease = self._asked(line)
                if lease is not None:
                    _use(IPv4Interface((lease.yours, lease.prefix)))
                    self._renew = time.monotonic() + lease.seconds / 2
                    return lease
                time.sleep(_AGAIN)
        raise AssertionError

    def _asked(self, line: dhcp.Line) -> dhcp.Message | None:
        xid, says = dhcp.new_xid(), self._says(line.mac)
        offer = line.ask(dhcp.Message(dhcp.DISCOVER, xid, line.mac, options=says), _ANSWER)
        if offer is None or offer.kind != dhcp.OFFER:
            return None
        chosen = {dhcp.ASKED: offer.yours.packed, dhcp.SERVER: offer.server.packed}
        wish = dhcp.Message(dhcp.REQUEST, xid, line.mac, options=says | chosen)
        answer = line.ask(wish, _ANSWER)
        return answer if answer is not None and answer.kind == dhcp.ACK else None

    def _says(self, mac: bytes) -> dict[int, bytes]:
        """What its firmware tells about itself: options 60, 93, 94 and 97 (RFC 4578)."""
        if self._spec.firmware == "u-boot":
            return {dhcp.CLASS: b"U-Boot.armv8", 93: b"\0\x16", 94: b"\1\0\0"}
        serial = self._spec.serial.to_bytes(4, "little")
        model = b"RPi4" + (0x00C03114).to_bytes(4, "little") + mac[:1:-1] + serial
        return {
            dhcp.CLASS: b"PXEClient:Arch:00000:UNDI:002001",
            93: b"\0\0",
            94: b"\1\2\1",
            97: b"\0" + model,
        }

    # ── its boot files ────────────────────────────────────────────────────────────────────

    def _load(self, lease: dhcp.Message) -> Kernel:
        server = lease.next if int(lease.next) else lease.server

        def fetch(name: str) -> bytes:
            self._tell("loads", name)
            return tftp.fetch(server, name, lambda n: self._tell("loads", f"{name}, {n >> 10} KiB"))

        try:
            if self._spec.firmware == "pi":
                return bootfiles.of_pi(fetch, self._spec.serial)
            return bootfiles.of_uboot(fetch, self._spec.mac)
        except (bootfiles.Unusable, tftp.TftpError) as error:
            raise Stuck(str(error)) from None

    # ── its disk ──────────────────────────────────────────────────────────────────────────

    def _loopback(self) -> nbd.Disk:
        """Its disk where it has no network: by the loopback address that the disk is for."""
        file = Path(self._spec.exports, f"{self._spec.mac.replace(':', '-')}.json")
        while not file.exists():
            self._tell("asks", "nobody: it has no network here, and no disk of its own yet")
            time.sleep(_STEP)
        found = json.loads(file.read_bytes())
        address = IPv4Address(found["address"])
        server = IPv4Address(int(address) & ~0xFF | 1)
        return nbd.Disk(server, self._spec.port, found["export"], address)

    def _keep_to(self, connect: Callable[[], nbd.Disk]) -> NoReturn:
        """Work on the disk, and connect again whenever it is gone. Raises ShutDown, Stuck."""
        while True:
            try:
                self._run(connect())
            except nbd.NbdError as error:
                self._tell("starts", f"its disk can't be had: {error}; it tries again")
                time.sleep(_STEP * 2)

    def _run(self, disk: nbd.Disk) -> NoReturn:
        with_file_system = disk.read(_MAGIC_AT, 2) == _MAGIC
        content = "an ext file system" if with_file_system else "no file system that it knows"
        self._tell("up", f"on its own disk of {disk.size >> 20} MiB with {content}")
        try:
            while True:
                self._work(disk)
                self._keep_address()
                time.sleep(_WORK)
        finally:
            disk.leave()

    def _work(self, disk: nbd.Disk) -> None:
        self._written += 1
        mark = f"{self._spec.mac} was here {self._written} times\n".encode()
        disk.write(0, mark.ljust(_MARK, b"\0"))
        disk.flush()
        if disk.read(0, len(mark)) != mark:
            raise Stuck("its disk does not hold what was written to it")

    def _keep_address(self) -> None:
        if self._spec.exports or time.monotonic() < self._renew:
            return
        with dhcp.line(CARD) as line:
            lease = self._asked(line)
        self._renew = time.monotonic() + (lease.seconds / 2 if lease else _AGAIN)

    def _tell(self, stage: Stage, said: str) -> None:
        sys.stdout.write(json.dumps({"stage": stage, "said": said, "at": time.time()}) + "\n")
        sys.stdout.flush()


def _plugged_in() -> None:
    """Wait for the network card, and switch it on. Raises OSError, ToolFailed."""
    deadline = time.monotonic() + _CARD_WAIT
    while True:
        try:
            if_nametoindex(CARD)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_STEP / 50)
    _ip("link set lo up", f"link set {CARD} up")


def _use(address: IPv4Interface) -> None:
    _ip(f"address flush dev {CARD}", f"address add {address} dev {CARD}")


def _ip(*lines: str) -> None:
    commands.run(["ip", "-batch", "-"], stdin="".join(f"{line}\n" for line in lines).encode())


def main(arguments: list[str]) -> int:
    """The process of one board."""
    spec = Spec.loaded(arguments[0])
    signal.signal(signal.SIGTERM, _shut_down)
    with suppress(ShutDown):
        if not spec.exports:
            _plugged_in()
        Board(spec).live()
    return 0


def _shut_down(number: int, frame: object) -> NoReturn:
    raise ShutDown


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
