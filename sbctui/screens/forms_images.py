"""The forms that bring images to others and from others, and that add repositories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, get_args

from pydantic import ValidationError

from sbctui.engine.errors import against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.distribution import parse_rate, parse_receiver
from sbctui.engine.model.repositories import Configured
from sbctui.engine.model.repository import CACHE, OWN, parse_address, parse_repository
from sbctui.screens.fields import Complete, Field, Values
from sbctui.screens.form_spec import FormSpec

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.repository import ImageAddress

_IMAGE = "IMAGE"
_NO_YES = ("no", "yes")
_KINDS = tuple(k for k in get_args(Configured.model_fields["kind"].annotation))
_EXAMPLES = {
    "ssh": "user@host:/path/to/repo",
    "https": "https://host/path",
    "nfs": "host:/export",
    "smb": "//host/share",
    "folder": "/full/path",
    "removable": "the label of a file system",
    "cache": "/full/path, or LABEL=label of a partition",
}


def number(least: int, most: int, what: str, *, empty: bool = False) -> Callable[[str], str]:
    """The check of a whole number in a field."""

    def check(text: str) -> str:
        if not text and empty:
            return ""
        good = text.isascii() and text.isdecimal() and least <= int(text) <= most
        return "" if good else f"{what}: a number from {least} to {most}"

    return check


def _int(text: str, other: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() else other


def _rate(text: str) -> str:
    if text:
        parse_rate(text)
    return ""


_WAIT = number(1, 86400, "seconds")
_RECEIVERS = number(1, 1024, "receivers")


def send(address: ImageAddress) -> FormSpec:
    """``repo send``."""
    return FormSpec(
        f"Send {address} by multicast",
        (
            Field("receivers", "Receivers", _RECEIVERS, "1",
                  hint="it begins as soon as so many have joined"),
            Field("wait", "Wait", _WAIT, "60",
                  hint="seconds after the first it begins at the latest; without any it gives up"),
            Field("rate", "At most", _rate, hint="as 90m bits a second; empty: what the net takes"),
            Field("interface", "Interface", hint="empty: the site's own"),
        ),
        ask.SendImage,
        lambda values: {
            "image": address.path,
            "receivers": _int(values["receivers"], 1),
            "wait": _int(values["wait"], 60),
            "rate": values["rate"],
            "interface": values["interface"],
        },
    )  # fmt: skip


def seed(addresses: Sequence[ImageAddress]) -> FormSpec:
    """``repo seed``."""
    what = str(addresses[0]) if len(addresses) == 1 else f"{len(addresses)} images"
    return FormSpec(
        f"Offer {what} by torrent",
        (
            Field("receivers", "Receivers", number(1, 1024, "receivers", empty=True),
                  hint="it ends when so many have each image; empty: when X stops it"),
            Field("interface", "Interface", hint="empty: the site's own"),
        ),
        ask.SeedImages,
        lambda values: {
            "images": tuple(a.path for a in addresses),
            "receivers": _int(values["receivers"], 0),
            "interface": values["interface"],
            "lasting": True,
        },
    )  # fmt: skip


def receive(name: str, folder: str, complete: Complete) -> FormSpec:
    """``repo receive`` into a folder of this server's repository, or of a cache."""

    def image(text: str) -> str:
        if text.endswith(("/", ":")) or not text:
            return "name the image as it is named where it comes from, as repo:folder/image"
        parse_receiver(text)
        return ""

    def arguments(values: Values) -> dict[str, object]:
        named, colon, path = values["image"].partition(":")
        image = path if colon else named
        return {
            "image": image + _IMAGE if image.endswith("/") else image or _IMAGE,
            "cache": named if colon and named != OWN else "",
            "by": values["by"],
            "origin": values["origin"],
            "wait": _int(values["wait"], 600),
            "replace": values["replace"] == "yes",
        }

    def finish(engine: Engine, request: ask.Request) -> ask.Request:
        assert isinstance(request, ask.ReceiveImage)
        with against("origin"):
            return request.model_copy(update={"origin": engine.side_file(request.origin)})

    return FormSpec(
        "Receive an image",
        (
            Field("image", "Image", image, f"{name}:{folder}/" if folder else f"{name}:",
                  hint="as it is named where it comes from", stand_in=_IMAGE),
            Field("by", "By", choices=("multicast", "torrent")),
            Field("origin", "Its side file", path=True, complete=complete, picks="side",
                  hint="a path, repo:image, URL or host:/path; empty: it lies there already"),
            Field("wait", "Wait", _WAIT, "600", hint="seconds without anything until it gives up"),
            Field("replace", "Replace", choices=_NO_YES,
                  hint="an image with other contents, as a cache always does"),
        ),
        ask.ReceiveImage,
        arguments,
        finish=finish,
        heavy=lambda values: not values["origin"].startswith("/"),
    )  # fmt: skip


def update(address: str, caches: Sequence[str]) -> FormSpec:
    """``cache update``; ``address`` is what shall be followed."""

    def follow(text: str) -> str:
        if not text:
            return "name a repository, or a folder or image in it"
        parse_address(text)
        return ""

    def arguments(values: Values) -> dict[str, object]:
        name, _, path = values["from"].partition(":")
        return {
            "repository": name,
            "path": path.strip("/"),
            "cache": values["cache"],
            "check": values["check"] == "yes",
        }

    many = Field("cache", "Cache", choices=tuple(caches))
    one = Field("cache", "Cache", value=caches[0] if caches else CACHE)
    return FormSpec(
        "Bring a cache up to date",
        (
            Field("from", "From", follow, address,
                  hint="repository:, repository:folder or repository:folder/image"),
            many if len(caches) > 1 else one,
            Field("check", "Check all", choices=_NO_YES,
                  hint="yes: also read what is there already"),
        ),
        ask.UpdateCache,
        arguments,
        heavy=lambda values: True,
    )  # fmt: skip


def add(taken: Sequence[str]) -> FormSpec:
    """``repo add``."""

    def name(text: str) -> str:
        if not text:
            return "it wants a name"
        parse_repository(text)
        return f"there is a repository {text} already" if text in taken else ""

    def arguments(values: Values) -> dict[str, object]:
        given = {"kind": values["kind"], "place": values["place"]}
        given |= {"options": values["options"]} if values["options"] else {}
        return {"name": values["name"], "repository": _configured(given)}

    return FormSpec(
        "Add a repository",
        (
            Field("name", "Name", name, stand_in="NAME", hint="as it begins its addresses: NAME:"),
            Field("kind", "Kind", choices=_KINDS, hint=", ".join(_KINDS)),
            Field("place", "Place", _place, stand_in="PLACE"),
            Field("options", "Mount options", hint="of mount(8), for nfs, smb, removable, cache"),
        ),
        ask.AddRepository,
        arguments,
        hints=lambda values: {"place": _EXAMPLES[values["kind"]]},
    )  # fmt: skip


def _place(text: str) -> str:
    return "" if text else "say where it is"


def _configured(given: dict[str, str]) -> object:
    """Checked where that is possible; else as it is, for the command line."""
    try:
        return Configured.model_validate(given)
    except ValidationError:
        return Configured.model_construct(**given)  # type: ignore[arg-type]
