"""Ignoring, registering, comparing, timelines: what the verbs print and how they end."""

from __future__ import annotations

import json
from pathlib import Path

from sbctui.engine.services.hosts import log_file
from tests.cli.program import MAC, Program
from tests.cli.test_board import STRANGER, asks, watched
from tests.lab import until

__all__ = ["watched"]


def test_the_verbs(watched: Program, tmp_path: Path) -> None:
    def asking() -> list[str]:
        found = watched.ok("board", "list", "--asking", "--json").json["boards"]
        return [one["mac"] for one in found]

    before = asking()
    assert STRANGER in before
    watched.ok("board", "ignore", STRANGER, "--note", "a printer", "-y")
    assert asking() == [mac for mac in before if mac != STRANGER]
    assert "a printer" in watched.ok("board", "list", "--ignored").out
    asks(watched, STRANGER, 77)
    assert STRANGER not in asking()
    assert watched("board", "ignore", MAC.format(1), "-y").code == 3
    watched.ok("board", "unignore", STRANGER, "-y")
    assert STRANGER in asking()

    boards = tmp_path / "boards.csv"
    boards.write_text(f"mac;name;group\n{MAC.format(1)};pi-01;room-b\n{MAC.format(9)};pi-09;\n")
    watched.ok("board", "register", str(boards), "-y")
    compared = watched("board", "compare", "--json")
    assert compared.code == 8
    verdicts = {one["mac"]: one["verdict"] for one in compared.json["boards"]}
    assert verdicts[MAC.format(9)] == "registered, has no node and was never seen"
    assert verdicts[MAC.format(2)] == "has a node and is not registered"
    assert verdicts[STRANGER].startswith("a stranger")
    assert watched("board", "register", str(tmp_path / "none"), "-y").code == 2
    boards.write_text("nonsense\n")
    assert watched("board", "register", str(boards), "-y").code == 2
    assert watched("board", "unregister", "-y").code == 2
    watched.ok("board", "unregister", "--all", "-y")
    assert watched.ok("board", "list", "--registered", "--json").json == {"boards": []}


def test_timelines_on_the_command_line(watched: Program) -> None:
    log = log_file(watched.site)
    folder = watched.site / "derived" / "tftp" / MAC.format(1).replace(":", "-")
    asks(watched, MAC.format(1), 5)
    stamp = log.read_text().splitlines()[-1][:15]
    with log.open("a") as file:
        head = f"{stamp} dnsmasq-dhcp[9]: 5"
        file.write(f"{head} DHCPDISCOVER(lo) {MAC.format(1)} \n")
        file.write(f"{head} DHCPOFFER(lo) 127.9.0.1 {MAC.format(1)} \n")
        file.write(f"{stamp} dnsmasq-tftp[9]: file {folder}/start4.elf\x1b[2J not found for "
                   "127.9.0.1\n")  # fmt: skip

    def told() -> list[dict[str, object]]:
        found: list[dict[str, object]] = watched.ok("board", "timeline", "pi-01", "--json").json[
            "boots"
        ]
        return found

    until(lambda: told() and told()[0]["files"], 5, "the boot is told")
    (one,) = told()
    assert (one["hostname"], one["stage"], one["ip"]) == ("pi-01", "files", "127.9.0.1")
    text = watched.ok("board", "timeline", MAC.format(1)).out
    assert "start4.elf" in text
    assert "\x1b" not in text
    assert "asks for an address" in watched.ok("board", "timeline", STRANGER).out
    assert "no boot of" in watched.ok("board", "timeline", MAC.format(2)).out
    assert watched("board", "timeline", "nonsense").code == 4
    wall = watched.ok("board", "watch", "--once").out
    assert "pi-01" in wall
    line = json.loads(watched.ok("board", "watch", "--once", "--json").out.splitlines()[0])
    assert line["mac"] == MAC.format(1)
    watched.ok("services", "stop", "--cut", "-y")
    (kept,) = told()
    assert (kept["began"], kept["files"]) == (one["began"], one["files"])
