"""What was deleted: restore it, or delete it for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.requests import PurgeTrash, Request, RestoreTrash
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World
from sbctui.screens.acting import Acting
from sbctui.screens.modal import keys_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Trashed


class TrashScreen(Sturdy, Acting, Screen[None]):
    """Newest first, with the days left before it goes by itself."""

    SCOPE = "trash"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("trash")]

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.pane = Pane(0, "Trash", id="entries", markable=lambda key: key != "none")

    def compose(self) -> ComposeResult:
        """The entries and the keys."""
        yield self.pane
        keys = Bar(id="keys")
        keys.show(keys_line(("u", "restore"), ("D", "delete for good"), ("space *", "mark"),
                            ("esc", "back")))  # fmt: skip
        yield keys

    def on_mount(self) -> None:
        """Show it."""
        self.pane.rows.focus()
        self._show()

    def on_changed(self, event: Changed) -> None:
        """Something came or went."""
        self.world = event.world
        self._show()

    def _show(self) -> None:
        site = self.world.site
        entries = {t.folder: t for t in site.trash} if site else {}
        keys = sorted(entries, key=lambda k: entries[k].deleted, reverse=True)
        now = site.facts.now if site else 0.0
        days = site.settings.trash_days if site else 0

        def draw(key: str, width: int) -> Line:
            if key not in entries:
                return (("the trash is empty", "dim"),)
            return _line(entries[key], width, now, days)

        size = fmt.size(sum(t.allocated for t in entries.values()))
        self.pane.show(keys or ["none"], draw, note=((f" {len(entries)}, {size} ", ""),))

    def _offer(self, kind: type[RestoreTrash] | type[PurgeTrash]) -> None:
        rows = self.pane.rows
        folders = tuple(sorted(rows.marks)) or (rows.cursor,)
        if folders == ("none",):
            return

        def build(engine: Engine) -> Request:
            return kind(folders=folders)

        self.sbc.offer(build)

    def do_restore(self) -> None:
        """Bring back the marked ones, or the one under the cursor."""
        self._offer(RestoreTrash)

    def do_purge(self) -> None:
        """Delete for good the marked ones, or the one under the cursor."""
        self._offer(PurgeTrash)

    def do_mark_all(self) -> None:
        """Mark all."""
        self.pane.rows.mark(self.pane.rows.keys, on=True)

    def do_unmark(self) -> None:
        """Take all marks away."""
        self.pane.rows.mark(self.pane.rows.marks, on=False)

    def do_leave(self) -> None:
        """Back."""
        self.dismiss(None)


def _line(entry: Trashed, width: int, now: float, days: int) -> Line:
    kind = entry.config.kind if entry.config else "?"
    alias = f"  {entry.config.alias}" if entry.config and entry.config.alias else ""
    left = entry.deleted.timestamp() + days * 86400 - now
    tail = (
        f" {kind:<5}{fmt.size(entry.allocated):>6}  {fmt.age(now - entry.deleted.timestamp()):>4}"
    )
    tail += f" ago, {fmt.age(left):>4} left"
    room = max(10, width - len(tail))
    return ((f"{fmt.cut(clean(entry.name + alias), room):<{room}}", ""), (tail, "dim"))
