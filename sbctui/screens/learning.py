"""Screens whose answer a thread looks up, anew whenever what it depends on changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from textual.app import ComposeResult
from textual.screen import Screen

from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Changed, World, in_thread
from sbctui.screens.acting import Acting
from sbctui.screens.help import keys_for
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Draw
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine

Found = TypeVar("Found")


class Learner(Sturdy, Acting, Screen[None], Generic[Found]):
    """A screen whose answer a thread looks up. ``found`` is the newest one, None before the first;
    ``trouble`` says why there is no newer one.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.found: Found | None = None
        self.trouble = ""
        self._asked: object = None
        self._asking = False

    def stamp(self) -> object:
        """What the answer depends on: another one, and it is looked up again. None: not now."""
        raise NotImplementedError

    def look(self, engine: Engine) -> Found:
        """The answer, in a thread. Raises SbcError, OSError."""
        raise NotImplementedError

    def tell(self) -> None:
        """Show what is known; called while the screen is open."""
        raise NotImplementedError

    def show_found(self) -> None:
        """Show what is known, unless the screen has gone."""
        if self in self.app.screen_stack:
            self.tell()

    def on_mount(self) -> None:
        """Look it up."""
        self.show_found()
        self._ask()

    def on_resize(self) -> None:
        """The keys that fit."""
        self.show_found()

    def on_changed(self, event: Changed) -> None:
        """Another state of the world: perhaps another answer."""
        self.world = event.world
        self.show_found()
        self._ask()

    def _ask(self) -> None:
        stamp = self.stamp()
        if stamp not in (None, self._asked) and not self._asking:
            self._asked, self._asking = stamp, True
            self.sbc.background(self._learn())

    async def _learn(self) -> None:
        from sbctui.engine.errors import SbcError

        engine = self.sbc.feeds.engine
        try:
            if engine is not None:
                self.found = await in_thread(lambda: self.look(engine))
                self.trouble = ""
        except (SbcError, OSError) as error:
            self.trouble = str(error)
        finally:
            self._asking = False
        self.show_found()
        if self in self.app.screen_stack:
            self._ask()

    def in_trouble(self) -> Line:
        """Why there is no newer answer, for a title."""
        return ((f" {clean(self.trouble)} ", "bad"),) if self.trouble else ()

    def do_reload(self) -> None:
        """Look it up again."""
        self._asked = None
        self._ask()


class Learning(Learner[Found]):
    """One pane with the rows of an answer, and the keys below."""

    KEYS: ClassVar[tuple[str, ...]]
    WAITING: ClassVar[str]
    """What an empty pane says before the first answer."""

    def __init__(self, world: World, pane: Pane) -> None:
        super().__init__(world)
        self.pane = pane

    def rows(self) -> tuple[Sequence[str], Draw]:
        """Keys of the rows that the filter lets through, and how one is drawn."""
        raise NotImplementedError

    def note(self, found: Found) -> Line:
        """What the pane's title says of an answer."""
        raise NotImplementedError

    def empty(self, found: Found) -> list[Line]:
        """What stands in a pane without rows."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """The rows, the keys."""
        yield self.pane
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Look it up."""
        self.pane.rows.focus()
        super().on_mount()

    def on_pane_filtered(self, event: Pane.Filtered) -> None:
        """Show what the filter lets through."""
        self.show_found()

    def has_rows(self) -> bool:
        """Whether any is shown."""
        return bool(self.pane.rows.keys)

    def tell(self) -> None:
        """Draw the rows."""
        keys, draw = self.rows()
        self.pane.show(keys, draw, note=self._note(), empty=self._empty())
        self.query_one("#keys", Bar).show(keys_for(self, self.KEYS))

    def _note(self) -> Line:
        return self.in_trouble() or (self.note(self.found) if self.found is not None else ())

    def _empty(self) -> list[Line]:
        if self.found is not None:
            return self.empty(self.found)
        return [] if self.trouble else [((f" {self.WAITING} ...", "dim"),)]

    def do_filter(self) -> None:
        """Type a filter."""
        self.pane.start_filter()

    def do_leave(self) -> None:
        """Leave the filter first, then the screen."""
        if self.pane.filter:
            self.pane.set_filter("")
        else:
            self.dismiss(None)
