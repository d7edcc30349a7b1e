"""Everything that can be done on a screen, in one table.

Key bindings, footers, help, the palette, the ``:`` line, ``sbctui keys`` and the settings file's
``[keys.SCOPE]`` are made from it. Whether something is possible now its screen says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.binding import Binding


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do on a screen of ``scope``.

    ``keys`` are as Textual names them, ``label`` is for the footer. What ``changes`` something is
    refused in a console that only looks. ``call`` is Textual's action; empty stands for
    ``act('ID')``, which asks the screen first (``screens/acting.py``). With ``priority`` the key
    is taken before the focused widget sees it.
    """

    id: str
    keys: str
    label: str
    help: str
    scope: str = "home"
    changes: bool = False
    call: str = ""
    priority: bool = False

    @property
    def name(self) -> str:
        """The action in the whole program: ``home.create``; also the id of its binding."""
        return f"{self.scope}.{self.id}"


SHOWN = {
    "asterisk": "*",
    "slash": "/",
    "colon": ":",
    "comma": ",",
    "question_mark": "?",
    "escape": "esc",
    "space": "space",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "pagedown": "pgdn",
    "pageup": "pgup",
}
"""Textual's names of keys as a person reads them."""


def shown(key: str) -> str:
    """One key as a person reads it: ``^l`` for ``ctrl+l``."""
    return SHOWN.get(key) or key.replace("ctrl+", "^")


def _scope(scope: str, *made: Action) -> tuple[Action, ...]:
    return tuple(replace(a, scope=scope) for a in made)


HOME = _scope(
    "home",
    Action("create", "n", "New", "Create a root: empty, or from an OS image, a tar, a directory",
           changes=True),
    Action("clone", "c", "Clone", "Copy a root to a new, unallocated root", changes=True),
    Action("bulk", "b", "Bulk", "Create many leaves of a root; pasting MACs opens it too",
           changes=True),
    Action("leaf", "L", "Leaf", "Create one leaf of a root: MAC, alias, group, address",
           changes=True),
    Action("allocate", "a", "Alloc", "Give a root a MAC and an address: a board boots it",
           changes=True),
    Action("deallocate", "A", "Dealloc", "Take MAC, address, export away; reboot the board",
           changes=True),
    Action("edit", "e", "Edit", "Change alias, group, notes and address", changes=True),
    Action("rename", "N", "Rename", "Give a root another name, a leaf another alias",
           changes=True),
    Action("resize", "R", "Resize", "Grow a root's disk", changes=True),
    Action("initramfs", "K", "Kernel", "Load the image's initramfs or the site's own, a root's "
           "leaves too", changes=True),
    Action("bootkit", "B", "Bootkit", "Build the site's own initramfs for a kernel", changes=True),
    Action("attach", "T", "Attach", "List an orphan in a root's children again", changes=True),
    Action("export", "x", "Export", "Write a root, a leaf or the marked ones into archives",
           changes=True),
    Action("import", "m", "Import", "Make a root or a leaf of an archive: file, image, URL, ssh",
           changes=True),
    Action("delete", "D", "Delete", "Move a root, a leaf or the marked leaves to the trash",
           changes=True),
    Action("delete_all", "W", "Del all", "Move all leaves of a root to the trash", changes=True),
    Action("undo", "z", "Undo", "Bring back what the last delete took", changes=True),
    Action("audit", "o", "Audit", "Orphans and every other disagreement, each with its fix"),
    Action("boards", "w", "Boards", "All boards: who asks, how far each boot came, why it stopped"),
    Action("images", "i", "Images", "Repositories and their images: import, send, follow, check"),
    Action("overlays", "f", "Files", "Files laid over a leaf's disk: from where, and whether"),
    Action("trash", "t", "Trash", "What was deleted: restore it, or purge it for good"),
    Action("filter", "slash", "Filter", "Show what matches: text, !not, st:, root:, group:, ip:"),
    Action("sort", "s", "Sort", "Sort the pane by its next column; S keeps order and columns"),
    Action("keep_view", "S", "Keep", "Keep this order for the next start"),
    Action("mark_all", "asterisk", "Mark all", "Mark all that the filter shows"),
    Action("unmark", "U", "Unmark", "Take all marks away"),
    Action("invert", "I", "Invert", "Mark what is not marked, and the other way round"),
    Action("freeze", "p", "Freeze", "Hold the live panes still, or let them go on"),
    Action("stop_job", "X", "Stop job", "Stop the job under the cursor of pane 4", changes=True),
    Action("resume_job", "E", "Resume", "Do the rest of the job under the cursor of pane 4",
           changes=True),
    Action("reload", "r", "Reload", "Read everything again now"),
    Action("settings", "comma", "Settings", "Theme, refresh, columns, confirmations, keys"),
    Action("quit", "q", "Quit", "Leave; asks when jobs run"),
    Action("unfold", "right,l", "Open", "Open a root or a group", call="fold(True)"),
    Action("fold", "left,h", "Close", "Close a root or a group", call="fold(False)"),
    Action("pane_tree", "1", "Tree", "Go to the tree", call="pane('tree')"),
    Action("pane_allocations", "2", "Boards", "Go to the allocations", call="pane('allocations')"),
    Action("pane_disk", "3", "Disk", "Go to the disk", call="pane('disk')"),
    Action("pane_jobs", "4", "Jobs", "Go to services and jobs", call="pane('jobs')"),
    Action("pane_log", "5", "Log", "Go to the log", call="pane('log')"),
    Action("pane_detail", "6", "Detail", "Go to the details", call="pane('detail')"),
    Action("back", "escape", "Back", "Leave the range, then the filter, then the marks"),
)  # fmt: skip

LIST = _scope(
    "list",
    Action("down", "down,j", "Down", "Move down", call="move(1)"),
    Action("up", "up,k", "Up", "Move up", call="move(-1)"),
    Action("page_down", "pagedown,ctrl+d,ctrl+f", "Half down", "Half a pane down", call="page(1)"),
    Action("page_up", "pageup,ctrl+u,ctrl+b", "Half up", "Half a pane up", call="page(-1)"),
    Action("first", "home,g", "First", "To the first row", call="end(0)"),
    Action("last", "end,G", "Last", "To the last row", call="end(1)"),
    Action("open", "enter", "Open", "Show all about it", call="open"),
    Action("mark", "space", "Mark", "Mark it and move down", call="mark"),
    Action("range", "v", "Range", "Begin a range of marks; v again marks it", call="range"),
)

ANY = _scope(
    "any",
    Action("help", "question_mark", "Help", "What can be done here, and the keys for it"),
    Action("command", "colon", "Command", "Type a verb of the command line, or an action's name"),
    Action("palette", "ctrl+p", "Palette", "Find an action or a verb by words", priority=True),
    Action("copy", "y", "Copy", "Copy what the cursor stands on to your terminal's clipboard"),
    Action("redraw", "ctrl+l", "Redraw", "Send the whole screen again", priority=True),
    Action("suspend", "ctrl+z", "Suspend", "Put the console in the background; fg comes back"),
)

BULK = _scope(
    "bulk",
    Action(
        "start",
        "ctrl+g",
        "Plan",
        "Show the plan for the lines that are right",
        changes=True,
        priority=True,
    ),
    Action(
        "next_fault", "ctrl+n", "Next fault", "Go to the next line that is wrong", priority=True
    ),
    Action(
        "asking",
        "ctrl+o",
        "Boards",
        "Add the unknown boards that ask for an address",
        priority=True,
    ),
    Action("file", "ctrl+r", "File", "Add the lines of a file",
           priority=True),
    Action("stop", "X", "Stop", "Stop the job; what is done stays", changes=True),
    Action("leave", "escape", "Back", "Back; the text is kept"),
)  # fmt: skip

AUDIT = _scope(
    "audit",
    Action("fix", "f", "Fix", "Show the plan that fixes the marked ones, or this one",
           changes=True),
    Action("fix_safe", "F", "Fix safe", "Show the plan that fixes all that is safe to fix",
           changes=True),
    Action("mark_safe", "s", "Mark safe", "Mark what is safe to fix: nothing lost, nobody hurt"),
    Action("mark_all", "asterisk", "Mark all", "Mark all that can be fixed and the filter shows"),
    Action("unmark", "U", "Unmark", "Take all marks away"),
    Action("keep", "K", "Keep", "Keep as it is, with a note and until a day: counted no more",
           changes=True),
    Action("trash", "D", "Trash", "Move what the finding is about to the trash", changes=True),
    Action("report", "e", "Report", "Write all findings to a file"),
    Action("sort", "S", "Sort", "Sort the findings of each group by name, by size, by age"),
    Action("filter", "slash", "Filter", "Show what matches"),
    Action("reload", "r", "Look again", "Look at everything again"),
    Action("leave", "escape,q,o", "Back", "Back to the tree"),
)  # fmt: skip

FINDING = _scope(
    "finding",
    Action("fix", "f", "Fix", "Show the plan that fixes it", changes=True),
    Action("keep", "K", "Keep", "Keep it as it is, with a note and until a day: counted no more",
           changes=True),
    Action("trash", "D", "Trash", "Move what it is about to the trash", changes=True),
    Action("leave", "escape,q", "Back", "Back to the findings"),
)  # fmt: skip

TRASH = _scope(
    "trash",
    Action("restore", "f", "Restore", "Bring the marked ones back, or this one", changes=True),
    Action("purge", "P", "Purge", "Delete the marked ones, or this one, for good", changes=True),
    Action("undo", "z", "Undo", "Bring back what the last delete took", changes=True),
    Action("mark_all", "asterisk", "Mark all", "Mark all"),
    Action("unmark", "U", "Unmark", "Take all marks away"),
    Action("leave", "escape,q,t", "Back", "Back to the tree"),
)

BOARDS = _scope(
    "boards",
    Action("bulk", "b", "Leaves", "Make leaves of the marked boards that ask, or of this one",
           changes=True),
    Action("ignore", "i", "Ignore", "Ignore the marked boards that ask, or this one; or no longer",
           changes=True),
    Action("ignored", "I", "Ignored", "Show those that are ignored, or hide them"),
    Action("compare", "c", "Compare", "Boards registered, known to DHCP, and seen, side by side"),
    Action("mark_all", "asterisk", "Mark all", "Mark all that ask and the filter shows"),
    Action("unmark", "U", "Unmark", "Take all marks away"),
    Action("sort", "s", "Sort", "Sort by state, by name, by age, by how long it took"),
    Action("filter", "slash", "Filter", "Show what has these words in it; !word: what has not"),
    Action("reload", "r", "Reload", "Read everything again now"),
    Action("leave", "escape,q,w", "Back", "Leave the range, then the filter, then the boards"),
)  # fmt: skip

BOOTS = _scope(
    "boots",
    Action("node", "d", "Node", "All about its node"),
    Action("leave", "escape,q", "Back", "Back to where one was"),
)

COMPARED = _scope(
    "compared",
    Action("filter", "slash", "Filter", "Show what has these words in it; !word: what has not"),
    Action("reload", "r", "Look again", "Compare again"),
    Action("leave", "escape,q,c", "Back", "Leave the filter, then the comparison"),
)

IMAGES = _scope(
    "images",
    Action("import", "m", "Import", "Make a root of the image, or of another archive",
           changes=True),
    Action("export", "x", "Export", "Write a root or a leaf into the repository", changes=True),
    Action("sides", "f", "Side files", "Make the side files of the marked images, or of this one; "
           "SIDE tells: sha256, torrent, mcast, chunks, ! stale", changes=True),
    Action("verify", "c", "Check", "Read images whole and compare them with their side files"),
    Action("send", "b", "Send", "Send the image once, by multicast, to all who listen",
           changes=True),
    Action("seed", "t", "Torrent", "Offer the marked images, or this one, by torrent until stopped",
           changes=True),
    Action("receive", "e", "Receive", "Receive an image that another server sends or seeds",
           changes=True),
    Action("update", "u", "Update", "Bring a cache up to date with this repository, folder, image",
           changes=True),
    Action("serve", "T", "Take over", "Boot the boards of a cache from here, while its repository "
           "is away", changes=True),
    Action("former", "F", "Former", "Bring back the former version of an image in a cache",
           changes=True),
    Action("mount", "p", "Mount", "Mount the repository, or unmount it", changes=True),
    Action("add", "a", "Add", "Add a repository: another server's, a mount, a cache",
           changes=True),
    Action("remove", "A", "Forget", "Forget the repository; what is in it stays", changes=True),
    Action("index", "n", "Index", "Write what others need who follow this server's repository",
           changes=True),
    Action("delete", "D", "Delete", "Move the marked images, or this one, to the trash",
           changes=True),
    Action("undo", "z", "Undo", "Bring back what the last delete took", changes=True),
    Action("stop_job", "X", "Stop job", "Stop the job under the cursor of pane 3", changes=True),
    Action("resume_job", "E", "Resume", "Do the rest of the job under the cursor of pane 3",
           changes=True),
    Action("mark_all", "asterisk", "Mark all", "Mark all images that the filter shows"),
    Action("unmark", "U", "Unmark", "Take all marks away"),
    Action("filter", "slash", "Filter", "Show what has these words in its address, or is stale"),
    Action("sort", "s", "Sort", "Sort the images by name, by size, by age"),
    Action("reload", "r", "Look again", "Look at all repositories again"),
    Action("unfold", "right,l", "Open", "Open a repository or a folder", call="fold(True)"),
    Action("fold", "left,h", "Close", "Close a repository or a folder", call="fold(False)"),
    Action("pane_images", "1", "Images", "Go to the images", call="pane('images')"),
    Action("pane_shelves", "2", "Places", "Go to the repositories", call="pane('shelves')"),
    Action("pane_transfers", "3", "Transfers", "Go to the transfers", call="pane('transfers')"),
    Action("leave", "escape,q,i", "Back", "Leave the range, then the filter, then the images"),
)  # fmt: skip

OVERLAY = _scope(
    "overlay",
    Action("apply", "a", "Apply", "Lay over the disk what is not there as it should be",
           changes=True),
    Action("apply_again", "A", "All again", "Lay all of it again: the board may have changed it",
           changes=True),
    Action("group", "e", "Group", "Change the leaf's group, alias, notes", changes=True),
    Action("filter", "slash", "Filter", "Show what has these words in it; !word: what has not"),
    Action("reload", "r", "Look again", "Read the overlays again"),
    Action("leave", "escape,q", "Back", "Leave the filter, then the overlays"),
)  # fmt: skip

JOB = _scope(
    "job",
    Action("stop", "X", "Stop", "Stop it; what is done stays", changes=True),
    Action("resume", "E", "Resume", "Do what it left undone", changes=True),
    Action("find", "slash", "Find", "Go to the next line with a word in it"),
    Action("errors", "n", "Next error", "Go to the next line found, or else to the next error"),
    Action("close", "K", "Let be", "Leave undone what it left; it is counted no more",
           changes=True),
    Action("leave", "escape,q", "Back", "Back; the job goes on"),
)  # fmt: skip

DETAIL = _scope(
    "detail",
    Action("leave", "escape,q", "Back", "Back to the tree"),
)

SETTINGS = _scope(
    "settings",
    Action("change", "enter,right,l", "Change", "Take the next value", call="change(1)"),
    Action("change_back", "left,h", "Change back", "Take the value before", call="change(-1)"),
    Action("reset", "D", "Default", "Set this one to what it is without settings"),
    Action("leave", "escape,q", "Back", "Back; what was changed is kept"),
)

COLUMNS = _scope(
    "columns",
    Action("earlier", "K,less_than_sign", "Earlier", "Move the column to the left",
           call="shift(-1)"),
    Action("later", "J,greater_than_sign", "Later", "Move the column to the right",
           call="shift(1)"),
    Action("reset", "D", "Default", "Take the columns that are there without settings"),
    Action("leave", "escape,q", "Back", "Back to the settings"),
)  # fmt: skip

ACTIONS: tuple[Action, ...] = (
    *HOME, *LIST, *ANY, *BULK, *AUDIT, *FINDING, *TRASH, *BOARDS, *BOOTS, *COMPARED, *IMAGES,
    *OVERLAY, *JOB, *DETAIL, *SETTINGS, *COLUMNS,
)  # fmt: skip
"""The table, in the order of help and footers."""

BY_NAME: Mapping[str, Action] = {a.name: a for a in ACTIONS}
"""The table by ``SCOPE.ID``."""

_NODE = ("home.audit", "home.undo", "home.boards", "home.images", "home.filter", "any.command",
         "home.trash", "home.quit")  # fmt: skip
_ELSE = ("home.create", *_NODE)
FOOTERS: Mapping[str, tuple[str, ...]] = {
    "root": ("home.create", "home.clone", "home.bulk", "home.allocate", "home.deallocate",
             "home.export", "home.delete", *_NODE, "home.edit", "home.leaf", "home.resize"),
    "leaf": ("home.edit", "home.rename", "home.delete", "home.export", "any.copy", "home.bulk",
             *_NODE, "home.overlays"),
    "orphan": ("home.attach", "home.delete", "home.edit", "any.copy", *_NODE),
    "seen": ("home.bulk", "home.allocate", "home.boards", "any.copy", "list.mark",
             *(name for name in _NODE if name != "home.boards")),
    "broken": ("home.audit", "list.open", *_NODE[1:]),
    "group": ("list.open", "home.mark_all", *_NODE),
    "running": ("list.open", "home.stop_job", *_ELSE),
    "undone": ("list.open", "home.resume_job", *_ELSE),
    "job": ("list.open", *_ELSE),
    "log": ("list.open", "any.copy", "home.freeze", *_ELSE),
    "": _ELSE,
}  # fmt: skip
"""What home's footer offers behind help, by what the cursor stands on, the most wanted first."""


def of_scope(scope: str) -> tuple[Action, ...]:
    """The actions of one scope, in order."""
    return tuple(a for a in ACTIONS if a.scope == scope)


def bindings(scope: str) -> list[Binding]:
    """Textual's bindings of a scope; their ids are the actions' names, so keys can be remapped."""
    from textual.binding import Binding

    return [
        Binding(
            a.keys,
            a.call or f"act('{a.id}')",
            a.help,
            id=a.name,
            show=False,
            priority=a.priority,
        )
        for a in of_scope(scope)
    ]
