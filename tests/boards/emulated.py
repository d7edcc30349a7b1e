"""Emulated boards in a lab: powered on with nothing but their MAC."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.lab import Lab

FIRMWARE = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")
UEFI = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
UEFI_VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
MEMORY = 320
"""MiB of each board."""
_ARM64 = ("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-bios", str(FIRMWARE))
_PC = ("qemu-system-x86_64", "-M", "pc", "-cpu", "qemu64", "-boot", "n")
_CARD = "virtio-net-pci,netdev=n"
_BARE = f"{_CARD},disable-legacy=on,romfile="
"""A card without iPXE in its ROM: the firmware drives it."""


def _uefi(**support: str) -> tuple[str, ...]:
    """A PC with a UEFI; ``support`` switches what its firmware tries (OvmfPkg/README)."""
    flash = f"if=pflash,format=raw,unit=0,readonly=on,file={UEFI}"
    variables = f"if=pflash,format=raw,unit=1,snapshot=on,file={UEFI_VARIABLES}"
    argv = ["qemu-system-x86_64", "-M", "q35", "-cpu", "qemu64", "-boot", "n"]
    argv += ["-drive", flash, "-drive", variables]
    for name, how in {"IPv6Support": "n", "IPv6PXESupport": "n", **support}.items():
        argv += ["-fw_cfg", f"name=opt/org.tianocore/{name},string={how}"]
    return tuple(argv)


class Emulated:
    """A board on the lab's bridge; what it says on its serial line is read as it comes."""

    machine = _ARM64
    card = _BARE

    def __init__(self, lab: Lab, mac: str) -> None:
        self.mac = mac
        self.console = ""
        self._heard = threading.Condition()
        tap = f"q{mac.replace(':', '')[-6:]}"
        for words in (f"tuntap add {tap} mode tap", f"link set {tap} master {lab.interface} up"):
            made = lab.server.run(["ip", *words.split()])
            assert made.returncode == 0, made.stderr
        argv = [*self.machine, "-m", str(MEMORY), "-nographic", "-monitor", "none"]
        argv += ["-serial", "stdio", "-device", f"{self.card},mac={mac}"]
        argv += ["-netdev", f"tap,id=n,ifname={tap},script=no,downscript=no"]
        self.since = time.monotonic()
        self._process = lab.server.start(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while data := self._process.stdout.read1(65536):  # type: ignore[attr-defined]
            with self._heard:
                self.console += data.decode(errors="replace").replace("\r", "")
                self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()

    def hears(self, pattern: str, seconds: float, start: int = 0) -> re.Match[str]:
        """Wait until its console matches from ``start`` on; the test fails when it doesn't.

        A pattern that asks for a line's end is held against whole lines only.
        """
        found: list[re.Match[str]] = []

        def heard() -> bool:
            whole = self.console.rfind("\n") + 1 if pattern.endswith("$") else len(self.console)
            match = re.compile(pattern, re.MULTILINE).search(self.console, start, whole)
            found[:] = [match] if match else []
            return bool(match)

        with self._heard:
            if not self._heard.wait_for(heard, seconds):
                pytest.fail(f"{self.mac} did not say {pattern!r}:\n{self.console[-6000:]}")
        return found[0]

    def type(self, line: str) -> int:
        """Type a line on its serial console; where the console stood before."""
        assert self._process.stdin is not None
        stood = len(self.console)
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()
        return stood

    def written(self, more: int, seconds: float) -> int:
        """Wait until it has written at least ``more`` lines from now on; the newest number."""
        marks = re.findall(r"^MARK written (\d+)", self.console, re.MULTILINE)
        goal = (int(marks[-1]) if marks else 0) + more
        deadline = time.monotonic() + seconds
        start = 0
        while True:
            match = self.hears(r"^MARK written (\d+)$", deadline - time.monotonic(), start)
            if int(match[1]) >= goal:
                return int(match[1])
            start = match.end()

    def ended(self, seconds: float) -> int:
        """Wait for its power to go off; the emulator's exit code."""
        code = self._process.wait(seconds)
        self._reader.join(5)
        return code


class EmulatedPc(Emulated):
    """A PC of 64 bits with a BIOS, and a network card that boots by itself."""

    machine = _PC
    card = _CARD


class EmulatedUefi(Emulated):
    """A PC with a UEFI that boots by PXE."""

    machine = _uefi()
    card = f"{_BARE},bootindex=1"


class EmulatedUefiByHttp(EmulatedUefi):
    """The same with nothing in its boot menu but HTTP boot."""

    machine = _uefi(IPv4PXESupport="n")
