"""Archives bred to reach every line of what reads them.

``python -m tests.archives.fuzz SECONDS`` breeds on until something is wrong: with atheris where
that is installed, else with the small breeder below, which follows the lines that an input
reaches. What is wrong is anything but a refusal of a known type, and anything left.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import sbctui.engine.archive
from sbctui.engine.archive.ahead import ahead
from sbctui.engine.archive.head import head_of
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.archive.taking import take
from sbctui.engine.errors import BadInput, NoSpace, Refused
from sbctui.engine.files import remove_tree
from tests.archives import hostile, tars

OURS = str(Path(sbctui.engine.archive.__file__).parent)
RECORD = 512
_MOST = 64 * 1024
_WORDS = (
    b"root.img", b"boot/k", b"boot/", b"config.json", b"manifest.json", b"root.diff", b"../x",
    b"GNU.sparse.major=1\n", b"GNU.sparse.size=9\n", b"path=", b"size=", b"\0" * 512, b"ustar\0",
    b"ustar  \0", b"0", b"5", b"S", b"x", b"g", b"L", b"\x80" + b"\xff" * 11, b"77777777777\0",
    b"\x28\xb5\x2f\xfd", b"\x5e\x2a\x4d\x18", b"\x1f\x8b\x08\0", b"BZh9", b"\xfd7zXZ\0",
)  # fmt: skip


def looked_at(data: bytes, top: Path) -> None:
    """Look at both ends of an archive as before an import."""
    file = top / "archive"
    file.write_bytes(data)
    manifest_of(file)
    head_of(file)
    file.unlink()


def judge(data: bytes, top: Path) -> str:
    """Take an archive into a staging folder and see what comes of it, in a word or two."""
    looked_at(data, top)
    staged = top / "staged"
    (staged / "boot").mkdir(parents=True)
    stop = threading.Event()
    left = [data]
    try:
        with ahead(lambda size: left.pop() if left else b"", stop) as stream:
            take(stream, staged, unverified=True, owner=None, stop=stop, report=lambda a, b: None)
        return "taken"
    except (BadInput, Refused, NoSpace) as error:
        return "refused" if str(error).isprintable() else "said badly"
    finally:
        for found in top.rglob("*"):
            kind = found.relative_to(staged).parts[:1]
            assert found.is_dir() or found.is_file(), found
            assert not found.is_symlink(), found
            assert kind in ((), ("boot",), ("root.img",), ("root.diff",)), found
        remove_tree(staged)


def seeds() -> list[bytes]:
    """The hostile ones that are small, and right ones of each make."""
    right = tars.tar(
        tars.config(),
        tars.member("boot/", b"", b"5"),
        tars.member("boot/k", b"kernel" * 200),
        tars.sparse([2, 0, 512, 8192, 512, 16384, 0][:5], b"d" * 1024, 16384),
    )
    old = tars.tar(hostile.old_gnu([(0, 512), (4096, 512)], 8192, 1024), b"x" * 1024)
    packed = [pack(right) for pack in (tars.zstd, tars.gz, tars.xz)]
    small = [data for _, data, _ in hostile.cases() if len(data) < 8192]
    return [right, old, *packed, *small]


def mutated(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """A child of two archives; most get headers with right checksums again."""
    made = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        _change(made, other, dice)
    del made[_MOST:]
    return _summed(made) if dice.random() < 0.8 else bytes(made)


def _change(made: bytearray, other: bytes, dice: random.Random) -> None:
    at = dice.randrange(len(made) + 1)
    way = dice.randrange(7)
    if way == 0 and made:
        made[at % len(made)] ^= 1 << dice.randrange(8)
    elif way == 1:
        word = dice.choice(_WORDS)
        made[at : at + len(word)] = word
    elif way == 2:
        del made[at : at + dice.choice((1, 8, RECORD, 4 * RECORD))]
    elif way == 3:
        at -= at % RECORD
        start = dice.randrange(len(other) // RECORD + 1) * RECORD
        made[at:at] = other[start : start + RECORD * dice.choice((1, 2, 3))]
    elif way == 4:
        made[at : at + 1] = bytes([dice.randrange(256)])
    elif way == 5 and len(made) >= RECORD:
        at = at // RECORD * RECORD + 124
        made[at : at + 12] = b"%011o\0" % dice.choice((0, 1, 511, 512, 1024, 10**6, 2**33 - 1))
    else:
        at = at // RECORD * RECORD + 156
        made[at : at + 1] = dice.choice((b"0", b"1", b"2", b"5", b"S", b"x", b"g", b"L", b"K"))


def _summed(made: bytearray) -> bytes:
    for at in range(0, len(made) - RECORD + 1, RECORD):
        block = made[at : at + RECORD]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            made[at + 148 : at + 156] = b"%06o\0 " % sum(block)
    return bytes(made)


class Lines:
    """Which lines of the importer ran, in every thread."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch what runs meanwhile."""
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def _call(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return self._line if frame.f_code.co_filename.startswith(OURS) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        self.seen.add((frame.f_code.co_filename, frame.f_lineno))
        return self._line


def breed(top: Path, seed: int, enough: Callable[[int], bool]) -> tuple[int, int, int]:
    """Breed until there are enough; how many were tried, kept, and lines reached."""
    dice = random.Random(seed)
    lines, kept = Lines(), seeds()
    with lines.watched():
        for data in kept:
            assert judge(data, top) != "said badly"
        tried = 0
        while not enough(tried):
            child = mutated(dice.choice(kept), dice.choice(kept), dice)
            before = len(lines.seen)
            try:
                assert judge(child, top) != "said badly"
            except BaseException:
                (Path(tempfile.gettempdir()) / f"archive-{seed}-{tried}").write_bytes(child)
                raise
            if len(lines.seen) > before:
                kept.append(child)
            tried += 1
    return tried, len(kept), len(lines.seen)


def main() -> None:
    """Breed for so many seconds."""
    seconds = float(sys.argv[1])
    try:
        import atheris  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        atheris = None
    with tempfile.TemporaryDirectory() as name:
        if atheris is None:
            end = time.monotonic() + seconds
            print(breed(Path(name), os.getpid(), lambda tried: time.monotonic() > end))
            return
        corpus = Path(name, "corpus")
        corpus.mkdir()
        for number, data in enumerate(seeds()):
            (corpus / str(number)).write_bytes(data)
        place = Path(name, "place")
        place.mkdir()
        atheris.instrument_all()
        arguments = [sys.argv[0], f"-max_total_time={seconds:.0f}", "-max_len=65536", str(corpus)]
        atheris.Setup(arguments, lambda data: judge(_summed(bytearray(data)), place) and None)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
