"""The boards by MAC: those with a node, and those that ask and have none."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from sbctui.cli.completing import complete
from sbctui.cli.place import Place
from sbctui.engine.services.hosts import log_file
from tests.cli.program import MAC, Program
from tests.cli.test_cli_services import free_port

STRANGER, LATER = MAC.format(0x71), MAC.format(0x72)


def asks(site: Program, mac: str, xid: int, says: str = "", ago: float = 5.0) -> None:
    """What dnsmasq writes when a board it does not know asks for an address."""
    head = f"{time.strftime('%b %e %H:%M:%S', time.localtime(time.time() - ago))} dnsmasq-dhcp[9]:"
    with open(log_file(site.site), "a", encoding="utf-8") as log:
        if says:
            log.write(f"{head} {xid} vendor class: {says}\n")
        log.write(f"{head} {xid} DHCPDISCOVER(lab0) {mac} ignored\n")


@pytest.fixture
def watched(fresh: Program) -> Iterator[Program]:
    """Two leaves, a root to spare, the supervisor, and two strangers in dnsmasq's log."""
    net = ("--subnet", "127.0.0.0/8", "--pool", "127.9.0.1-127.9.0.99", "--server", "127.0.0.1")
    fresh.ok("site", "init", *net)
    settings = fresh.site / "site.toml"
    text = settings.read_text().replace("[network]\n", f"[network]\nnbd_port = {free_port()}\n")
    settings.write_text(text)
    for root in ("debian12", "spare"):
        fresh.ok("root", "create", root, "--size", "8M", "-y")
    fresh.ok("leaf", "create", "debian12", f"{MAC.format(1)},pi-01", MAC.format(2), "-y")
    fresh.ok("services", "start")
    asks(fresh, STRANGER, 1, "PXEClient:Arch:00011", ago=60)
    asks(fresh, STRANGER, 2, "PXEClient:Arch:00011", ago=30)
    asks(fresh, LATER, 3, "U-Boot\x1b[2J")
    yield fresh
    fresh("services", "stop", "--cut", "-y")


def test_boards_with_a_node_and_those_that_ask(watched: Program) -> None:
    boards = {one["mac"]: one for one in watched.ok("board", "list", "--json").json["boards"]}
    assert list(boards) == [MAC.format(1), MAC.format(2), LATER, STRANGER]
    first = boards[MAC.format(1)]
    assert (first["hostname"], first["state"], first["count"]) == ("pi-01", "down", None)
    stranger = boards[STRANGER]
    assert (stranger["node"], stranger["state"], stranger["count"]) == (None, "ask", 2)
    assert stranger["vendor_class"] == "PXEClient:Arch:00011"
    assert stranger["first"] < stranger["last"]
    assert "\x1b" not in watched.ok("board", "list").out


def test_those_that_ask_become_leaves(watched: Program) -> None:
    asking = watched.ok("board", "list", "--asking", "--json").json["boards"]
    assert [one["mac"] for one in asking] == [LATER, STRANGER]
    offered = complete(["leaf", "create", "spare"], "", Place(str(watched.site)))
    assert [mac for mac, _ in offered] == [LATER, STRANGER]
    assert offered[1][1] == "PXEClient:Arch:00011"
    allocated = complete(["root", "allocate", "spare", "--mac"], STRANGER, Place(str(watched.site)))
    assert [mac for mac, _ in allocated] == [STRANGER]
    watched.ok("leaf", "create", "spare", *(mac for mac, _ in offered), "-y")
    assert watched.ok("board", "list", "--asking", "--json").json["boards"] == []


def test_without_services_nobody_is_known_to_ask(sbctui: Program) -> None:
    assert sbctui.ok("board", "list", "--asking", "--json").json == {"boards": []}
    assert len(sbctui.ok("board", "list").out.splitlines()) == 3


def test_leaves_of_one_group(sbctui: Program) -> None:
    found = sbctui.ok("leaf", "list", "--group", "room-b", "--json").json["leaves"]
    assert [one["hostname"] for one in found] == ["pi-01"]
    assert sbctui.ok("leaf", "list", "spare", "--group", "room-b", "--json").json["leaves"] == []
