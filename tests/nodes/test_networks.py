"""Which of several subnets an address is of: planned, refused, typed and completed."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from sbctui.cli import names
from sbctui.cli.names import Typing
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Network, Settings
from sbctui.engine.nodes.plan import plan_for
from tests.nodes.sites import SETTINGS, family, mac, root, site

SECOND = {
    "interface": "lab1",
    "subnet": "10.78.0.0/24",
    "pool": {"first": "10.78.0.20", "last": "10.78.0.29"},
}
THIRD = {"interface": "lab2", "subnet": "10.79.0.0/24"}


def several(*more):
    network = SETTINGS.network.model_dump(mode="json", exclude_none=True)
    return Settings.model_validate({"network": {**network, "more": more or (SECOND, THIRD)}})


def lab(*nodes):
    return site(*(nodes or (root("r"),))).with_rest(settings=several())


def made(plan):
    return [
        str(action.config.ip)
        for unit in plan.units
        for action in unit.actions
        if action.kind == "write-node"
    ]


def create(network, *leaves):
    return ask.CreateLeaves(root="r", leaves=leaves, network=network)


def test_addresses_come_from_the_pool_of_the_network_that_is_named():
    two = (ask.LeafSpec(mac=mac(1)), ask.LeafSpec(mac=mac(2), alias="pi-4"))
    assert made(plan_for(create("", *two), lab())) == ["10.77.0.50", "10.77.0.54"]
    for name in ("lab1", "10.78.0.0/24"):
        plan = plan_for(create(name, *two), lab())
        assert made(plan) == ["10.78.0.20", "10.78.0.24"]
        assert plan.command.endswith(f"--network {name}")


def test_what_is_asked_for_by_address_or_said_by_the_resolver_has_to_be_in_it():
    spec = ask.LeafSpec(mac=mac(1), ip=IPv4Address("10.77.0.9"))
    assert made(plan_for(create("", spec), lab())) == ["10.77.0.9"]
    with pytest.raises(Refused, match=r"10.77.0.9 is not in the network lab1 \(10.78.0.0/24\)"):
        plan_for(create("lab1", spec), lab())
    told = ask.LeafSpec(mac=mac(1), alias="pi", resolved=(IPv4Address("10.77.0.9"),))
    plan = plan_for(create("lab1", told), lab())
    assert made(plan) == ["10.78.0.20"]
    assert "passed over: 10.77.0.9 is not in the network lab1" in plan.notes[0]


@pytest.mark.parametrize(
    ("network", "error", "why"),
    [
        (
            "lab9",
            BadInput,
            "'lab9' is no network of this site; there are: lab0 .10.77.0.0/24., lab1",
        ),
        ("lab2", Refused, "the network lab2 has no address pool; write one into site.toml"),
    ],
)
def test_a_network_that_can_not_be_drawn_from_is_said(network, error, why):
    with pytest.raises(error, match=why):
        plan_for(create(network, ask.LeafSpec(mac=mac(1))), lab())
    with pytest.raises(error, match=why):
        plan_for(ask.AllocateRoot(name="r", mac=mac(1), network=network), lab())


def test_a_pool_that_is_full_is_that_of_the_network():
    leaves = tuple(ask.LeafSpec(mac=mac(number)) for number in range(11))
    with pytest.raises(Refused, match=r"the pool 10\.78\.0\.20-10\.78\.0\.29 is full"):
        plan_for(create("lab1", *leaves), lab())


def test_a_root_and_an_orphan_get_an_address_there_too():
    plan = plan_for(ask.AllocateRoot(name="r", mac=mac(1), network="lab1"), lab())
    assert plan.units[0].detail == "10.78.0.20"
    _, one = family(1, "r")
    orphan = replace(one, config=one.config.model_copy(update={"ip": IPv4Address("10.77.0.50")}))
    here = lab(root("r"), orphan)
    kept = plan_for(ask.AttachLeaf(name=orphan.name, root="r"), here)
    assert str(kept.units[0].actions[0].after.ip) == "10.77.0.50"
    moved = plan_for(ask.AttachLeaf(name=orphan.name, root="r", network="lab1"), here)
    assert str(moved.units[0].actions[0].after.ip) == "10.78.0.20"
    assert moved.command == f"sbctui leaf attach {orphan.name} r --network lab1"


def test_without_any_subnet_there_is_no_network_to_name():
    bare = site(root("r")).with_rest(settings=Settings())
    with pytest.raises(BadInput, match="there are: none"):
        plan_for(create("lab1", ask.LeafSpec(mac=mac(1))), bare)


def test_an_interface_with_two_subnets_is_named_by_them():
    network = several({**SECOND, "interface": "lab0"}).network
    assert [lot.name for lot in network.lots] == ["10.77.0.0/24", "10.78.0.0/24"]


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        ({"first": "10.77.0.2", "last": "10.77.0.9"}, "no host address of 10.78.0.0/24"),
        ({"first": "10.78.0.9", "last": "10.78.0.2"}, "before it begins"),
    ],
)
def test_a_pool_lies_in_its_subnet(pool, why):
    with pytest.raises(ValueError, match=why):
        Network.model_validate(
            {**SETTINGS.network.model_dump(mode="json"), "more": [{**SECOND, "pool": pool}]}
        )


def test_the_names_are_completed(tmp_path: Path):
    (tmp_path / "site.toml").write_text(
        '[network]\ninterface = "lab0"\nsubnet = "10.77.0.0/24"\n'
        '[[network.more]]\ninterface = "lab0"\nsubnet = "10.78.0.0/24"\n'
        '[[network.more]]\ninterface = "lab2"\nsubnet = "10.79.0.0/24"\n'
    )
    assert list(names.networks(Typing(tmp_path))) == [
        ("10.77.0.0/24", "lab0"),
        ("10.78.0.0/24", "lab0"),
        ("lab2", "10.79.0.0/24"),
    ]
    assert list(names.networks(Typing(tmp_path / "none"))) == []
