"""The log of the gate and of HTTP: a line an event, bounded, so that junk can't fill a disk."""

from __future__ import annotations

import logging
import time

_log = logging.getLogger("gate")
_BURST = 20
_PER_SECOND = 2.0
_room = float(_BURST)
_last = 0.0
_left_out = 0


def set_up() -> None:
    """Lines go to standard error, which the supervisor keeps; a full disk stops nothing."""
    logging.raiseExceptions = False
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    assert handler.formatter is not None
    handler.formatter.converter = time.gmtime
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False


def say(line: str) -> None:
    """One line about somebody who is allowed here, or about the gate itself."""
    _log.info("%s", line)


def say_refused(line: str) -> None:
    """One line about somebody who is not; at most two a second in the long run."""
    global _room, _last, _left_out
    now = time.monotonic()
    _room = min(_BURST, _room + (now - _last) * _PER_SECOND)
    _last = now
    if _room < 1:
        _left_out += 1
        return
    _room -= 1
    more = f" ({_left_out} more refusals not written)" if _left_out else ""
    _left_out = 0
    _log.info("%s%s", line, more)
