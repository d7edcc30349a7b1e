"""A boot, one happening further. Pure: the same happenings always make the same boots.

A board's next boot is told from its system by what it does: a system asks for an address again
too, but fetches no boot file while it has its disk.
"""

from __future__ import annotations

from dataclasses import replace

from sbctui.engine.boards.happening import Happening
from sbctui.engine.model.boots import Boot, Fetched

MOST_FILES = 48
"""Different files kept of one boot."""
_GAP = 600.0
"""Seconds of silence after which a request for an address is another boot."""


def advance(boot: Boot | None, what: Happening) -> Boot | None:
    """The board's boot after this: the same one, or a new one that ``began`` at another time.

    ``None``: of this board no boot is known, and this begins none.
    """
    if boot is not None and what.ip and boot.ip and what.ip != boot.ip and not _may_move(what):
        return boot
    after = _STEPS[what.kind](boot, what)
    if after is None:
        return None
    return replace(after, last=max(after.last, what.at), ip=after.ip or what.ip)


def _may_move(what: Happening) -> bool:
    """An address is given anew by DHCP alone; anybody may claim one in a TFTP request."""
    return what.kind in ("offered", "leased")


def _asked(boot: Boot | None, what: Happening) -> Boot:
    at = what.at
    if boot is None or boot.ended is not None:
        return _new(what)
    if boot.disk is not None:
        return replace(boot, asked_again=at)
    if at - boot.last > _GAP:
        return _new(what)
    if boot.files:
        return replace(boot, asked_again=at)
    return replace(boot, asked=boot.asked or at, tries=boot.tries + 1)


def _new(what: Happening) -> Boot:
    return Boot(what.mac, what.at, what.at, asked=what.at, tries=1)


def _offered(boot: Boot | None, what: Happening) -> Boot | None:
    if boot is None or boot.ended is not None:
        return boot
    if boot.disk is not None or boot.files:
        return replace(boot, offered_again=what.at)
    return replace(boot, offered=boot.offered or what.at, ip=what.ip or boot.ip)


def _proxied(boot: Boot | None, what: Happening) -> Boot | None:
    """A proxy tells a PXE client what to boot as it asks another server for its address."""
    return _offered(_asked(boot, what), what)


def _leased(boot: Boot | None, what: Happening) -> Boot | None:
    if boot is None or boot.disk is not None or boot.ended is not None:
        return boot
    if boot.files:
        return replace(boot, ip=what.ip or boot.ip)
    return replace(
        boot, offered=boot.offered or what.at, leased=boot.leased or what.at, ip=what.ip or boot.ip
    )


def _fetched(boot: Boot | None, what: Happening) -> Boot:
    path, _, why = what.text.partition("\0")
    if boot is None or boot.disk is not None or _over_again(boot, path):
        boot = _next(boot, what)
    same = (path, what.kind, what.by)
    before = next((f for f in boot.files if (f.path, f.outcome, f.by) == same), None)
    kept = tuple(f for f in boot.files if f is not before)
    outcome = what.kind
    assert outcome in ("sent", "missing", "failed")
    file = Fetched(
        path=path,
        at=what.at,
        outcome=outcome,
        times=before.times + 1 if before else 1,
        size=what.size,
        seconds=_took(boot, what) if outcome == "sent" else None,
        why=why,
        by=what.by,
    )
    dropped = len(kept) >= MOST_FILES
    return replace(boot, files=(*_room(kept), file), left_out=boot.left_out + dropped)


def _took(boot: Boot, what: Happening) -> float:
    return max(0.0, what.at - boot.last) if what.seconds is None else what.seconds


def _over_again(boot: Boot, path: str) -> bool:
    """Whether a board that fetched something begins at its first file, with a new address."""
    return (
        boot.asked_again is not None
        and boot.files[:1] != ()
        and boot.files[0].path == path
        and any(file.outcome == "sent" for file in boot.files)
    )


def _next(boot: Boot | None, what: Happening) -> Boot:
    """A boot of which this file is the first thing, but for the address it asked for."""
    asked = boot.asked_again if boot else None
    offered = boot.offered_again if boot else None
    ip = boot.ip if boot else ""
    began = asked or what.at
    if asked is None:
        return Boot(what.mac, began, began, ip)
    return Boot(what.mac, began, offered or began, ip, 1, asked, offered, offered)


def _room(files: tuple[Fetched, ...]) -> tuple[Fetched, ...]:
    """One file fewer when there are too many: the oldest that was not sent, else the oldest.

    The first one stays, by which the next boot is known.
    """
    if len(files) < MOST_FILES:
        return files
    spare = next((f for f in files[1:] if f.outcome != "sent"), files[1])
    return tuple(f for f in files if f is not spare)


def _admitted(boot: Boot | None, what: Happening) -> Boot:
    if boot is None:
        boot = Boot(what.mac, what.at, what.at)
    count = boot.connections + 1
    disk = boot.disk or what.at
    return replace(boot, disk=disk, connections=count, refused="", ended=None, end="")


def _refused(boot: Boot | None, what: Happening) -> Boot | None:
    if boot is None or (boot.disk is not None and boot.ended is None):
        return boot
    return replace(boot, refused=what.text)


def _written(boot: Boot | None, what: Happening) -> Boot | None:
    return boot and replace(boot, write=boot.write or what.at, disk=boot.disk or what.at)


def _up(boot: Boot | None, what: Happening) -> Boot | None:
    return boot and replace(boot, up=boot.up or what.at)


def _ended(boot: Boot | None, what: Happening) -> Boot | None:
    if boot is None or boot.disk is None or what.text.startswith("replaced by"):
        return boot
    return replace(boot, ended=what.at, end=what.text)


_STEPS = {
    "asked": _asked,
    "offered": _offered,
    "proxied": _proxied,
    "leased": _leased,
    "sent": _fetched,
    "missing": _fetched,
    "failed": _fetched,
    "admitted": _admitted,
    "refused": _refused,
    "written": _written,
    "ended": _ended,
    "up": _up,
}
