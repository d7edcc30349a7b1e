"""Findings that an admin keeps as they are: which pins hold, and how they are set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from sbctui.engine.audit.finding import Finding, Kept
from sbctui.engine.errors import BadInput, NoSuchNode, Refused
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.amounts import size
from sbctui.engine.model.pins import PINS, Pin, day
from sbctui.engine.model.requests import KeepFindings, UnkeepFindings
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.making import made, plan
from sbctui.engine.plan import Plan, SetPins, Unit

KEEP_DAYS = 30
"""How long a finding is kept when nobody says."""
_GROWTH = 1 << 20
"""Bytes by which what is kept may grow over twice its size."""


def with_pins(site: Site, found: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same findings, those that are kept last."""
    pins = {pin.finding: pin for pin in site.pins.pins}
    if not pins:
        return tuple(found)
    today = day(site.facts.now)
    told = [_told(one, pins[one.id], today) if one.id in pins else one for one in found]
    return tuple(sorted(told, key=lambda one: one.kept is not None))


def _told(one: Finding, pin: Pin, today: date) -> Finding:
    if pin.until < today:
        return one.model_copy(update={"lapsed": f"it was kept until {pin.until}: {_note(pin)}"})
    if one.title != pin.title or one.proof != pin.proof:
        was = f'it was kept as "{clean(pin.title)}", and says something else now'
        return one.model_copy(update={"lapsed": f"{was}: {_note(pin)}"})
    if one.bytes > 2 * pin.bytes + _GROWTH:
        was = f"it was kept when it took {size(pin.bytes)}, and takes {size(one.bytes)} now"
        return one.model_copy(update={"lapsed": f"{was}: {_note(pin)}"})
    kept = Kept(note=_note(pin), until=pin.until, made=pin.made, by=clean(pin.by))
    return one.model_copy(update={"kept": kept})


def _note(pin: Pin) -> str:
    return clean(pin.note)


def plan_keep(site: Site, request: KeepFindings, found: Iterable[Finding]) -> Plan:
    """Keep findings as they are. Raises NoSuchNode, BadInput, Refused."""
    by_id = {one.id: one for one in found}
    note, today = clean(request.note).strip(), day(site.facts.now)
    if not note:
        raise BadInput("say in a note why it is kept: whoever looks next wants to know")
    until = request.until or today + timedelta(days=KEEP_DAYS)
    if until < today:
        raise BadInput(f"{until} is over; name a day to come, as {today + timedelta(KEEP_DAYS)}")
    names = tuple(dict.fromkeys(request.findings))
    units: list[Unit] = []
    for one in (named(by_id, name) for name in names):
        pin = Pin(
            finding=one.id,
            title=one.title,
            proof=one.proof,
            bytes=one.bytes,
            note=note,
            until=until,
            made=made(site),
            by=request.by,
        )
        action = SetPins(add=(pin,), drop=() if units else _gone(site, by_id))
        title = f"keep: {one.title}"
        units.append(Unit(title=title, detail=f"until {until}", actions=(action,)))
    return _plan(site, request, f"keep {counted(len(units))}: {note}", units)


def plan_unkeep(site: Site, request: UnkeepFindings, found: Iterable[Finding]) -> Plan:
    """Count findings again. Raises NoSuchNode for one that is not kept, Refused."""
    by_id = {one.id: one for one in found}
    pinned = {pin.finding: pin for pin in site.pins.pins}
    names = tuple(dict.fromkeys(request.findings))
    for name in names:
        if name not in pinned:
            raise NoSuchNode(f"{shown(name)} is not kept; see: sbctui audit")
    units: list[Unit] = []
    for name in names:
        also = () if units else tuple(n for n in _gone(site, by_id) if n not in names)
        title = f"count again: {clean(pinned[name].title)}"
        units.append(Unit(title=title, actions=(SetPins(drop=(name, *also)),)))
    return _plan(site, request, f"count {counted(len(units))} again", units)


def named(by_id: Mapping[str, Finding], name: str) -> Finding:
    """The finding of that id. Raises NoSuchNode."""
    if name not in by_id:
        raise NoSuchNode(f"there is no finding {shown(name)} (any more); see: sbctui audit")
    return by_id[name]


def _gone(site: Site, by_id: Mapping[str, Finding]) -> tuple[str, ...]:
    """Pins of findings that are there no more."""
    return tuple(pin.finding for pin in site.pins.pins if pin.finding not in by_id)


def _plan(
    site: Site, request: KeepFindings | UnkeepFindings, title: str, units: list[Unit]
) -> Plan:
    if not units:
        raise Refused("nothing is named; see: sbctui audit")
    if site.pins_fault:
        raise Refused(f"{PINS} can't be read ({site.pins_fault}): mend it, or see: sbctui audit")
    return plan(site, request, title, units, impact="reversible")


def counted(count: int) -> str:
    """``1 finding``, ``3 findings``."""
    return f"{count} {'finding' if count == 1 else 'findings'}"
