from __future__ import annotations

import time
from pathlib import Path

import pytest

from sbctui.engine.errors import BadInput
from sbctui.engine.lists import read_list
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Broken, Node, Site, Stamp
from sbctui.engine.nodes.bulk import parse_bulk


def site() -> Site:
    leaf = NodeConfig(
        kind="leaf",
        name="b8-27-eb-0a-10-01",
        mac="b8:27:eb:0a:10:01",
        alias="leaf-0012",
        disk=DiskSpec(size=1),
    )
    children = {"b8:27:eb:0a:10:01": leaf.name, "b8:27:eb:0a:10:09": "b8-27-eb-0a-10-09"}
    root = NodeConfig(kind="root", name="debian12", disk=DiskSpec(size=1), children=children)
    broken = Broken("b8-27-eb-0a-10-02", "cut off", 0, 0.0)
    nodes = {c.name: Node(c, None, Stamp(1, 1, 1)) for c in (leaf, root)}
    return Site(Path("/x"), Settings(), nodes=nodes, broken={broken.name: broken})


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("dc:a6:32:01:02:03", "ok", "sbc-010203"),
        ("DC-A6-32-01-02-03", "ok", "sbc-010203"),
        ("dca6.3201.0203", "ok", "sbc-010203"),
        ("  dca632010203\t", "ok", "sbc-010203"),
        ('"dca632010203","pi-07","room-b"', "ok", "pi-07"),
        ("dca632010203 pi-07 room-b", "ok", "pi-07"),
        ("dca632010203;pi-07;", "ok", "pi-07"),
        ("dca632010203,,room-b", "ok", "sbc-010203"),
        ("dc:a6:32:00:00:[01-28]", "ok", "40 boards, sbc-000001 to sbc-000028"),
        ("dc:a6:32:00:[00ff-0100]", "ok", "2 boards, sbc-0000ff to sbc-000100"),
        ("dca6.3200.00[01-03]", "ok", "3 boards, sbc-000001 to sbc-000003"),
        ("dc:a6:32:00:00:[01-28],pi-{01..40}", "ok", "40 boards, pi-01 to pi-40"),
        ("", "blank", ""),
        ("# the lab", "blank", ""),
        ("MAC,alias,group", "blank", ""),
        ("dc:a6:32:01:02:0", "bad", "not a MAC (11 hex digits); write it as dc:a6:32:01:02:03"),
        ("01:a6:32:01:02:03", "bad", "a multicast MAC; give the board's own address"),
        ("b8:27:eb:0a:10:01", "bad", "taken by leaf-0012"),
        ("b8:27:eb:0a:10:02", "bad", "there is a node b8-27-eb-0a-10-02 already"),
        ("dca632010203,leaf-0012", "bad", "name leaf-0012: taken by b8-27-eb-0a-10-01"),
        ("dca632010203,debian12", "bad", "name debian12: taken by debian12"),
        ("dca632010203,a/b", "bad", "'a/b' can't be a name"),
        ("dca632010203,a,b,c", "bad", "4 fields"),
        ("dc:a6:32:00:00:[28-01]", "bad", "the range 28 to 01 runs backwards"),
        ("dc:a6:32:00:00:[1-28]", "bad", "the range 1 to 28 runs backwards or changes"),
        ("dc:a6:32:00:[0000-ffff]", "bad", "a range of 65536"),
        ("b8:27:eb:0a:10:[00-01]", "bad", "b8:27:eb:0a:10:01: taken by leaf-0012"),
        ("dc:a6:32:00:00:[01-28],pi", "bad", "1 names for 40 boards"),
        ("\x1b[31mred", "bad", "not a MAC"),
    ],
)
def test_one_line(line: str, kind: str, message: str) -> None:
    (verdict,) = parse_bulk(line, site())
    assert (verdict.kind, verdict.message[: len(message)]) == (kind, message)
    assert "\x1b" not in verdict.message
    assert bool(verdict.leaves) == (kind == "ok")


def test_duplicates_name_the_first_line() -> None:
    text = "dca632010203,pi-1\n\nDC:A6:32:01:02:03\ndca632010204,pi-1\n"
    verdicts = parse_bulk(text, site())
    kinds = ["ok", "blank", "bad", "bad", "blank"]
    assert [(v.line, v.kind) for v in verdicts] == list(enumerate(kinds, 1))
    assert verdicts[2].message == "dup of line 1"
    assert verdicts[3].message == "name pi-1: dup of line 1"


def test_a_bad_line_takes_no_mac_from_later_ones() -> None:
    first, second = parse_bulk("dca632010203,a/b\ndca632010203,pi-1", site())
    assert (first.kind, second.kind) == ("bad", "ok")


def test_fields_reach_the_request() -> None:
    (verdict,) = parse_bulk("\ufeffdca632010203, pi-07, room-b", site())
    (leaf,) = verdict.leaves
    assert (leaf.mac, leaf.alias, leaf.group) == ("dc:a6:32:01:02:03", "pi-07", "room-b")


def test_what_the_root_has_already_is_no_fault() -> None:
    there, unmade = parse_bulk("b827eb0a1001\nb827eb0a1009", site(), "debian12")
    assert (there.kind, there.message) == ("there", "already: sbc-0a1001")
    assert unmade.kind == "ok"
    assert parse_bulk("b827eb0a1001", site(), "another")[0].kind == "bad"


SHEET = "\ufeffName;Serial;MAC-Address;Group\r\npi-1;10;DC-A6-32-01-02-03;lab\r\n" \
    'pi-2;11;="dca632010204";\r\n;;;\r\npi-3;12;;lab\r\npi-4;13;2.2E+11;\r\n'  # fmt: skip


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_spreadsheet_says_its_columns_in_any_order(separator: str) -> None:
    verdicts = parse_bulk(SHEET.replace(";", separator), site())
    assert [v.kind for v in verdicts] == ["blank", "ok", "ok", "blank", "bad", "bad", "blank"]
    (first,), (second,) = verdicts[1].leaves, verdicts[2].leaves
    assert (first.mac, first.alias, first.group) == ("dc:a6:32:01:02:03", "pi-1", "lab")
    assert (second.mac, second.alias, second.group) == ("dc:a6:32:01:02:04", "pi-2", "")
    assert verdicts[4].message == "there is no MAC in its column"
    assert "format that column as text" in verdicts[5].message


def test_a_line_that_says_how_a_spreadsheet_separates_is_no_board() -> None:
    kinds = [v.kind for v in parse_bulk("sep=;\nmac;name\ndca632010203;pi-1\n", site())]
    assert kinds == ["blank", "blank", "ok", "blank"]


@pytest.mark.parametrize("line", ["mac" * 99999, "mac,\0\r", '"mac,"', "\0", "mac\udc80"])
def test_no_line_is_too_odd(line: str) -> None:
    assert parse_bulk(line, site())


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"dca632010203\r\n", "dca632010203\r\n"),
        (b"\xef\xbb\xbfmac", "mac"),
        ("mac\n".encode("utf-16"), "mac\n"),
        (b"mac;R\xe4ume", "mac;R\u00e4ume"),
        (b"", ""),
    ],
)
def test_a_file_is_read_as_spreadsheets_save_it(tmp_path: Path, data: bytes, text: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    assert read_list(path) == text


def test_a_file_that_is_no_list_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    path.write_bytes(b"MAC\0\1\2")
    with pytest.raises(BadInput, match="is no text; give a list of MACs"):
        read_list(path)
    with path.open("wb") as file:
        file.truncate(17 * 1024**2)
    with pytest.raises(BadInput, match="is larger than 16 MiB"):
        read_list(path)
    with pytest.raises(BadInput, match="is no file"):
        read_list(tmp_path)
    with pytest.raises(BadInput, match="there is no file"):
        read_list(tmp_path / "nothing")


def test_five_thousand_lines_are_judged_in_a_moment() -> None:
    text = "mac,alias\n"
    text += "".join(f"dc:a6:32:10:{n >> 8:02x}:{n & 255:02x},pi-{n}\n" for n in range(5000))
    begin = time.perf_counter()
    assert sum(v.kind == "ok" for v in parse_bulk(text, site())) == 5000
    assert time.perf_counter() - begin < 2.0
