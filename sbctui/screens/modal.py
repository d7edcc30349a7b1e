"""What all dialogs share: a box in the middle, a title, lines that wrap, a line of keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widget import Widget

from sbctui.format import Line, Span, wrapped
from sbctui.widgets.bars import Bar
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.app import SbcApp

T = TypeVar("T")


def keys_line(*pairs: tuple[str, str]) -> Line:
    """Keys and what they do, for the bottom of a dialog or screen."""
    spans: list[Span] = []
    for key, text in pairs:
        spans += [(" ", ""), (key, "head"), (f" {text} ", "")]
    return tuple(spans)


def inner_width(screen_width: int) -> int:
    """Columns for text inside a dialog's box (app.tcss: 96, at most 90 %, border, padding)."""
    return max(20, min(96, screen_width * 9 // 10) - 5)


class Lines(Rows):
    """Lines that are only read: they wrap, and the keys that move scroll."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, cursor=False)
        self._given: Sequence[Line] = ()

    def put(self, lines: Sequence[Line]) -> None:
        """Show these lines."""
        self._given = lines
        shown = wrapped(lines, max(20, self.size.width - self.margin_width))
        self.show([str(i) for i in range(len(shown))], lambda key, _: shown[int(key)])

    def on_resize(self, event: events.Resize) -> None:
        """Wrap anew."""
        super().on_resize(event)
        self.put(self._given)

    def action_move(self, step: int) -> None:
        """Scroll by lines."""
        self._scroll(self.scroll_offset.y + step)

    def action_page(self, step: int) -> None:
        """Scroll by half a box."""
        self._scroll(self.scroll_offset.y + step * max(1, self.size.height // 2))

    def action_end(self, last: int) -> None:
        """Scroll to the beginning or the end."""
        self._scroll(len(self.keys) if last else 0)


class Reason(Lines):
    """What is to be said under a field, whole: as many rows as it takes."""

    def __init__(self, field: str) -> None:
        super().__init__(id=f"reason-{field}")
        self.can_focus = False
        self._said: Line = ()

    def say(self, text: str, tone: str) -> None:
        """Show a sentence; an empty one takes one blank row."""
        self._said = (("  ", ""), (text, tone))
        width = self.size.width - 1 if self.size.width else inner_width(self.app.size.width)
        self._fit(max(20, width))

    def _fit(self, width: int) -> None:
        self.styles.height = len(wrapped([self._said], width))
        self.put([self._said])

    def on_resize(self, event: events.Resize) -> None:
        """As many rows as it takes at this width."""
        if self._said:
            self._fit(max(20, event.size.width - 1))


class Modal(Sturdy, ModalScreen[T]):
    """A dialog. ``body`` gives its widgets; Esc leaves it with nothing done."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", show=False)]

    def __init__(self, title: str, tone: str = "head") -> None:
        super().__init__()
        self._title: Line = ((f" {title} ", tone),)

    @property
    def sbc(self) -> SbcApp:
        """The app."""
        return cast("SbcApp", self.app)

    def compose(self) -> ComposeResult:
        """The box."""
        with Vertical(id="box"):
            title = Bar(id="title")
            title.show(self._title)
            yield title
            yield from self.body()

    def body(self) -> Iterable[Widget]:
        """What stands in the box."""
        return ()

    def action_leave(self) -> None:
        """Close, with nothing done."""
        self.dismiss(None)


class TextModal(Modal[None]):
    """Text to read: help, a whole log line, everything about a node."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,enter", "leave", show=False)]

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__(title)
        self._lines = lines

    def body(self) -> Iterable[Widget]:
        """The lines and the way out."""
        self.text = Lines(id="text")
        yield self.text
        keys = Bar(id="keys")
        first = self.sbc.keymap.first
        keys.show(
            keys_line(("esc", "back"), (f"{first['list.down']} {first['list.up']}", "scroll"))
        )
        yield keys

    def columns(self) -> int:
        """The width of the text."""
        return inner_width(self.app.size.width)

    def on_mount(self) -> None:
        """As high as the text, when that fits."""
        rows = len(wrapped(self._lines, self.columns()))
        self.text.styles.height = min(rows, self.app.size.height - 7)
        self.text.put(self._lines)
        self.text.focus()
