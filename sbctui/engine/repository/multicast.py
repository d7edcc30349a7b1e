"""Images by multicast, through udpcast: one stream to all who joined, lost packets asked again."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine import streams
from sbctui.engine.context import Context
from sbctui.engine.errors import PartlyDone, SbcError, ServiceFailed
from sbctui.engine.model.amounts import size
from sbctui.engine.model.distribution import JOINED, VERIFIED, Lab, Offer
from sbctui.engine.model.text import clean
from sbctui.engine.repository.mcastfile import BLOCK, Channel, channel
from sbctui.engine.repository.reports import Ear, tell
from sbctui.engine.repository.udpcastlog import ReceiverLog, SenderLog

_TICK = 0.1
_SILENCE = 60
"""Seconds without a packet after which a receiver gives up."""
_HEARING = 20.0
"""Seconds after the end in which receivers tell whether the hash is right."""
_CHUNK = 1024**2


@dataclass(frozen=True, slots=True)
class How:
    """When to begin, how fast, and how long to wait for one that is silent, as in the request."""

    receivers: int
    wait: int
    rate: str
    retries: int


def send(path: Path, offer: Offer, how: How, lab: Lab, ctx: Context) -> None:
    """Send an image to who joins; ``ctx`` is told what became of each receiver.

    Raises ServiceFailed when nobody joined, PartlyDone when some did not get it whole,
    Refused when it is being sent already, ToolMissing, Cancelled.
    """
    way = channel(offer.sha256)
    log, told = SenderLog(), dict[IPv4Address, str]()
    with Ear(lab.address, way.report, offer.sha256) as ear:
        try:
            with streams.child(_sender(path, way, how, lab.interface), log=ctx.log) as child:
                _follow(child, log, offer, how.wait, ctx)
            told = _hear(ear, log, ctx)
        finally:
            _tell_outcomes(log, told, ctx)
    _judge(log, told)


def _sender(path: Path, way: Channel, how: How, interface: str) -> list[str | Path]:
    limit = ["--max-bitrate", how.rate] if how.rate else []
    return [
        "udp-sender", "--file", path, *_meeting(way, interface),
        "--mcast-data-address", str(way.data), "--blocksize", str(BLOCK), "--full-duplex",
        "--min-receivers", str(how.receivers), "--max-wait", str(how.wait),
        "--retries-until-drop", str(how.retries), *limit,
    ]  # fmt: skip


def _meeting(way: Channel, interface: str) -> list[str]:
    """What sender and receiver must be told alike; without a fixed rendezvous they never meet."""
    return [
        "--nokbd", "--interface", interface, "--ttl", "1",
        "--portbase", str(way.port), "--mcast-rdv-address", str(way.rendezvous),
    ]  # fmt: skip


def _follow(child: streams.Child, log: SenderLog, offer: Offer, wait: int, ctx: Context) -> None:
    """Until udp-sender ends, or nobody joined in time."""
    began, known = time.monotonic(), 0
    report, started = ctx.progress("sending"), False
    ctx.say("waiting for receivers")
    while child.ended is None:
        log.feed(child.said())
        for address in log.joined[known:]:
            ctx.receiver(str(address), JOINED)
        known = len(log.joined)
        if log.started and not started:
            started = True
            ctx.say(f"sending to {known} receiver{'' if known == 1 else 's'}")
        if started:
            report(min(log.sent, offer.size), offer.size)
        if not known and time.monotonic() - began >= wait:
            raise ServiceFailed(
                f"nobody joined within {wait} s; start receivers with: sbctui repo receive"
            )
        streams.go_on(ctx.stop, "udp-sender")
        ctx.stop.wait(_TICK)
    log.feed(child.said() + "\n")


def _hear(ear: Ear, log: SenderLog, ctx: Context) -> dict[IPv4Address, str]:
    """What the receivers tell after the end: ``verified``, or what is wrong."""
    told: dict[IPv4Address, str] = {}
    if not log.complete:
        return told
    awaited = set(log.joined).difference(log.dropped)
    until = time.monotonic() + _HEARING
    while awaited.difference(told) and time.monotonic() < until and not ctx.stop.is_set():
        for one in ear.hear():
            if one.address in log.joined and one.address not in told:
                told[one.address] = VERIFIED if one.verified else one.why or "its hash is wrong"
                ctx.receiver(str(one.address), told[one.address])
        ctx.stop.wait(_TICK)
    return told


def _tell_outcomes(log: SenderLog, told: Mapping[IPv4Address, str], ctx: Context) -> None:
    silent = "it got all bytes, and did not tell whether they are right"
    rest = silent if log.complete else "it did not get all"
    for address in log.joined:
        state = told.get(address) or log.dropped.get(address, rest)
        ctx.receiver(str(address), clean(state))


def _judge(log: SenderLog, told: Mapping[IPv4Address, str]) -> None:
    if not log.complete or not log.started:
        raise ServiceFailed(f"udp-sender ended before the end: {clean(log.complaint)}")
    whole = {a: VERIFIED for a in log.joined if a not in log.dropped} | dict(told)
    lost = [a for a in log.joined if whole.get(a) != VERIFIED]
    if lost:
        got = len(log.joined) - len(lost)
        names = ", ".join(map(str, lost))
        raise PartlyDone(f"{got} of {len(log.joined)} receivers got it whole, not: {names}")


def receive(
    write: Callable[[bytes], None], offer: Offer, wait: int, lab: Lab, ctx: Context
) -> tuple[IPv4Address | None, Offer]:
    """Receive an image into ``write``; who sent it, and what came, hashed on its way.

    Of hashes only the one that tells whether it is right: they cost a small board more time than
    its line does. Raises ServiceFailed when no sender came, or what came was not as long,
    ToolMissing, Cancelled; what ``write`` raises ends it too.
    """
    way, log = channel(offer.sha256), ReceiverLog()
    argv = [
        "udp-receiver", *_meeting(way, lab.interface), "--no-progress",
        "--start-timeout", str(wait), "--receive-timeout", str(_SILENCE),
    ]  # fmt: skip
    report, whole, done = ctx.progress("receiving"), hashlib.sha256(), 0
    ctx.say("waiting for the sender")
    with streams.child(argv, heard=True, log=ctx.log) as child:
        while (data := child.read(_CHUNK, _TICK)) != b"":
            streams.go_on(ctx.stop, "udp-receiver")
            if data is None:
                continue
            done += len(data)
            if done > offer.size:
                raise ServiceFailed(f"more than the {size(offer.size)} of the image came")
            write(data)
            whole.update(data)
            report(done, offer.size)
        log.feed(child.said() + "\n")
    if done < offer.size:
        raise _short(done, offer, wait, log)
    return log.sender, Offer(size=done, sha256=whole.hexdigest())


def _short(done: int, offer: Offer, wait: int, log: ReceiverLog) -> SbcError:
    if log.sender is None:
        return ServiceFailed(f"no sender was heard within {wait} s; see: sbctui repo send")
    return ServiceFailed(
        f"{log.sender} stopped sending after {size(done)} of {size(offer.size)}; receive it again"
    )


def acknowledge(sender: IPv4Address | None, offer: Offer, lab: Lab, ctx: Context, why: str) -> None:
    """Tell the sender that the image is here and right, or ``why`` not."""
    if sender is None:
        return
    if not tell(lab.address, sender, channel(offer.sha256).report, offer.sha256, why):
        ctx.say(f"{sender} did not hear how it ended")
