"""How far a program is that tells nothing itself: looked at from outside, ten times a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sbctui.engine.disks.port import Report

_EVERY = 0.1


@contextmanager
def watched(look: Callable[[], int], total: int, report: Report) -> Iterator[None]:
    """Report the bytes that ``look`` sees of ``total``, and all of them at the end."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            report(min(look(), total), total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    report(total, total)


def phase(number: int, of: int, each: int, report: Report) -> Report:
    """A report of the phase ``number`` (from 0), where ``of`` phases take ``each`` bytes each."""

    def told(done: int, total: int) -> None:
        report(number * each + (each * done // total if total else 0), of * each)

    return told
