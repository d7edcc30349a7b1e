"""Why something can't be done with images and repositories now: a sentence each; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sbctui.engine.model.repository import OWN
from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.model.shelf import Shelf
    from sbctui.engine.model.site import Site
    from sbctui.screens.images_lines import Chosen

Why = Callable[["Site", tuple["Shelf", ...], "Chosen"], str | None]


def _image(chosen: Chosen, what: str) -> str | None:
    if not chosen.images:
        return f"{what} an image: put the cursor on one"
    if len(chosen.images) > 1:
        return f"{what} one image and {len(chosen.images)} are marked; U unmarks"
    return None


def _own(chosen: Chosen, what: str) -> str | None:
    if not chosen.images:
        return f"{what} images: put the cursor on one"
    other = next((i for i in chosen.images if i.address.repository != OWN), None)
    if other is not None:
        marked = "; U unmarks" if len(chosen.images) > 1 else ""
        where = f"{clean(str(other.address))} is in another repository"
        return f"{where}, and this is for the own one{marked}"
    return None


def _import(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    if len(chosen.images) > 1:
        return _image(chosen, "a root is made of")
    if chosen.images and chosen.shelf and _far(chosen.shelf):
        name = clean(chosen.shelf.name)
        return f"{name} is another server's: u brings the image into a cache first"
    return rules.can_create_root(site)


def _far(shelf: Shelf) -> bool:
    return shelf.repository is not None and shelf.repository.folder is None


def _export(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    if not site.nodes:
        return "there is no root or leaf to export; m makes a root of an archive"
    return rules.can_distribute(site)


def _sides(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    return _own(chosen, "side files are made of") or rules.can_distribute(site)


def _verify(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    if len(chosen.images) > 1:
        return _image(chosen, "this reads")
    if chosen.shelf is not None and not chosen.shelf.ready:
        return f"{clean(chosen.shelf.name)} can't be read now"
    return None if chosen.address else "put the cursor on an image or a repository"


def _lab(site: Site) -> str | None:
    from sbctui.engine import rules

    if not site.settings.network.interface:
        return (
            "this site has no interface, so it is not known where to; set one with: "
            "sbctui site init --interface IF --subnet CIDR"
        )
    return rules.can_distribute(site)


def _seed(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    return _own(chosen, "a torrent is made of") or _lab(site)


def _send(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    return _image(chosen, "this sends") or _own(chosen, "this sends") or _lab(site)


def _receive(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    return _lab(site)


def caches(shelves: tuple[Shelf, ...]) -> list[str]:
    """The names of all caches."""
    return [s.name for s in shelves if s.repository and s.repository.kind == "cache"]


def _update(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    if len(chosen.images) > 1:
        return _image(chosen, "a cache is brought up to date with")
    if not caches(shelves):
        return "there is no cache; a adds one: a folder or a partition of this machine"
    if chosen.shelf is None:
        return "put the cursor on the repository, folder or image that a cache shall follow"
    if chosen.shelf.name in caches(shelves) and len(caches(shelves)) == 1:
        return "this is the cache itself; put the cursor on what it shall follow"
    return None


def serving(shelves: tuple[Shelf, ...], chosen: Chosen) -> str:
    """The cache that the cursor is in, else the only one; empty where it is not clear which."""
    found = caches(shelves)
    if chosen.shelf is not None and chosen.shelf.name in found:
        return chosen.shelf.name
    return found[0] if len(found) == 1 else ""


def _serve(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    if not caches(shelves):
        return "there is no cache; a adds one: a folder or a partition of this machine"
    if not serving(shelves, chosen):
        return "there are several caches; put the cursor on one"
    return rules.can_serve(site)


def _former(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    why = _image(chosen, "this brings back the former version of")
    if why is None and chosen.images[0].address.repository not in caches(shelves):
        return "only caches keep the former version of an image; put the cursor on one in a cache"
    if why is None and chosen.images[0].former is None:
        return f"no former version of {clean(str(chosen.images[0].address))} is kept"
    return why


def _mount(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    found = chosen.shelf.repository if chosen.shelf else None
    if found is None:
        return "put the cursor on a repository that has been looked at"
    if not found.mountable:
        return f"{clean(found.name)} is of kind {found.kind}, which wants no mounting"
    if found.state == "missing":
        return clean(found.told)
    return None


def _remove(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    found = chosen.shelf.repository if chosen.shelf else None
    if found is None:
        return "put the cursor on a repository that has been looked at"
    if not found.configured:
        what = "this server's own" if found.name == OWN else "found by its label"
        return f"{clean(found.name)} is {what}, so there is nothing to forget"
    return rules.can_change_settings(site)


def _settings(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    return rules.can_change_settings(site)


def _delete(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.engine import rules

    return _own(chosen, "D moves to the trash") or rules.can_distribute(site)


def _undo(site: Site, shelves: tuple[Shelf, ...], chosen: Chosen) -> str | None:
    from sbctui.screens.reasons import no_undo

    return no_undo(site)


_WHY: Mapping[str, Why] = {
    "import": _import,
    "export": _export,
    "sides": _sides,
    "verify": _verify,
    "seed": _seed,
    "send": _send,
    "receive": _receive,
    "update": _update,
    "serve": _serve,
    "former": _former,
    "mount": _mount,
    "add": _settings,
    "remove": _remove,
    "index": _settings,
    "delete": _delete,
    "undo": _undo,
}


def why_not(
    action: str, site: Site | None, shelves: tuple[Shelf, ...] | None, chosen: Chosen
) -> str | None:
    """Why an action of the scope ``images`` is not possible on what is chosen, or None."""
    if action not in _WHY:
        return None
    if site is None or shelves is None:
        return "the repositories have not been read yet; wait a moment"
    return _WHY[action](site, shelves, chosen)
