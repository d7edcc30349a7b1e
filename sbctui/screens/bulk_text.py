"""The editor of bulk creation, what its text means, and what of a report goes back into it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from sbctui import format as fmt
from sbctui.engine import rules
from sbctui.engine.errors import BadInput, Refused
from sbctui.engine.model.addresses import dashed, parse_group
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.addressing import Addresses
from sbctui.engine.nodes.bulk import LineVerdict, parse_bulk
from sbctui.engine.nodes.making import clone_bytes
from sbctui.format import Line

if TYPE_CHECKING:
    from sbctui.engine.model.requests import LeafSpec
    from sbctui.engine.model.site import Site
    from sbctui.engine.plan import Report


class Editor(TextArea):
    """The text. Enter on an empty line asks for the plan."""

    class Ready(Message):
        """The admin is done with the list."""

    @property
    def hint(self) -> str:
        """What a line may be, and how often Enter must be pressed for the plan."""
        enter = "Enter: plan" if self._at_end() else "Enter twice: plan"
        return f" MAC[,alias[,group]] or dc:a6:32:00:00:[01-28]; {enter} "

    def _at_end(self) -> bool:
        row, _ = self.cursor_location
        return bool(self.text.strip()) and not self.document.get_line(row).strip()

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter" and self._at_end():
            event.stop()
            event.prevent_default()
            self.post_message(self.Ready())

    def add(self, text: str) -> None:
        """Put lines below what is there, and the cursor behind them."""
        end = self.document.end
        lead = "\n" if self.document.get_line(end[0]).strip() else ""
        self.insert(lead + text.rstrip("\n") + "\n", end)
        self.move_cursor(self.document.end)


@dataclass(frozen=True)
class Judged:
    """What a text means on one snapshot. ``refused`` says why no leaf of it can be made.

    ``ends`` tells the first and the last address that the leaves get.
    """

    verdicts: tuple[LineVerdict, ...] = ()
    wanted: tuple[LeafSpec, ...] = ()
    refused: str = ""
    sums: str = ""
    ends: str = ""

    def count(self, kind: str) -> int:
        """How many lines are of a kind."""
        return sum(1 for v in self.verdicts if v.kind == kind)


def judge(site: Site, text: str, root: str, group: str, network: str = "") -> Judged:
    """A verdict per line, and what all that are right come to. Reads nothing but the site."""
    verdicts = parse_bulk(text, site, root)
    refused = refusal(site, root) or _bad_group(group)
    found = (leaf for v in verdicts if v.kind == "ok" for leaf in v.leaves)
    wanted = tuple(
        leaf if leaf.group or refused or not group else leaf.model_copy(update={"group": group})
        for leaf in found
    )
    if refused:
        return Judged(verdicts, wanted, refused)
    sums = bytes_needed(site, root, len(wanted))
    return Judged(verdicts, wanted, "", sums, _ends(site, wanted, network))


def _bad_group(group: str) -> str:
    try:
        parse_group(group)
    except BadInput as error:
        return f"group: {error}"
    return ""


def _ends(site: Site, wanted: tuple[LeafSpec, ...], network: str) -> str:
    if not wanted or site.settings.network.subnet is None:
        return "" if not wanted else "no subnet yet: no addresses"
    addresses = Addresses(site, network)
    try:
        given = [addresses.choose(leaf.alias).ip for leaf in wanted]
    except Refused as error:
        return f"! {error}"
    first, last = _name(wanted[0]), _name(wanted[-1])
    if len(wanted) == 1:
        return f"{first} gets {given[0]}"
    return f"{first} gets {given[0]} ... {last} gets {given[-1]}"


def _name(leaf: LeafSpec) -> str:
    return leaf.alias or "sbc-" + dashed(leaf.mac).replace("-", "")[-6:]


def verdict_line(verdict: LineVerdict, failed: dict[str, str]) -> Line:
    """One line's verdict; ``failed`` maps MACs of an earlier run to what went wrong."""
    reasons = (failed.get(leaf.mac) for leaf in verdict.leaves)
    reason = next((r for r in reasons if r), "")
    if reason:
        return (("retry ", "warn"), (clean(reason), ""))
    tone = {"ok": "good", "bad": "bad"}.get(verdict.kind, "dim")
    sign = {"ok": "ok    ", "bad": "! bad ", "there": "there "}.get(verdict.kind, "")
    return ((sign, tone), (clean(verdict.message), "" if verdict.kind == "ok" else tone))


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
    return f" | {root} | needs {fmt.size(now)} now, {fmt.size(worst)} at worst, free {free}"
