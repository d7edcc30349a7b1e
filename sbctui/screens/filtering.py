"""The filter's language: words that must occur, ``!word`` that must not, ``st:`` and ``root:``."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from sbctui.screens.home_lines import board, word

if TYPE_CHECKING:
    from sbctui.engine.model.site import Node, Site


def passing(site: Site, query: str) -> frozenset[str] | None:
    """Names of nodes, paths and MACs that a filter lets through; None when it is empty."""
    terms = query.lower().split()
    if not terms:
        return None
    plain = [t for t in terms if ":" not in t.strip("!") or not _field(t)]
    names = [n for n, text in _texts(site) if _all_in(plain, text)]
    fields = [t for t in terms if t not in plain]
    return frozenset(n for n in names if all(_has(site, n, t) for t in fields))


def _field(term: str) -> bool:
    return term.lstrip("!").partition(":")[0] in ("st", "root", "group")


def _all_in(terms: list[str], text: str) -> bool:
    return all((t[1:] not in text) if t.startswith("!") and t[1:] else t in text for t in terms)


def _has(site: Site, name: str, term: str) -> bool:
    kind, _, value = term.lstrip("!").partition(":")
    return (value in _value(site, name, kind)) != term.startswith("!")


def _value(site: Site, name: str, kind: str) -> str:
    node = site.nodes.get(name)
    if kind == "root":
        return " ".join(site.listed_by.get(name, ())) or name
    if node is None:
        return {"st": "broken" if name in site.broken else "ask"}.get(kind, "")
    if kind == "group":
        return node.config.group
    return f"{word(site, name)} {board(site, node)} {site.state(name).value}"


def _texts(site: Site) -> tuple[tuple[str, str], ...]:
    strays = tuple(s.path for s in site.strays)
    return _haystack(_Held(site.nodes), tuple(site.broken), strays) + tuple(
        (s.mac, f"{s.mac} {s.vendor_class}".lower()) for s in site.facts.seen
    )


class _Held:
    """A mapping that can be a cache's key, by identity: snapshots share it while it holds."""

    def __init__(self, nodes: object) -> None:
        self.nodes = nodes

    def __hash__(self) -> int:
        return id(self.nodes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.nodes is self.nodes


@lru_cache(2)
def _haystack(
    held: _Held, broken: tuple[str, ...], strays: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    nodes: dict[str, Node] = held.nodes  # type: ignore[assignment]
    rows = [(name, _text(node)) for name, node in nodes.items()]
    return (*rows, *((n, n.lower()) for n in (*broken, *strays)))


def _text(node: Node) -> str:
    c = node.config
    parts = (c.name, c.hostname, c.mac or "", str(c.ip or ""), c.group, c.notes)
    return " ".join(parts).lower()
