"""What comes from outside: torrents, .mcast files, reports, and what udpcast says."""

from __future__ import annotations

import json
import socket
from hashlib import sha256
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.distribution import Offer
from sbctui.engine.repository import mcastfile, torrentfile
from sbctui.engine.repository.bencode import decode, encode
from sbctui.engine.repository.mcastfile import channel
from sbctui.engine.repository.reports import Ear, tell
from sbctui.engine.repository.torrentfile import Torrent, piece_length
from sbctui.engine.repository.udpcastlog import ReceiverLog, SenderLog

HASH = sha256(b"").hexdigest()
GOOD = Torrent("debian.tar.zst", 3 * 1024**2 + 1, 1024**2, bytes(80), HASH)
LOOPBACK = IPv4Address("127.0.0.1")

values = st.recursive(
    st.integers(min_value=0, max_value=2**62) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=9), inner),
    max_leaves=12,
)


@given(values)
def test_bencoding_comes_back(value: object) -> None:
    assert decode(encode(value)) == value  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_what_is_no_bencoding_is_bad_input(data: bytes) -> None:
    try:
        value = decode(data)
    except BadInput:
        return
    assert encode(value) == data


def test_a_torrent_comes_back() -> None:
    assert torrentfile.parse(GOOD.to_bytes(), "x") == GOOD


@given(st.integers(min_value=0, max_value=len(GOOD.to_bytes()) - 1), st.integers(0, 255))
def test_a_changed_torrent_is_another_or_refused(at: int, byte: int) -> None:
    data = bytearray(GOOD.to_bytes())
    data[at] = byte
    try:
        parsed = torrentfile.parse(bytes(data), "x")
    except BadInput:
        return
    assert "/" not in parsed.name
    assert not parsed.name.startswith(".")
    assert len(parsed.pieces) == 20 * -(-parsed.size // parsed.piece)


@pytest.mark.parametrize(
    "change",
    [
        {b"name": b"../../etc/passwd"},
        {b"name": b"a/b"},
        {b"name": b"a\nb"},
        {b"length": 10**15},
        {b"piece length": 3},
        {b"piece length": 2**40},
        {b"pieces": b"short"},
        {b"files": []},
        {b"private": 1},
        {b"name": 5},
    ],
)
def test_a_hostile_torrent_is_refused(change: dict[bytes, object]) -> None:
    whole = decode(GOOD.to_bytes())
    assert isinstance(whole, dict)
    with pytest.raises(BadInput):
        torrentfile.parse(encode({**whole, b"info": {**whole[b"info"], **change}}), "x")


def test_trackers_and_web_seeds_of_a_torrent_do_not_reach_aria2() -> None:
    whole = decode(GOOD.to_bytes())
    assert isinstance(whole, dict)
    outside = {b"announce": b"http://evil/", b"url-list": [b"http://evil/"], b"nodes": []}
    parsed = torrentfile.parse(encode({**whole, **outside}), "x")
    assert parsed.to_bytes() == GOOD.to_bytes()


@pytest.mark.parametrize("size", [0, 1, 5 * 1024**2, 8 * 1024**3, 10 * 1024**4])
def test_pieces_are_few_and_not_too_large(size: int) -> None:
    piece = piece_length(size)
    assert 1024**2 <= piece <= 64 * 1024**2
    assert piece & (piece - 1) == 0
    assert size <= piece * 4096 or piece == 64 * 1024**2


@given(st.binary(min_size=32, max_size=32))
def test_every_channel_is_local_and_its_ports_are_four(digest: bytes) -> None:
    way = channel(digest.hex())
    for group in (way.rendezvous, way.data):
        assert group.is_multicast
        assert group.packed[:2] == bytes((239, 255))
    assert way.rendezvous != way.data
    assert way.port % 4 == 0
    assert 24_000 <= way.port < 30_000
    assert {way.report, way.seeded} == {way.port + 2, way.port + 3}


def test_two_versions_have_two_channels() -> None:
    one, other = channel(HASH), channel(sha256(b"x").hexdigest())
    assert one.rendezvous != other.rendezvous


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"sha256": "x"},
        {"port": 22},
        {"rendezvous": "10.0.0.1"},
        {"schema": 2},
        {"data": "224.0.0.1"},
    ],
)
def test_a_hostile_mcast_file_is_refused(change: dict[str, object]) -> None:
    good = json.loads(mcastfile.mcast_file(Offer(size=5, sha256=HASH), 7).to_json())
    assert mcastfile.parse(json.dumps(good).encode(), "x").offer.size == 5
    with pytest.raises(BadInput):
        mcastfile.parse(json.dumps({**good, **change}).encode(), "x")


SENT = """Udp-sender 20120424
New connection from 10.99.0.2  (#0) 00000009
New connection from 10.99.0.4  (#1) 00000009
New connection from 10.99.0.3  (#2) 00000009
Starting transfer: 00000009
bytes= 1 234 567K re-xmits=0000020 ( 17.8%) slice=0112 -   1\r\
Timeout notAnswered=[2] notReady=[2] nrAns=2 nrRead=2 nrPart=3 avg=9050
Dropping client #1 because of timeout
Disconnecting #1 (10.99.0.4)
bytes= 40 000 000  re-xmits=0007270 ( 26.4%) slice=0112 -   1\r
Transfer complete.\x07
Disconnecting #0 (10.99.0.2)
Disconnecting #2 (10.99.0.3)
"""


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_what_udp_sender_says_in_whatever_pieces(step: int) -> None:
    log = SenderLog()
    seen = set()
    for start in range(0, len(SENT), step):
        log.feed(SENT[start : start + step])
        seen.add(log.sent)
    assert [str(one) for one in log.joined] == ["10.99.0.2", "10.99.0.4", "10.99.0.3"]
    assert {str(k): v for k, v in log.dropped.items()} == {
        "10.99.0.4": "it was dropped because of timeout"
    }
    assert log.complete
    assert log.sent == 40_000_000
    if step == 1:
        assert 1_234_567_000 in seen


def test_what_udp_receiver_says() -> None:
    log = ReceiverLog()
    log.feed("received message, cap=00000009\nConnected as #0 to 10.99.0.1\nListening")
    assert str(log.sender) == "10.99.0.1"


def test_a_report_is_heard_once_and_gets_its_receipt() -> None:
    with Ear(LOOPBACK, 0, HASH) as ear:
        port = ear._socket.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for data in (b"", b"\0" * 900, b"{}", b'{"schema":1,"sha256":"x","verified":true}'):
                stranger.sendto(data, ("127.0.0.1", port))
            right = {"schema": 1, "sha256": HASH, "verified": False, "why": "a\x1b[31mb"}
            stranger.sendto(json.dumps(right).encode(), ("127.0.0.1", port))
            (told,) = ear.hear()
            assert (told.verified, told.why) == (False, "a\\x1b[31mb")
            assert stranger.recv(100) == b"heard"
        assert list(ear.hear()) == []
        with pytest.raises(Refused, match="already"):
            Ear(LOOPBACK, port, HASH)


def test_nobody_hears_a_report_and_nobody_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sbctui.engine.repository.reports._SECONDS", 0.01)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        assert not tell(LOOPBACK, LOOPBACK, deaf.getsockname()[1], HASH)
