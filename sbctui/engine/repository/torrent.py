"""Images by torrent, through aria2: who has a part gives it to the others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from sbctui.engine import commands
from sbctui.engine.context import Context
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.distribution import Lab, Offer
from sbctui.engine.model.text import clean
from sbctui.engine.repository.aria2 import Aria2, running
from sbctui.engine.repository.mcastfile import channel
from sbctui.engine.repository.multicast import VERIFIED
from sbctui.engine.repository.reports import Ear, tell
from sbctui.engine.repository.torrentfile import Torrent

_LOOK = 0.5
"""Seconds between two looks at what aria2 does."""
_AGAIN = 10.0
"""Seconds without any peer after which the image is announced again."""
_SEED: Mapping[str, str] = {"bt-seed-unverified": "true", "check-integrity": "false"}
_FETCH: Mapping[str, str] = {"seed-time": "0"}
_MOST_TOLD = 16
"""So many seeders at most are told that an image is here."""


@dataclass
class Seeded:
    """An image that is offered; ``had`` is how much of it each receiver was seen to have."""

    path: Path
    torrent: Torrent
    ear: Ear
    number: str = ""
    had: dict[IPv4Address, int] = field(default_factory=dict)
    told: dict[IPv4Address, str] = field(default_factory=dict)

    @property
    def verified(self) -> int:
        """How many receivers have it, with the right hash."""
        return sum(outcome == VERIFIED for outcome in self.told.values())

    @property
    def bytes(self) -> int:
        """How much of it all receivers have together."""
        return sum(self.had.values())

    def outcome(self, address: IPv4Address) -> str:
        """What became of a receiver, or is becoming."""
        if address in self.told:
            return self.told[address]
        return f"{100 * self.had[address] // max(self.torrent.size, 1)} % of it"


def seed(images: Sequence[tuple[Path, Torrent]], receivers: int, lab: Lab, ctx: Context) -> None:
    """Offer images until stopped, or until ``receivers`` (if not 0) have each of them.

    ``ctx.found`` gets what became of each receiver of each image. Raises ServiceFailed, Refused
    when one is seeded from here already, ToolMissing.
    """
    seeded = [
        Seeded(path, torrent, ctx.holds.enter_context(_ear(torrent, lab)))
        for path, torrent in images
    ]
    report = ctx.progress("seeding")
    total = receivers * sum(one.torrent.size for one in seeded)
    last = -1
    with running(lab, ctx.log) as aria2:
        for one in seeded:
            one.number = aria2.add(one.torrent.to_bytes(), one.path, _SEED)
        ctx.say(f"seeding on {lab.address} ({lab.interface})")
        while not ctx.stop.wait(_LOOK):
            for one in seeded:
                _look(one, aria2, ctx)
            done = sum(one.bytes for one in seeded)
            if done != last:
                last = done
                report(min(done, total) if total else done, total)
            if receivers and all(one.verified >= receivers for one in seeded):
                break
    for one in seeded:
        told = {str(address): one.outcome(address) for address in one.had}
        many = len(seeded) > 1
        named = {f"{one.path.name} {who}" if many else who: how for who, how in told.items()}
        ctx.found.data.update(named)


def _ear(torrent: Torrent, lab: Lab) -> Ear:
    return Ear(lab.address, channel(torrent.sha256).seeded, torrent.sha256)


def _look(one: Seeded, aria2: Aria2, ctx: Context) -> None:
    status = aria2.call("tellStatus", one.number, ["status", "errorMessage"])
    if status.get("status") == "error":
        raise ServiceFailed(
            f"aria2 can't seed {one.path.name}: {clean(str(status.get('errorMessage')))}"
        )
    for peer in aria2.call("getPeers", one.number) or ():
        address = _address(peer)
        if address is None:
            continue
        if address not in one.had:
            ctx.say(f"{address} fetches {one.path.name}")
        one.had[address] = max(one.had.get(address, 0), _has(peer, one.torrent))
    for told in one.ear.hear():
        outcome = VERIFIED if told.verified else told.why or "its hash is wrong"
        if one.told.get(told.address) != outcome:
            ctx.say(f"{told.address}: {outcome}")
        one.told[told.address] = outcome
        one.had[told.address] = one.torrent.size if told.verified else 0


def _address(peer: Mapping[str, Any]) -> IPv4Address | None:
    try:
        return IPv4Address(str(peer.get("ip")))
    except AddressValueError:
        return None


def _has(peer: Mapping[str, Any], torrent: Torrent) -> int:
    """Bytes that a peer says it has."""
    try:
        pieces = int(str(peer.get("bitfield") or "0"), 16).bit_count()
    except ValueError:
        return 0
    return min(pieces * torrent.piece, torrent.size)


def receive(
    torrent: Torrent, part: Path, wait: int, lab: Lab, ctx: Context
) -> frozenset[IPv4Address]:
    """Receive an image to ``part``, going on with what is there; who was seen to have it whole.

    Raises ServiceFailed when nothing came for ``wait`` seconds, ToolMissing, Cancelled.
    """
    report, seeders = ctx.progress("receiving"), set[IPv4Address]()
    done, moved = -1, time.monotonic()
    announced = moved
    with running(lab, ctx.log) as aria2:
        number = aria2.add(torrent.to_bytes(), part, _FETCH)
        while True:
            commands.go_on(ctx.stop, "aria2c")
            status = aria2.call("tellStatus", number, _ASKED)
            now, here = time.monotonic(), int(status["completedLength"])
            if here != done:
                done, moved = here, now
                report(done, torrent.size)
            seeders |= _seeders(aria2, number)
            if _finished(status, torrent):
                return frozenset(seeders)
            if now - moved >= wait:
                raise ServiceFailed(
                    f"nothing came for {wait} s, {done} of {torrent.size} bytes are here; "
                    "is it seeded, on this network? see: sbctui repo seed"
                )
            if now - max(moved, announced) >= _AGAIN and status["connections"] == "0":
                announced = now
                _announce(aria2, number)
            ctx.stop.wait(_LOOK)


_ASKED = ["status", "completedLength", "connections", "errorMessage"]


def _finished(status: Mapping[str, Any], torrent: Torrent) -> bool:
    """Raises ServiceFailed for an error."""
    if status["status"] == "error":
        raise ServiceFailed(f"aria2 failed: {clean(str(status.get('errorMessage')))}")
    return status["status"] == "complete" and int(status["completedLength"]) == torrent.size


def _seeders(aria2: Aria2, number: str) -> set[IPv4Address]:
    peers = aria2.call("getPeers", number) or ()
    found = (_address(peer) for peer in peers if peer.get("seeder") == "true")
    return {address for address in found if address is not None}


def _announce(aria2: Aria2, number: str) -> None:
    """aria2 announces when it takes a torrent up, then every five minutes only."""
    aria2.call("forcePause", number)
    until = time.monotonic() + _AGAIN
    while aria2.call("tellStatus", number, ["status"])["status"] != "paused":
        if time.monotonic() >= until:
            return
        time.sleep(_LOOK / 10)
    aria2.call("unpause", number)


def acknowledge(
    seeders: frozenset[IPv4Address], offer: Offer, lab: Lab, ctx: Context, why: str
) -> None:
    """Tell those who had the image that it is here and right, or ``why`` not."""
    port = channel(offer.sha256).seeded
    heard = [
        s for s in sorted(seeders)[:_MOST_TOLD] if tell(lab.address, s, port, offer.sha256, why)
    ]
    if not heard:
        ctx.say("nobody who seeds it heard how it ended")
