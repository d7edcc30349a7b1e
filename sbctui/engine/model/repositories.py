"""``[repositories.NAME]`` of ``site.toml``: where other images are. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.repository import CACHE, OWN, Kind, parse_repository

LABEL = "LABEL="
"""Before a file system's label as the place of a cache that is a partition of its own."""

_PLACES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "ssh": (
        re.compile(r"(?:[a-z_][a-z0-9_.-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:.]+\]):/.*"),
        "user@host:/path",
    ),
    "https": (re.compile(r"https://[A-Za-z0-9\[][^\s@?#\\]*"), "https://host/path"),
    "nfs": (re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-f:.]+\]):/.*"), "host:/export"),
    "smb": (re.compile(r"//[A-Za-z0-9][A-Za-z0-9.-]*/[^/].*"), "//host/share"),
    "folder": (re.compile(r"/.*"), "/full/path"),
    "removable": (re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+-]{0,62}"), "a file system's label"),
    "cache": (
        re.compile(rf"/.*|{LABEL}[A-Za-z0-9][A-Za-z0-9 ._+-]{{0,62}}"),
        f"/full/path or {LABEL}label",
    ),
}
_ONLY: Mapping[str, tuple[str, ...]] = {
    "options": ("nfs", "smb", "removable", "cache"),
    "port": ("ssh",),
    "key": ("ssh",),
    "known_hosts": ("ssh",),
    "ca": ("https",),
    "full": ("cache",),
    "backup": ("cache",),
}
"""Which kinds a key is for."""
_OPTIONS = re.compile(
    r"[a-z0-9_]+(?:=[A-Za-z0-9_./:@%+-]*)?(?:,[a-z0-9_]+(?:=[A-Za-z0-9_./:@%+-]*)?)*"
)
_FORCED = frozenset({"rw", "suid", "dev", "exec", "user", "users", "owner", "group", "bind",
                     "rbind", "move", "remount", "loop", "defaults"})  # fmt: skip
"""Mount options that would take back how everything is mounted here."""


def _path(value: str) -> str:
    if value and not (value.startswith("/") and value.isprintable()):
        raise ValueError(f"{shown(value)} is no file's full path")
    return value


def _mount_options(value: str) -> str:
    if value and not _OPTIONS.fullmatch(value):
        raise ValueError(f"{shown(value)} are no mount options; write them as vers=4.2,timeo=50")
    forced = [word for word in value.split(",") if word.partition("=")[0] in _FORCED]
    if forced:
        raise ValueError(
            f"the mount option {forced[0]} is not yours to set: repositories are mounted "
            "nosuid,nodev,noexec, and all but a cache read-only"
        )
    return value


FilePath = Annotated[str, AfterValidator(_path)]


class Configured(BaseModel):
    """One of them. ``place`` is written as its kind wants it, see docs/repository.md.

    ``options`` are for mount(8); ``key`` and ``known_hosts`` are files for ssh, ``ca`` one with
    the authorities that an https server's certificate may be of. ``full`` says what a cache does
    without room, ``backup`` whether it keeps the former version of an image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["ssh", "https", "nfs", "smb", "folder", "removable", "cache"]
    place: str = Field(max_length=1024)
    options: Annotated[str, AfterValidator(_mount_options)] = ""
    port: int = Field(default=22, ge=1, le=65535)
    key: FilePath = ""
    known_hosts: FilePath = ""
    ca: FilePath = ""
    full: Literal["refuse", "lru"] = "refuse"
    backup: bool = True

    @model_validator(mode="after")
    def _agree(self) -> Configured:
        form, example = _PLACES[self.kind]
        if not form.fullmatch(self.place) or not self.place.isprintable():
            raise ValueError(
                f"{shown(self.place)} is no place of kind {self.kind}; write it as {example}"
            )
        if ".." in self.place.split("/"):
            raise ValueError(f"{shown(self.place)} has '..' in it; write the path without")
        for key, kinds in _ONLY.items():
            if (
                self.kind not in kinds
                and getattr(self, key) != type(self).model_fields[key].default
            ):
                raise ValueError(f"{key} is for repositories of kind {' and '.join(kinds)}")
        return self

    @property
    def label(self) -> str:
        """The label of the file system it is on, empty where that is not how it is found."""
        if self.kind == "removable":
            return self.place
        return self.place.removeprefix(LABEL) if self.place.startswith(LABEL) else ""

    @property
    def mountable(self) -> bool:
        """Whether it may have to be mounted before it can be read."""
        return self.kind in ("nfs", "smb", "removable") or bool(self.label)


def _named(value: dict[str, Configured]) -> dict[str, Configured]:
    try:
        for name, one in value.items():
            parse_repository(name)
            if name == OWN or (name == CACHE and one.kind != "cache"):
                raise ValueError(f"the name {name} is taken by an alias; choose another")
    except BadInput as error:
        raise ValueError(str(error)) from None
    return value


Repositories = Annotated[dict[str, Configured], AfterValidator(_named)]


def kinds(configured: Mapping[str, Configured], labels: tuple[str, ...] = ()) -> dict[str, Kind]:
    """Every repository that is there by name: this server's own, the configured, and by label."""
    found: dict[str, Kind] = {OWN: "own"}
    found |= {name: one.kind for name, one in configured.items()}
    return {**dict.fromkeys(labels, "removable"), **found}
