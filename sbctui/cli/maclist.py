"""Lists of boards as verbs take them: words of the line, files, stdin."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.cli import output
from sbctui.cli.failing import Failed
from sbctui.engine.errors import BadInput, from_os

if TYPE_CHECKING:
    from sbctui.engine.model.requests import LeafSpec


def gathered(macs: tuple[str, ...], file: str | None) -> str | None:
    """What was given on the line and in the file as one list; None when nothing was.

    Raises BadInput.
    """
    parts = [_read("-") if mac == "-" else mac for mac in macs]
    if file is not None:
        parts.append(_read(file))
    return "\n".join(parts) if parts else None


def _read(name: str) -> str:
    from sbctui.engine.lists import LARGEST, decode_list

    try:
        if name == "-":
            if output.is_captured():
                raise BadInput("a console has no stdin; name a file, or paste the list on home")
            data = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with open(Path(name).expanduser(), "rb") as file:
                data = file.read(LARGEST + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise BadInput(f"{name} can't be read ({error.strerror}); give a list of MACs") from None
    except OSError as error:
        raise from_os(error, f"reading {name}") from error
    return decode_list(data, name)


def parsed(text: str) -> tuple[LeafSpec, ...]:
    """The boards that a list names. Raises for the first bad line, with all of them for JSON.

    Only what is wrong with the lines themselves; what the site says is the planner's.
    """
    from sbctui.engine.model.settings import Settings
    from sbctui.engine.model.site import Site
    from sbctui.engine.nodes.bulk import parse_bulk

    verdicts = parse_bulk(text, Site(Path("/"), Settings()))
    bad = [v for v in verdicts if v.kind == "bad"]
    leaves = tuple(spec for v in verdicts for spec in v.leaves)
    if bad:
        found = [{"line": v.line, "text": v.text, "message": v.message} for v in bad]
        shown = "; ".join(f"line {v.line}: {v.text.strip()[:40]!r} {v.message}" for v in bad[:3])
        more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
        raise Failed(
            f"{len(bad)} of {len(verdicts)} lines can't be used, so nothing was done: "
            f"{shown}{more}",
            BadInput.code,
            {"lines": found},
        )
    if not leaves:
        raise BadInput("there is no MAC in what was given; write one a line, as dc:a6:32:01:02:03")
    return leaves
