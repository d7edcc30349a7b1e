"""Plans for leaves, the trash and edits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address

import pytest

from sbctui.engine.errors import NoSpace, NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Session, Stray, Trashed
from sbctui.engine.nodes.plan import plan_for
from tests.nodes.sites import GIB, family, leaf, mac, root, site


def specs(*numbers, **more):
    return tuple(ask.LeafSpec(mac=mac(i), **more) for i in numbers)


def create(*numbers, root="debian12"):
    return ask.CreateLeaves(root=root, leaves=specs(*numbers))


def test_forty_leaves_are_one_reservation_forty_units_one_refresh():
    plan = plan_for(create(*range(1, 41)), site(root("debian12")))
    assert [u.actions[0].kind for u in plan.units] == [
        "set-children",
        *["stage"] * 40,
        "drop-missing-children",
        "refresh",
    ]
    assert len(plan.units[0].actions[0].add) == 40
    addresses = [u.actions[-2].config.ip for u in plan.units[1:41]]
    assert len(set(addresses)) == 40
    assert not plan.hold


def test_overlay_leaves_name_the_very_root_they_stand_on():
    config = plan_for(create(1), site(root("debian12"))).units[1].actions[-2].config
    assert config.disk.format == "qcow2"
    assert config.disk.base == "debian12"
    assert config.disk.base_made == root("debian12").config.created


def test_an_alias_gives_the_number_rule_a_mac_never_does():
    request = ask.CreateLeaves(root="debian12", leaves=specs(7, alias="pi-07"))
    config = plan_for(request, site(root("debian12"))).units[1].actions[-2].config
    assert (str(config.ip), config.ip_rule, config.hostname) == ("10.77.0.57", "number", "pi-07")
    config = plan_for(create(7), site(root("debian12"))).units[1].actions[-2].config
    assert (str(config.ip), config.ip_rule) == ("10.77.0.50", "next")


def test_running_it_again_leaves_what_is_there_alone():
    plan = plan_for(create(1, 2, 3), site(*family(2)))
    assert [u.node for u in plan.units[1:2]] == ["dc-a6-32-00-00-03"]
    assert len([n for n in plan.notes if "left alone" in n]) == 2
    assert plan_for(create(1, 2), site(*family(2))).units == ()


def test_personalising_follows_the_setting():
    on = plan_for(create(1), site(root("debian12"))).units[1]
    assert on.actions[2].what == ("hostname", "machine_id", "ssh_host_key")
    settings = Settings.model_validate(
        {"personalise": {"hostname": False, "machine_id": False, "ssh_host_key": False}}
    )
    off = plan_for(create(1), site(root("debian12"), settings=settings)).units[1]
    assert [a.kind for a in off.actions] == ["stage", "clone-disk", "write-node", "publish"]


def test_leaf_create_refusals():
    with pytest.raises(Refused, match="listed twice"):
        plan_for(create(1, 1), site(root("debian12")))
    with pytest.raises(Refused, match="is allocated"):
        plan_for(create(1), site(root("debian12", mac=mac(9))))
    with pytest.raises(Refused, match="taken by"):
        plan_for(create(1, root="other"), site(root("other"), *family(1)))
    with pytest.raises(Refused, match="is a leaf"):
        plan_for(create(2, root="dc-a6-32-00-00-01"), site(*family(1)))
    with pytest.raises(NoSuchNode):
        plan_for(create(1), site())
    with pytest.raises(NoSpace):
        plan_for(create(*range(1, 100)), site(root("debian12"), free_bytes=1000))
    stray = Stray("nodes/.new-dc-a6-32-00-00-01", "staging", 0, 0.0)
    with pytest.raises(Refused, match="half-made"):
        plan_for(create(1), replace(site(root("debian12")), strays=(stray,)))
    alias = ask.CreateLeaves(root="debian12", leaves=specs(1, alias="debian12"))
    with pytest.raises(Refused, match="alias"):
        plan_for(alias, site(root("debian12")))


def test_without_a_subnet_leaves_wait_for_their_addresses():
    plan = plan_for(create(1), site(root("debian12"), settings=Settings()))
    assert plan.units[1].actions[-2].config.ip is None
    assert any("no subnet" in note for note in plan.notes)


def test_delete_all_and_some():
    here = site(*family(3))
    plan = plan_for(ask.DeleteLeaves(root="debian12"), here)
    assert [a.kind for a in plan.units[0].actions] == ["withdraw-export", "trash"]
    assert (plan.impact, plan.confirm, plan.frees) == ("many", "3", 3 * GIB // 2)
    one = plan_for(ask.DeleteLeaves(root="debian12", macs=(mac(2),)), here)
    assert (one.impact, len(one.units)) == ("one", 3)
    with pytest.raises(NoSuchNode, match="no leaf of"):
        plan_for(ask.DeleteLeaves(root="debian12", macs=(mac(9),)), here)
    with pytest.raises(Refused, match="no leaves"):
        plan_for(ask.DeleteLeaves(root="debian12"), site(root("debian12")))


def test_a_running_board_is_never_deleted_without_being_told_to():
    session = Session("dc-a6-32-00-00-02", "10.77.0.51", 0.0)
    here = site(*family(3), sessions=(session,))
    with pytest.raises(Refused, match="--cut"):
        plan_for(ask.DeleteLeaves(root="debian12"), here)
    plan = plan_for(ask.DeleteLeaves(root="debian12", cut=True), here)
    assert all(u.actions[0].cut for u in plan.units[:3])
    plan_for(ask.DeleteLeaves(root="debian12", macs=(mac(1),)), here)


def test_attach_only_an_orphan_and_an_overlay_only_to_its_base():
    orphan = leaf(1, "debian12")
    plan = plan_for(
        ask.AttachLeaf(name=orphan.name, root="debian12"), site(root("debian12"), orphan)
    )
    assert [a.kind for a in plan.units[0].actions] == ["update-config", "set-children"]
    with pytest.raises(Refused, match="stands on debian12"):
        plan_for(ask.AttachLeaf(name=orphan.name, root="other"), site(root("other"), orphan))
    with pytest.raises(Refused, match="already listed"):
        plan_for(ask.AttachLeaf(name="dc-a6-32-00-00-01", root="debian12"), site(*family(1)))


def test_edit_changes_only_what_is_named_and_nothing_is_no_work():
    here = site(*family(1), root("other"))
    name = "dc-a6-32-00-00-01"
    plan = plan_for(ask.EditNode(name=name, alias="pi-01", group="room-b"), here)
    after = plan.units[0].actions[0].after
    assert (after.alias, after.group, after.notes) == ("pi-01", "room-b", "")
    assert plan_for(ask.EditNode(name=name, group=""), here).units == ()
    with pytest.raises(Refused, match="node named other"):
        plan_for(ask.EditNode(name=name, alias="other"), here)
    with pytest.raises(Refused, match="own name"):
        plan_for(ask.EditNode(name="other", alias="x"), here)
    plan = plan_for(ask.EditNode(name=name, ip=IPv4Address("10.77.0.99")), here)
    assert plan.units[0].actions[0].after.ip_rule == "explicit"


def trashed(node, when=1):
    deleted = datetime(2026, 1, when, tzinfo=UTC)
    return Trashed(f"202601{when:02d}T000000000Z-{node.name}", node.name, deleted, node.config, GIB)


def test_restore_lists_first_then_renames_and_roots_come_first():
    gone = (trashed(leaf(1, "debian12")), trashed(root("debian12")))
    here = replace(site(), trash=gone)
    plan = plan_for(ask.RestoreTrash(folders=tuple(t.folder for t in gone)), here)
    assert [u.node for u in plan.units] == ["debian12", "dc-a6-32-00-00-01", "debian12", ""]
    assert [a.kind for a in plan.units[1].actions] == ["set-children", "restore"]


@pytest.mark.parametrize(
    ("others", "why"),
    [
        ((), "its root debian12 is gone"),
        ((root("debian12"), root("r", mac=mac(1))), "taken by r"),
        ((root("debian12"), root("r", mac=mac(2), ip=IPv4Address("10.77.0.70"))), "taken by r"),
        ((root("debian12", created=datetime(2026, 5, 1, tzinfo=UTC)),), "older debian12"),
    ],
)
def test_restore_refusals(others, why):
    gone = trashed(leaf(1, "debian12", ip=IPv4Address("10.77.0.70")))
    with pytest.raises(Refused, match=why):
        plan_for(ask.RestoreTrash(folders=(gone.folder,)), replace(site(*others), trash=(gone,)))


def test_purge_goes_leaves_first_and_keeps_a_root_that_is_stood_on():
    gone = (trashed(root("debian12")), trashed(leaf(1, "debian12")))
    here = replace(site(), trash=gone)
    plan = plan_for(ask.PurgeTrash(folders=tuple(t.folder for t in gone)), here)
    assert [u.node for u in plan.units] == ["dc-a6-32-00-00-01", "debian12"]
    with pytest.raises(Refused, match="stands on the disk of debian12"):
        plan_for(ask.PurgeTrash(folders=(gone[0].folder,)), here)
    with pytest.raises(NoSuchNode):
        plan_for(ask.PurgeTrash(folders=("nope",)), here)


def test_a_root_whose_trashed_leaves_stand_on_it_can_neither_change_nor_be_allocated():
    here = replace(site(root("debian12")), trash=(trashed(leaf(1, "debian12")),))
    for request in (
        ask.ResizeRoot(name="debian12", size=9 * GIB),
        ask.AllocateRoot(name="debian12", mac=mac(9)),
    ):
        with pytest.raises(Refused, match="in the trash still use the disk"):
            plan_for(request, here)
    assert plan_for(ask.DeleteRoot(name="debian12"), here).units
