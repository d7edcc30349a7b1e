"""How a check says what it found: one builder, one place where outside text is cleaned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding, Group
from sbctui.engine.model.site import Node, Site
from sbctui.engine.model.text import clean
from sbctui.engine.plan import Action, Unit

Check = Callable[[Site, Drift], Iterator[Finding]]
"""Looks at a site for one kind of disagreement; pure."""


_NOTHING = "it is about no single thing that could be moved to the trash"


def finding(
    check: str,
    group: Group,
    subject: str,
    title: str,
    why: str,
    *,
    proof: str = "",
    bytes: int = 0,
    since: float = 0.0,
    nodes: Iterable[str] = (),
    unfixable: str = "",
) -> Finding:
    """A finding without a fix; every text is cleaned here."""
    shown = clean(subject)
    return Finding(
        id=f"{check}:{shown}",
        group=group,
        subject=shown,
        title=clean(title),
        why=clean(why),
        proof=clean(proof),
        bytes=bytes,
        since=since,
        nodes=tuple(nodes),
        unfixable=clean(unfixable),
        untrashable=_NOTHING,
    )


def fixed(found: Finding, title: str, *actions: Action, node: str = "", safe: bool) -> Finding:
    """The same finding with the unit that mends it."""
    unit = Unit(title=clean(title), node=node, actions=actions)
    return found.model_copy(update={"fix": unit, "fix_title": unit.title, "safe": safe})


def trashable(
    found: Finding, title: str, *actions: Action, node: str = "", fix: bool = False
) -> Finding:
    """The same finding with the unit that moves what it is about to the trash.

    With ``fix`` that is also what mends it.
    """
    unit = Unit(title=clean(title), node=node, actions=actions)
    with_it = found.model_copy(update={"trash": unit, "untrashable": ""})
    return fixed(with_it, title, *actions, node=node, safe=False) if fix else with_it


def allocated(node: Node) -> int:
    """Bytes that a node's disk takes, 0 when it has none."""
    return node.disk.allocated if node.disk else 0


def changed(node: Node) -> float:
    """When a node's config was last written, in epoch seconds."""
    return node.stamp.mtime_ns / 1e9


def config_path(name: str) -> str:
    """Where a node's config is, relative to the site."""
    return f"nodes/{name}/config.json"
