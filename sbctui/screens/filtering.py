"""The filter's language: words that must occur, ``!word`` that must not, and ``field:value``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sbctui.screens.home_lines import asking, board, words
from sbctui.screens.totals import once_per

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site

HELP = "text  !not  st:up  root:NAME  group:NAME  mac:  ip:"
"""The language in one line."""

STATES = (
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
    if term.field == "st" and not any(s.startswith(term.value) for s in STATES):
        return f"no state {term.value}; there are {' '.join(STATES[:6])} ..."
    field, colon, _ = term.value.partition(":")
    if not term.field and colon and field.isalnum() and not _HEX.fullmatch(field):
        return f"no field {field}; there are {' '.join(filter(None, FIELDS))}"
    return ""


def passing(site: Site, text: str) -> frozenset[str] | None:
    """Names of nodes, paths and MACs that a filter lets through; None when it is empty."""
    terms = parse(text).terms
    if not terms:
        return None
    left: Iterable[str] = [*_texts(site), *asking(site)]
    for term in sorted(terms, key=lambda t: t.field != ""):
        test = FIELDS[term.field](site, term.value)
        left = [name for name in left if test(name) == term.sense]
    return frozenset(left)


Test = Callable[[str], bool]


def _text(site: Site, value: str) -> Test:
    texts = _texts(site)
    others = {mac: f"{mac} {s.vendor_class}".lower() for mac, s in asking(site).items()}
    return lambda name: value in (texts.get(name) or others.get(name, ""))


def _state(site: Site, value: str) -> Test:
    known = words(site)

    def states(name: str) -> tuple[str, ...]:
        if name in known:
            return known[name], board(site, site.nodes[name]), site.state(name).value
        if name in site.broken:
            return ("broken",)
        return ("ask",) if name in asking(site) else ("stray",)

    return lambda name: any(state.startswith(value) for state in states(name))


def _root(site: Site, value: str) -> Test:
    listed = site.listed_by
    return lambda name: any(value in root for root in listed.get(name, (name,)))


def _group(site: Site, value: str) -> Test:
    nodes = site.nodes
    return lambda name: name in nodes and value in nodes[name].config.group.lower()


def _ip(site: Site, value: str) -> Test:
    nodes = site.nodes
    return lambda name: name in nodes and str(nodes[name].config.ip or "").startswith(value)


def _mac(site: Site, value: str) -> Test:
    digits, nodes = _NOT_HEX.sub("", value), site.nodes

    def test(name: str) -> bool:
        mac = nodes[name].config.mac or "" if name in nodes else name
        return digits in _NOT_HEX.sub("", mac)

    return test


FIELDS: Mapping[str, Callable[[Site, str], Test]] = {
    "": _text,
    "st": _state,
    "root": _root,
    "group": _group,
    "mac": _mac,
    "ip": _ip,
}
"""Field → whether a row has a value in it; the empty field is plain text."""


@once_per(lambda site: (site.nodes, site.broken, site.strays))
def _texts(site: Site) -> Mapping[str, str]:
    rows = {name: _words_of(node) for name, node in site.nodes.items()}
    others = (*site.broken, *(s.path for s in site.strays))
    return rows | {name: name.lower() for name in others}


def _words_of(node: Node) -> str:
    c = node.config
    parts = (c.name, c.hostname, c.mac or "", str(c.ip or ""), c.group, c.notes)
    return " ".join(parts).lower()
