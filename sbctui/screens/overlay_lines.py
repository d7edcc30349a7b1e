"""Files laid over a leaf's disk, as lines; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.engine.model.xattrs import said
from sbctui.format import Line

if TYPE_CHECKING:
    from sbctui.engine.repository.overlay_look import Look, Shown

SIGNS = {"applied": "=", "changed": "~", "new": "+", "gone": "-"}
TONES = {"applied": "good", "changed": "warn", "new": "warn", "gone": "warn"}
WORDS = {
    "applied": "on the disk",
    "changed": "on the disk in another version",
    "new": "not on the disk yet",
    "gone": "to be given back to the root's",
}
"""How a path stands, in words."""
_WHAT, _FROM, _OWNER = 11, 16, 16


def head(width: int) -> Line:
    """The column names."""
    room = _path_room(width)
    return (
        (f"  {'PATH':<{room}} {'WHAT':<{_WHAT}}{'FROM':<{_FROM}}{'OWNER MODE':<{_OWNER}}", "dim"),
    )


def _path_room(width: int) -> int:
    return max(16, width - _WHAT - _FROM - _OWNER - 3)


def row(one: Shown, image: str, width: int) -> Line:
    """One path: how it stands, what it is, from where, whose on the board."""
    room = _path_room(width)
    path = f"/{clean(one.path)}"
    if len(path) > room:
        path = "~" + path[-room + 1 :]
    own = f"{one.owner} {one.mode:04o}" if one.kind not in (None, "removed") else ""
    return (
        (f"{SIGNS[one.state]} ", TONES[one.state]),
        (f"{path:<{room}} ", ""),
        (f"{fmt.cut(what(one), _WHAT - 1):<{_WHAT}}", "dim"),
        (f"{fmt.cut(source(one, image), _FROM - 1):<{_FROM}}", ""),
        (f"{own:<{_OWNER}}", "dim"),
    )


def what(one: Shown) -> str:
    """What stands at the path, in a word."""
    if one.kind == "file":
        return f"{fmt.size(one.size)} tmpl" if one.template else fmt.size(one.size)
    if one.kind == "folder" and one.clears:
        return "new folder"
    return {None: "the root's", "removed": "taken away"}.get(one.kind, one.kind or "")


def source(one: Shown, image: str) -> str:
    """Whose it is."""
    return clean(one.place.said if one.place else image)


def about(one: Shown, image: str) -> list[Line]:
    """All of one path."""
    rows = [
        ("path", f"/{one.path}"),
        ("state", WORDS[one.state]),
        ("from", f"{one.place.path}/{one.path}" if one.place else f"the root {image}"),
        *(("hides", f"{place.path}/{one.path}") for place in one.hides),
        ("what", what(one)),
        *([("root's", "hidden, with all that is below it")] if one.clears else []),
        *([("leads to", one.target)] if one.kind == "link" else []),
        *([("template", "filled in for this board")] if one.template else []),
    ]
    if one.kind not in (None, "removed"):
        rows += [("owner", one.owner), ("mode", f"{one.mode:04o}"), *said(one.xattrs)]
    return [((f"{clean(label):<8} ", "dim"), (clean(text), "")) for label, text in rows]


def text(one: Shown, image: str) -> str:
    """What a filter looks at."""
    return f"/{one.path} {one.state} {one.kind} {source(one, image)}"


def counts(found: Look) -> str:
    """``4: 3 group kitchen, 1 the board``; of each source how many."""
    by: dict[str, int] = {}
    for one in found.rows:
        if one.place is not None and one.kind != "folder":
            by[one.place.said] = by.get(one.place.said, 0) + 1
    parts = [f"{count} {said}" for said, count in by.items()]
    return f"{sum(by.values())}: {', '.join(parts)}" if parts else "none"


def brief(found: Look) -> Iterator[tuple[str, str]]:
    """For a leaf's details: a sentence and its tone each; nothing for one without overlays."""
    for fault in found.faults:
        yield fault, "bad"
    if found.rows:
        pending = found.pending
        yield clean(counts(found)), ""
        if pending:
            yield f"{pending} not on its disk as they are; f shows them", "warn"
