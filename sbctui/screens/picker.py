"""A file chosen from a list: folders, sizes, ages, and what each file is."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.widget import Widget

from sbctui import format as fmt
from sbctui.engine.errors import SbcError
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import in_thread
from sbctui.screens.archive_lines import told
from sbctui.screens.fields import Picks
from sbctui.screens.modal import Modal, Reason, keys_line
from sbctui.screens.places import Spot, listed, places, spot_of
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.repository.view import Choice

_TAIL = 30
_REST = 0.25
"""Seconds that the cursor rests on a file before it is looked at."""
_UP, _HERE = "up:", "here:"


_TITLES: Mapping[Picks, str] = {"write": "Where to write", "side": "Choose its side file"}


class PickScreen(Modal[str]):
    """Its result is the file as a person would type it. To ``write``, also a new name's folder;
    of a ``side`` file, no other files are listed.
    """

    CSS_PATH = "picker.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h,backspace", "up", show=False),
        Binding("right,l", "into", show=False),
        Binding("slash", "filter", show=False),
    ]

    def __init__(self, text: str, picks: Picks) -> None:
        super().__init__(_TITLES.get(picks, "Choose a file"))
        self._begun = text
        self._write = picks == "write"
        self._sides = picks == "side"
        self._new = _name(text) if self._write else ""
        self._spot = Spot()
        self._rows: dict[str, Choice | Spot] = {}
        self._what: dict[str, str] = {}
        self._now = 0.0
        self._timer: Timer | None = None
        self.pane = Pane(0, "", id="files", head=_head)
        self.about = Reason("file")

    def body(self) -> Iterable[Widget]:
        """The list, what the file under the cursor is, the keys."""
        yield self.pane
        yield self.about
        keys = Bar(id="keys")
        first = ("enter", "write there") if self._write else ("enter", "choose")
        keys.show(keys_line(first, ("left", "up"), ("/", "filter"), ("esc", "back")))
        yield keys

    def on_mount(self) -> None:
        """Begin where the field's text leads."""
        site = self.sbc.feeds.world.site
        self._now = site.facts.now if site else time.time()
        self.pane.rows.focus()
        self.sbc.background(self._begin())

    async def _begin(self) -> None:
        engine = self._engine()
        spot = await in_thread(lambda: spot_of(engine, self._begun))
        await self._go(spot, f"file:{_name(self._begun)}")

    def _engine(self) -> Engine:
        engine = self.sbc.feeds.engine
        assert engine is not None, "forms open when the site has been read"
        return engine

    async def _go(self, spot: Spot, at: str = "") -> None:
        """Show a folder, the cursor on what one came from."""
        engine, said = self._engine(), ""
        found: Sequence[Choice] = ()
        roots: Sequence[tuple[Spot, str]] = ()
        try:
            if spot.folder is None:
                roots = await in_thread(lambda: places(engine))
            else:
                found = await in_thread(lambda: listed(spot, sides=self._sides))
        except (SbcError, OSError) as error:
            said = clean(getattr(error, "strerror", "") or str(error))
        if not self.is_attached:
            return
        self._spot = spot
        self._rows = {f"spot:{s.label}": s for s, _ in roots}
        self._rows |= {f"file:{c.name}": c for c in found}
        self._what = {f"spot:{s.label}": what for s, what in roots}
        self.pane.set_filter("")
        self._show(said)
        keys = self.pane.rows.keys
        self.pane.rows.move_to(at if at in self._rows else next(iter(keys), ""))

    def _show(self, said: str = "") -> None:
        keys = [k for k in self._rows if fmt.says(k, self.pane.filter)]
        if self._spot.folder is not None:
            first = [_HERE] if self._write and self._new else []
            keys = [*first, _UP, *keys] if not self.pane.filter else keys
        note: Line = ((f" {clean(self._spot.label) or 'places'} ", "key"),)
        empty: list[Line] = [((f" {said or 'nothing here'}", "bad" if said else "dim"),)]
        self.pane.show(keys, self._draw, note=note, empty=empty)
        if said:
            self.about.say(said, "bad")

    def _draw(self, key: str, width: int) -> Line:
        if key == _UP:
            return (("..", "key"),)
        if key == _HERE:
            return ((f"write {clean(self._new)} here", "key"),)
        one = self._rows[key]
        if isinstance(one, Spot):
            room = max(10, width - _TAIL)
            return (
                (f"{fmt.cut(clean(one.label), room):<{room}}", "key"),
                (f"  {self._what[key]}", "dim"),
            )
        return _line(one, self._now, width)

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self._show()

    # ── what the file under the cursor is ─────────────────────────────────────────────────

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Look at the file when the cursor rests."""
        if self._timer is not None:
            self._timer.stop()
        self.about.say("", "dim")
        self._timer = self.set_timer(_REST, lambda: self.sbc.background(self._look(event.key)))

    async def _look(self, key: str) -> None:
        one, engine = self._rows.get(key), self._engine()
        if one is None or isinstance(one, Spot) or one.folder:
            return
        whole = self._spot.inside(one.name)
        try:
            said = told(await in_thread(lambda: engine.preview(whole)))
        except (SbcError, OSError) as error:
            said = clean(str(error))
        if self.is_attached and self.pane.rows.cursor == key:
            self.about.say(said, "")

    # ── moving ────────────────────────────────────────────────────────────────────────────

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter: into a folder, or take the file."""
        self._open(event.key)

    def _open(self, key: str) -> None:
        one = self._rows.get(key)
        if key == _UP:
            self.action_up()
        elif key == _HERE:
            self.dismiss(self._spot.inside(self._new))
        elif isinstance(one, Spot):
            self.sbc.background(self._go(one))
        elif one is not None and one.folder:
            self.sbc.background(self._go(self._spot.below(one.name)))
        elif one is not None:
            self.dismiss(self._spot.inside(one.name))

    def action_into(self) -> None:
        """Into the folder under the cursor; a file is not taken by that."""
        one = self._rows.get(self.pane.rows.cursor)
        if isinstance(one, Spot) or (one is not None and one.folder):
            self._open(self.pane.rows.cursor)

    def action_up(self) -> None:
        """To the folder above."""
        if self._spot.folder is None:
            return
        above = self._spot.above()
        came = self._spot.label
        at = f"spot:{came}" if above.folder is None else f"file:{_name(came.rstrip('/'))}"
        self.sbc.background(self._go(above, at))

    def action_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def action_leave(self) -> None:
        """Leave the filter first, then the list."""
        if self.pane.filter:
            self.pane.set_filter("")
        else:
            super().action_leave()


def _name(text: str) -> str:
    """What stands behind the last slash or colon."""
    return text[max(text.rfind("/"), text.rfind(":")) + 1 :]


def _head(width: int) -> Line:
    room = max(10, width - _TAIL)
    return ((f"{'NAME':<{room}}   SIZE   AGE  WHAT", "dim"),)


def _line(one: Choice, now: float, width: int) -> Line:
    room = max(10, width - _TAIL)
    name = clean(one.name) + ("/" if one.folder else "")
    size = "" if one.folder else fmt.size(one.size)
    age = fmt.age(now - one.mtime) if one.mtime else ""
    return (
        (f"{fmt.cut(name, room):<{room}}", "key" if one.folder else ""),
        (f"  {size:>5}  {age:>4}  ", "dim"),
        (one.what, "dim"),
    )
