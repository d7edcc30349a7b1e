"""What was copied, to be read, and selected where the terminal took no copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from sbctui import clipboard
from sbctui import format as fmt
from sbctui.engine.model.text import legible
from sbctui.screens.modal import Lines, keys_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.app import SbcApp


class CopyScreen(Sturdy, Screen[None]):
    """The text alone on whole lines, so that a selection has nothing else in it.

    ``trouble`` is what the console complained of last: ``e`` copies that instead.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter,y", "leave", show=False),
        Binding("e", "trouble", show=False),
    ]

    def __init__(self, text: str, what: str, trouble: str) -> None:
        super().__init__()
        self._text, self._what, self._trouble = text, what, trouble
        self.body = Lines(id="text")
        self.body.margin_width = 0

    def compose(self) -> ComposeResult:
        """What was copied, the text, the keys."""
        yield Bar(id="title", fill="─")
        yield Bar(id="said")
        yield self.body
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Copy and show."""
        self.body.focus()
        self._copy()

    def _copy(self) -> None:
        sent = copy(cast("SbcApp", self.app), self._text)
        self.query_one("#title", Bar).show(((f" Copied: {self._what} ", "head"),))
        said = fmt.plural(len(sent), "character")
        cut = f" of {len(self._text)}: a terminal takes no more" if sent != self._text else ""
        line = f" {said}{cut}; where the clipboard has nothing, select it here"
        self.query_one("#said", Bar).show(((line, "warn" if cut else "dim"),))
        self.body.put([((part, ""),) for part in self._text.split("\n")])
        pairs = [("esc", "back"), ("j k", "scroll")]
        if self._trouble and self._trouble != self._text:
            pairs.append(("e", "copy the last complaint instead"))
        self.query_one("#keys", Bar).show(keys_line(*pairs))

    def copyable(self) -> tuple[str, str]:
        """The same again."""
        return self._text, self._what

    def action_trouble(self) -> None:
        """Copy what the console complained of last."""
        if self._trouble:
            self._text, self._what = self._trouble, "the last complaint"
            self._copy()

    def action_leave(self) -> None:
        """Back."""
        self.dismiss(None)


def copy(app: SbcApp, text: str) -> str:
    """Send a text to the terminal's clipboard; what of it was sent."""
    sent = clipboard.fitting(text)
    if app._driver is not None:
        app._driver.write(clipboard.sequence(sent, app.terminal.wrap))
    return sent


def show_copy(app: SbcApp) -> None:
    """Copy what the screen says is to be copied, else the last complaint."""
    told = getattr(app.screen, "copyable", None)
    text, what = told() if told is not None else ("", "")
    if not text:
        text, what = app.trouble, "the last complaint"
    if not text:
        app.refuse("there is nothing to copy here; put the cursor on a row first")
        return
    app.push_screen(CopyScreen(readable(text), what, readable(app.trouble)))


def readable(text: str) -> str:
    """A text of several lines that drives no terminal, whatever is pasted where."""
    return legible(text.replace("\r\n", "\n")).replace("\r", "\n").expandtabs()
