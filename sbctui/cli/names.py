"""What of a site a half-typed word could mean: each a function for ``options.Word``.

They read at a glance, say nothing of what they can't read, and give values in the order to show
them, each with one line about it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sbctui.engine.glance import Glimpse

Named = tuple[str, str]
"""A value, and one line about it."""

_BESIDE = (".sha256", ".torrent", ".mcast", ".chunks", ".part")
_OWN, _CACHE = "repo", "cache"
_MOST_JOBS = 50
_SECONDS = 0.2
"""How long the services may take to say which boards ask."""


@dataclass(frozen=True)
class Typing:
    """A site, the word as typed so far, and the root named before it, if any."""

    site: Path
    word: str = ""
    root: str = ""


Find = Callable[[Typing], Iterable[Named]]


def roots(at: Typing) -> Iterator[Named]:
    """Every root, with its leaves or its board."""
    from sbctui.engine import glance

    return ((found.name, _about(found)) for found in glance.roots(at.site))


def leaves(at: Typing) -> Iterator[Named]:
    """Leaves, of the root named before if there is one: each by its alias.

    By its MAC where it has no alias, or where a MAC is being typed, in that notation.
    """
    from sbctui.engine import glance

    listed = set(glance.root(at.site, at.root).children) if at.root else None
    for leaf in glance.leaves(at.site):
        if listed is None or leaf.name in listed:
            yield from _called(leaf, at.word)


def orphans(at: Typing) -> Iterator[Named]:
    """Leaves that no root lists."""
    from sbctui.engine import glance

    listed = {child for found in glance.roots(at.site) for child in found.children}
    for leaf in glance.leaves(at.site):
        if leaf.name not in listed:
            yield from _called(leaf, at.word)


def nodes(at: Typing) -> Iterator[Named]:
    """Roots, then leaves."""
    yield from roots(at)
    yield from leaves(at)


def trash(at: Typing) -> Iterator[Named]:
    """What was deleted, newest first: by name, or by folder where that is being typed."""
    from sbctui.engine import glance

    for folder, node in glance.trash(at.site):
        when = f"deleted {folder[:4]}-{folder[4:6]}-{folder[6:8]}"
        called = node.alias or (node.name.replace("-", ":") if node.leaf else node.name)
        yield called, f"{_about(node)}, {when}"
        if at.word:
            yield folder, f"{called}, {when}"


def jobs(at: Typing) -> Iterator[Named]:
    """The newest jobs."""
    from itertools import islice

    from sbctui.engine import glance

    return islice(glance.jobs(at.site), _MOST_JOBS)


def groups(at: Typing) -> Iterator[Named]:
    """Every group that a leaf is in or that has files, with the number of its leaves."""
    from collections import Counter

    from sbctui.engine import glance

    counted = Counter(leaf.group for leaf in glance.leaves(at.site) if leaf.group)
    known = {*counted, *glance.groups(at.site)}
    return ((group, _count(counted[group])) for group in sorted(known))


def nodes_then_group(at: Typing) -> Iterator[Named]:
    """Nodes, and the groups that may follow them."""
    yield from nodes(at)
    yield from groups(at)


def boards(at: Typing) -> Iterator[Named]:
    """MACs of boards that ask and have no node, newest first; none while no services run."""
    from sbctui.engine.services.control_client import Caller, Silent

    try:
        found = Caller(at.site).ask("seen", seconds=_SECONDS)
    except Silent:
        return
    for board in found:
        yield str(board["mac"]), str(board["vendor_class"]) or "a board that asks"


def images(at: Typing) -> Iterator[Named]:
    """Paths in the site's folder of images."""
    from sbctui.engine import glance
    from sbctui.engine.errors import SbcError
    from sbctui.engine.images import image_names

    folder = glance.settings(at.site).get("images")
    if isinstance(folder, str) and folder:
        with suppress(SbcError):
            yield from ((f"{folder}/{name}", "an image") for name in image_names(Path(folder)))


def sources(at: Typing) -> Iterator[Named]:
    """Paths in the site's folder of images; where an address is begun, images of repositories."""
    yield from addresses(at) if ":" in at.word else images(at)


def repositories(at: Typing) -> Iterator[Named]:
    """This server's repository and the configured ones."""
    from sbctui.engine import glance

    yield _OWN, "this server's own"
    configured = glance.settings(at.site).get("repositories")
    for name, one in configured.items() if isinstance(configured, dict) else ():
        if isinstance(one, dict):
            yield name, f"{one.get('kind', '')} {one.get('place', '')}"


def configured(at: Typing) -> Iterator[Named]:
    """The configured repositories."""
    return (one for one in repositories(at) if one[0] != _OWN)


def caches(at: Typing) -> Iterator[Named]:
    """The configured caches."""
    return (one for one in configured(at) if one[1].startswith(f"{_CACHE} "))


def own_images(at: Typing) -> Iterator[Named]:
    """Images of this server's own repository."""
    return _in(addresses(at), {_OWN})


def cached_images(at: Typing) -> Iterator[Named]:
    """Images of caches."""
    return _in(addresses(at), {_CACHE, *(name for name, _ in caches(at))})


def kept_images(at: Typing) -> Iterator[Named]:
    """Images of the repositories that are written to: this server's own, and caches."""
    return _in(addresses(at), {_OWN, _CACHE, *(name for name, _ in caches(at))})


def _in(found: Iterator[Named], those: set[str]) -> Iterator[Named]:
    return (one for one in found if one[0].partition(":")[0] in those)


def addresses(at: Typing) -> Iterator[Named]:
    """Repositories; behind ``repo:`` or ``cache:`` the images of this server's own, or of it."""
    before, colon, _ = at.word.partition(":")
    if not colon:
        for name, about in repositories(at):
            yield f"{name}:", about
        return
    for place in _folders_of(at, before):
        top = place / "images"
        for folder, _, names in os.walk(top):
            for name in sorted(names):
                if not name.startswith(".") and not name.endswith(_BESIDE):
                    path = os.path.relpath(os.path.join(folder, name), top)
                    yield f"{before}:{path}", "an image"


def _folders_of(at: Typing, name: str) -> Iterator[Path]:
    """Where a repository is that is a folder of this machine: a cache by its alias, too."""
    from sbctui.engine import glance

    if name == _OWN:
        yield at.site / "repo"
        return
    configured = glance.settings(at.site).get("repositories")
    for called, one in configured.items() if isinstance(configured, dict) else ():
        if isinstance(one, dict) and one.get("kind") == _CACHE:
            place = one.get("place")
            if name in (called, _CACHE) and isinstance(place, str) and place.startswith("/"):
                yield Path(place)


def ignored(at: Typing) -> Iterator[Named]:
    """MACs of boards that are ignored."""
    from sbctui.engine.pinfile import read_roster

    return ((one.mac, one.note) for one in read_roster(at.site)[0].ignored)


def networks(at: Typing) -> Iterator[Named]:
    """The site's subnets: by the interface, or by the subnet where an interface has several."""
    from sbctui.engine import glance

    first = glance.settings(at.site).get("network", {})
    found = [one for one in (first, *first.get("more", ())) if "subnet" in one]
    cards = [one.get("interface", "") for one in found]
    for one, card in zip(found, cards, strict=True):
        alone = card and cards.count(card) == 1
        yield (card, one["subnet"]) if alone else (one["subnet"], card)


def interfaces(at: Typing) -> Iterator[Named]:
    """This machine's network interfaces, but not the loopback."""
    return ((name, "") for name in sorted(os.listdir("/sys/class/net")) if name != "lo")


def _about(node: Glimpse) -> str:
    if node.leaf:
        return f"leaf of {node.parent}" if node.parent else "leaf"
    if node.children:
        return f"root, {_count(len(node.children))}"
    return f"root, allocated to {node.mac}" if node.mac else "root"


def _called(leaf: Glimpse, typed: str) -> Iterator[Named]:
    mac = leaf.name.replace("-", ":")
    about = f"{_about(leaf)}, group {leaf.group}" if leaf.group else _about(leaf)
    if leaf.alias:
        yield leaf.alias, f"{mac}, {about}"
    if typed or not leaf.alias:
        yield leaf.name if "-" in typed else mac, f"{leaf.alias}, {about}".removeprefix(", ")


def _count(leaves: int) -> str:
    return f"{leaves} {'leaf' if leaves == 1 else 'leaves'}"
