"""Settings: each with its value and what that means; a change acts at once and is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from sbctui import configfile
from sbctui import format as fmt
from sbctui.actions import bindings
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import Restyled, in_thread
from sbctui.prefs import COLUMNS, Prefs, system
from sbctui.screens.acting import Acting
from sbctui.screens.help import keys_for, show_help
from sbctui.screens.modal import Lines
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane
from sbctui.widgets.rows import Rows
from sbctui.widgets.sturdy import Sturdy

if TYPE_CHECKING:
    from sbctui.terminal import Terminal


@dataclass(frozen=True)
class Setting:
    """A row. ``values`` in the order of the keys; ``means`` says of each what it does.

    ``later``: it acts from the next start on.
    """

    title: str
    values: tuple[object, ...]
    means: Callable[[object], str]
    later: bool = False


def _each(means: Mapping[str, str], title: str, *, later: bool = False) -> Setting:
    return Setting(title, tuple(means), lambda value: means[str(value)], later)


_ORDERS = tuple(f"{way}{column}" for column in ("mac", *COLUMNS) for way in ("", "-"))

SETTINGS: Mapping[str, Setting] = {
    "theme": _each({
        "terminal": "the terminal's own colours on its own background",
        "dark": "bright on dark",
        "light": "dark on bright",
        "blue-orange": "healthy is blue, bad is orange: for eyes that don't tell red from green",
        "mono": "no colours; NO_COLOR in the environment does that too",
    }, "theme"),
    "refresh": Setting(
        "refresh", (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
        lambda value: "seconds between two looks at the site",
    ),
    "columns": Setting("columns", (), lambda value: "of the allocations, behind the MAC; enter"),
    "sort": Setting(
        "sort", _ORDERS,
        lambda value: "the order at the start" + ", backwards" * str(value).startswith("-"),
    ),
    "confirm": _each({
        "ladder": "what can be taken back at once starts without a question",
        "always": "every plan wants its y",
    }, "confirmations"),
    "glyphs": _each({
        "auto": "lines where the terminal surely has them",
        "ascii": "lines are of - and |",
        "lines": "lines are drawn, whatever the terminal",
    }, "glyphs"),
    "mouse": _each({
        "auto": "on, but not over ssh: there it takes the terminal's selection away",
        "on": "on",
        "off": "off: the terminal's own selection works",
    }, "mouse", later=True),
    "driver": _each({
        "cells": "sends only what changed on the screen",
        "stock": "sends whole lines: try it where the screen is torn",
    }, "driver", later=True),
}  # fmt: skip
"""By the names of ``Prefs``."""
_KEYS = "keys"


class SettingsScreen(Sturdy, Acting, Screen[None]):
    """All settings; below them where they are kept and what the terminal is taken for."""

    SCOPE = "settings"
    CSS_PATH = "settings.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("settings")]

    def __init__(self) -> None:
        super().__init__()
        self.pane = Pane(0, "Settings", id="settings")
        self.about = Lines(id="about")
        self.about.can_focus = False
        self._usual = Prefs()

    def compose(self) -> ComposeResult:
        """The rows, about them, the keys."""
        yield self.pane
        yield Bar(id="line", fill="─")
        yield self.about
        yield Bar(id="keys")

    def on_mount(self) -> None:
        """Show what is set."""
        self.pane.rows.focus()
        self._show()
        self.sbc.background(self._look())

    async def _look(self) -> None:
        from sbctui.engine.errors import SbcError

        try:
            self._usual = await in_thread(system)
        except SbcError as error:
            self.sbc.refuse(str(error))
        self._show()

    def on_restyled(self, event: Restyled) -> None:
        """A setting was changed, here or elsewhere."""
        self._show()

    def _show(self) -> None:
        self.pane.show([*SETTINGS, _KEYS], self._line)
        self._tell()
        keys = ("leave", "change", "change_back", "reset", "any.help")
        self.query_one("#keys", Bar).show(keys_for(self, keys))

    def _tell(self) -> None:
        name = self.pane.rows.cursor or _KEYS
        _, value, means = self._parts(name)
        self.about.put([((f"{value}: ", "key"), (means, "")), *self._told()])

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """What the row means stands below, whole."""
        self._tell()

    def _line(self, name: str, width: int) -> Line:
        title, value, means = self._parts(name)
        own = name != _KEYS and getattr(self.sbc.prefs, name) != getattr(self._usual, name)
        mark = ("* ", "mark") if own else ("  ", "")
        return mark, (f"{title:<14}", ""), (f"{fmt.cut(value, 22):<23}", "key"), (means, "dim")

    def _parts(self, name: str) -> tuple[str, str, str]:
        """Title, value and meaning of a row."""
        if name == _KEYS:
            own = len(self.sbc.keymap.changed)
            value = f"{own} of your own" if own else "as they come"
            return _KEYS, value, "enter lists them; [keys.SCOPE] in the file sets them"
        setting, value = SETTINGS[name], getattr(self.sbc.prefs, name)
        later = "; from the next start" if setting.later else ""
        return setting.title, shown(value), setting.means(value) + later

    def _told(self) -> list[Line]:
        forced = "; NO_COLOR is set, so the theme is mono" if self.app.no_color else ""
        return [
            (("kept in ", "dim"), (clean(str(configfile.own())), "dim")),
            (("this terminal: ", "dim"), (terminal_line(self.sbc.terminal) + forced, "dim")),
        ]

    # ── changing ──────────────────────────────────────────────────────────────────────────

    def action_change(self, step: int) -> None:
        """Take the next value of the row, or open what has more than values."""
        name = self.pane.rows.cursor
        if name == _KEYS:
            show_help(self.sbc)
        elif name == "columns":
            from sbctui.screens.column_choice import ColumnChoice

            self.sbc.push_screen(ColumnChoice(self._usual.columns))
        elif name:
            values = SETTINGS[name].values
            self._choose(name, next_value(values, getattr(self.sbc.prefs, name), step))

    def do_reset(self) -> None:
        """Set the row to what it is without settings."""
        name = self.pane.rows.cursor
        if name in SETTINGS:
            self._choose(name, getattr(self._usual, name))

    def _choose(self, name: str, value: object) -> None:
        self.sbc.choose(**{name: value})

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Enter changes as well."""
        self.action_change(1)

    def copyable(self) -> tuple[str, str]:
        """All settings, as they would stand in the file."""
        lines = (f"{name} = {shown(getattr(self.sbc.prefs, name))}" for name in SETTINGS)
        return "\n".join(lines), "the settings"

    def do_leave(self) -> None:
        """Back; what was changed is kept."""
        self.dismiss(None)


def shown(value: object) -> str:
    """A value as a person reads it."""
    if isinstance(value, tuple):
        return " ".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def next_value(values: tuple[object, ...], value: object, step: int) -> object:
    """The value ``step`` places on, round and round; the first when ``value`` is none of them."""
    if value not in values:
        return values[0]
    return values[(values.index(value) + step) % len(values)]


def terminal_line(there: Terminal) -> str:
    """What a terminal is taken for."""
    from sbctui.terminal import TRUE

    many = "all colours" if there.colours == TRUE else f"{there.colours or 'no'} colours"
    lines = "lines" if there.lines else "no lines"
    inside = f", inside {there.wrap}" if there.wrap else ""
    return f"{many}, {lines}, {there.encoding}{inside}{', over ssh' if there.remote else ''}"
