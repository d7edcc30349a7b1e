"""Which boards a repository's roots are for, so that a cache alone can serve them (S4.7).

A repository has ``boards/<root>.csv`` for each root with leaves: a heading and a line for each
board, in the form that ``leaf create --macs`` takes (which passes over the addresses).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sbctui.engine.files import Owner, fsync_dir, hit, write_atomic
from sbctui.engine.model.site import Site
from sbctui.engine.repository.source import Source
from sbctui.engine.repository.tree import BOARDS

_BYTES = 16 * 1024**2


def board_lists(site: Site) -> dict[str, str]:
    """The text of each list, by the root's name."""
    lists = {}
    for root in site.roots:
        leaves = (site.nodes.get(name) for name in root.config.children.values())
        rows = sorted(
            f"{one.config.mac},{one.config.alias},{one.config.group},{one.config.ip or ''}"
            for one in leaves
            if one
        )
        if rows:
            lists[root.name] = "\n".join(["mac,alias,group,ip", *rows, ""])
    return lists


def copy_boards(source: Source, root: Path, owner: Owner) -> None:
    """Make a cache's lists those of the repository; kept where that has none at all.

    Raises SbcError, OSError.
    """
    found = {}
    for one in source.entries((BOARDS,)):
        name = one.path.removeprefix(f"{BOARDS}/")
        if one.kind == "file" and name.endswith(".csv") and "/" not in name:
            data = source.read(one.path, _BYTES)
            if data is not None:
                found[name] = data
    if found:
        (root / BOARDS).mkdir(mode=0o750, exist_ok=True)
        replace_files(root / BOARDS, found, owner)


def replace_files(folder: Path, files: Mapping[str, bytes], owner: Owner) -> None:
    """Let a folder have these files and no others; what is the same is left alone."""
    for name, data in files.items():
        with suppress(OSError):
            if (folder / name).read_bytes() == data:
                continue
        write_atomic(folder / name, data, owner=owner)
    for name in sorted(set(os.listdir(folder)) - set(files)):
        hit("boards.remove")
        (folder / name).unlink()
    fsync_dir(folder)
