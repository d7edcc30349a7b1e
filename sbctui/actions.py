"""Everything that can be done from the home screen, in one table.

Key bindings, footer and help are made from it; ``screens/reasons.py`` says what is possible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: ``keys`` as Textual names them, ``label`` for the footer.

    What ``changes`` nodes wants a site, and the engine's rules are asked.
    """

    id: str
    keys: str
    label: str
    help: str
    changes: bool = False

    @property
    def shown(self) -> str:
        """The first key as a person reads it."""
        first = self.keys.split(",")[0]
        return SHOWN.get(first, first)


SHOWN = {
    "asterisk": "*",
    "slash": "/",
    "question_mark": "?",
    "ctrl+l": "^l",
    "ctrl+n": "^n",
    "ctrl+o": "^o",
    "escape": "esc",
}
"""Textual's key names as a person reads them."""

ACTIONS: tuple[Action, ...] = (
    Action("create", "n", "New", "Create a root: empty, or from a tar or a directory", True),
    Action("clone", "c", "Clone", "Copy a root to a new, unallocated root", True),
    Action("bulk", "b", "Bulk", "Create many leaves of a root; pasting MACs opens it too", True),
    Action("allocate", "a", "Alloc", "Give a root a MAC and an address: a board boots it", True),
    Action("deallocate", "A", "Dealloc", "Take MAC, address, export away; reboot the board", True),
    Action("edit", "e", "Edit", "Change alias, group and notes", True),
    Action("resize", "R", "Resize", "Grow a root's disk", True),
    Action("delete", "D", "Delete", "Move a root, a leaf or the marked leaves to the trash", True),
    Action("undo", "z", "Undo", "Bring back what the last delete took"),
    Action("audit", "o", "Audit", "Orphans and every other disagreement, each with its fix"),
    Action("trash", "t", "Trash", "What was deleted: restore it, or purge it for good"),
    Action("filter", "slash", "Filter", "Show what matches: text, !not, st:up, root:NAME"),
    Action("mark_all", "asterisk", "Mark all", "Mark all that the filter shows"),
    Action("unmark", "U", "Unmark", "Take all marks away"),
    Action("invert", "I", "Invert", "Mark what is not marked, and the other way round"),
    Action("reload", "r", "Reload", "Read everything again now"),
    Action("redraw", "ctrl+l", "Redraw", "Send the whole screen again"),
    Action("help", "question_mark", "Help", "This list"),
    Action("quit", "q", "Quit", "Leave; asks when jobs run"),
)
"""In the order of footer and help."""

BY_ID: Mapping[str, Action] = {a.id: a for a in ACTIONS}
"""The table by id."""

FOOTER = ("help", "create", "clone", "bulk", "allocate", "delete", "audit", "undo", "filter",
          "quit", "deallocate", "edit", "resize", "trash", "mark_all", "reload")  # fmt: skip
"""What the footer offers, the most wanted first; as many as fit."""

MOVES: tuple[tuple[str, str], ...] = (
    ("1..5 tab", "go to a pane"),
    ("j k arrows", "move; g G first and last, ^d ^u half a pane"),
    ("l h", "open and close a root (right and left too)"),
    ("enter", "show all about it"),
    ("space", "mark and move down"),
    ("X", "stop the job under the cursor (pane 4)"),
    ("esc", "back: leaves the filter, then the marks; never quits"),
)
"""Keys that move and mark, for the help."""
