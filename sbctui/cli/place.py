"""Which site a command is about, and whether there is one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from sbctui import configfile
from sbctui.engine.errors import BadInput, NoSuchNode, NotASite, Refused, from_os
from sbctui.engine.model.text import clean
from sbctui.engine.places import SYSTEM_SITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbctui.cli.act import Make
    from sbctui.cli.options import How
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Site

_SETTINGS = "site.toml"


class Doer(Protocol):
    """What a verb asks before and instead of changing something itself."""

    @property
    def hands_over(self) -> bool:
        """Whether what changes the site is done by somebody else, later."""

    def change(self, make: Make, how: How) -> int:
        """Have the request that ``make`` gives done, if the admin agrees; the exit code."""

    def confirm(self, title: str, lines: Sequence[str], word: str, how: How) -> None:
        """Ask before something that has no plan: y, or ``word`` typed out. Raises Declined."""

    def announce(self, title: str) -> None:
        """Come before something harmless that has no plan. Raises Refused or Declined."""


class NoSite(NoSuchNode):
    """There is nothing, or an empty folder, where the site should be."""


@dataclass(frozen=True)
class Place:
    """The site's folder, as found by ``--site``, environment, configuration or default."""

    given: str | None = None
    read_only: bool = field(default=False, kw_only=True)
    """Whether verbs that change anything are refused."""

    @cached_property
    def path(self) -> Path:
        """The absolute folder. Raises BadInput for a configuration that can't be used."""
        default = SYSTEM_SITE if os.geteuid() == 0 else _data_home() / "sbctui"
        return self._named or default

    @cached_property
    def _named(self) -> Path | None:
        for source in (self.given, os.environ.get("SBCTUI_SITE") or None):
            if source is not None:
                return _absolute(source)
        for file in (configfile.own(), configfile.SYSTEM):
            if (configured := _configured(file)) is not None:
                return configured
        return None

    @property
    def configured(self) -> bool:
        """Whether somebody named a site, or there is anything where it is by default."""
        return self._named is not None or self.found() not in ("missing", "empty")

    def archive(self, file: str) -> str:
        """An archive as it was typed, with an image of the site's repositories as its file.

        Raises BadInput, NoSuchNode, Refused.
        """
        if ":" in file and self.found() == "site":
            return self.engine().place(file)
        return file

    def found(self) -> Literal["site", "missing", "empty", "other"]:
        """What is there. Raises NotPermitted where the folder can't be looked into."""
        try:
            if (self.path / _SETTINGS).exists():
                return "site"
            with os.scandir(self.path) as entries:
                return "other" if any(e.name != "lost+found" for e in entries) else "empty"
        except FileNotFoundError:
            return "missing"
        except NotADirectoryError:
            return "other"
        except OSError as error:
            raise from_os(error, f"looking for a site at {self.path}") from error

    def to_open(self) -> Path:
        """The folder of a site that is there. Raises NoSite or NotASite, with the remedy."""
        found = self.found()
        if found == "other":
            raise NotASite(
                f"{self.path} is no site and is not empty; name the site's folder with --site"
            )
        if found != "site":
            raise NoSite(
                f"there is no site at {self.path}; make one with: sbctui{self.option} site init"
            )
        return self.path

    def engine(self) -> Engine:
        """The engine of the site that is there. Raises like ``to_open``."""
        path = self.to_open()
        from sbctui.engine.engine import Engine

        return Engine(path, read_only=self.read_only)

    def refuse_if_read_only(self) -> None:
        """Come before every change that the engine does not make. Raises Refused."""
        if self.read_only:
            from sbctui.engine.rules import READ_ONLY

            raise Refused(READ_ONLY)

    @property
    def doer(self) -> Doer:
        """Who has things done that change the site."""
        from sbctui.cli.act import AtTerminal

        return AtTerminal(self)

    def look(self, *, sessions: bool) -> Site:
        """The site's nodes for a list, and open sessions if asked for: cheaper than the engine.

        Raises like ``to_open``.
        """
        path = self.to_open()
        from sbctui.engine.model.site import Facts
        from sbctui.engine.store import Store

        site = Store(path).load()
        if not sessions:
            return site
        from sbctui.engine.services.control import SiteControl

        return site.with_facts(Facts(sessions=SiteControl(path).sessions()))

    @property
    def option(self) -> str:
        """`` --site DIR`` where it was given so, for commands in messages."""
        import shlex

        return f" --site {shlex.quote(str(self.path))}" if self.given is not None else ""


def _absolute(text: str) -> Path:
    if not text or "\0" in text:
        raise BadInput(f"{clean(text)!r} is no folder; give the site's folder, as /srv/lab")
    return Path(os.path.abspath(Path(text).expanduser()))


def _configured(file: Path) -> Path | None:
    """The key ``site`` of a configuration file; None where there is no such file or key."""
    site = configfile.read(file).get("site")
    if site is None:
        return None
    if not isinstance(site, str) or not site.startswith(("/", "~")):
        raise BadInput(f'{file}: site must be a folder\'s full path, as "/srv/lab"')
    return _absolute(site)


def _data_home() -> Path:
    return configfile.xdg("XDG_DATA_HOME", ".local/share")
