from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbctui.engine.boot.render import render
from sbctui.engine.derive import Derived, derive
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import dashed, parse_mac, parse_name
from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Broken, Disk, Node, Site, Stamp, Trashed
from sbctui.engine.model.text import clean
from tests.stopwatch import Stopwatch

MADE = datetime(2026, 1, 2, tzinfo=UTC)
SETTINGS = Settings.model_validate({"network": {"subnet": "10.0.0.0/16", "server": "10.0.0.1"}})
THERE = Disk(apparent=2**30, allocated=2**20, mtime=0.0)


def mac(number: int) -> str:
    return f"dc:a6:32:00:{number >> 8:02x}:{number & 255:02x}"


def ip(number: int) -> IPv4Address:
    return IPv4Address("10.0.1.0") + number


def node(**fields: Any) -> Node:
    return Node(NodeConfig.model_validate({"created": MADE} | fields), THERE, Stamp(1, 1, 1))


def leaf(number: int, **fields: Any) -> Node:
    about = {"kind": "leaf", "name": dashed(mac(number)), "mac": mac(number), "ip": ip(number)}
    spec = DiskSpec(format="qcow2", size=2**30, base="debian12", base_made=MADE)
    return node(**(about | {"parent": "debian12", "disk": spec} | fields))


def root(name: str, **fields: Any) -> Node:
    return node(kind="root", name=name, **({"disk": DiskSpec(size=2**30)} | fields))


def site(*nodes: Node, listed: int = 0, **fields: Any) -> Site:
    """A site with the root debian12 that lists ``listed`` leaves and any of ``nodes``."""
    leaves = [leaf(n) for n in range(listed)]
    children = {str(n.config.mac): n.name for n in (*leaves, *nodes) if not n.is_root}
    all_nodes = (root("debian12", children=children), *leaves, *nodes)
    return Site(Path("/srv/lab"), SETTINGS, nodes={n.name: n for n in all_nodes}, **fields)


def changed(before: Site, *nodes: Node) -> Site:
    return again(before, nodes={**before.nodes, **{n.name: n for n in nodes}})


def again(before: Site, **fields: Any) -> Site:
    """A site made anew, so that no look-up of the old one is left in it."""
    kept = {"path": before.path, "settings": before.settings, "nodes": before.nodes}
    return Site(**(kept | fields))


def test_a_listed_leaf_gets_an_address_a_link_an_export_and_boot_files() -> None:
    one = leaf(7, alias="pi-07")
    derived = derive(site(one))
    key = "dc-a6-32-00-00-07"
    host, target = derived.hosts[key], derived.exports[key]
    assert (host.mac, host.ip, host.hostname) == ("dc:a6:32:00:00:07", ip(7), "pi-07")
    assert derived.links == {key: f"../../nodes/{key}/boot"}
    assert (target.export, target.format, target.address) == (key, "qcow2", ip(7))
    assert target.file == Path(f"/srv/lab/nodes/{key}/root.qcow2")
    assert target.base == Path("/srv/lab/nodes/debian12/root.img")
    assert derived.boot == {key: render(one.config, SETTINGS)}
    assert derived.refused == {}


def test_an_allocated_root_goes_by_its_mac_and_keeps_its_own_folder() -> None:
    derived = derive(site(root("rescue-07", mac=mac(9), ip=ip(9))))
    key = dashed(mac(9))
    assert derived.links == {key: "../../nodes/rescue-07/boot"}
    assert derived.exports[key].file == Path("/srv/lab/nodes/rescue-07/root.img")
    assert derived.hosts[key].hostname == "rescue-07"
    assert list(derived.boot) == ["rescue-07"]


def test_the_admins_template_of_the_site_is_used() -> None:
    made = derive(site(leaf(7), templates={"boot.cmd": "bootflow {{hostname}}"}))
    assert b"bootflow sbc-000007" in made.boot[leaf(7).name]["boot.scr"]


def test_a_template_that_cannot_be_used_leaves_the_old_in_force() -> None:
    with pytest.raises(BadInput, match=r"templates/boot\.cmd"):
        derive(site(listed=2, templates={"boot.cmd": "{{nothing}}"}), ())


def served(derived: Derived) -> set[str]:
    """Keys that are served, and in all four ways or in none."""
    nodes = {link.split("/")[3] for link in derived.links.values()}
    assert derived.hosts.keys() == derived.links.keys() == derived.exports.keys()
    assert nodes == derived.boot.keys()
    assert not nodes & derived.refused.keys()
    return nodes


A, B, R = leaf(1), leaf(2), root("rescue", mac=mac(3), ip=ip(3))
HEALTHY = site(A, B, R)
OLD = datetime(2025, 1, 1, tzinfo=UTC)
GONE = Trashed("t-x", "x", MADE, leaf(9, disk=DiskSpec(
    format="qcow2", size=1, base="rescue", base_made=MADE)).config, 0)  # fmt: skip


@pytest.mark.parametrize(
    ("faulty", "left_out", "why"),
    [
        (changed(HEALTHY, root("debian12", children={mac(2): B.name})), {A.name}, "orphan"),
        (
            changed(HEALTHY, root("debian12", children={mac(8): A.name, mac(2): B.name})),
            {A.name},
            "under another MAC",
        ),
        (changed(HEALTHY, leaf(1, ip=ip(2))), {A.name, B.name}, "both claim the address"),
        (changed(HEALTHY, leaf(1, ip=ip(3))), {A.name, R.name}, "both claim the address"),
        (
            changed(HEALTHY, root("rescue", mac=mac(1), ip=ip(3))),
            {A.name, R.name},
            "both claim the MAC",
        ),
        (changed(HEALTHY, leaf(1, ip=None)), {A.name}, "no address"),
        (changed(HEALTHY, leaf(1, ip="10.9.0.1")), {A.name}, "no host address"),
        (changed(HEALTHY, leaf(1, ip="10.0.255.255")), {A.name}, "no host address"),
        (changed(HEALTHY, leaf(1, ip="10.0.0.1")), {A.name}, "server's own"),
        (changed(HEALTHY, leaf(1, disk=DiskSpec(
            format="qcow2", size=1, base="gone", base_made=MADE))), {A.name}, "gone"),
        (changed(HEALTHY, leaf(1, disk=DiskSpec(
            format="qcow2", size=1, base="debian12", base_made=OLD))), {A.name}, "debian12"),
        (changed(HEALTHY, replace(A, disk=None)), {A.name}, r"root\.qcow2 is missing"),
        (
            changed(HEALTHY, root("rescue", mac=mac(3), ip=ip(3), children={mac(8): "x"})),
            {R.name},
            "has leaves",
        ),
        (again(HEALTHY, trash=(GONE,)), {R.name}, "trash/t-x stands on"),
        (
            changed(HEALTHY, root("debian12", children={
                mac(1): A.name, mac(2): B.name, mac(3): "rescue"})),
            {R.name},
            "stands in the children of debian12",
        ),
        (
            changed(HEALTHY, leaf(1, boot={"kernel": "a;reset"})),
            {A.name},
            "no plain file name",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_left_out_and_takes_nothing_else_along(
    faulty: Site, left_out: set[str], why: str
) -> None:
    assert served(derive(HEALTHY)) == {A.name, B.name, R.name}
    derived = derive(faulty)
    assert served(derived) == {A.name, B.name, R.name} - left_out
    assert derived.refused.keys() == left_out
    for reason in derived.refused.values():
        assert re.search(why, reason)


def test_a_root_that_cannot_be_read_does_not_cut_its_leaves_off() -> None:
    broken = Broken("debian12", "cut off at byte 7", 0, 0.0)
    nodes = {name: n for name, n in HEALTHY.nodes.items() if name != "debian12"}
    derived = derive(again(HEALTHY, nodes=nodes, broken={"debian12": broken}))
    assert derived == derive(HEALTHY)


def test_without_a_subnet_disks_are_served_to_the_addresses_given() -> None:
    assert served(derive(again(HEALTHY, settings=Settings()))) == {A.name, B.name, R.name}


def test_a_part_is_exactly_that_part_of_the_whole() -> None:
    whole = site(listed=30)
    names = {leaf(3).name, leaf(17).name, "debian12", "no-such-node"}
    part, full = derive(whole, names), derive(whole)
    keys = {dashed(mac(3)), dashed(mac(17))}
    assert served(part) == keys
    assert part.hosts == {k: v for k, v in full.hosts.items() if k in keys}
    assert part.exports == {k: v for k, v in full.exports.items() if k in keys}
    assert part.boot == {k: v for k, v in full.boot.items() if k in keys}
    assert derive(whole, ()) == Derived()


def test_one_among_a_thousand_renders_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[str] = []

    def counted(config: NodeConfig, *rest: Any) -> dict[str, bytes]:
        rendered.append(config.name)
        return render(config, *rest)

    monkeypatch.setattr("sbctui.engine.derive.render", counted)
    derive(site(listed=1000), {leaf(500).name})
    assert rendered == [leaf(500).name]


def test_a_thousand_leaves_take_well_under_a_second() -> None:
    whole = site(listed=1000)
    watch = Stopwatch()
    assert len(served(derive(whole))) == 1000
    assert watch.seconds < 1.0


hostile = st.text(
    st.sampled_from("ab7-._/ \n\r\t\x00\x1b,;|&$`'\"\\(){}[]#\u202e\ud800") | st.characters(),
    max_size=70,
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["root", "leaf"]),
            hostile,
            st.sampled_from(["", "pi"]) | hostile,
            st.integers(0, 3),
            st.integers(0, 3),
            hostile,
        ),
        max_size=5,
    )
)
def test_no_hostile_config_gets_into_what_the_daemons_read(rows: list[tuple[Any, ...]]) -> None:
    """Configs past the model's own border, as a bug or a hand might make them."""
    nodes = []
    for kind, name, alias, mac_number, ip_number, kernel in rows:
        plain = leaf(mac_number, ip=ip(ip_number))
        if kind == "root":
            plain = root("x", mac=mac(mac_number), ip=ip(ip_number))
            plain = replace(plain, config=plain.config.model_copy(update={"name": name}))
        boot = plain.config.boot.model_copy(update={"kernel": kernel})
        config = plain.config.model_copy(update={"alias": alias, "boot": boot})
        nodes.append(replace(plain, config=config))
    derived = derive(site(*nodes))
    served(derived)
    for key, host in derived.hosts.items():
        assert dashed(parse_mac(host.mac)) == key
        assert parse_name(host.hostname) == host.hostname
        folder = derived.links[key].removeprefix("../../nodes/").removesuffix("/boot")
        assert folder == key or parse_name(folder) == folder
        assert derived.exports[key].file.parent == Path("/srv/lab/nodes") / folder
    assert len({h.ip for h in derived.hosts.values()}) == len(derived.hosts)
    assert all(clean(reason) == reason for reason in derived.refused.values())
