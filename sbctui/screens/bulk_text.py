"""The editor of bulk creation, its sums, and what of a report goes back into it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from sbctui import format as fmt
from sbctui.engine import rules
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.making import clone_bytes

if TYPE_CHECKING:
    from sbctui.engine.model.requests import LeafSpec
    from sbctui.engine.model.site import Site
    from sbctui.engine.plan import Report


class Editor(TextArea):
    """The text. Enter on an empty line asks for the plan."""

    class Ready(Message):
        """The admin is done with the list."""

    async def _on_key(self, event: events.Key) -> None:
        row, _ = self.cursor_location
        if event.key == "enter" and self.text.strip() and not self.document.get_line(row).strip():
            event.stop()
            event.prevent_default()
            self.post_message(self.Ready())
            return
        await super()._on_key(event)


def failures(report: Report, specs: dict[str, LeafSpec]) -> Iterable[tuple[str, str]]:
    """MAC and reason of every leaf asked for that was not made."""
    for result in (*report.of("failed"), *report.of("skipped")):
        mac = result.node.replace("-", ":")
        if mac in specs:
            yield mac, result.error or "skipped"
    if report.error:
        yield from ((mac, report.error) for mac in specs)


def as_line(leaf: LeafSpec) -> str:
    """A leaf as a line of the editor."""
    return ",".join((leaf.mac, leaf.alias, leaf.group)).rstrip(",")


def refusal(site: Site, root: str) -> str:
    """Why no leaves can be made of a root; empty when they can."""
    if not root:
        return "name the root the leaves are made of"
    if root not in site.nodes:
        return f"there is no root {clean(root)}"
    return rules.can_create_leaves(site, root) or ""


def bytes_needed(site: Site, root: str, count: int) -> str:
    """What so many leaves of a root take at once and at worst, beside what is free."""
    node = site.nodes[root]
    now, worst = count * clone_bytes(site, node), count * node.config.disk.size
    free = fmt.size(site.facts.free_bytes)
    return f" | needs {fmt.size(now)} now, {fmt.size(worst)} at worst, {free} free"
