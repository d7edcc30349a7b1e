"""Plans for roots: what is planned, and every refusal in its own words."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from sbctui.engine.errors import NoSpace, NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Broken, Session
from sbctui.engine.nodes.plan import plan_for
from tests.nodes.sites import GIB, family, leaf, mac, root, site


def kinds(plan):
    return [[action.kind for action in unit.actions] for unit in plan.units]


def test_create_is_one_unit_that_ends_with_the_publishing_rename():
    plan = plan_for(ask.CreateRoot(name="debian12", size=2 * GIB), site())
    assert kinds(plan) == [["stage", "make-disk", "write-node", "publish"]]
    assert plan.command == "sbctui root create debian12 --size 2G"


def test_create_checks_space_first():
    source = ask.Source(path="/x.tar", kind="tar", bytes=GIB, inodes=10)
    request = ask.CreateRoot(name="big", size=2 * GIB, source=source)
    plan_for(request, site(free_bytes=3 * GIB))
    with pytest.raises(NoSpace, match="free"):
        plan_for(request, site(free_bytes=2 * GIB))


def test_create_refuses_a_source_that_does_not_fit_the_disk():
    source = ask.Source(path="/x.tar", kind="tar", bytes=3 * GIB)
    with pytest.raises(Refused, match="larger --size"):
        plan_for(ask.CreateRoot(name="small", size=2 * GIB, source=source), site())


def test_a_taken_name_is_refused_also_by_a_broken_node():
    with pytest.raises(Refused, match="already"):
        plan_for(ask.CreateRoot(name="debian12", size=GIB), site(root("debian12")))
    broken = Broken("debian12", "config.json is missing", 0, 0)
    from dataclasses import replace

    with pytest.raises(Refused, match="already"):
        plan_for(
            ask.CreateRoot(name="debian12", size=GIB), replace(site(), broken={"debian12": broken})
        )


def test_clone_inherits_neither_mac_nor_ip_nor_children():
    source = root("debian12", mac=mac(1), ip=IPv4Address("10.77.0.60"))
    plan = plan_for(ask.CloneRoot(source="debian12", name="copy"), site(source))
    config = plan.units[0].actions[-2].config
    assert (config.mac, config.ip, config.children) == (None, None, {})
    assert config.cloned_from == "debian12"


def test_clone_of_a_served_root_without_reflink_takes_its_export_away_meanwhile():
    source = root("debian12", mac=mac(1), ip=IPv4Address("10.77.0.60"))
    plan = plan_for(ask.CloneRoot(source="debian12", name="copy"), site(source))
    assert kinds(plan)[0][0] == "withdraw-export"
    assert kinds(plan)[-1] == ["refresh"]


@pytest.mark.parametrize("store", ["reflink", "overlay", "copy"])
def test_live_clone_takes_no_disk_away_and_says_its_promise(store):
    source = root("debian12", mac=mac(1), ip=IPv4Address("10.77.0.60"))
    session = Session(source.config.export, "10.77.0.60", 0.0)
    plan = plan_for(
        ask.CloneRoot(source="debian12", name="copy"),
        site(source, sessions=(session,), store=store),
    )
    assert "withdraw-export" not in kinds(plan)[0]
    assert ("one instant" in plan.units[0].detail) == (store != "reflink")
    assert plan.units[0].actions[-2].config.promise == "crash-consistent"
    assert plan.units[0].actions[1].live
    assert "power cut" in plan.notes[0]


@pytest.mark.parametrize(
    ("name", "given", "resolved", "address", "rule"),
    [
        ("rescue-07", "10.77.0.99", ("10.77.0.98",), "10.77.0.99", "explicit"),
        ("rescue-07", None, ("10.77.0.98",), "10.77.0.98", "resolver"),
        ("rescue-07", None, ("192.168.1.1",), "10.77.0.57", "number"),
        ("rescue", None, (), "10.77.0.50", "next"),
        ("rescue-999", None, (), "10.77.0.50", "next"),
    ],
)
def test_the_four_address_rules_in_order(name, given, resolved, address, rule):
    request = ask.AllocateRoot(name=name, mac=mac(9), ip=given, resolved=resolved)
    plan = plan_for(request, site(root(name)))
    after = plan.units[0].actions[0].after
    assert (str(after.ip), after.ip_rule) == (address, rule)
    assert address in plan.notes[-1]


def test_a_taken_number_falls_to_the_next_free_and_says_so():
    other = root("other", mac=mac(1), ip=IPv4Address("10.77.0.57"))
    request = ask.AllocateRoot(name="rescue-07", mac=mac(9))
    plan = plan_for(request, site(root("rescue-07"), other))
    assert plan.units[0].actions[0].after.ip_rule == "next"
    assert "10.77.0.57 is taken by other" in plan.notes[0]


@pytest.mark.parametrize("address", ["10.77.0.0", "10.77.0.255", "10.77.0.1", "10.78.0.5"])
def test_impossible_explicit_addresses_are_refused(address):
    with pytest.raises(Refused, match="choose"):
        plan_for(ask.AllocateRoot(name="r", mac=mac(9), ip=address), site(root("r")))


def test_a_full_pool_is_said():
    settings = Settings.model_validate(
        {
            "network": {
                "subnet": "10.77.0.0/24",
                "pool": {"first": "10.77.0.50", "last": "10.77.0.50"},
            }
        }
    )
    other = root("other", mac=mac(1), ip=IPv4Address("10.77.0.50"))
    with pytest.raises(Refused, match="full"):
        plan_for(ask.AllocateRoot(name="r", mac=mac(9)), site(root("r"), other, settings=settings))


def test_allocate_refusals():
    request = ask.AllocateRoot(name="debian12", mac=mac(9))
    with pytest.raises(Refused, match="has 2 leaves"):
        plan_for(request, site(*family(2)))
    with pytest.raises(Refused, match="is allocated"):
        plan_for(request, site(root("debian12", mac=mac(1))))
    with pytest.raises(Refused, match="taken by"):
        plan_for(ask.AllocateRoot(name="free", mac=mac(1)), site(root("free"), *family(1)))
    with pytest.raises(Refused, match="no subnet"):
        plan_for(request, site(root("debian12"), settings=Settings()))
    with pytest.raises(NoSuchNode):
        plan_for(request, site())
    orphan = leaf(7, "debian12")
    with pytest.raises(Refused, match="stand on the disk"):
        plan_for(request, site(root("debian12"), orphan))


def test_deallocate_reboots_first_then_commits_then_refreshes_then_drains():
    node = root("r", mac=mac(1), ip=IPv4Address("10.77.0.60"))
    plan = plan_for(ask.DeallocateRoot(name="r"), site(node))
    assert kinds(plan) == [["reboot", "update-config"], ["refresh"], ["drain-export"]]
    quiet = plan_for(ask.DeallocateRoot(name="r", reboot=False, cut=True), site(node))
    assert kinds(quiet)[0] == ["update-config"]
    assert quiet.units[2].actions[0].cut
    with pytest.raises(Refused, match="not allocated"):
        plan_for(ask.DeallocateRoot(name="x"), site(root("x")))


def test_delete_says_all_that_blocks():
    both = root("r", mac=mac(1), children={mac(2): "dc-a6-32-00-00-02"})
    with pytest.raises(Refused, match=r"allocated.*; r has 1 leaf"):
        plan_for(ask.DeleteRoot(name="r"), site(both))


def test_delete_goes_to_the_trash_and_asks_for_the_name():
    plan = plan_for(ask.DeleteRoot(name="r"), site(root("r")))
    assert kinds(plan) == [["trash"], ["refresh"]]
    assert (plan.impact, plan.confirm, plan.frees) == ("many", "r", GIB // 2)


def test_resize_only_grows_and_journals_in_the_config():
    plan = plan_for(ask.ResizeRoot(name="r", size=3 * GIB), site(root("r")))
    first, _, last = plan.units[0].actions
    assert first.after.disk.resize_to == 3 * GIB
    assert (last.after.disk.size, last.after.disk.resize_to) == (3 * GIB, None)
    with pytest.raises(Refused, match="only grow"):
        plan_for(ask.ResizeRoot(name="r", size=GIB), site(root("r")))
    with pytest.raises(Refused, match="leaves"):
        plan_for(ask.ResizeRoot(name="debian12", size=3 * GIB), site(*family(2)))


def test_the_same_question_gets_the_same_plan():
    here = site(*family(3), root("other"))
    request = ask.AllocateRoot(name="other", mac=mac(9))
    assert plan_for(request, here).same_work(plan_for(request, here))


def test_a_read_only_site_refuses_every_verb():
    here = site(root("r"), writable=False)
    for request in (
        ask.CreateRoot(name="new", size=GIB),
        ask.CloneRoot(source="r", name="new"),
        ask.AllocateRoot(name="r", mac=mac(1)),
        ask.DeleteRoot(name="r"),
        ask.ResizeRoot(name="r", size=3 * GIB),
        ask.CreateLeaves(root="r", leaves=(ask.LeafSpec(mac=mac(1)),)),
    ):
        with pytest.raises(Refused, match="can't be written"):
            plan_for(request, here)
