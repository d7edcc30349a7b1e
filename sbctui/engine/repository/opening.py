"""A repository by its name, opened to be read: where it is, and the source it is read through."""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sbctui.engine.commands import Log
from sbctui.engine.errors import NoCache, NoSuchNode, Refused, from_os
from sbctui.engine.model.repositories import Configured, kinds
from sbctui.engine.model.repository import CACHE, OWN, resolve, the_cache
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.text import clean
from sbctui.engine.repository import mounts
from sbctui.engine.repository.https import HttpsSource
from sbctui.engine.repository.mounts import Labelled, Mount
from sbctui.engine.repository.sftp import SftpSource
from sbctui.engine.repository.source import FolderSource, Source
from sbctui.engine.streams import talk

_CONNECT = 8
"""Seconds that ssh may take to connect."""


@dataclass(frozen=True)
class Here:
    """The repositories of a site as this machine has them now."""

    site: Path
    settings: Settings

    @cached_property
    def labelled(self) -> tuple[Labelled, ...]:
        """File systems with a label."""
        return mounts.labelled()

    @cached_property
    def mounted(self) -> tuple[Mount, ...]:
        """All mounts."""
        return mounts.mounts()

    @cached_property
    def known(self) -> Mapping[str, Configured]:
        """Every one but this server's own, those in a drive by their label among them."""
        configured = self.settings.repositories
        taken = {one.label for one in configured.values() if one.label}
        found = {
            one.label: Configured(kind="removable", place=one.label)
            for one in self.labelled
            if one.removable and one.label not in taken and _is_name(one.label)
        }
        return {**found, **configured}

    def name(self, text: str) -> str:
        """The repository meant by a name or an alias. Raises NoSuchNode, BadInput, NoCache."""
        try:
            return resolve(text, kinds(self.known))
        except NoSuchNode:
            if text == CACHE:
                raise NoCache(
                    "this machine has no cache; add one with: sbctui repo add NAME cache /folder"
                ) from None
            raise

    def mount_of(self, name: str) -> Mount | None:
        """Where a mountable one is mounted; None when it is not."""
        one = self.known[name]
        return mounts.mounted_at(self.site, name, one, self.labelled, self.mounted)

    def folder(self, name: str) -> Path | None:
        """Where it is on this machine; None for one that is reached by ssh or https.

        Raises Refused with the command when it has to be mounted first.
        """
        if name == OWN:
            return self.site / OWN
        one = self.known[name]
        if one.kind in ("ssh", "https"):
            return None
        if not one.mountable:
            return Path(one.place)
        mount = self.mount_of(name)
        if mount is None:
            raise Refused(f"{clean(name)} is not mounted; first: sbctui repo mount {clean(name)}")
        return Path(mount.point)

    def cache(self, text: str = CACHE) -> tuple[str, Path]:
        """A cache's name and folder. Raises NoCache when there is none now, Refused, BadInput."""
        name = self.name(text)
        if name == OWN or self.known[name].kind != "cache":
            raise Refused(f"{clean(name)} is no cache; see: sbctui repo list")
        try:
            folder = self.folder(name)
        except Refused as error:
            raise NoCache(str(error)) from None
        try:
            if folder is None or not stat.S_ISDIR(folder.stat().st_mode):
                raise NotADirectoryError
        except (FileNotFoundError, NotADirectoryError):
            raise NoCache(
                f"the folder of {the_cache(name)} is not there: {folder}; make it, or mount "
                "the disk that has it"
            ) from None
        except OSError as error:
            raise from_os(error, f"looking at {the_cache(name)}") from error
        return name, folder

    @contextmanager
    def source(self, name: str, stop: threading.Event, log: Log | None = None) -> Iterator[Source]:
        """A repository to read from; let go when left. Raises SbcError."""
        folder = self.folder(name)
        if folder is not None:
            yield FolderSource(name, folder, stop)
        elif self.known[name].kind == "https":
            one = self.known[name]
            yield HttpsSource(name, one.place, one.ca, stop)
        else:
            one = self.known[name]
            with talk(ssh_argv(one), stop=stop, log=log) as spoken:
                yield SftpSource(name, one.place.partition(":/")[2].join(("/", "")), spoken)


def ssh_argv(one: Configured) -> list[str]:
    """The command that speaks sftp with a repository's server."""
    host = one.place.partition(":/")[0]
    options = ["BatchMode=yes", f"ConnectTimeout={_CONNECT}", "ServerAliveInterval=10",
               "ServerAliveCountMax=3", "ForwardAgent=no", "ClearAllForwardings=yes"]  # fmt: skip
    words = ["ssh", *(word for option in options for word in ("-o", option)), "-p", str(one.port)]
    if one.key:
        words += ["-i", one.key, "-o", "IdentitiesOnly=yes"]
    if one.known_hosts:
        words += ["-o", f"UserKnownHostsFile={one.known_hosts}"]
    return [*words, "-s", "--", host.replace("[", "").replace("]", ""), "sftp"]


def _is_name(label: str) -> bool:
    try:
        Configured(kind="removable", place=label)
    except ValueError:
        return False
    return label not in (OWN, CACHE)
