"""What the actions of a plan do, in words and places; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sbctui import format as fmt
from sbctui.engine import plan as acts
from sbctui.engine.model.text import clean


def steps(plan: acts.Plan) -> list[str]:
    """Every action of a plan, in order; paths are relative to the site."""
    told = [_told(action) for unit in plan.units for action in unit.actions]
    return list(dict.fromkeys(told))


def _told(action: acts.Action) -> str:
    words = _WORDS.get(action.kind)
    return clean(words(action) if words else action.kind)


def _children(action: acts.SetChildren) -> str:
    parts = [*(f"+ {mac}" for mac in action.add), *(f"- {mac}" for mac in action.drop)]
    return f"nodes/{action.root}/config.json: children {' '.join(parts)}"


def _config(action: acts.UpdateConfig) -> str:
    changes = [
        f"{key} {_value(before)} -> {_value(after)}"
        for key in type(action.before).model_fields
        if (before := getattr(action.before, key)) != (after := getattr(action.after, key))
    ]
    return f"nodes/{action.name}/config.json: {', '.join(changes)}"


def _value(value: object) -> str:
    return str(value) if isinstance(value, str | int) and value else str(value or "none")


def _refresh(action: acts.RefreshServices) -> str:
    if not action.names:
        return "derive again what dnsmasq, TFTP and NBD read, of all nodes"
    more = f" and {len(action.names) - 1} more" if len(action.names) > 1 else ""
    return f"derive again what dnsmasq, TFTP and NBD read of {action.names[0]}{more}"


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "set-children": _children,
    "update-config": _config,
    "resize-disk": lambda a: f"nodes/{a.name}: grow the disk to {fmt.size(a.size)}",
    "withdraw-export": lambda a: (
        f"take the NBD export {a.export} away"
        + (", and its board's disk with it" if a.cut else "; not while a board has it open")
    ),
    "trash": lambda a: f"nodes/{a.name} -> trash/{a.folder}",
    "trash-stray": lambda a: f"{a.path} -> trash/{a.folder}",
    "restore": lambda a: f"trash/{a.folder} -> nodes/{a.name}",
    "restore-stray": lambda a: f"trash/{a.folder} -> {a.path}",
    "purge": lambda a: f"delete trash/{a.folder} for good",
    "drop-staging": lambda a: f"delete {a.path}",
    "refresh": _refresh,
}
