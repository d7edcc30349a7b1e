"""What simulated boards say and understand: DHCP messages, boot menus, command lines."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.services import dhcp_wire as dhcp
from sbctui.lab import bootfiles
from sbctui.lab.bootfiles import Kernel, Unusable
from sbctui.lab.spec import Spec
from sbctui.lab.tftp import TftpError

MAC = bytes.fromhex("dca632770001")
MENU = "default x\nlabel x\n  kernel vmlinuz\n  initrd initrd.img\n  append {}\n"
LINE = "root=/dev/nbd0 ip=dhcp nbdroot=10.77.0.1:10810/dc-a6-32-77-00-01 rw"
KERNEL = Kernel(IPv4Address("10.77.0.1"), 10810, "dc-a6-32-77-00-01")


def answered(question: bytes) -> bytes:
    """A server's answer to a question, by the offsets of RFC 2131."""
    head = bytearray(question[:240])
    head[0] = 2
    head[16:20] = IPv4Address("10.77.0.50").packed
    head[20:24] = IPv4Address("10.77.0.1").packed
    said = {53: b"\2", 54: IPv4Address("10.77.0.1").packed, 1: b"\xff\xff\xff\xc0"}
    return (
        bytes(head) + b"".join(struct.pack("BB", n, len(d)) + d for n, d in said.items()) + b"\xff"
    )


def test_an_offer_is_read_as_it_was_made() -> None:
    question = dhcp.pack(dhcp.Message(dhcp.DISCOVER, 77, MAC, options={60: b"U-Boot.armv8"}))
    assert len(question) >= 300
    assert b"\x3c\x0cU-Boot.armv8" in question
    offer = dhcp.unpack(answered(question))
    assert offer is not None
    assert (offer.kind, offer.xid, offer.mac) == (dhcp.OFFER, 77, MAC)
    assert (str(offer.yours), str(offer.next), str(offer.server)) == (
        "10.77.0.50", "10.77.0.1", "10.77.0.1",
    )  # fmt: skip
    assert offer.prefix == 26


def test_a_question_is_no_answer() -> None:
    assert dhcp.unpack(dhcp.pack(dhcp.Message(dhcp.DISCOVER, 1, MAC))) is None


@given(st.binary(max_size=400), st.integers(0, 400))
def test_no_packet_is_too_strange_to_be_passed_over(data: bytes, cut: int) -> None:
    dhcp.unpack(data)
    dhcp.unpack(answered(dhcp.pack(dhcp.Message(dhcp.DISCOVER, 1, MAC)))[:cut] + data)
    dhcp._unwrapped(data)


def served(**files: str) -> bootfiles.Fetch:
    def fetch(name: str) -> bytes:
        try:
            return files[name.replace(".", "_").replace("-", "_").replace("/", "_")].encode()
        except KeyError:
            raise TftpError("file not found") from None

    return fetch


def test_uboot_goes_by_the_menu_for_its_mac() -> None:
    fetch = served(
        boot_scr_uimg="x", pxelinux_cfg_01_dc_a6_32_77_00_01=MENU.format(LINE),
        vmlinuz="x", initrd_img="x",
    )  # fmt: skip
    assert bootfiles.of_uboot(fetch, "dc:a6:32:77:00:01") == KERNEL


@pytest.mark.parametrize("lacks", ["boot_scr_uimg", "vmlinuz", "initrd_img"])
def test_what_uboot_lacks_it_names(lacks: str) -> None:
    files = {
        "boot_scr_uimg": "x", "pxelinux_cfg_01_dc_a6_32_77_00_01": MENU.format(LINE),
        "vmlinuz": "x", "initrd_img": "x",
    }  # fmt: skip
    del files[lacks]
    with pytest.raises(Unusable, match="can't be had"):
        bootfiles.of_uboot(served(**files), "dc:a6:32:77:00:01")


def test_a_pi_asks_below_its_serial_number_first() -> None:
    below = served(
        _77000005_start4_elf="x", _77000005_config_txt="kernel=k\ninitramfs i followkernel\n",
        _77000005_cmdline_txt=LINE, _77000005_k="x", _77000005_i="x",
    )  # fmt: skip
    assert bootfiles.of_pi(lambda name: below(f"_{name}"), 0x77000005) == KERNEL
    above = served(start4_elf="x", config_txt="", cmdline_txt=LINE, kernel8_img="x")
    assert bootfiles.of_pi(above, 0x77000005) == KERNEL
    with pytest.raises(Unusable, match=r"firmware can't be had: start4\.elf"):
        bootfiles.of_pi(served(), 5)


@pytest.mark.parametrize("line", ["", "root=/dev/sda1", "nbdroot=10.77.0.300:1/x", "nbdroot=,,"])
def test_a_command_line_without_a_disk_ends_in_a_panic(line: str) -> None:
    with pytest.raises(Unusable, match="Kernel panic"):
        bootfiles.of_command_line(line)


def test_a_disk_is_named_in_both_ways() -> None:
    assert bootfiles.of_command_line("nbdroot=10.77.0.1,x,nbd0") == Kernel(
        IPv4Address("10.77.0.1"), 10809, "x"
    )


def test_a_board_goes_into_one_word_and_comes_back() -> None:
    spec = Spec("02:00:00:00:00:01", 'a "label" of $words', "pi", hangs=True, serial=7)
    assert Spec.loaded(spec.dumped()) == spec
