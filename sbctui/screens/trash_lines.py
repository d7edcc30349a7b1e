"""What was deleted, as lines; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site, Trashed

_TAIL = 30
_DAY = 86400.0


def shown(entry: Trashed) -> str:
    """What was deleted, as people knew it."""
    return clean(entry.config.hostname if entry.config else entry.name)


def kind(entry: Trashed) -> str:
    """A root, a leaf, what was no node, or what can't be read."""
    if entry.config is not None:
        return entry.config.kind
    return "stray" if entry.origin else "?"


def left(site: Site, entry: Trashed) -> float:
    """Seconds until it goes by itself."""
    days = site.settings.trash_days
    return max(0.0, entry.deleted.timestamp() + days * _DAY - site.facts.now)


def head(width: int) -> Line:
    """The column names."""
    return ((_columns("NAME", "ROOT", width), "dim"), ("KIND   SIZE  GONE SINCE  LEFT", "dim"))


def line(site: Site, entry: Trashed, width: int) -> Line:
    """One entry: its name, its root, its kind and size, since when it is here and for how long."""
    root = (entry.config.parent or "") if entry.config else ""
    tail = f"{kind(entry):<5}{fmt.size(entry.allocated):>6}  "
    tail += f"{fmt.age(site.facts.now - entry.deleted.timestamp()):>10}"
    remains = left(site, entry)
    soon = "warn" if remains < _DAY else "dim"
    return (
        (_columns(shown(entry), clean(root), width), ""),
        (tail, "dim"),
        (f"  {fmt.age(remains):>4}" + ("!" if remains < _DAY else ""), soon),
    )


def _columns(name: str, root: str, width: int) -> str:
    room = max(10, width - _TAIL)
    first = room * 3 // 5
    return f"{fmt.cut(name, first - 1):<{first}}{fmt.cut(root, room - first - 1):<{room - first}}"


def about(site: Site, entry: Trashed) -> list[Line]:
    """All about one entry."""
    config, days = entry.config, site.settings.trash_days
    rows = [
        ("name", clean(entry.name)),
        ("alias", config.alias if config else ""),
        ("kind", {"stray": "no node", "?": "its config.json can't be read"}.get(
            kind(entry), kind(entry))),
        ("was in", clean(entry.origin) or f"nodes/{clean(entry.name)}"),
        ("is in", f"trash/{clean(entry.folder)}"),
        ("root", (config.parent or "") if config else ""),
        ("MAC", (config.mac or "") if config else ""),
        ("address", str(config.ip or "") if config else ""),
        ("group", config.group if config else ""),
        ("notes", clean(config.notes) if config else ""),
        ("size", f"{fmt.size(entry.allocated)} on disk"),
        ("deleted", f"{entry.deleted:%Y-%m-%d %H:%M:%S} UTC"),
        ("goes", f"by itself in {fmt.age(left(site, entry))}, after {days} days"),
    ]  # fmt: skip
    return [((f" {key:<9}", "dim"), (text, "")) for key, text in rows if text]
