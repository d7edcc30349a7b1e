"""What ``sbctui overlay show`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sbctui.cli import output

if TYPE_CHECKING:
    from sbctui.engine.repository.overlay_look import Look, Shown


def document(found: Look) -> dict[str, Any]:
    """For ``-o json``."""
    return {
        "node": found.leaf,
        "image": found.image or None,
        "applied": output.iso(found.applied) if found.applied else None,
        "faults": list(found.faults),
        "files": [_file(row) for row in found.rows],
    }


def _file(row: Shown) -> dict[str, Any]:
    from sbctui.engine.model.xattrs import written

    return {
        "path": f"/{row.path}",
        "kind": row.kind,
        "state": row.state,
        "source": f"{row.place.path}/{row.path}" if row.place else None,
        "from": row.place.said if row.place else None,
        "hides": [f"{place.path}/{row.path}" for place in row.hides],
        "owner": row.owner or None,
        "mode": f"{row.mode:04o}" if row.place and row.kind != "removed" else None,
        "size": row.size if row.kind == "file" else None,
        "target": row.target or None,
        "template": row.template,
        "clears": row.clears,
        "xattrs": written(row.xattrs),
    }


def print_(found: Look) -> None:
    """For people: a table, and below it attributes, what is wrong, what to do."""
    rows = [
        (f"/{row.path}", _words_of(row), row.place.said if row.place else found.image or "-",
         row.owner if row.kind not in (None, "removed") else "-",
         f"{row.mode:04o}" if row.kind not in (None, "removed") else "-",
         row.state, ", ".join(place.said for place in row.hides) or "-")
        for row in found.rows
    ]  # fmt: skip
    if rows:
        output.table(("PATH", "WHAT", "FROM", "OWNER", "MODE", "STATE", "HIDES"), rows)
        _print_attributes(found)
    elif not found.faults:
        output.lines([f"no files are laid over {found.leaf}"])
    for fault in found.faults:
        output.say(fault)
    if found.pending:
        count = found.pending
        verb = "is" if count == 1 else "are"
        output.say(f"{count} of these {verb} not yet so on its disk: sbctui overlay apply "
                   f"{found.leaf}")  # fmt: skip


def _print_attributes(found: Look) -> None:
    from sbctui.engine.model.xattrs import said

    rows = [(f"/{row.path}", *one) for row in found.rows for one in said(row.xattrs)]
    if rows:
        output.lines([""])
        output.table(("PATH", "ATTRIBUTE", "VALUE"), rows)


def _words_of(row: Shown) -> str:
    """What a path is, in words."""
    from sbctui import format as words

    if row.kind is None:
        return "the image's own again"
    if row.kind == "removed":
        return "taken away"
    if row.kind == "link":
        return f"-> {row.target}"
    if row.kind == "folder":
        return "folder, image's hidden" if row.clears else "folder"
    return f"{words.size(row.size)}{' template' if row.template else ''}"
