"""What may stand at the cursor of a half-typed command line, from the table of verbs itself.

Completing never prints, locks or writes; where something can't be found out, less is offered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete

from sbctui.cli.names import Find, Typing
from sbctui.cli.place import Place
from sbctui.engine.model.text import clean

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]*")
"""What every shell takes for one plain word; other names are not offered."""
_SAFE_PATH = re.compile(r"(?:/|[A-Za-z0-9][A-Za-z0-9._+-]*:)[A-Za-z0-9._:@+/-]*")
"""A full path, or an image's address."""
_MOST_FILES = 200


def complete(
    words: list[str], incomplete: str, place: Place | None = None
) -> list[tuple[str, str]]:
    """Values for the word at the cursor, each with one line about it (or an empty one).

    ``words`` are the whole words before it, without ``sbctui``; ``incomplete`` is what of it is
    typed. ``place`` is the open site; without one it is found as for any command line. A value
    replaces the whole word and is not quoted. Takes milliseconds, or a fraction of a second on a
    site of thousands: not for an event loop. Never raises.
    """
    found: list[tuple[str, str]] = []
    for item in items(words, incomplete, place):
        if item.type == "plain":
            found.append((item.value, item.help or ""))
        else:
            found += _paths(item.value, folders=item.type == "dir")
    return found


def items(
    words: list[str], incomplete: str, place: Place | None = None
) -> list[CompletionItem[str]]:
    """The same as click's items; one of type ``file`` or ``dir`` is for the shell to complete."""
    from sbctui.cli.main import cli

    try:
        asked = ShellComplete(cli, {"obj": place}, "sbctui", "")
        found = asked.get_completions(list(words), incomplete)
    except Exception:  # noqa: BLE001 - a Tab press is answered by silence, never by an error
        return []
    option, equals, _ = incomplete.partition("=")
    if equals and option.startswith("-"):
        return [_joined(item, f"{option}=") for item in found]
    return found


def offered(
    find: Find, ctx: click.Context, param: click.Parameter, typed: str
) -> list[CompletionItem[str]]:
    """What ``find`` knows that begins as typed and isn't given already."""
    given = ctx.params.get(param.name or "")
    already = given if isinstance(given, tuple) else ()
    root = ctx.params.get("root")
    at = Typing(_site(ctx), typed, root if isinstance(root, str) and param.name != "root" else "")
    return [
        CompletionItem(value, help=about)
        for value, about in dict(find(at)).items()
        if value.startswith(typed) and value not in already and _safe(value)
    ]


def _safe(value: str) -> bool:
    return bool(_SAFE.fullmatch(value) or _SAFE_PATH.fullmatch(value))


def offered_paths(find: Find, ctx: click.Context, typed: str) -> list[CompletionItem[str]]:
    """Paths that ``find`` knows and that begin as typed, or whose name does."""
    return [
        CompletionItem(value, help=about)
        for value, about in find(Typing(_site(ctx), typed))
        if (value.startswith(typed) or value.rpartition("/")[2].startswith(typed))
        and _SAFE_PATH.fullmatch(value)
    ]


def _site(ctx: click.Context) -> Path:
    top = ctx.find_root()
    place = top.obj if isinstance(top.obj, Place) else Place(top.params.get("given"))
    return place.path


def _joined(item: CompletionItem[str], before: str) -> CompletionItem[str]:
    return CompletionItem(f"{before}{item.value}", item.type, item.help)


def _paths(typed: str, *, folders: bool) -> Iterator[tuple[str, str]]:
    """What is in the folder being typed, folders with a slash at their end."""
    option, equals, path = typed.partition("=") if typed.startswith("-") else ("", "", typed)
    shown, slash, begun = path.rpartition("/")
    folder = Path(f"{shown}{slash}" or ".").expanduser()
    with suppress(OSError, RuntimeError, ValueError):
        with os.scandir(folder) as entries:
            here = sorted(entries, key=lambda entry: entry.name)
        fitting = [
            entry
            for entry in here
            if entry.name.startswith(begun)
            and clean(entry.name) == entry.name
            and (begun or not entry.name.startswith("."))
            and (entry.is_dir() or not folders)
        ]
        for entry in fitting[:_MOST_FILES]:
            end = "/" if entry.is_dir() else ""
            yield f"{option}{equals}{shown}{slash}{entry.name}{end}", ""
