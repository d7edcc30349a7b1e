"""What was deleted: restore it, or delete it for good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import PurgeTrash, Request, RestoreTrash
from sbctui.engine.model.trashed import gathered
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens.acting import Acting
from sbctui.screens.help import keys_for
from sbctui.screens.modal import TextModal
from sbctui.screens.trash_lines import about, head, line, shown
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Trashed

_NONE = "none"
_KEYS = ("restore", "purge", "undo", "list.open", "list.mark", "leave", "mark_all", "unmark")


class TrashScreen(Sturdy, Acting, Screen[None]):
    """Newest first, with the days left before it goes by itself."""

    SCOPE = "trash"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("trash")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.pane = Pane(0, "Trash", id="entries", markable=lambda key: key != _NONE, head=head)
        self.keys = Bar(id="keys")

    def compose(self) -> ComposeResult:
        """The entries and the keys."""
        yield self.pane
        yield self.keys

    def on_mount(self) -> None:
        """Show it."""
        self.pane.rows.focus()
        self._show()

    def on_changed(self, event: Changed) -> None:
        """Something came or went."""
        self.world = event.world
        self._show()

    def on_resize(self) -> None:
        """The keys that fit."""
        self.keys.show(keys_for(self, _KEYS))

    def on_rows_marked(self, event: Rows.Marked) -> None:
        """Some keys depend on marks."""
        self.on_resize()

    def _entries(self) -> Mapping[str, tuple[Trashed, ...]]:
        """Each with what went with it."""
        site = self.world.site
        found = sorted(site.trash, key=lambda t: (t.deleted, t.name), reverse=True) if site else []
        return gathered(found)

    def _show(self) -> None:
        site, entries = self.world.site, self._entries()

        def draw(key: str, width: int) -> Line:
            if site is None or key not in entries:
                days = f" for {site.settings.trash_days} days" if site else ""
                return ((f"the trash is empty; what D deletes comes here{days}", "dim"),)
            return line(site, entries[key], width)

        size = fmt.size(sum(t.allocated for all_ in entries.values() for t in all_))
        self.pane.show(list(entries) or [_NONE], draw, note=((f" {len(entries)}, {size} ", ""),))
        self.keys.show(keys_for(self, _KEYS))

    def _chosen(self) -> tuple[str, ...]:
        """Folders of the marked ones, else of the one under the cursor."""
        rows, entries = self.pane.rows, self._entries()
        return tuple(f for f in (sorted(rows.marks) or [rows.cursor]) if f in entries)

    def reason(self, action: str) -> str | None:
        """Why not now, or None."""
        if action in ("restore", "purge", "undo", "mark_all") and not self._entries():
            return "the trash is empty, so nothing can be brought back or purged"
        return "nothing is marked" if action == "unmark" and not self.pane.rows.marks else None

    def has_rows(self) -> bool:
        """Whether anything is in it."""
        return bool(self._entries())

    def copyable(self) -> tuple[str, str]:
        """The folders."""
        return "\n".join(f"trash/{folder}" for folder in self._chosen()), "where it is"

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """All about an entry."""
        site, entry = self.world.site, self._entries().get(event.key)
        if site is not None and entry is not None:
            self.sbc.push_screen(TextModal(f"Deleted: {shown(entry[0])}", about(site, entry)))

    def _offer(self, kind: type[RestoreTrash] | type[PurgeTrash]) -> None:
        folders = self._chosen()

        def build(engine: Engine) -> Request:
            return kind(folders=folders)

        self.sbc.offer(build)

    def do_restore(self) -> None:
        """Bring back the marked ones, or the one under the cursor."""
        self._offer(RestoreTrash)

    def do_purge(self) -> None:
        """Delete for good the marked ones, or the one under the cursor."""
        self._offer(PurgeTrash)

    def do_undo(self) -> None:
        """Bring back what the last delete took."""
        from sbctui.screens.verbs import undo

        undo(self.sbc)

    def do_mark_all(self) -> None:
        """Mark all."""
        self.pane.rows.mark(self.pane.rows.keys, on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.pane.rows.mark(self.pane.rows.marks, on=False)

    def do_leave(self) -> None:
        """Back."""
        self.dismiss(None)
