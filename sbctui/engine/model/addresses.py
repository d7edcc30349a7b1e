"""Names, MACs, addresses and sizes: parsed once at the border, one form inside.

Every function either returns the one stored form or raises ``BadInput`` with a sentence
that names the input and the remedy. What these types let through can hold no newline, comma,
slash or quote, so it may be written into any configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from sbctui.engine.errors import BadInput
from sbctui.engine.model.text import clean

_MAC_FORMS = re.compile(
    r"(?:[0-9a-f]{12}|[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}"
    r"|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})"
)
_STORED = re.compile(r"(?!00(?::00){5})[0-9a-f][02468ace](?::[0-9a-f]{2}){5}")
"""A MAC in its stored form: six pairs, no multicast, not zero."""
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SIZE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,6}))?\s*([kmgtp]?)(i?b?)", re.ASCII)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_DASHED = len("dc-a6-32-01-02-03")
_SHOWN = 60
MAX_SIZE = 64 * 1024**4
"""Largest disk accepted, in bytes (64 TiB)."""


def shown(text: str) -> str:
    """The input as it may stand in a message: cleaned, quoted, cut to a readable length."""
    safe = clean(text)
    return f"{safe[:_SHOWN]!r}…" if len(safe) > _SHOWN else repr(safe)


@lru_cache(maxsize=1 << 16)
def parse_mac(text: str) -> str:
    """A MAC in any common notation → ``dc:a6:32:01:02:03``. Remembered: sites ask again."""
    if _STORED.fullmatch(text):
        return text
    bare = text.strip().lower()
    if not _MAC_FORMS.fullmatch(bare):
        digits = sum(c in "0123456789abcdef" for c in bare)
        hint = f"{digits} hex digits" if digits != 12 else "unknown notation"
        raise BadInput(f"{shown(text)} is not a MAC ({hint}); write it as dc:a6:32:01:02:03")
    flat = re.sub(r"[:.-]", "", bare)
    if flat in ("0" * 12, "f" * 12):
        raise BadInput(f"{shown(text)} is no board's MAC; give the address printed on the board")
    if int(flat[1], 16) & 1:
        raise BadInput(f"{shown(text)} is a multicast MAC; give the board's own address")
    return ":".join(flat[i : i + 2] for i in range(0, 12, 2))


def dashed(mac: str) -> str:
    """``dc:a6:…`` → ``dc-a6-…``: folder, export and TFTP name of a leaf."""
    return mac.replace(":", "-")


def undashed(name: str) -> str | None:
    """The MAC a folder name stands for, or None when it is no dashed MAC."""
    if len(name) != _DASHED:
        return None
    try:
        mac = parse_mac(name)
    except BadInput:
        return None
    return mac if dashed(mac) == name else None


@lru_cache(maxsize=1 << 16)
def parse_name(text: str) -> str:
    """A root's name: one host-name label (RFC 1123), so that it can be the host name too."""
    if not _LABEL.fullmatch(text):
        raise BadInput(
            f"{shown(text)} can't be a name; use 1 to 63 of a-z, 0-9 and '-', "
            "with a letter or digit first and last"
        )
    if undashed(text) is not None:
        raise BadInput(f"{shown(text)} is a MAC; a root wants a name of its own")
    return text


def parse_alias(text: str) -> str:
    """A leaf's shown name, same alphabet as a root's name; empty means none."""
    return parse_name(text) if text else ""


def parse_group(text: str) -> str:
    """A group's name; empty means none."""
    return parse_name(text) if text else ""


def parse_ip(text: str) -> IPv4Address:
    """An IPv4 address in dotted form."""
    try:
        return IPv4Address(text.strip())
    except ValueError:
        raise BadInput(f"{shown(text)} is not an IPv4 address; write it as 10.77.0.60") from None


def parse_network(text: str) -> IPv4Network:
    """A subnet in CIDR form, host bits zero, at most /30."""
    try:
        network = IPv4Network(text.strip())
    except ValueError:
        raise BadInput(f"{shown(text)} is not a subnet; write it as 10.77.0.0/24") from None
    if not 8 <= network.prefixlen <= 30:
        raise BadInput(f"{shown(text)} is no lab's subnet; use a prefix from /8 to /30")
    return network


def parse_size(text: str) -> int:
    """``2G`` → bytes. Bare K, M, G, T, P are binary, as in truncate and qemu-img.

    ``GB`` is decimal (10^9), ``GiB`` binary. At least 1 MiB, at most ``MAX_SIZE``.
    """
    match = _SIZE.fullmatch(text.strip().lower())
    if not match:
        raise BadInput(f"{shown(text)} is not a size; write it as 2G, 512M or a number of bytes")
    whole, fraction, unit, suffix = match.groups()
    step = 1000 if suffix == "b" and unit else 1024
    factor = int(step ** _UNITS[unit])
    value = int(whole) * factor
    if fraction:
        value += int(fraction) * factor // 10 ** len(fraction)
    if value < 1024**2:
        raise BadInput(f"{shown(text)} is too small for a disk; give at least 1M")
    if value > MAX_SIZE:
        raise BadInput(f"{shown(text)} is too large for a disk; give at most 64T")
    return value


def quietly(parse: Callable[[str], str]) -> Callable[[str], str]:
    """A parser as a model's validator: pydantic wants ValueError, ``BadInput`` has the sentence."""

    def validate(value: str) -> str:
        try:
            return parse(value)
        except BadInput as error:
            raise ValueError(str(error)) from None

    return validate


def _text(value: object) -> object:
    return value if isinstance(value, str) else str(value)


Mac = Annotated[str, AfterValidator(quietly(parse_mac))]
"""A MAC as a model's field: stored as ``dc:a6:32:01:02:03``."""
RootName = Annotated[str, AfterValidator(quietly(parse_name))]
"""A root's name as a model's field."""
Alias = Annotated[str, AfterValidator(quietly(parse_alias))]
"""A leaf's alias as a model's field; empty means none."""
Group = Annotated[str, AfterValidator(quietly(parse_group))]
"""A group's name as a model's field; empty means none."""
Ip = Annotated[IPv4Address, BeforeValidator(_text)]
"""An IPv4 address as a model's field."""
