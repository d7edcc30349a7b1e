"""Log lines a second that the boot timeline follows, beside reading the same log line by line.

Prints one table; exits 1 when a limit is broken. The log is what dnsmasq writes with log-dhcp for
boards that boot one after another, forty together. Each one's fastest run counts.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from pathlib import Path

from sbctui.engine.boards.history import NAME
from sbctui.engine.services.boots import BootFollower
from sbctui.engine.services.hosts import hosts_dir, log_file

LINES = 20_000
RUNS = 3
FLOOR, RATIO = 10_000, 80.0
BOARDS = 40
PLAIN = re.compile(rb".{15} dnsmasq[^ ]*\[\d+\]: ")
FILES = ("config.txt", "start4.elf", "vmlinuz", "initrd.img", "bcm2711-rpi-4-b.dtb")
OPTIONS = (
    "requested options: 1:netmask, 3:router, 43:vendor-encap, 60:vendor-class",
    "next server: 10.77.0.1",
    "broadcast response",
    "sent size:  1 option: 53 message-type  2",
    "sent size:  4 option: 54 server-identifier  10.77.0.1",
    "sent size:  4 option: 51 lease-time  1h",
    "sent size: 14 option: 67 bootfile-name  boot.scr.uimg",
    "sent size:  4 option:  1 netmask  255.255.255.0",
    "sent size: 17 option: 97 client-machine-id  00:52:50:69:34:14:31:c0:00:32:00:00...",
)


def mac(number: int) -> str:
    return f"dc:a6:32:00:00:{number:02x}"


def boot(site: Path, number: int, xid: int) -> list[str]:
    """What one boot writes."""
    ip, board = f"10.77.0.{number + 50}", mac(number)
    folder = site / "derived" / "tftp" / board.replace(":", "-")
    said = []
    for asked, answered in (("DHCPDISCOVER", "DHCPOFFER"), ("DHCPREQUEST", "DHCPACK")):
        said += [
            "dnsmasq-dhcp[9]: {} available DHCP subnet: 10.77.0.0/255.255.255.0",
            "dnsmasq-dhcp[9]: {} vendor class: PXEClient:Arch:00000:UNDI:002001",
            f"dnsmasq-dhcp[9]: {{}} {asked}(lab0) {board} ",
            "dnsmasq-dhcp[9]: {} tags: known, lab0",
            f"dnsmasq-dhcp[9]: {{}} {answered}(lab0) {ip} {board} ",
            *(f"dnsmasq-dhcp[9]: {{}} {line}" for line in OPTIONS),
        ]
    said += [f"dnsmasq-tftp[9]: file {folder}/x{n}.sig not found for {ip}" for n in range(5)]
    said += [f"dnsmasq-tftp[9]: sent {folder}/{name} to {ip}" for name in FILES]
    stamp = time.strftime("%b %e %H:%M:%S")
    return [f"{stamp} {line.format(xid)}\n" for line in said]


def prepare(site: Path) -> bytes:
    """A site with forty boards; the log of many boots."""
    hosts_dir(site).mkdir(parents=True)
    log_file(site).parent.mkdir()
    for number in range(BOARDS):
        name = mac(number).replace(":", "-")
        (hosts_dir(site) / name).touch()
        folder = site / "derived" / "tftp" / name
        folder.mkdir(parents=True)
        for file in FILES:
            (folder / file).write_bytes(b"x" * 1000)
    lines: list[str] = []
    xid = 0
    while len(lines) < LINES:
        for number in range(BOARDS):
            xid += 1
            lines += boot(site, number, xid)
    return "".join(lines[:LINES]).encode()


def followed(site: Path, log: bytes) -> float:
    """Processor seconds to follow the log, in pieces as they would come."""
    log_file(site).write_bytes(b"")
    (log_file(site).parent / NAME).unlink(missing_ok=True)
    follower = BootFollower(site)
    lines = log.splitlines(keepends=True)
    spent = 0.0
    for at in range(0, LINES, 500):
        with log_file(site).open("ab") as file:
            file.writelines(lines[at : at + 500])
        began = time.process_time()
        follower.look()
        spent += time.process_time() - began
    assert len(follower.news(0).boots) >= BOARDS
    follower.close()
    return spent


def plainly(log: bytes) -> float:
    """Processor seconds to split the log into lines and know dnsmasq's among them."""
    began = time.process_time()
    count = sum(PLAIN.match(line) is not None for line in log.split(b"\n"))
    assert count == LINES
    return time.process_time() - began


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder)
        log = prepare(site)
        ours = min(followed(site, log) for _ in range(RUNS))
        floor = min(plainly(log) for _ in range(RUNS))
    rate, ratio = LINES / ours, ours / floor
    print(f"{'':34}{'measured':>12}{'limit':>12}")
    print(f"{'lines a second on one core':34}{rate:12,.0f}{FLOOR:12,}")
    print(f"{'times as long as knowing the lines':34}{ratio:12.1f}{RATIO:12.1f}")
    return int(rate < FLOOR or ratio > RATIO)


if __name__ == "__main__":
    sys.exit(main())
