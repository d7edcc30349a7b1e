"""Options and argument types that the verbs share."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

import click

from sbctui.cli import names

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

P = ParamSpec("P")
R = TypeVar("R")
Decorated = Callable[..., Any]


@dataclass(frozen=True)
class How:
    """How a mutating verb was asked to act."""

    yes: bool = False
    dry_run: bool = False
    quiet: bool = False
    json: bool = False


class Word(click.ParamType[Any]):
    """A word that may name something; ``find`` gives what it could be while it is typed."""

    def __init__(self, name: str, find: names.Find | None = None) -> None:
        self.name = name
        self._find = find

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """What begins as typed and isn't named already. Raises what looking for it raises."""
        from sbctui.cli.completing import offered

        return offered(self._find, ctx, param, incomplete) if self._find else []


class FilePath(click.ParamType[Any]):
    """A path, which the shell completes itself: ``dir`` for folders only.

    ``find`` gives paths to offer before one is begun; with ``beside`` together with all others.
    """

    name = "path"

    def __init__(
        self,
        kind: Literal["file", "dir"] = "file",
        find: names.Find | None = None,
        *,
        beside: bool = False,
    ) -> None:
        self._kind = kind
        self._find = find
        self._beside = beside

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """Paths that are known; else the word as it is, marked as a path."""
        from click.shell_completion import CompletionItem

        from sbctui.cli.completing import offered_paths

        known = offered_paths(self._find, ctx, incomplete) if self._find else []
        path = CompletionItem(incomplete, type=self._kind)
        return [*known, path] if self._beside else known or [path]


class Parsed(Word):
    """A value parsed by one of ``model.addresses`` or its sister ``module``.

    Its BadInput is the error.
    """

    def __init__(
        self,
        name: str,
        function: str,
        find: names.Find | None = None,
        module: str = "addresses",
    ) -> None:
        super().__init__(name, find)
        self._function = function
        self._module = module

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The parsed value; what is parsed already passes."""
        if not isinstance(value, str):
            return value
        found = importlib.import_module(f"sbctui.engine.model.{self._module}")
        return getattr(found, self._function)(value)


FILE = FilePath()
FOLDER = FilePath("dir")
TARGET_FOLDER = FilePath("dir", names.own_images, beside=True)
IMAGE = FilePath("file", names.sources)
ARCHIVE = FilePath("file", names.addresses, beside=True)
ROOT = Word("root", names.roots)
LEAF = Word("leaf", names.leaves)
ORPHAN = Word("leaf", names.orphans)
NODE = Word("node", names.nodes)
GROUPED = Word("node", names.nodes_then_group)
"""A node of several, behind which a group stands."""
TRASHED = Word("trash", names.trash)
JOB = Word("job", names.jobs)
BOARD = Word("mac", names.boards)
IGNORED = Parsed("mac", "parse_mac", names.ignored)
INTERFACE = Word("interface", names.interfaces)
MAC = Parsed("mac", "parse_mac", names.boards)
NAME = Parsed("name", "parse_name")
ALIAS = Parsed("name", "parse_alias")
GROUP = Parsed("group", "parse_group", names.groups)
SIZE = Parsed("size", "parse_size")
IP = Parsed("ip", "parse_ip")
NETWORK = Word("network", names.networks)
SUBNET = Parsed("cidr", "parse_network")
REPOSITORY = Parsed("name", "parse_repository", names.configured, module="repository")
CACHE = Parsed("name", "parse_repository", names.caches, module="repository")
CACHED = Parsed("address", "parse_address", names.cached_images, module="repository")
ADDRESS = Parsed("address", "parse_address", names.addresses, module="repository")


class PoolType(click.ParamType[Any]):
    """``A-B``: the first and the last address of the pool."""

    name = "a-b"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[IPv4Address, IPv4Address]:
        """The two addresses. Raises BadInput."""
        if isinstance(value, tuple):
            return value
        from sbctui.engine.errors import BadInput
        from sbctui.engine.model.addresses import parse_ip, shown

        first, dash, last = str(value).partition("-")
        if not dash:
            raise BadInput(f"{shown(value)} is no pool; write it as 10.77.0.50-10.77.0.250")
        return parse_ip(first), parse_ip(last)


POOL = PoolType()


def output_option(function: Decorated) -> Decorated:
    """``-o table|json`` and its alias ``--json``, as the flag ``json``."""

    @click.option(
        "-o", "--output", "output_", type=click.Choice(["table", "json"]), default="table",
        help="How to print the answer.",
    )  # fmt: skip
    @click.option("--json", "json_", is_flag=True, help="The same as -o json.")
    @functools.wraps(function)
    def wrapped(*args: Any, output_: str, json_: bool, **kwargs: Any) -> Any:
        return function(*args, json=json_ or output_ == "json", **kwargs)

    return wrapped


def network(function: Decorated) -> Decorated:
    """The option that says which of several subnets an address is of."""
    return click.option("--network", type=NETWORK, default="",
                        help="The subnet to take the address of, by its interface or as CIDR; "
                        "else the first.")(function)  # fmt: skip


def mutating(function: Decorated) -> Decorated:
    """The options of every verb that changes something, as the one value ``how``."""

    @click.option("--dry-run", is_flag=True, help="Print the plan and change nothing.")
    @click.option("-y", "--yes", is_flag=True, help="Act without asking.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no notes on stderr.")
    @output_option
    @functools.wraps(function)
    def wrapped(
        *args: Any, dry_run: bool, yes: bool, quiet: bool, json: bool, **kwargs: Any
    ) -> Any:
        return function(*args, how=How(yes, dry_run, quiet, json), **kwargs)

    return wrapped
