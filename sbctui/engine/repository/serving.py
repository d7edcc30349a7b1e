"""What a cache has of a server that is away: roots in archives, their boards, files laid over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sbctui.engine.archive.manifest import Manifest
from sbctui.engine.archive.peek import manifest_of
from sbctui.engine.errors import BadInput, NoSuchNode, Refused, SbcError, from_os
from sbctui.engine.lists import LARGEST, decode_list
from sbctui.engine.model.addresses import dashed, parse_name
from sbctui.engine.model.node import DiskSpec
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.repository import IMAGES, parse_path, the_cache
from sbctui.engine.model.requests import CachedRoot, Cover, Incoming, LeafSpec, ServeCache
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.bulk import parse_bulk
from sbctui.engine.repository.listing import images_of
from sbctui.engine.repository.look import look
from sbctui.engine.repository.opening import Here
from sbctui.engine.repository.overlay_look import Looker, covers
from sbctui.engine.repository.overlay_places import places_of
from sbctui.engine.repository.overlay_read import places_in
from sbctui.engine.repository.sumfile import made_of
from sbctui.engine.repository.tree import BOARDS, opened

_SHOWN = 3


@dataclass
class _Cache:
    """A cache that is looked through, and the sentences about what of it is left out."""

    name: str
    root: Path
    site: Site
    notes: list[str] = field(default_factory=list)

    def roots(self, paths: Iterable[str]) -> Iterator[tuple[str, Manifest]]:
        """The newest image of each root among these images."""
        found: dict[str, tuple[str, Manifest]] = {}
        for path in paths:
            manifest = self._manifest(path)
            if manifest is None:
                continue
            older = path
            if manifest.name not in found or found[manifest.name][1].made < manifest.made:
                older = found.get(manifest.name, ("",))[0]
                found[manifest.name] = (path, manifest)
            if older:
                self._left_out(older, f"{found[manifest.name][0]} is the newer one of its root")
        yield from found.values()

    def _manifest(self, path: str) -> Manifest | None:
        try:
            found = manifest_of(self.root / IMAGES / path)
        except OSError as error:
            self._left_out(path, f"it can't be read ({error.strerror})")
            return None
        if found is None:
            self._left_out(path, "it does not tell what it is, as archives in zstd do at their end")
        elif found.kind == "leaf":
            self._left_out(path, "it is the disk of one board, and no root")
        elif _is_name(found.name):
            return found
        else:
            self._left_out(path, "its root has a name that can't be one here")
        return None

    def _left_out(self, path: str, why: str) -> None:
        self.notes.append(f"{self.name}:{clean(path)} is left out: {why}")

    def cached(self, path: str, manifest: Manifest) -> CachedRoot:
        """An image with what it is and which boards it is for. Raises OSError."""
        file = self.root / IMAGES / path
        facts = file.stat()
        disk = manifest.disk
        here = self.site.nodes.get(manifest.name)
        made = here.config.created.timestamp() if here is not None else 0.0
        return CachedRoot(
            path=path,
            root=manifest.name,
            archive=Incoming(
                place=str(file),
                bytes=facts.st_size,
                disk=disk.size,
                data=disk.data,
                origin=made_of(f"{self.name}:{path}", file),
            ),
            boards=self._boards(manifest.name),
            newer=here is not None and int(facts.st_ctime) > made,
        )  # fmt: skip

    def _boards(self, root: str) -> tuple[LeafSpec, ...] | None:
        """Those of its list; lines that can't be used are told, and hold up no other."""
        path = f"{BOARDS}/{root}.csv"
        try:
            with opened(self.root, path) as fd, open(fd, "rb", closefd=False) as file:
                text = decode_list(file.read(LARGEST + 1), path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, BadInput) as error:
            self.notes.append(f"{self.name}: {path} can't be used: {clean(str(error))}")
            return None
        verdicts = parse_bulk(text, Site(Path("/"), Settings()), addresses=True)
        for one in [v for v in verdicts if v.kind == "bad"][:_SHOWN]:
            self.notes.append(f"{path}, line {one.line}, is left out: {clean(one.message)}")
        return tuple(leaf for one in verdicts if one.kind == "ok" for leaf in one.leaves)


def gather_served(site: Site, request: ServeCache) -> ServeCache:
    """The request with what the cache has. Raises NoCache, NoSuchNode, Refused, SbcError."""
    name, root = Here(site.path, site.settings).cache(request.cache)
    cache = _Cache(name, root, site)
    try:
        chosen = list(cache.roots(_named(request, name, root)))
        found = tuple(cache.cached(path, manifest) for path, manifest in chosen)
        laid, brought = _laid(site, root, found)
    except OSError as error:
        raise from_os(error, f"looking at {the_cache(name)}") from error
    update = {
        "cache": name,
        "found": found,
        "covers": laid,
        "brought": tuple(place.path for place in sorted(brought)),
        "notes": tuple(cache.notes),
    }
    return request.model_copy(update=update)


def _named(request: ServeCache, name: str, root: Path) -> list[str]:
    """The images that are asked for, by path."""
    seen = look(root)
    if isinstance(seen, SbcError):
        raise seen
    images = [one.address for one in images_of(name, seen.entries)]
    wanted = [parse_path(path) for path in request.images]
    for parts in wanted:
        if not any(one.parts[: len(parts)] == parts for one in images):
            raise NoSuchNode(
                f"there is no image {clean('/'.join(parts))} in {name}; "
                f"see: sbctui repo tree {name}:"
            )
    return [
        one.path
        for one in images
        if not wanted or any(one.parts[: len(parts)] == parts for parts in wanted)
    ]


def _laid(
    site: Site, root: Path, found: tuple[CachedRoot, ...]
) -> tuple[tuple[Cover, ...], frozenset[Place]]:
    """What is laid over the leaves that are still to be made, and what of it only the cache has.

    An overlay that the site has too is the site's own, and counts.
    """
    missing = places_in(root) - site.overlays
    both = site.with_rest(overlays=site.overlays | missing)
    looker = Looker(both, root, missing)
    laid: list[Cover] = []
    used: set[Place] = set()
    for one in found:
        new = [leaf for leaf in one.boards or () if leaf.mac not in site.by_mac]
        try:
            laid += covers(looker, one.root, DiskSpec(size=one.archive.disk), new)
        except (Refused, BadInput) as error:
            raise Refused(f"{error} (in the cache {root}, or here)") from None
        for leaf in new:
            used |= set(places_of(both, dashed(leaf.mac), leaf.group, one.root))
    return tuple(laid), frozenset(used & missing)


def _is_name(name: str) -> bool:
    try:
        return parse_name(name) == name
    except BadInput:
        return False
