"""What was deleted, as lines; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.engine.model.trashed import image_of, told
from sbctui.format import Line

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site, Trashed

_TAIL = 30
_DAY = 86400.0


def shown(entry: Trashed) -> str:
    """What was deleted, as people knew it."""
    return clean(entry.config.hostname) if entry.config else told(entry)


def kind(entry: Trashed) -> str:
    """A root, a leaf, an image, what was no node, or what can't be read."""
    if entry.config is not None:
        return entry.config.kind
    if image_of(entry):
        return "image"
    return "stray" if entry.origin else "?"


def left(site: Site, entry: Trashed) -> float:
    """Seconds until it goes by itself."""
    days = site.settings.trash_days
    return max(0.0, entry.deleted.timestamp() + days * _DAY - site.facts.now)


def head(width: int) -> Line:
    """The column names."""
    return ((_columns("NAME", "ROOT", width), "dim"), ("KIND   SIZE  GONE SINCE  LEFT", "dim"))


def line(site: Site, all_: Sequence[Trashed], width: int) -> Line:
    """One entry: its name, its root, its kind and size, since when it is here and for how long.

    ``all_`` is it, and what went with it.
    """
    entry = all_[0]
    root = (entry.config.parent or "") if entry.config else ""
    tail = f"{kind(entry):<5}{fmt.size(sum(one.allocated for one in all_)):>6}  "
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
    if not root:
        return f"{_short(name, room - 1):<{room}}"
    first = room * 3 // 5
    return f"{_short(name, first - 1):<{first}}{fmt.cut(root, room - first - 1):<{room - first}}"


def _short(name: str, room: int) -> str:
    """Cut at its beginning where it is a place: what tells one from another stands at its end."""
    if len(name) <= room or "/" not in name:
        return fmt.cut(name, room)
    return f"~{name[1 - room :]}"


def about(site: Site, all_: Sequence[Trashed]) -> list[Line]:
    """All about one entry, and what went with it."""
    entry, *beside = all_
    config, days = entry.config, site.settings.trash_days
    rows = [
        ("name", clean(entry.name)),
        ("alias", config.alias if config else ""),
        ("kind", {"stray": "no node", "?": "its config.json can't be read"}.get(
            kind(entry), kind(entry))),
        ("was in", clean(entry.origin) or f"nodes/{clean(entry.name)}"),
        ("is in", f"trash/{clean(entry.folder)}"),
        ("with it", ", ".join(clean(b.origin.removeprefix(entry.origin)) for b in beside)),
        ("root", (config.parent or "") if config else ""),
        ("MAC", (config.mac or "") if config else ""),
        ("address", str(config.ip or "") if config else ""),
        ("group", config.group if config else ""),
        ("notes", clean(config.notes) if config else ""),
        ("size", f"{fmt.size(sum(one.allocated for one in all_))} on disk"),
        ("deleted", f"{entry.deleted:%Y-%m-%d %H:%M:%S} UTC"),
        ("goes", f"by itself in {fmt.age(left(site, entry))}, after {days} days"),
    ]  # fmt: skip
    return [((f" {key:<9}", "dim"), (text, "")) for key, text in rows if text]
