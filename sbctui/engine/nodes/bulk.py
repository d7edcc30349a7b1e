"""Many boards from one text: a list, a range or CSV → one verdict per line, in order.

Pure. A line is ``MAC[,alias[,group]]``; commas, semicolons, tabs and blanks separate. The MAC
may hold one range of hex digits, ``dc:a6:32:00:00:[01-28]`` (that is 40 boards: MACs count in
hex), and then the alias may hold one of as many numbers, ``pi-{01..40}``. Blank lines and lines
that begin with ``#`` stand for nothing. A heading with ``MAC`` in it says which columns the lines
below it have, in any order; columns of other names are passed over. The lists that come with a
repository's images have the boards' addresses as well.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sbctui.engine import rules
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import (
    dashed,
    parse_alias,
    parse_group,
    parse_ip,
    parse_mac,
    shown,
)
from sbctui.engine.model.requests import LeafSpec
from sbctui.engine.model.site import Site

MOST = 4096
"""Boards that one range may stand for."""
_SEPARATOR = re.compile(r"[ \t]*[,;\t][ \t]*|[ \t]+")
_AROUND = ' \t"=\u00a0'
"""What spreadsheets put around a cell: quotes, and ``="…"`` for what is to stay text."""
_NUMBER = re.compile(r"[0-9][.,][0-9]+E\+[0-9]+", re.IGNORECASE)
_HEADS: Mapping[str, Sequence[str]] = {
    "mac": ("mac", "macaddress", "macaddr", "hwaddr", "hwaddress", "ethernet"),
    "alias": ("alias", "name", "host", "hostname"),
    "group": ("group",),
    "ip": ("ip",),
}
_MAYBE_HEAD = re.compile("mac|hw|ether|sep=", re.IGNORECASE)
_SEP = re.compile("sep=.?", re.IGNORECASE)
_JOINTS = re.compile(r"[:.-]")
_MAC_RANGE = re.compile(r"(.*)\[([0-9a-f]{1,4})-([0-9a-f]{1,4})\](.*)", re.IGNORECASE)
_NAME_RANGE = re.compile(r"(.*)\{([0-9]{1,4})\.\.([0-9]{1,4})\}(.*)")


@dataclass(frozen=True, slots=True)
class LineVerdict:
    """One line: its number from 1, its text, and the leaves it asks for when it is ``ok``.

    ``message`` is the shown name or count when ok, and the reason in words when ``bad``.
    ``there`` asks for leaves the root has already, ``blank`` for nothing; neither is a fault.
    """

    line: int
    text: str
    kind: Literal["ok", "there", "bad", "blank"]
    message: str = ""
    leaves: tuple[LeafSpec, ...] = ()


@dataclass
class _Known:
    """Who has a MAC or a host name already: in the site, or on an earlier line."""

    site: Site
    names: dict[str, str]
    children: Mapping[str, str]
    lines: dict[str, int] = field(default_factory=dict)

    def there(self, leaf: LeafSpec) -> bool:
        return self.children.get(leaf.mac) in self.site.nodes

    def refuse(self, leaf: LeafSpec) -> None:
        for key, label in ((leaf.mac, leaf.mac), (leaf.alias, f"name {leaf.alias}")):
            if key and key in self.lines:
                raise BadInput(f"{label}: dup of line {self.lines[key]}")
        if leaf.mac in self.children:
            return
        folder = dashed(leaf.mac)
        owner = next(iter(self.site.by_mac.get(leaf.mac, ())), None)
        if owner is not None:
            raise BadInput(f"{leaf.mac}: taken by {self.site.nodes[owner].config.hostname}")
        reason = rules.free_mac(self.site, leaf.mac) or rules.free_name(self.site, folder)
        if reason:
            raise BadInput(reason)
        if leaf.alias and leaf.alias in self.names:
            raise BadInput(f"name {leaf.alias}: taken by {self.names[leaf.alias]}")

    def add(self, leaf: LeafSpec, line: int) -> None:
        self.lines[leaf.mac] = line
        if leaf.alias:
            self.lines[leaf.alias] = line


@dataclass(frozen=True, slots=True)
class _Columns:
    """How the cells of a line are told apart, and which of them is what; -1 where it has none."""

    separator: str = ""
    mac: int = 0
    alias: int = 1
    group: int = 2
    ip: int = -1

    def cells(self, text: str) -> list[str]:
        """MAC, alias, group; a line that no heading tells about keeps all it has."""
        if not self.separator or self.separator not in text:
            return [cell.strip(_AROUND) for cell in _SEPARATOR.split(text.strip())]
        cells = [cell.strip(_AROUND) for cell in _split(text, self.separator)]
        wanted = (self.mac, self.alias, self.group)
        return [cells[at] if 0 <= at < len(cells) else "" for at in wanted]

    def address(self, text: str) -> str:
        """The address; empty without a column for it."""
        cells = _split(text, self.separator) if self.separator else []
        return cells[self.ip].strip(_AROUND) if 0 <= self.ip < len(cells) else ""


def parse_bulk(
    text: str, site: Site, root: str = "", *, addresses: bool = False
) -> tuple[LineVerdict, ...]:
    """One verdict per line of ``text``, against one snapshot of the site.

    ``root`` is the root the leaves are for, when known: what it has already is no fault.
    With ``addresses`` a column ``ip`` counts too.
    Never raises: what is wrong with a line is its verdict, and holds up that line only.
    """
    names = {n.config.hostname: name for name, n in site.nodes.items()}
    children = site.nodes[root].config.children if root in site.nodes else {}
    known = _Known(site, names | {name: name for name in site.broken}, children)
    columns = _Columns()
    verdicts: list[LineVerdict] = []
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines, 1):
        heading = _heading(line)
        if heading is not None:
            columns = heading
            verdicts.append(LineVerdict(number, line, "blank", "a heading"))
        else:
            found = _verdict(number, line, columns.cells(line), known)
            verdicts.append(_addressed(found, columns.address(line)) if addresses else found)
    return tuple(verdicts)


def _addressed(verdict: LineVerdict, text: str) -> LineVerdict:
    """The same with the address of its board."""
    if not text or len(verdict.leaves) != 1:
        return verdict
    try:
        leaf = verdict.leaves[0].model_copy(update={"ip": parse_ip(text)})
    except BadInput as error:
        return LineVerdict(verdict.line, verdict.text, "bad", str(error))
    return replace(verdict, leaves=(leaf,))


def _heading(line: str) -> _Columns | None:
    """What a heading says of the lines below it; None for any other line."""
    if not _MAYBE_HEAD.search(line):
        return None
    if _SEP.fullmatch(line.strip(_AROUND)):
        return _Columns()
    separator = next((c for c in "\t;," if c in line), " ")
    names = [re.sub("[^a-z]", "", cell.lower()) for cell in _split(line, separator)]
    at = {
        what: next((i for i, name in enumerate(names) if name in heads), -1)
        for what, heads in _HEADS.items()
    }
    if at["mac"] < 0:
        return None
    return _Columns("" if separator == " " else separator, **at)


def _split(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return line.split(separator)


def _verdict(number: int, text: str, cells: list[str], known: _Known) -> LineVerdict:
    first = cells[0]
    if (not first and not any(cells)) or first.startswith("#"):
        return LineVerdict(number, text, "blank")
    leaves: tuple[LeafSpec, ...] = ()
    try:
        leaves = _leaves(cells)
        for leaf in leaves:
            known.refuse(leaf)
    except BadInput as error:
        message = str(error).removeprefix(shown(first)).strip().removeprefix("is ")
        if len(leaves) == 1:
            message = message.removeprefix(f"{leaves[0].mac}: ")
        return LineVerdict(number, text, "bad", message)
    for leaf in leaves:
        known.add(leaf, number)
    if all(known.there(leaf) for leaf in leaves):
        return LineVerdict(number, text, "there", f"already: {_named(leaves)}", leaves)
    return LineVerdict(number, text, "ok", _named(leaves), leaves)


def _leaves(fields: list[str]) -> tuple[LeafSpec, ...]:
    first, alias, group, *more = [*fields, "", ""][: max(3, len(fields))]
    if not first:
        raise BadInput("there is no MAC in its column")
    if _NUMBER.fullmatch(first):
        raise BadInput("a spreadsheet made a number of it; format that column as text")
    if any(more):
        raise BadInput(f"{len(fields)} fields; a line is MAC,alias,group")
    macs = _spread(_MAC_RANGE, first, 16)
    if macs != [first]:
        macs = [_JOINTS.sub("", mac) for mac in macs]
    aliases = _spread(_NAME_RANGE, alias, 10) if alias else [""] * len(macs)
    if len(aliases) != len(macs):
        raise BadInput(f"{len(aliases)} names for {len(macs)} boards; give as many of both")
    group = parse_group(group)
    pairs = zip(macs, aliases, strict=True)
    return tuple(LeafSpec(mac=parse_mac(m), alias=parse_alias(a), group=group) for m, a in pairs)


def _spread(pattern: re.Pattern[str], text: str, base: int) -> list[str]:
    match = pattern.fullmatch(text)
    if not match:
        return [text]
    before, low, high, after = match.groups()
    first, last = int(low, base), int(high, base)
    if last < first or len(low) != len(high):
        raise BadInput(f"the range {low} to {high} runs backwards or changes its width")
    if last - first >= MOST:
        raise BadInput(f"a range of {last - first + 1}; the most is {MOST}")
    write: Callable[[int], str] = (lambda n: f"{n:x}") if base == 16 else str
    return [before + write(n).zfill(len(low)) + after for n in range(first, last + 1)]


def _named(leaves: tuple[LeafSpec, ...]) -> str:
    names = [leaf.alias or "sbc-" + leaf.mac.replace(":", "")[-6:] for leaf in leaves]
    return names[0] if len(names) == 1 else f"{len(names)} boards, {names[0]} to {names[-1]}"
