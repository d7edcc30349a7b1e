"""Every verb once, as the walk-through of the README has it."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from tests.cli.conftest import NETWORK
from tests.cli.program import MAC, Program

NODE = {
    "name", "kind", "state", "hostname", "alias", "group", "notes", "mac", "ip", "ip_rule",
    "parent", "leaves", "size", "allocated", "connected", "created",
}  # fmt: skip
REPORT = {"title", "verb", "command", "job", "code", "done", "failed", "skipped", "results"}
PLAN = {"title", "verb", "command", "impact", "needs", "frees", "notes", "units"}


def names(sbctui: Program) -> list[str]:
    return [one["name"] for one in sbctui.ok("root", "list", "--json").json["roots"]]


def leaf(number: int) -> str:
    return MAC.format(number).replace(":", "-")


def test_init_makes_a_site_and_show_tells_of_it(fresh: Program) -> None:
    made = fresh.ok("site", "init", "--interface", "lab0", *NETWORK)
    assert "made the site" in made.out
    shown = fresh.ok("site", "show", "--json").json["site"]
    network = shown["settings"]["network"]
    assert network["interface"] == "lab0"
    assert network["subnet"] == "10.77.0.0/24"
    assert network["pool"] == {"first": "10.77.0.50", "last": "10.77.0.99"}
    assert shown["roots"] == 0
    assert shown["free"] > 0


def test_init_again_changes_the_network_only(sbctui: Program) -> None:
    before = sbctui.ok("root", "list").out
    sbctui.ok("site", "init", "--interface", "lab9", "-y")
    network = sbctui.ok("site", "show", "--json").json["site"]["settings"]["network"]
    assert network["interface"] == "lab9"
    assert network["subnet"] == "10.77.0.0/24"
    assert sbctui.ok("root", "list").out == before


def test_a_first_root_makes_the_site_and_says_so(fresh: Program) -> None:
    made = fresh.ok("root", "create", "one", "--size", "32M", "-y")
    assert f"made a site at {fresh.site}" in made.err
    assert names(fresh) == ["one"]


def test_root_list_has_its_columns(sbctui: Program) -> None:
    lines = sbctui.ok("root", "list").out.splitlines()
    assert lines[0].split() == ["NAME", "STATE", "MAC", "IP", "SIZE", "ALLOC", "LEAVES"]
    assert lines[1].split()[:5] == ["debian12", "parent", "-", "-", "32M"]
    assert lines[1].split()[-1] == "2"
    assert all(len(line) <= 80 for line in lines)


def test_root_list_json_has_its_keys(sbctui: Program) -> None:
    roots = sbctui.ok("root", "list", "-o", "json").json["roots"]
    assert [set(one) for one in roots] == [NODE, NODE]
    assert roots[0]["size"] == 32 << 20
    assert roots[0]["created"].endswith("Z")


def test_create_fills_a_root_from_a_directory_and_a_tar(sbctui: Program, tmp_path: Path) -> None:
    tree = tmp_path / "rootfs"
    (tree / "etc").mkdir(parents=True)
    (tree / "etc" / "hostname").write_text("x\n")
    with tarfile.open(tmp_path / "rootfs.tar.gz", "w:gz") as tar:
        tar.add(tree, ".")
    for name, source in (("a", tree), ("b", tmp_path / "rootfs.tar.gz")):
        sbctui.ok("root", "create", name, "--size", "32M", "--from", str(source), "-y")
    assert names(sbctui) == ["a", "b", "debian12", "spare"]


def test_clone_copies_a_root(sbctui: Program) -> None:
    report = sbctui.ok("root", "clone", "debian12", "copy", "-y", "--json").json["report"]
    assert set(report) == REPORT
    assert report["done"] == 1
    copy = sbctui.ok("node", "show", "copy", "--json").json["node"]
    assert copy["cloned_from"] == "debian12"
    assert copy["state"] == "unallocated"
    assert copy["children"] == {}


@pytest.mark.parametrize(
    ("words", "address", "rule"),
    [(("--ip", "10.77.0.77"), "10.77.0.77", "explicit"), ((), "10.77.0.50", "next")],
)
def test_allocate_says_which_rule_chose(
    sbctui: Program, words: tuple[str, ...], address: str, rule: str
) -> None:
    plan = sbctui.ok("root", "allocate", "spare", "--mac", MAC.format(9), *words, "--dry-run")
    assert f"spare gets {address}" in plan.out
    sbctui.ok("root", "allocate", "spare", "--mac", MAC.format(9), *words, "-y")
    node = sbctui.ok("node", "show", "spare", "--json").json["node"]
    assert (node["ip"], node["ip_rule"], node["state"]) == (address, rule, "allocated")


def test_deallocate_takes_everything_away(sbctui: Program) -> None:
    sbctui.ok("root", "allocate", "spare", "--mac", MAC.format(9), "-y")
    sbctui.ok("root", "deallocate", "spare", "--no-reboot", "-y")
    node = sbctui.ok("node", "show", "spare", "--json").json["node"]
    assert (node["mac"], node["ip"], node["state"]) == (None, None, "unallocated")


def test_resize_grows_the_disk(sbctui: Program) -> None:
    sbctui.ok("root", "resize", "spare", "48M", "-y")
    assert sbctui.ok("node", "show", "spare", "--json").json["node"]["size"] == 48 << 20


def test_forty_leaves_from_a_csv_with_alias_and_group(sbctui: Program, tmp_path: Path) -> None:
    macs = tmp_path / "macs.csv"
    rows = [f"{MAC.format(n)},b-{n},room-a" for n in range(100, 140)]
    macs.write_text("\n".join(["mac,alias,group", *rows]))
    report = sbctui.ok("leaf", "create", "spare", "--macs", str(macs), "-y", "--json").json
    assert report["report"]["done"] == 40
    leaves = sbctui.ok("leaf", "list", "spare", "--json").json["leaves"]
    assert len(leaves) == 40
    assert {one["group"] for one in leaves} == {"room-a"}
    assert len({one["ip"] for one in leaves}) == 40


def test_leaves_come_from_stdin_and_are_made_once(sbctui: Program) -> None:
    text = f"{MAC.format(1)}\n{MAC.format(77)}\n"
    made = sbctui.alone("leaf", "create", "debian12", "-", "-y", "--json", stdin=text)
    assert made.json["report"]["done"] == 1, made
    again = sbctui.alone("leaf", "create", "debian12", "--macs", "-", "-y", "--json", stdin=text)
    assert again.code == 0
    assert again.json["report"]["done"] == 0
    assert len(sbctui.ok("leaf", "list", "debian12", "--json").json["leaves"]) == 3


def test_leaf_list_shows_one_root_or_all(sbctui: Program) -> None:
    sbctui.ok("leaf", "create", "spare", MAC.format(9), "-y")
    one = sbctui.ok("leaf", "list", "debian12")
    assert [line.split()[0] for line in one.out.splitlines()] == ["NAME", "pi-01", "pi-02"]
    everything = sbctui.ok("leaf", "list", "--json").json["leaves"]
    assert [set(each) for each in everything] == [NODE] * 3


@pytest.mark.parametrize("name", ["pi-01", leaf(1), MAC.format(1), "DCA6.3201.0201", "10.77.0.51"])
def test_node_show_finds_a_leaf_by_all_its_names(sbctui: Program, name: str) -> None:
    ip = sbctui.ok("node", "show", "pi-01", "--json").json["node"]["ip"]
    node = sbctui.ok("node", "show", name.replace("10.77.0.51", ip), "--json").json["node"]
    assert node["name"] == leaf(1)


def test_node_show_tells_all(sbctui: Program) -> None:
    node = sbctui.ok("node", "show", "debian12", "--json").json["node"]
    assert set(node) > NODE | {"path", "export", "children", "disk", "boot", "blocked"}
    assert node["disk"]["usage"]["exclusive"] >= 0
    assert "has 2 leaves" in node["blocked"]["root delete"]
    assert node["blocked"]["leaf create"] is None
    text = sbctui.ok("node", "show", "debian12").out
    assert "only its own" in text
    assert "no root delete" in text


def test_edit_changes_what_is_named(sbctui: Program) -> None:
    sbctui.ok("leaf", "edit", leaf(1), "--alias", "pi-07", "--group", "", "--notes", "no lid", "-y")
    node = sbctui.ok("node", "show", "pi-07", "--json").json["node"]
    assert (node["alias"], node["group"], node["notes"]) == ("pi-07", "", "no lid")


def test_an_orphan_is_attached_again(sbctui: Program) -> None:
    config = sbctui.site / "nodes" / "debian12" / "config.json"
    line = f'    "{MAC.format(1)}": "{leaf(1)}",\n'
    assert line in config.read_text()
    config.write_text(config.read_text().replace(line, ""))
    listed = sbctui.ok("root", "list")
    assert "1 broken, half-made or orphaned" in listed.err
    sbctui.ok("leaf", "attach", "pi-01", "debian12", "-y")
    assert sbctui.ok("node", "show", "pi-01", "--json").json["node"]["state"] == "leaf"


def test_delete_and_undo(sbctui: Program) -> None:
    before = sbctui.ok("leaf", "list").out
    sbctui.ok("leaf", "delete", "debian12", "--all", "-y")
    sbctui.ok("root", "delete", "debian12", "-y")
    assert names(sbctui) == ["spare"]
    sbctui.ok("undo", "-y")
    assert names(sbctui) == ["debian12", "spare"]
    sbctui.ok("undo", "-y")
    assert sbctui.ok("leaf", "list").out == before


def test_delete_takes_those_named_only(sbctui: Program) -> None:
    sbctui.ok("leaf", "delete", "debian12", "pi-02", "-y")
    left = sbctui.ok("leaf", "list", "debian12", "--json").json["leaves"]
    assert [one["alias"] for one in left] == ["pi-01"]


def test_trash_is_listed_restored_and_purged(sbctui: Program) -> None:
    sbctui.ok("leaf", "delete", "debian12", "--all", "-y")
    entries = sbctui.ok("trash", "list", "--json").json["trash"]
    assert {one["name"] for one in entries} == {leaf(1), leaf(2)}
    assert all(one["expires"] > one["deleted"] for one in entries)
    sbctui.ok("trash", "restore", "pi-01", "-y")
    sbctui.ok("trash", "purge", "--all", "-y")
    assert sbctui.ok("trash", "list", "--json").json["trash"] == []
    assert len(sbctui.ok("leaf", "list", "debian12", "--json").json["leaves"]) == 1


def test_audit_finds_and_mends(sbctui: Program) -> None:
    config = sbctui.site / "nodes" / "debian12" / "config.json"
    text = config.read_text()
    config.write_text(text.replace(f'    "{MAC.format(1)}": "{leaf(1)}",\n', ""))
    found = sbctui("audit", "--json")
    assert found.code == 8
    orphan = next(one for one in found.json["findings"] if one["group"] == "orphan")
    assert orphan["fixable"]
    shown = sbctui("audit")
    assert shown.code == 8
    assert orphan["title"] in shown.out
    dry = sbctui.ok("audit", "--fix", orphan["id"], "--dry-run", "--json")
    assert set(dry.json["plan"]) == PLAN
    mended = sbctui("audit", "--fix", orphan["id"], "-y", "--json")
    assert mended.json["report"]["done"] >= 1
    assert orphan["id"] not in [one["id"] for one in mended.json["findings"]]


def test_audit_of_a_healthy_site_without_boards_is_0(fresh: Program) -> None:
    fresh.ok("root", "create", "one", "--size", "32M", "-y")
    said, *checked = fresh.ok("audit").out.splitlines()
    assert said == "nothing disagrees"
    assert checked[0].startswith("  nodes      1 (1 root, 0 leaves)")
    assert fresh.ok("audit", "--json").json == {"findings": []}


def test_jobs_are_listed_and_shown(sbctui: Program) -> None:
    jobs = sbctui.ok("job", "list", "--json").json["jobs"]
    assert jobs[0]["verb"] == "leaf create"
    assert jobs[0]["state"] == "done"
    shown = sbctui.ok("job", "show", jobs[0]["id"], "--json").json
    assert set(shown["report"]) == REPORT
    assert "2 done" in sbctui.ok("job", "show", jobs[0]["id"]).out
    assert sbctui.ok("job", "follow", jobs[0]["id"]).out.startswith("create 2 leaves")


def test_services_status_shows_every_daemon(sbctui: Program) -> None:
    found = sbctui.ok("services", "status", "--json").json["services"]
    assert {one["name"] for one in found} == {"dnsmasq", "storage", "gate", "http"}
    assert all(one["state"] in ("stopped", "off") for one in found)


def test_doctor_names_what_is_bad(sbctui: Program) -> None:
    ran = sbctui("doctor", "--json")
    checks = ran.json["checks"]
    bad = [one for one in checks if one["verdict"] == "bad"]
    assert ran.code == (8 if bad else 0)
    assert {"name", "verdict", "detail", "remedy"} == set(checks[0])


def test_a_broken_node_is_a_row_and_hides_no_other(sbctui: Program) -> None:
    (sbctui.site / "nodes" / "spare" / "config.json").write_text('{"schema": 1, "ki')
    listed = sbctui.ok("root", "list")
    rows = [line.split()[:2] for line in listed.out.splitlines()[1:]]
    assert rows == [["debian12", "parent"], ["spare", "broken"]]
    shown = sbctui.ok("node", "show", "spare")
    assert "config.json" in shown.out
    (sbctui.site / "nodes" / leaf(1) / "config.json").unlink()
    leaves = sbctui.ok("leaf", "list", "debian12", "--json").json["leaves"]
    assert sorted(one["state"] for one in leaves) == ["broken", "leaf"]


def test_help_names_the_exit_codes_and_every_verb(fresh: Program) -> None:
    text = fresh.alone("--help").out
    for word in ("site", "root", "leaf", "undo", "audit", "services", "doctor", "130 interrupted"):
        assert word in text.replace("130\n  interrupted", "130 interrupted")


def test_without_a_verb_and_a_terminal_it_is_help_and_2(fresh: Program) -> None:
    ran = fresh.alone()
    assert ran.code == 2
    assert "Usage: sbctui" in ran.err


def test_attributes_and_hidden_folders_of_an_overlay_are_shown(
    sbctui: Program, tmp_path: Path
) -> None:
    (tmp_path / "ping").write_text("ping\n")
    value = f"0x01000002002{'0' * 29}"
    given = ("--xattr", f"security.capability={value}", "--xattr", "user.note=a=b")
    board = ("--client", "pi-01")
    sbctui.ok("overlay", "add", str(tmp_path / "ping"), "/srv/app/ping", *board, *given, "-y")
    plan = sbctui.ok("overlay", "hide", "/srv/app", *board, "--dry-run")
    assert "has in it stays" in plan.out + plan.err
    sbctui.ok("overlay", "hide", "/srv/app", *board, "-y")
    told = sbctui.ok("overlay", "show", "pi-01").out
    assert "/srv/app/ping  security.capability  cap_net_raw=ep" in told
    assert "folder, image's hidden" in told
    found = sbctui.ok("overlay", "show", "pi-01", "--json").json["overlay"]["files"]
    files = {one["path"]: one for one in found}
    assert files["/srv/app/ping"]["xattrs"] == {"security.capability": value, "user.note": "a=b"}
    assert files["/srv/app"]["clears"] is True
