"""What a plan says, as lines: its steps, the addresses it gives, what the services get; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.engine.plan import RestoreNode, TrashNode, UpdateConfig, WriteNode
from sbctui.format import Line

if TYPE_CHECKING:
    from sbctui.engine.model.node import NodeConfig
    from sbctui.engine.model.site import Site
    from sbctui.engine.plan import Plan

_HOW = {
    "explicit": "as given",
    "resolver": "the resolver's answer for its name",
    "number": "the number at the end of its name",
    "next": "the next free one",
}
_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Given:
    """A board that gets an address, and by which rule."""

    name: str
    ip: str
    how: str


@dataclass(frozen=True, slots=True)
class Served:
    """What dnsmasq, TFTP and NBD get (``+``) or lose (``-``) for one board."""

    sign: str
    export: str
    host: str


def addresses(plan: Plan) -> tuple[Given, ...]:
    """The addresses a plan gives, in its order."""
    return tuple(
        Given(after.hostname, str(after.ip), _HOW.get(after.ip_rule or "", ""))
        for before, after in _configs(plan)
        if after.ip is not None and (before is None or before.ip != after.ip)
    )


def needs(plan: Plan) -> str:
    """What it takes of the disk."""
    return f"needs {fmt.size(plan.needs)}"


def _configs(plan: Plan) -> Iterator[tuple[NodeConfig | None, NodeConfig]]:
    for unit in plan.units:
        for action in unit.actions:
            if isinstance(action, WriteNode):
                yield None, action.config
            elif isinstance(action, UpdateConfig):
                yield action.before, action.after


def served(plan: Plan, site: Site | None) -> tuple[Served, ...]:
    """What the services get and lose; ``site`` tells of nodes a plan only names."""
    found: list[Served] = []
    for before, after in _configs(plan):
        was, will = _host(before), _host(after)
        if was != will:
            found += [Served("-", before.export, was)] if before and was else []
            found += [Served("+", after.export, will)] if will else []
    trashed = {t.folder: t.config for t in site.trash} if site else {}
    for unit in plan.units:
        for action in unit.actions:
            if isinstance(action, TrashNode) and site and action.name in site.nodes:
                config: NodeConfig | None = site.nodes[action.name].config
                sign = "-"
            elif isinstance(action, RestoreNode):
                config, sign = trashed.get(action.folder), "+"
            else:
                continue
            if config is not None and _host(config):
                found.append(Served(sign, config.export, _host(config)))
    return tuple(found)


def _host(config: NodeConfig | None) -> str:
    if config is None or config.mac is None or config.ip is None:
        return ""
    return f"{config.mac} {config.ip} {config.hostname}"


def lines(plan: Plan, site: Site | None, most: int) -> list[Line]:
    """The whole preview; of its steps at most ``most`` lines."""
    told = fmt.plan_lines(plan, most)
    title, *rest = told
    made: list[Line] = [((title, "key"),)]
    command = [line for line in rest if line.lstrip().startswith("$ ")]
    for line in rest:
        if line not in command:
            made.append(((line, "warn" if line.lstrip().startswith("note:") else ""),))
    made += [((f"  {text}", ""),) for text in (*_addresses(plan), *_services(plan, site))]
    return made + [((line, "dim"),) for line in command]


def _addresses(plan: Plan) -> list[str]:
    given = addresses(plan)
    if len(given) < _SHOWN:
        return []  # the step or a note says it already
    rules: dict[str, int] = {}
    for one in given:
        rules[one.how] = rules.get(one.how, 0) + 1
    by = "; ".join(f"{count} {how}" for how, count in rules.items())
    return [f"addresses {given[0].ip} to {given[-1].ip}: {clean(by)}"]


def _services(plan: Plan, site: Site | None) -> list[str]:
    told: list[str] = []
    all_served = served(plan, site)
    for sign in "-+":
        those = [clean(s.host) for s in all_served if s.sign == sign]
        if len(those) == 1:
            told.append(f"{sign} dnsmasq, NBD, TFTP: {those[0]}")
        elif those:
            first, last = those[0].split()[0], those[-1].split()[0]
            told.append(f"{sign} dnsmasq, NBD, TFTP: {first} to {last} ({len(those)})")
    return told
