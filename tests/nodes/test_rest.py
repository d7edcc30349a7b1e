"""What a job left undone, for every verb: only what is not there, and nothing that is new."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address

import pytest

from sbctui.engine.model import requests as ask
from sbctui.engine.model.node import BootSpec
from sbctui.engine.model.site import Trashed
from sbctui.engine.nodes.plan import plan_for
from sbctui.engine.nodes.rest import rest
from tests.nodes.sites import GIB, MADE, SETTINGS, family, leaf, mac, root, site

LATER = datetime.fromtimestamp(1_790_000_000, UTC) + timedelta(hours=1)


def specs(*numbers):
    return tuple(ask.LeafSpec(mac=mac(n)) for n in numbers)


def left(before, request, after):
    """Plan on one site, judge the rest on another."""
    return rest(plan_for(request, before), after)


def test_leaves_that_are_there_are_not_made_again():
    before = site(root("debian12"))
    request = ask.CreateLeaves(root="debian12", leaves=specs(1, 2, 3))
    assert left(before, request, before) == request
    assert left(before, request, site(*family(2))).leaves == specs(3)
    assert left(before, request, site(*family(3))) is None
    assert left(before, request, site(root("other"))) is None


def test_a_mac_that_another_root_has_by_now_is_left_alone():
    request = ask.CreateLeaves(root="debian12", leaves=specs(1, 2))
    other = root("other", children={mac(1): leaf(1, "other").name})
    after = site(root("debian12"), other, leaf(1, "other"))
    assert left(site(root("debian12")), request, after).leaves == specs(2)


def test_deleting_all_leaves_takes_none_that_was_made_since():
    before = site(*family(3))
    request = ask.DeleteLeaves(root="debian12")
    fresh = leaf(4, "debian12", created=LATER)
    parent, first, *_ = family(3)
    found = left(before, request, site(parent, first, fresh))
    assert found.macs == (mac(1),)
    again = leaf(2, "debian12", created=LATER)
    assert left(before, request, site(parent, again, fresh)) is None


def test_a_root_is_made_and_cloned_once():
    before = site(root("a"))
    create = ask.CreateRoot(name="b", size=GIB)
    clone = ask.CloneRoot(source="a", name="b")
    for request in (create, clone):
        assert left(before, request, before) == request
        assert left(before, request, site(root("a"), root("b"))) is None


def test_a_root_that_was_made_since_is_not_deleted():
    before = site(root("a"))
    request = ask.DeleteRoot(name="a")
    assert left(before, request, before) == request
    assert left(before, request, site()) is None
    assert left(before, request, site(root("a", created=LATER))) is None


def test_what_is_given_and_taken():
    free, given = root("a"), root("a", mac=mac(1), ip=IPv4Address("10.77.0.60"), ip_rule="pool")
    allocate = ask.AllocateRoot(name="a", mac=mac(1))
    assert left(site(free), allocate, site(free)) == allocate
    assert left(site(free), allocate, site(given)) is None
    take = ask.DeallocateRoot(name="a")
    assert left(site(given), take, site(given)) == take
    assert left(site(given), take, site(free)) is None
    other = root("a", mac=mac(2), ip=IPv4Address("10.77.0.61"), ip_rule="pool")
    assert left(site(given), take, site(other)) is None


def test_a_disk_that_has_grown_is_not_grown_again():
    before = site(root("a"))
    request = ask.ResizeRoot(name="a", size=4 * GIB)
    disk = root("a").config.disk
    assert left(before, request, before) == request
    grown = root("a", disk=disk.model_copy(update={"size": 4 * GIB}))
    assert left(before, request, site(grown)) is None


@pytest.mark.parametrize("kind", [ask.RestoreTrash, ask.PurgeTrash])
def test_only_what_is_in_the_trash_still(kind):
    def trashed(*names):
        entries = tuple(
            Trashed(f"20260101T000000000Z-{n}", n, MADE, root(n).config, 1) for n in names
        )
        return type(site())(path=site().path, settings=SETTINGS, trash=entries, facts=site().facts)

    request = kind(folders=("20260101T000000000Z-a", "20260101T000000000Z-b"))
    before = trashed("a", "b")
    assert left(before, request, before) == request
    assert left(before, request, trashed("b")).folders == ("20260101T000000000Z-b",)
    assert left(before, request, trashed()) is None


def test_the_rest_says_whose_it_is_as_a_command():
    request = ask.CreateLeaves(root="debian12", leaves=specs(1), rest_of="JOB")
    assert plan_for(request, site(root("debian12"))).command == "sbctui job resume JOB"


def test_another_initramfs_is_for_those_that_do_not_load_it_yet():
    own = BootSpec(kernel="vmlinuz-6.1", initramfs="initrd.img-6.1", arch="arm64")
    kit = own.model_copy(update={"initramfs": "bootkit-6.1.img"})
    kernel = ask.Kernel(arch="arm64", version="6.1", own=own, site=kit, kit="0" * 64)
    request = ask.UseInitramfs(name="debian12", initramfs="bootkit", kernel=kernel)

    def here(first, second):
        parent, one = family(1)
        return site(_loads(parent, first), _loads(one, second))

    before = here(own, own)
    assert left(before, request, before) == request
    assert left(before, request, here(kit, own)) == request
    assert left(before, request, here(kit, kit)) is None
    assert left(before, request, site()) is None
    both = plan_for(request, here(kit, own)).units
    assert [action.kind for action in both[0].actions] == ["use-kit"], "it may be a former build"
    again = request.model_copy(
        update={"kernel": kernel.model_copy(update={"current": ("debian12",)})}
    )
    assert plan_for(again, here(kit, own)).units[0].node == family(1)[1].name


def _loads(node, boot):
    return replace(node, config=node.config.model_copy(update={"boot": boot}))


def test_a_build_is_done_again_whole():
    here = site(root("a", boot=BootSpec(kernel="vmlinuz-6.1", arch="arm64")))
    request = ask.BuildBootkit(root="a", offline=True)
    assert left(here, request, here) == request
    assert plan_for(request, here).command == "sbctui bootkit build --root a --offline"
