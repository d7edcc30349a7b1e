"""Where a received image comes to: this site's own repository, or a cache of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from sbctui.engine.context import Context
from sbctui.engine.errors import Refused
from sbctui.engine.files import fsync_dir, hit, make_dir, rename_noreplace
from sbctui.engine.model.distribution import ImageFile
from sbctui.engine.model.repository import IMAGES
from sbctui.engine.plan import ReceiveImage
from sbctui.engine.repository import chunks, sidefiles
from sbctui.engine.repository.keep import PART, commit, hidden, locked, room_for, sweep
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.sidefiles import image_path


class Place(Protocol):
    """Where an image comes to: its path, and what grows there before it is whole.

    ``last`` is the side file that is written last.
    """

    last: ClassVar[str]

    @property
    def path(self) -> Path:
        """The image."""

    @property
    def growing(self) -> Path:
        """What has come of it."""

    def held(self) -> AbstractContextManager[None]:
        """The folders are there, and nobody else works on the image."""

    def publish(self, part: Path, sides: Callable[[], None]) -> None:
        """The rename that makes it an image; ``sides`` puts its side files beside it."""


@dataclass(frozen=True, slots=True)
class Own:
    """In this site's own repository, where nothing is replaced unasked."""

    last: ClassVar[str] = sidefiles.MCAST
    path: Path
    before: ImageFile | None
    ctx: Context

    @classmethod
    def of(cls, action: ReceiveImage, ctx: Context) -> Own:
        """Where the action wants it."""
        return cls(image_path(ctx.site.path, action.image), action.before, ctx)

    @property
    def growing(self) -> Path:
        """What has come of it."""
        return self.path.with_name(f"{self.path.name}.part")

    @contextmanager
    def held(self) -> Iterator[None]:
        """The folders are there; made for nothing, they are gone again."""
        with _folders(self.path.parent, self.ctx):
            yield

    def publish(self, part: Path, sides: Callable[[], None]) -> None:
        """Raises Refused when another one came there meanwhile."""
        self._rename(part)
        sides()

    def _rename(self, part: Path) -> None:
        if self.before is None:
            try:
                rename_noreplace(part, self.path)
            except FileExistsError:
                raise Refused(
                    f"{self.path.name} was put there by somebody else meanwhile"
                ) from None
            return
        with suppress(FileNotFoundError):
            now = self.path.lstat()
            if (now.st_size, now.st_mtime_ns) != (self.before.size, self.before.mtime_ns):
                raise Refused(
                    f"{self.path.name} changed meanwhile; look at it, and receive it again"
                )
        hit("receive.rename")
        part.replace(self.path)
        fsync_dir(self.path.parent)


@dataclass(frozen=True, slots=True)
class Cache:
    """In a cache, under the image's lock: as ``cache update`` brings it there, and so on disk too.

    What an update or another receiver left half-done of it counts: a torrent goes on with it.
    """

    last: ClassVar[str] = chunks.ENDING
    path: Path
    root: Path
    size: int
    drop: bool
    backup: bool
    ctx: Context

    @classmethod
    def of(cls, action: ReceiveImage, ctx: Context) -> Cache:
        """Where the action wants it. Raises NoCache, Refused."""
        here = Here(ctx.site.path, ctx.site.settings)
        name, root = here.cache(action.cache)
        one = here.known[name]
        path = root / IMAGES / action.image
        return cls(path, root, action.offer.size, one.full == "lru", one.backup, ctx)

    @property
    def growing(self) -> Path:
        """What has come of it, hidden as an update's is."""
        return hidden(self.path, PART)

    @contextmanager
    def held(self) -> Iterator[None]:
        """The image's lock is held, and there is room. Raises Locked, NoSpace."""
        with _folders(self.path.parent, self.ctx), locked(self.path, self.ctx.owner):
            sweep(self.path)
            since = self.ctx.site.facts.now
            for gone in room_for(self.path, self.root, self.size, drop=self.drop, since=since):
                self.ctx.warn(f"dropped from the cache, which was full: {gone}")
            chunks.beside(self.growing).unlink(missing_ok=True)
            yield

    def publish(self, part: Path, sides: Callable[[], None]) -> None:
        """The one that stood there is its former version then, where the cache keeps those."""
        commit(self.path, part, sides, backup=self.backup)


@contextmanager
def _folders(folder: Path, ctx: Context) -> Iterator[None]:
    """The folder and those above it; made for nothing, they are gone again."""
    made = []
    for one in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
        with suppress(FileExistsError):
            make_dir(one, owner=ctx.owner)
            made.append(one)
    try:
        yield
    except BaseException:
        for one in reversed(made):
            with suppress(OSError):
                one.rmdir()
        raise
