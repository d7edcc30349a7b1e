"""Images by torrent, through aria2: who has a part gives it to the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from sbctui.engine import streams
from sbctui.engine.context import Context
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.amounts import size
from sbctui.engine.model.distribution import VERIFIED, Lab, Offer
from sbctui.engine.model.text import clean
from sbctui.engine.repository.aria2 import Aria2, running
from sbctui.engine.repository.mcastfile import channel
from sbctui.engine.repository.reports import Ear, tell
from sbctui.engine.repository.torrentfile import Torrent
from sbctui.engine.repository.tracker import tracking, url

_LOOK = 0.5
"""Seconds between two looks at what aria2 does."""
_REPORT = 2.0
"""Seconds between two reports of a seeding that may go on for weeks."""
_AGAIN = 10.0
"""Seconds without any peer after which the image is announced again."""
_SEED: Mapping[str, str] = {"bt-seed-unverified": "true", "check-integrity": "false"}
_FETCH: Mapping[str, str] = {"seed-time": "0"}


@dataclass
class Seeded:
    """An image that is offered; ``had`` is how much of it each receiver was seen to have."""

    path: Path
    torrent: Torrent
    ears: tuple[Ear, ...]
    alone: bool
    tracker: str = ""
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

    def tell(self, address: IPv4Address, ctx: Context) -> None:
        """What became of a receiver, or is becoming, in tenths."""
        tenths = 10 * self.had.get(address, 0) // max(self.torrent.size, 1)
        state = self.told.get(address) or f"has {10 * tenths} % of it"
        ctx.receiver(str(address) if self.alone else f"{self.path.name} {address}", state)


@dataclass(frozen=True, slots=True)
class Ways:
    """What a seeding tells: that all are ``begun``; and asks: whether one is still ``wanted``."""

    begun: Callable[[], None] = lambda: None
    wanted: Callable[[Path], bool] = lambda path: True


def seed(
    images: Sequence[tuple[Path, Torrent]], receivers: int, lab: Lab, ctx: Context, ways: Ways
) -> bool:
    """Offer images until stopped, until none is wanted, or until ``receivers`` (if not 0) have
    each of them: only then it is True.

    ``ctx`` is told what became of each receiver of each image. Raises ServiceFailed, Refused
    when one is seeded from here already, ToolMissing.
    """
    seeded = [_offered(path, torrent, lab, ctx, alone=len(images) == 1) for path, torrent in images]
    report = ctx.progress("seeding")
    total = receivers * sum(one.torrent.size for one in seeded)
    reported, last = -1, 0.0
    with running(lab, ctx.log) as aria2:
        for one in seeded:
            tracker = {"bt-tracker": one.tracker} if one.tracker else {}
            one.number = aria2.add(one.torrent.to_bytes(), one.path, {**_SEED, **tracker})
        ways.begun()
        ctx.say(f"seeding on {lab.address} ({lab.interface})")
        while not ctx.stop.wait(_LOOK):
            for one in [one for one in seeded if not ways.wanted(one.path)]:
                aria2.call("forceRemove", one.number)
                seeded.remove(one)
                ctx.say(f"{clean(one.path.name)} is seeded no more")
            if not seeded:
                return False
            for one in seeded:
                _look(one, aria2, lab, ctx)
            done, now = sum(one.bytes for one in seeded), time.monotonic()
            if done != reported and now - last >= _REPORT:
                reported, last = done, now
                report(min(done, total) if total else done, total)
            if receivers and all(one.verified >= receivers for one in seeded):
                return True
    return False


def _offered(path: Path, torrent: Torrent, lab: Lab, ctx: Context, *, alone: bool) -> Seeded:
    """With ears for receivers on the network and elsewhere, and a tracker for the latter."""
    way = channel(torrent.sha256)
    groups = (way.rendezvous, None)
    ears = [Ear(lab.address, way.seeded, torrent.sha256, group) for group in groups]
    for ear in ears:
        ctx.holds.enter_context(ear)
    try:
        answering = tracking(lab.address, way.port, torrent.info_hash)
        tracker = ctx.holds.enter_context(answering)
    except OSError as error:
        tracker = ""
        ctx.warn(
            f"{clean(path.name)} has no tracker for receivers in other subnets: TCP port "
            f"{way.port} of {lab.address}: {error.strerror}"
        )
    return Seeded(path, torrent, tuple(ears), alone, tracker)


def _look(one: Seeded, aria2: Aria2, lab: Lab, ctx: Context) -> None:
    status = aria2.call("tellStatus", one.number, ["status", "errorMessage"])
    if status.get("status") == "error":
        raise ServiceFailed(
            f"aria2 can't seed {one.path.name}: {clean(str(status.get('errorMessage')))}"
        )
    for peer in aria2.peers(one.number):
        address = _address(peer)
        if address is None or address == lab.address:  # it hears its own announcements
            continue
        one.had[address] = max(one.had.get(address, 0), _has(peer, one.torrent))
        one.tell(address, ctx)
    for told in (told for ear in one.ears for told in ear.hear()):
        one.told[told.address] = VERIFIED if told.verified else told.why or "its hash is wrong"
        one.had[told.address] = one.torrent.size if told.verified else 0
        one.tell(told.address, ctx)


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
    torrent: Torrent, part: Path, wait: int, seeder: IPv4Address | None, lab: Lab, ctx: Context
) -> None:
    """Receive an image to ``part``, going on with what is there: that is hashed again first.

    Peers are asked of ``seeder`` too, which may be in another subnet. Raises ServiceFailed when
    nothing came for ``wait`` seconds, ToolMissing, Cancelled.
    """
    report, done, moved = ctx.progress("receiving"), -1, time.monotonic()
    announced = moved
    ctx.say("looking for who seeds it")
    with running(lab, ctx.log) as aria2:
        again = {"check-integrity": "true"} if part.stat().st_size else {}
        far = {"bt-tracker": url(str(seeder), channel(torrent.sha256).port)} if seeder else {}
        number = aria2.add(torrent.to_bytes(), part, {**_FETCH, **again, **far})
        while True:
            streams.go_on(ctx.stop, "aria2c")
            status = aria2.call("tellStatus", number, _ASKED)
            now, here = time.monotonic(), int(status["completedLength"])
            if here != done:
                done, moved = here, now
                report(done, torrent.size)
            if _finished(status, torrent):
                return
            if now - moved >= wait:
                raise ServiceFailed(
                    f"nothing came for {wait} s, {size(done)} of {size(torrent.size)} are here; "
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
    offer: Offer, lab: Lab, ctx: Context, why: str, seeder: IPv4Address | None = None
) -> None:
    """Tell who seeds it, a ``seeder`` elsewhere or who is on the network, that the image is here
    and right, or ``why`` not.
    """
    way = channel(offer.sha256)
    if not tell(lab.address, seeder or way.rendezvous, way.seeded, offer.sha256, why):
        ctx.say("nobody who seeds it heard how it ended")
