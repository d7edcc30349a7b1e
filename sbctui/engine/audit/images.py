"""Images of the repository whose side files are not theirs, and lists that lack them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import finding, fixed
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.distribution import MADE
from sbctui.engine.model.site import Site
from sbctui.engine.plan import IndexRepository, MakeSideFiles


def side_files(site: Site, drift: Drift) -> Iterator[Finding]:
    """Side files that are missing, or of other contents than the image has now."""
    for one in drift.stale:
        address = f"repo:{one.image}"
        whole = one.lacking == MADE
        lacking = "side files of what it is" if whole else ", ".join(one.lacking)
        found = finding(
            "side-files",
            "drift",
            address,
            f"{address} has no {lacking}",
            "It changed, or was put there by hand: who fetches it by its side files gets nothing, "
            "or can't verify it.",
            proof=f"{one.path}: {exact(one.size)}, written at {one.mtime_ns} ns; "
            f"not right: {', '.join(one.lacking)}",
            since=one.mtime_ns / 1e9,
        )
        found = found.model_copy(update={"untrashable": "the image itself is as it should be"})
        yield fixed(
            found, f"make the side files of {address}", MakeSideFiles(image=one.image), safe=True
        )


def lists(site: Site, drift: Drift) -> Iterator[Finding]:
    """Lists that tell others of images, boards and files laid over images as they were.

    Where side files are to be made these come first, and the lists with them.
    """
    if not drift.unlisted or drift.stale:
        return
    found = finding(
        "lists",
        "drift",
        "repo:",
        "the lists in repo: are not of what is in it now",
        "Images, boards or files laid over images changed otherwise than by sbctui: who reads the "
        "repository over HTTPS misses what is new, and a cache would not know all boards, or "
        "the attributes of files laid by hand.",
        proof=f"not right: {', '.join(drift.unlisted)}",
    )
    found = found.model_copy(update={"untrashable": "a list is written anew, and not moved"})
    yield fixed(found, "list what is in the repository", IndexRepository(), safe=True)
