"""The files beside each image: made in one reading of it, and known to be stale at a glance.

``.mcast`` is written last and tells size and time of the image it was made of, so looking costs
no reading of the image; only ``verify`` reads it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.errors import BadInput, Locked, NoSuchNode, Refused
from sbctui.engine.files import Owner, flocked, forget, fsync_dir, hit, write_new
from sbctui.engine.model.distribution import HALF, MADE, ImageFile, Offer, parse_image
from sbctui.engine.model.repository import IMAGES, OWN, SIDE_FILES, is_image
from sbctui.engine.repository import mcastfile, torrentfile
from sbctui.engine.repository.chunks import ENDING as CHUNKS
from sbctui.engine.repository.chunks import MOST_BYTES as MOST_CHUNKS
from sbctui.engine.repository.chunks import Chunks, hashed
from sbctui.engine.repository.keep import sweep
from sbctui.engine.repository.torrentfile import Torrent, piece_length

Report = Callable[[int, int], None]
"""Bytes done, and of how many."""
SHA256, TORRENT, MCAST = MADE
_MOST_SUM = 4096
_MOST_BYTES = max(torrentfile.MOST_BYTES, MOST_CHUNKS)


@dataclass(frozen=True, slots=True)
class Digest:
    """What one reading of an image gave."""

    torrent: Torrent
    mtime_ns: int
    chunks: Chunks

    @property
    def files(self) -> dict[str, bytes]:
        """The side files by ending, in the order in which they are written."""
        torrent = self.torrent
        return {
            TORRENT: torrent.to_bytes(),
            SHA256: f"{torrent.sha256}  {torrent.name}\n".encode(),
            CHUNKS: self.chunks.to_json(),
            MCAST: mcastfile.mcast_file(torrent.offer, self.mtime_ns).to_json(),
        }


class Reading:
    """Hashes a stream of ``size`` bytes in every way that the side files want."""

    def __init__(self, size: int) -> None:
        self.done = 0
        self._size = size
        self._piece = piece_length(size)
        self._whole = hashlib.sha256()
        self._part = hashlib.sha1(usedforsecurity=False)
        self._pieces = bytearray()

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._whole.update(data)
        view = memoryview(data)
        while view:
            room = self._piece - self.done % self._piece
            self._part.update(view[:room])
            self.done += len(view[:room])
            view = view[room:]
            if self.done % self._piece == 0 or self.done == self._size:
                self._pieces += self._part.digest()
                self._part = hashlib.sha1(usedforsecurity=False)

    def torrent(self, name: str) -> Torrent:
        """What they were, once all are there, under this name."""
        pieces, whole = bytes(self._pieces), self._whole.hexdigest()
        return Torrent(name, self._size, self._piece, pieces, whole)


def read(path: Path, name: str, stop: threading.Event, report: Report) -> Digest:
    """Read an image called ``name`` whole.

    Raises Refused when it changes meanwhile, Cancelled, OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        before = os.fstat(fd)
        reading = Reading(before.st_size)
        found = hashed(fd, reading.feed, stop, report)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise Refused(f"{name} changed while it was read; try again when nobody writes it")
    torrent = reading.torrent(name)
    chunks = Chunks(before.st_size, torrent.sha256, found)
    return Digest(torrent, before.st_mtime_ns, chunks)


def write(path: Path, digest: Digest, owner: Owner = None, last: str = MCAST) -> None:
    """Put the side files beside an image, each whole or not at all. Raises OSError."""
    with ready(path, digest, owner, last) as put:
        put()


@contextmanager
def ready(
    path: Path, digest: Digest, owner: Owner = None, last: str = MCAST
) -> Iterator[Callable[[], None]]:
    """The side files, written and flushed; what is given puts them beside the image at once.

    The ``last`` one (ending) tells that all are there: in a cache it is that of the chunks. So
    what may fail for want of space comes before a new image gets its name. Those that were not
    put there are gone at the end, and so is what killed runs left. Raises Locked where another
    run makes them, OSError.
    """
    with _alone(path):
        sweep(path)
        files = sorted(digest.files.items(), key=lambda one: one[0] == last)
        yield from _written(path, files, owner)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the image, if there is one already, by a flock of its file."""
    with ExitStack() as held:
        try:
            held.enter_context(flocked(path, blocking=False))
        except BlockingIOError:
            raise Locked(f"the side files of {path.name} are being made; try again later") from None
        except FileNotFoundError:
            pass
        yield


def _written(
    path: Path, files: Iterable[tuple[str, bytes]], owner: Owner
) -> Iterator[Callable[[], None]]:
    made: dict[Path, Path] = {}
    try:
        for ending, data in files:
            target = _beside(path, ending)
            temp = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
            write_new(temp, data, owner=owner)
            made[temp] = target

        def put() -> None:
            for temp, target in made.items():
                hit("sidefile.rename")
                temp.replace(target)
            fsync_dir(path.parent)

        yield put
    finally:
        for temp in made:
            forget(temp)


def look(site: Path, image: str) -> ImageFile:
    """An image and which of its side files are right, without reading it. Raises NoSuchNode."""
    path = image_path(site, image)
    try:
        about = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise NoSuchNode(f"there is no image repo:{image}; see: sbctui repo sidefiles") from None
    if not path.is_file() or path.is_symlink():
        raise NoSuchNode(f"repo:{image} is no file")
    found = ImageFile(image=image, size=about.st_size, mtime_ns=about.st_mtime_ns)
    mcast = _mcast(path)
    if mcast is None or (mcast.size, mcast.mtime_ns) != (found.size, found.mtime_ns):
        return found.model_copy(update={"lacking": MADE})
    right = {
        SHA256: _sum(path) == mcast.sha256,
        TORRENT: _offered(path) == mcast.offer,
        CHUNKS: _newer(_beside(path, CHUNKS), found.mtime_ns),
    }
    lacking = tuple(ending for ending in (*MADE, CHUNKS) if not right.get(ending, True))
    return found.model_copy(update={"sha256": mcast.sha256, "lacking": lacking})


def verify(site: Path, image: str, stop: threading.Event, report: Report) -> ImageFile:
    """The same, but the image is read and every side file compared whole.

    Raises NoSuchNode, Refused, Cancelled, OSError.
    """
    found = look(site, image)
    path = image_path(site, image)
    digest = read(path, path.name, stop, report)
    wrong = tuple(
        ending
        for ending in (*MADE, CHUNKS)
        if _content(path, ending, _MOST_BYTES) != digest.files[ending]
    )
    known = "" if wrong else digest.torrent.sha256
    return found.model_copy(update={"lacking": wrong, "sha256": known})


def images(site: Path) -> Iterator[ImageFile]:
    """Every image of this site's own repository, by name."""
    for path in _files(site):
        if is_image(path.name) and not path.name.endswith(HALF):
            try:
                yield look(site, parse_image(str(path.relative_to(_top(site)))))
            except (BadInput, NoSuchNode):
                continue


def orphans(site: Path) -> Iterator[Path]:
    """Side files without their image, and what came of an image that nobody goes on receiving."""
    for path in _files(site):
        ending = next((e for e in (*SIDE_FILES, *HALF[::-1]) if path.name.endswith(e)), "")
        image = path.with_name(path.name.removesuffix(ending))
        if ending and (ending in HALF or not image.exists()):
            yield path


def image_path(site: Path, image: str) -> Path:
    """Where an image is, or would be."""
    return _top(site) / image


def _top(site: Path) -> Path:
    return site / OWN / IMAGES


def _files(site: Path) -> Iterator[Path]:
    """Every file in the tree that is not hidden; links are not followed."""
    for folder, folders, names in os.walk(_top(site)):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file() and not path.is_symlink():
                yield path


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _content(path: Path, ending: str, most: int) -> bytes | None:
    """A side file's bytes; None where it is missing, unreadable or too long."""
    try:
        with open(_beside(path, ending), "rb") as file:
            data = file.read(most + 1)
    except OSError:
        return None
    return data if len(data) <= most else None


def _mcast(path: Path) -> mcastfile.McastFile | None:
    data = _content(path, MCAST, mcastfile.MOST_BYTES)
    try:
        return mcastfile.parse(data, path.name) if data is not None else None
    except BadInput:
        return None


def _newer(path: Path, mtime_ns: int) -> bool:
    """Whether a file is there that was not written before then."""
    try:
        return path.stat().st_mtime_ns >= mtime_ns
    except OSError:
        return False


def _sum(path: Path) -> str:
    """The hash in a file that ``sha256sum -c`` takes; empty where it names another."""
    text = (_content(path, SHA256, _MOST_SUM) or b"").decode(errors="replace")
    found, _, name = text.rstrip("\n").partition("  ")
    return found if name == path.name else ""


def _offered(path: Path) -> Offer | None:
    data = _content(path, TORRENT, torrentfile.MOST_BYTES)
    try:
        found = torrentfile.parse(data, path.name) if data is not None else None
    except BadInput:
        return None
    return found.offer if found and found.name == path.name else None
