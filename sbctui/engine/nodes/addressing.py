"""Which address a board gets: the four rules of S0.12, in order, and which one fired."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Address

from sbctui.engine import rules
from sbctui.engine.errors import Refused, against
from sbctui.engine.model.node import IpRule
from sbctui.engine.model.settings import Lot, Pool
from sbctui.engine.model.site import Site

_NUMBER = re.compile(r"[0-9]+$")


@dataclass(frozen=True, slots=True)
class Chosen:
    """An address, the rule that chose it, and what earlier rules had to say."""

    ip: IPv4Address
    rule: IpRule
    notes: tuple[str, ...] = ()

    def sentence(self, name: str) -> str:
        """The choice in words, for the plan."""
        how = {
            "explicit": "as given",
            "resolver": "the system resolver's answer for its name",
            "number": "the number at the end of its name, counted from the pool's start",
            "next": "the next free address of the pool",
        }[self.rule]
        return f"{name} gets {self.ip}: {how}"


@dataclass
class Addresses:
    """Hands out addresses of one site for one plan, never the same twice.

    ``network`` names the subnet they are of (``Network.lot``); empty for any that is asked for by
    address or by the resolver, and the first one's pool. Raises BadInput for one there is not.
    """

    site: Site
    network: str = ""
    given: set[IPv4Address] = field(default_factory=set)
    _next: int = 0

    def choose(
        self,
        name: str,
        *,
        explicit: IPv4Address | None = None,
        resolved: Iterable[IPv4Address] = (),
        but: str = "",
    ) -> Chosen:
        """The address for a root name or alias (empty: rules 1 and 4 only). Raises Refused."""
        with against("ip"):
            chosen = self._pick(name, explicit, resolved, but)
        self.given.add(chosen.ip)
        return chosen

    def _pick(
        self, name: str, explicit: IPv4Address | None, resolved: Iterable[IPv4Address], but: str
    ) -> Chosen:
        if explicit is not None:
            rules.require(self._why_not(explicit, but))
            return Chosen(explicit, "explicit")
        notes: list[str] = []
        for ip in resolved if name else ():
            if reason := self._why_not(ip, but):
                notes.append(f"the resolver's answer for {name} is passed over: {reason}")
            else:
                return Chosen(ip, "resolver", tuple(notes))
        numbered = self._numbered(name)
        if numbered is not None:
            if not (reason := self._outside(numbered) or self._why_not(numbered, but)):
                return Chosen(numbered, "number", tuple(notes))
            notes.append(f"the number in {name} can't be used: {reason}")
        return Chosen(self._next_free(but), "next", tuple(notes))

    def _why_not(self, ip: IPv4Address, but: str) -> str | None:
        if ip in self.given:
            return f"{ip} goes to another board of this plan"
        if self.network and ip not in self._lot.subnet:
            return f"{ip} is not in the network {self._lot.name} ({self._lot.subnet})"
        return rules.free_ip(self.site, ip, but=but)

    @cached_property
    def _lot(self) -> Lot:
        return self.site.settings.network.lot(self.network)

    @property
    def _pool(self) -> Pool | None:
        return self._lot.pool if self.site.settings.network.subnet is not None else None

    def _outside(self, ip: IPv4Address) -> str | None:
        pool = self._pool
        return None if pool and ip in pool else f"{ip} is past the end of the pool"

    @cached_property
    def _taken(self) -> frozenset[int]:
        """Addresses that nodes have, as numbers: cheap to pass over."""
        return frozenset(map(int, self.site.by_ip))

    def _numbered(self, name: str) -> IPv4Address | None:
        pool = self._pool
        match = _NUMBER.search(name)
        if not match or pool is None:
            return None
        number = int(match.group()[-9:])
        return pool.first + number if number < 2**24 else None

    def _no_pool(self) -> str:
        if not self.network or self._lot == self.site.settings.network.lots[0]:
            return "this site has no address pool; set one with: sbctui site init --pool A-B"
        return (
            f"the network {self._lot.name} has no address pool; write one into site.toml, below "
            f'its [[network.more]], as pool = {{first = "…", last = "…"}}, or give --ip'
        )

    def _next_free(self, but: str) -> IPv4Address:
        pool = self._pool
        if pool is None:
            raise Refused(self._no_pool())
        taken = self._taken
        first, last = int(pool.first), int(pool.last)
        while (number := first + self._next) <= last:
            if number not in taken:
                ip = IPv4Address(number)
                if self._why_not(ip, but) is None:
                    return ip
            self._next += 1
        raise Refused(f"the pool {pool.first}-{pool.last} is full; widen it in site.toml")
