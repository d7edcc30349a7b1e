"""Where settings are kept: ``config.toml`` in the user's configuration folder and in ``/etc``.

Read on every start of the command line, so nothing heavy is imported here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sbctui.engine.errors import BadInput, from_os

SYSTEM = Path("/etc/sbctui/config.toml")
TABLES = ("console", "keys")
_KEYS = ("site", *TABLES)


def own() -> Path:
    """The user's file, there or not."""
    return xdg("XDG_CONFIG_HOME", ".config") / "sbctui" / "config.toml"


def xdg(name: str, fallback: str) -> Path:
    """A folder of the user's by its variable; a relative one doesn't count."""
    given = os.environ.get(name, "")
    return Path(given) if given.startswith("/") else Path.home() / fallback


def read(file: Path) -> dict[str, Any]:
    """A file's keys and tables; empty where there is none. Raises BadInput, NotPermitted."""
    try:
        data = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise from_os(error, f"reading {file}") from error
    import tomllib

    try:
        raw = tomllib.loads(data.decode())
    except ValueError as error:
        raise BadInput(f"{file} can't be read as TOML: {error}; mend or remove it") from None
    unknown = sorted(set(raw) - set(_KEYS))
    if unknown:
        raise BadInput(f"{file} has an unknown key {unknown[0]!r}; there are: {', '.join(_KEYS)}")
    for table in TABLES:
        if not isinstance(raw.get(table, {}), dict):
            raise BadInput(f"{file}: {table} must be a table, written as [{table}]")
    return raw
