"""Templates of boot files: plain text with ``{{name}}`` for a fixed list of values.

Nothing in a template is executed here; what a board's firmware makes of it is the admin's
business. His own stand in the site's ``templates/`` folder; of those that fit a node the one
nearest to it is used: of the leaf, of its group, of its root, of the site, else the built-in one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sbctui.engine.boot.defaults import DEFAULTS
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.text import clean

FOLDER = "templates"
"""Where the admin may put his own, relative to the site."""
BUILT_IN = "built-in"
"""The origin of a template that ships with the program."""

Overrides = Mapping[str, str]
"""The admin's templates: path inside ``templates/`` → text."""

MEANING: Mapping[str, str] = {
    "name": "the node's name",
    "hostname": "the board's host name",
    "mac": "its MAC with colons",
    "ip": "its address",
    "server": "this server's address",
    "port": "the NBD port",
    "http": "where these files are by HTTP, as http://10.77.0.1; empty when that is off",
    "export": "the NBD export",
    "arguments": "the whole kernel command line",
    "kernel": "the kernel's file",
    "initramfs": "the initramfs' file",
    "dtbs": "the folder of device trees, empty when there is none",
    "boot": "U-Boot's command for this kind of kernel: booti or bootz",
}
"""Every placeholder and what stands there afterwards."""
OWN_MEANING: Mapping[str, Mapping[str, str]] = {
    name: {"default": "what stands in this file when there is no template for it"}
    for name in ("config.txt", "cmdline.txt")
}
"""Placeholders that only one template has."""

_PLACEHOLDER = re.compile(r"\{\{(?P<name>.*?)\}\}|\{\{", re.DOTALL)
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffd]")
_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Template:
    """One template: the file it is for, its text, and where that came from."""

    name: str
    text: str
    origin: str = BUILT_IN

    @property
    def is_own(self) -> bool:
        """Whether the admin wrote it."""
        return self.origin != BUILT_IN


def places(config: NodeConfig, name: str) -> Iterator[str]:
    """Where a template for a node may stand inside ``templates/``, the nearest to it first."""
    if config.kind == "leaf":
        yield f"leaves/{config.name}/{name}"
    if config.group:
        yield f"groups/{config.group}/{name}"
    root = config.parent if config.kind == "leaf" else config.name
    if root:
        yield f"roots/{root}/{name}"
    yield name


def is_place(path: str) -> bool:
    """Whether a path inside ``templates/`` is one that is ever looked at."""
    *folder, name = path.split("/")
    levels = not folder or (len(folder) == 2 and folder[0] in LEVELS)
    return name in DEFAULTS and levels


LEVELS = ("roots", "groups", "leaves")
"""The folders in ``templates/`` for what is nearer than the site."""


def chosen(overrides: Overrides, config: NodeConfig, name: str) -> Template:
    """The template that counts for a node's file. KeyError for a name that has none."""
    for place in places(config, name) if overrides else ():
        if place in overrides:
            return Template(name, overrides[place], f"{FOLDER}/{place}")
    return Template(name, DEFAULTS[name])


def check_all(overrides: Overrides) -> None:
    """Raises BadInput for the first of the admin's templates that can't be used."""
    for path, text in sorted(overrides.items()):
        check(Template(path.rpartition("/")[2], text, f"{FOLDER}/{path}"))


def check(template: Template) -> tuple[str, ...]:
    """The placeholders of a template, in the order of their first use.

    Raises BadInput, with line and column, naming one that there is not, and for what is no text,
    over 64 KiB, or (on a Raspberry Pi's command line) more than one line.
    """
    return placeholders(template, (*MEANING, *OWN_MEANING.get(template.name, {})))


@lru_cache(maxsize=256)
def placeholders(template: Template, known: tuple[str, ...]) -> tuple[str, ...]:
    """The same for a template that may have these placeholders. Raises BadInput."""
    text = _unix(template.text)
    if len(text) > _MOST:
        raise _bad(template, None, f"it is longer than {_MOST // 1024} KiB")
    if odd := _NO_TEXT.search(text):
        why = f"{clean(odd[0])!r} stands there; write it as plain UTF-8 text or remove it"
        raise _bad(template, odd.start(), why)
    used: dict[str, None] = {}
    for match in _PLACEHOLDER.finditer(text):
        if match["name"] is None:
            raise _bad(template, match.start(), "'{{' is never closed; write '}}' after the name")
        name = match["name"].strip()
        if name not in known:
            there = ", ".join(known)
            raise _bad(
                template, match.start(), f"{shown(name)} is no placeholder; there are {there}"
            )
        used[name] = None
    if template.name == "cmdline.txt" and "\n" in text.rstrip("\n"):
        why = "a Raspberry Pi reads one line only; write all words on the first"
        raise _bad(template, text.index("\n") + 1, why)
    return tuple(used)


def expand(template: Template, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled in. Values are not looked at again."""
    literals, names = _parts(template.text)
    filled = [values[name] for name in names]
    return "".join([part for pair in zip(literals, [*filled, ""], strict=True) for part in pair])


@lru_cache(maxsize=256)
def _parts(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What stands around the placeholders, and their names: one fewer."""
    parts = _PLACEHOLDER.split(_unix(text))
    return tuple(parts[::2]), tuple(name.strip() for name in parts[1::2])


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def _bad(template: Template, at: int | None, why: str) -> BadInput:
    if at is None:
        return BadInput(f"{clean(template.origin)}: {why}")
    before = _unix(template.text)[:at]
    line, column = before.count("\n") + 1, at - (before.rfind("\n") + 1) + 1
    return BadInput(f"{clean(template.origin)}, line {line}, column {column}: {why}")
