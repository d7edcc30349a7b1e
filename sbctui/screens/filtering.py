"""The filter's language: words that must occur, ``!word`` that must not, and ``field:value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sbctui.screens.home_lines import STATES, alive, asking
from sbctui.screens.totals import once_per, per_both, per_nodes, states

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

HELP = "text  !not  st:up  root:NAME  group:NAME  mac:  ip:"
"""The language in one line."""

KNOWN = (
    "up", "dhcp", "down", "ask", "orphan", "broken", "mis-parented", "stray", "free",
    "unallocated", "allocated", "parent", "leaf",
)  # fmt: skip
"""What ``st:`` knows; the beginning of a word is enough."""

_HEX = re.compile(r"[0-9a-f]{1,2}")
_NOT_HEX = re.compile(r"[^0-9a-f]")


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter; ``field`` is empty for plain text. ``sense`` False stands for ``!``."""

    field: str
    value: str
    sense: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A filter that was read. ``problem`` says what is not understood, empty when all is."""

    terms: tuple[Term, ...]
    problem: str = ""


@lru_cache(16)
def parse(text: str) -> Query:
    """Read a filter."""
    terms = tuple(_term(word) for word in text.lower().split() if word != "!")
    return Query(terms, next(filter(None, map(_problem, terms)), ""))


def _term(word: str) -> Term:
    sense = not word.startswith("!")
    word = word.removeprefix("!")
    field, colon, value = word.partition(":")
    return Term(field, value, sense) if colon and field in FIELDS else Term("", word, sense)


def _problem(term: Term) -> str:
    if term.field == "st" and not any(s.startswith(term.value) for s in KNOWN):
        return f"no state {term.value}; there are {' '.join(KNOWN[:6])} ..."
    field, colon, _ = term.value.partition(":")
    if not term.field and colon and field.isalnum() and not _HEX.fullmatch(field):
        return f"no field {field}; there are {' '.join(filter(None, FIELDS))}"
    return ""


def passing(site: Site, text: str) -> frozenset[str] | None:
    """Names of nodes, paths and MACs that a filter lets through; None when it is empty."""
    terms = parse(text).terms
    if not terms:
        return None
    left: Iterable[str] = [*texts(site), *asking(site)]
    for term in sorted(terms, key=lambda t: t.field != ""):
        found = FIELDS[term.field](site, left, term.value)
        left = found if term.sense else set(left) - found
    return frozenset(left)


def _text(site: Site, names: Iterable[str], value: str) -> set[str]:
    known = texts(site)
    others = {mac: f"{mac} {s.vendor_class}".lower() for mac, s in asking(site).items()}
    return {n for n in names if value in (known[n] if n in known else others[n])}


def _state(site: Site, names: Iterable[str], value: str) -> set[str]:
    told, begins = said(site), f" {value}"
    return {n for n in names if begins in (told[n] if n in told else f" {_other(site, n)}")}


@per_both
def said(site: Site) -> Mapping[str, str]:
    """The words for every node's state, and for what its board does now."""
    known = states(site)
    return {**_unheard(site), **{n: _state_words(known[n], now) for n, now in alive(site).items()}}


@per_nodes
def _unheard(site: Site) -> Mapping[str, str]:
    """The same, if no board were heard of."""
    known = states(site)
    return {
        name: _state_words(known[name], "down" if node.config.mac else "")
        for name, node in site.nodes.items()
    }


def _state_words(state: str, now: str) -> str:
    return f" {state} {STATES[state]} {now}"


def _other(site: Site, name: str) -> str:
    if name in site.broken:
        return "broken"
    return "ask" if name in asking(site) else "stray"


def _root(site: Site, names: Iterable[str], value: str) -> set[str]:
    listed = site.listed_by
    return {n for n in names if any(value in root for root in listed.get(n, (n,)))}


def _group(site: Site, names: Iterable[str], value: str) -> set[str]:
    nodes = site.nodes
    return {n for n in names if n in nodes and value in nodes[n].config.group.lower()}


def _ip(site: Site, names: Iterable[str], value: str) -> set[str]:
    nodes = site.nodes
    return {n for n in names if n in nodes and str(nodes[n].config.ip or "").startswith(value)}


def _mac(site: Site, names: Iterable[str], value: str) -> set[str]:
    digits, nodes = _NOT_HEX.sub("", value), site.nodes
    macs = ((n, nodes[n].config.mac or "" if n in nodes else n) for n in names)
    return {n for n, mac in macs if digits in _NOT_HEX.sub("", mac)}


FIELDS: Mapping[str, Callable[[Site, Iterable[str], str], set[str]]] = {
    "": _text,
    "st": _state,
    "root": _root,
    "group": _group,
    "mac": _mac,
    "ip": _ip,
}
"""Field → those of some rows that have a value in it; the empty field is plain text."""


def _all_there(site: Site) -> tuple[object, ...]:
    return site.nodes, site.broken, site.strays


@once_per(_all_there)
def texts(site: Site) -> Mapping[str, str]:
    """Everything that plain text is looked for in, of every row but the boards that ask."""
    rows = {name: _words_of(node) for name, node in site.nodes.items()}
    others = (*site.broken, *(s.path for s in site.strays))
    return rows | {name: name.lower() for name in others}


def _words_of(node: Node) -> str:
    c = node.config
    parts = (c.name, c.hostname, c.mac or "", str(c.ip or ""), c.group, c.notes)
    return " ".join(parts).lower()
