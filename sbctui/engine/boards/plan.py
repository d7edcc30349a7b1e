"""Ignoring boards and registering them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from sbctui.engine.errors import NoSuchNode, Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.roster import ROSTER, Ignored, Registered
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.making import made, plan
from sbctui.engine.plan import Plan, SetRoster, Unit


@singledispatch
def plan_boards(request: ask.Request, site: Site) -> Plan:
    """Plan a request about boards without a node. Raises Refused, NoSuchNode."""
    raise TypeError(type(request).__name__)


@plan_boards.register
def _(request: ask.IgnoreBoards, site: Site) -> Plan:
    """Those that are ignored already are left out."""
    note = clean(request.note).strip()
    wanted = [mac for mac in _once(request.macs) if mac not in site.ignored]
    for mac in wanted:
        if site.by_mac.get(mac):
            raise Refused(f"{mac} is the board of {site.by_mac[mac][0]}; it asks for what is its")
    new = (Ignored(mac=mac, made=made(site), note=note) for mac in wanted)
    units = [
        Unit(title=f"ignore {one.mac}", detail=note, actions=(SetRoster(ignored=(one,)),))
        for one in new
    ]
    return _plan(site, request, f"ignore {_counted(len(units))}", units)


@plan_boards.register
def _(request: ask.UnignoreBoards, site: Site) -> Plan:
    macs = _there(request.macs, site.ignored, "ignored")
    units = [Unit(title=f"see {m} again", actions=(SetRoster(seen=(m,)),)) for m in macs]
    return _plan(site, request, f"see {_counted(len(units))} again", units)


@plan_boards.register
def _(request: ask.RegisterBoards, site: Site) -> Plan:
    """One write; those that are registered as they are wanted are left out."""
    known = {one.mac: one for one in site.roster.registered}
    wanted = {board.mac: Registered(**board.model_dump()) for board in request.boards}
    new = tuple(one for mac, one in wanted.items() if known.get(mac) != one)
    title = f"register {_counted(len(new))}"
    units = [Unit(title=title, actions=(SetRoster(registered=new),))] if new else []
    return _plan(site, request, title, units)


@plan_boards.register
def _(request: ask.UnregisterBoards, site: Site) -> Plan:
    known = [one.mac for one in site.roster.registered]
    macs = _there(known if request.macs is None else request.macs, known, "registered")
    title = f"strike {_counted(len(macs))} off the list"
    units = [Unit(title=title, actions=(SetRoster(struck=macs),))] if macs else []
    return _plan(site, request, title, units)


def _there(macs: Iterable[str], known: Iterable[str], how: str) -> tuple[str, ...]:
    there = set(known)
    for mac in macs:
        if mac not in there:
            raise NoSuchNode(f"{mac} is not {how}; see: sbctui board list --{how}")
    return _once(macs)


def _once(macs: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(macs))


def _plan(site: Site, request: ask.Request, title: str, units: list[Unit]) -> Plan:
    if site.roster_fault:
        raise Refused(
            f"{ROSTER} can't be read ({site.roster_fault}): mend it, or see: sbctui audit"
        )
    return plan(site, request, title, units, impact="reversible")


def _counted(count: int) -> str:
    return f"{count} board{'' if count == 1 else 's'}"
