"""What a request off the wire tells, and that nothing in one can do harm."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbctui.engine.boards.identity import Identity, architecture, identify
from sbctui.engine.boards.packet import Asked, parse
from sbctui.engine.boards.vendors import is_local, vendor
from tests.services import dhcp_client as dhcp

MAC = "dc:a6:32:01:36:c2"


def framed(payload: bytes, port: int = 67, fragment: int = 0, options: bytes = b"") -> bytes:
    """The payload in an IPv4 and UDP packet."""
    udp = struct.pack("!HHHH", 68, port, 8 + len(payload), 0) + payload
    size = 20 + len(options)
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(udp), 0, fragment, 64, 17, 0,
        bytes(4), b"\xff" * 4,
    )  # fmt: skip
    return head + options + udp


def asked(options: dict[int, bytes], kind: int = dhcp.DISCOVER) -> Asked:
    found = parse(framed(dhcp.packet(MAC, kind, 7, options)))
    assert found is not None
    return found


def test_a_pi_4_says_its_model_memory_and_serial() -> None:
    found = asked(dhcp.pi(MAC, revision=0xC03114))
    assert (found.mac, found.xid, found.kind) == (MAC, 7, "discover")
    assert identify(found) == Identity("Raspberry Pi 4B, 4 GB", "9ffefdef", "ARM64")


@pytest.mark.parametrize(
    ("options", "identity"),
    [
        (dhcp.pi(MAC, b"RPi5", 0xD04170), Identity("Raspberry Pi 5, 8 GB", "9ffefdef", "ARM64")),
        (dhcp.pi(MAC, b"RPi6", 0xD04FF0), Identity("Raspberry Pi 6, 8 GB", "9ffefdef", "ARM64")),
        (dhcp.pi(MAC, b"RPi4", 0x03), Identity("Raspberry Pi 4", "9ffefdef", "ARM64")),
        (dhcp.pi(MAC, b"RPi\x1b", 0x03), Identity("Raspberry Pi \\x1b", "9ffefdef", "ARM64")),
        (dhcp.PI3, Identity("Raspberry Pi 3", "", "ARM64")),
        (
            {**dhcp.PI3, dhcp.UUID: b"\0" + struct.pack("<I", 0x9FFEFDEF) * 4},
            Identity("Raspberry Pi", "9ffefdef", "ARM64"),
        ),
        ({**dhcp.PI3, dhcp.UUID: b"\0" + b"LAB7" * 3}, Identity("Raspberry Pi", "", "ARM64")),
        (dhcp.BIOS, Identity("Raspberry Pi", "", "ARM64")),
        (dhcp.UBOOT, Identity("Raspberry Pi", "", "ARM64 U-Boot")),
        (dhcp.UEFI, Identity("", "", "x86-64 UEFI")),
        ({dhcp.ARCH: b"\0\x63"}, Identity("", "", "type 99")),
        ({dhcp.ARCH: b"\0"}, Identity()),
        ({dhcp.CLASS: b"udhcp 1.35.0"}, Identity()),
        ({}, Identity()),
    ],
)
def test_what_each_kind_of_board_says(options: dict[int, bytes], identity: Identity) -> None:
    assert identify(asked(options)) == identity


def test_others_than_raspberry_pis_say_their_processor() -> None:
    for options, told in ((dhcp.BIOS, "x86 BIOS"), (dhcp.UBOOT, "ARM64 U-Boot")):
        found = parse(framed(dhcp.packet("52:54:00:00:00:07", dhcp.DISCOVER, 7, options)))
        assert found is not None
        assert identify(found) == Identity("", "", told)


def test_the_class_alone_tells_the_processor_too() -> None:
    assert architecture(-1, "PXEClient:Arch:00011:UNDI:003000") == "ARM64 UEFI"
    assert architecture(-1, "PXEClient:Arch:99999") == "type 99999"
    assert architecture(-1, "PXEClient:Arch:٠٠٠١١:UNDI:003000") == ""
    assert architecture(-1, "U-Boot.armv7") == "ARM U-Boot"


def test_hostile_texts_are_shown_as_text() -> None:
    found = asked({dhcp.CLASS: b"\x1b[2J[bold]\n", dhcp.HOST_NAME: b"pi\xff\x00\r", 77: b"\x9b"})
    assert found.vendor_class == "\\x1b[2J[bold]\\x0a"
    assert "\r" not in found.hostname
    assert "\x9b" not in found.user_class


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        framed(dhcp.packet(MAC, 1, 7, {}), port=68),
        framed(dhcp.packet(MAC, 1, 7, {}), fragment=0x2000),
        framed(dhcp.packet(MAC, 1, 7, {}), fragment=0x0001),
        framed(dhcp.packet(MAC, 2, 7, {})),
        framed(dhcp.packet("01:00:5e:00:00:01", 1, 7, {})),
        framed(dhcp.packet("00:00:00:00:00:00", 1, 7, {})),
        framed(dhcp.packet(MAC, 1, 7, {})[:240].replace(b"\x63\x82", b"\0\0")),
        framed(b"\2" + dhcp.packet(MAC, 1, 7, {})[1:]),
        framed(dhcp.packet(MAC, 1, 7, {}))[:60],
        b"\x60" + framed(dhcp.packet(MAC, 1, 7, {}))[1:],
        b"\x41" + framed(dhcp.packet(MAC, 1, 7, {}))[1:],
    ],
)
def test_what_is_no_request_is_none(packet: bytes) -> None:
    assert parse(packet) is None


def test_options_that_are_cut_off_or_lie_about_their_length_end_the_list() -> None:
    whole = dhcp.packet(MAC, 1, 7, {dhcp.CLASS: b"first", dhcp.HOST_NAME: b"name"})
    cut = framed(whole[: whole.index(b"name") + 2])
    found = parse(cut)
    assert found is not None
    assert (found.vendor_class, found.hostname) == ("first", "")


def test_ip_options_are_stepped_over() -> None:
    found = parse(framed(dhcp.packet(MAC, 1, 7, {}), options=b"\1" * 8))
    assert found is not None
    assert found.mac == MAC


PACKETS = st.one_of(
    st.binary(max_size=700),
    st.binary(max_size=400).map(framed),
    st.builds(
        lambda tail: framed(dhcp.packet(MAC, 1, 7, {})[:240] + tail), st.binary(max_size=600)
    ),
    st.builds(
        lambda flips: bytes(
            byte ^ flips.get(at, 0)
            for at, byte in enumerate(framed(dhcp.packet(MAC, 1, 7, dhcp.pi(MAC))))
        ),
        st.dictionaries(st.integers(0, 330), st.integers(1, 255), max_size=12),
    ),
)


@settings(max_examples=800, deadline=None)
@given(PACKETS)
def test_nothing_from_the_wire_raises_or_drives_a_terminal(packet: bytes) -> None:
    found = parse(packet)
    if found is None:
        return
    known = identify(found)
    told = (found.vendor_class, found.user_class, found.hostname, known.model, known.serial,
            known.architecture)  # fmt: skip
    assert all(text.isprintable() or " " in text for text in told)
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for text in told for c in text)
    assert all(len(text) < 2048 for text in told)


TABLE = b"""# This file is part of systemd.

OUI:DCA632*
 ID_OUI_FROM_DATABASE=Raspberry Pi Trading Ltd

OUI:8C1F64*
 ID_OUI_FROM_DATABASE=IEEE Registration Authority

OUI:8C1F64001*
 ID_OUI_FROM_DATABASE=HYFIX \x1b[2JSpatial

OUI:0050C2*
 SOMETHING_ELSE=x
"""


def test_who_made_a_card_is_looked_up_by_the_longest_prefix(tmp_path: Path) -> None:
    (tmp_path / "oui").write_bytes(TABLE)
    tables = (tmp_path / "none", tmp_path / "oui")
    assert vendor("dc:a6:32:01:02:03", tables) == "Raspberry Pi Trading Ltd"
    assert vendor("8c:1f:64:00:10:01", tables) == "HYFIX \\x1b[2JSpatial"
    assert vendor("8c:1f:64:ff:f0:01", tables) == "IEEE Registration Authority"
    assert vendor("00:50:c2:00:00:01", tables) == ""
    assert vendor("b8:27:eb:00:00:01", tables) == ""
    (tmp_path / "empty").touch()
    assert vendor("dc:a6:32:01:02:04", (tmp_path / "empty",)) == ""


def test_a_made_up_mac_has_no_maker_and_says_so() -> None:
    assert is_local("02:aa:bb:cc:dd:01")
    assert is_local("fe:aa:bb:cc:dd:01")
    assert not is_local("dc:a6:32:00:00:01")
    assert vendor("02:aa:bb:cc:dd:01") == ""
