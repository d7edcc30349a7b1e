"""What a hook is told of repositories: variables that a shell can take as they are (S4.5)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from sbctui.engine.errors import SbcError
from sbctui.engine.model.repository import OWN
from sbctui.engine.repository.opening import Here


def variables(here: Here) -> Mapping[str, str]:
    """REPO and CACHE (empty without one), and ``MEDIA_<LABEL>`` for each mounted removable one.

    Of two labels that give the same variable the first by name counts.
    """
    found = {"REPO": str(here.site / OWN), "CACHE": ""}
    try:
        found["CACHE"] = str(here.cache()[1])
    except SbcError:
        found["CACHE"] = ""
    for name, one in sorted(here.known.items()):
        mount = here.mount_of(name) if one.kind == "removable" else None
        if mount is not None:
            found.setdefault(f"MEDIA_{re.sub(r'[^A-Z0-9]', '_', one.label.upper())}", mount.point)
    return found


def shell_lines(found: Mapping[str, str]) -> tuple[str, ...]:
    """The variables as lines that a POSIX shell reads, whatever is in them."""
    return tuple(f"export {name}={shlex.quote(value)}" for name, value in found.items())
