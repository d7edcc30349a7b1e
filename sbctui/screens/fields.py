"""The fields of a form: what is asked, how it is judged, what completes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.suggester import Suggester, SuggestFromList
from textual.widgets import Input

from sbctui.engine.errors import SbcError
from sbctui.engine.model.text import clean
from sbctui.messages import in_thread
from sbctui.widgets.choice import Choice

Values = Mapping[str, str]
"""What stands in the fields, by their ids."""
Complete = Callable[[str], str | None]
"""A text that has been begun → the whole, or None."""
Picks = Literal["", "read", "write", "side"]
Check = Callable[[str], object]
"""Raises what is wrong with a field's text, or answers with the sentence."""


def anything(text: str) -> str:
    """The check of a field in which nothing can be wrong."""
    return ""


@dataclass(frozen=True)
class Field:
    """One field. ``hint`` stands under it while it is right; ``names`` complete it.

    ``look`` is a check that asks the file system: it runs in a thread. ``stand_in`` stands for it
    in the command line while it is empty. With ``choices`` it is one of these words. A ``path`` is
    completed by ``complete``, in a thread; ``picks`` says that it can be chosen from a list of
    files: to ``read`` one, to ``write`` one, or the ``side`` file of an image.
    """

    id: str
    label: str
    check: Check = anything
    value: str = ""
    hint: str = ""
    names: Sequence[str] = ()
    path: bool = False
    complete: Complete | None = None
    picks: Picks = ""
    look: Check | None = None
    stand_in: str = ""
    choices: Sequence[str] = ()

    def is_begun(self, text: str) -> bool:
        """Whether a text is no more than what stood ready to be gone on with: ``repo:folder/``."""
        return not text or (text == self.value and text.endswith((":", "/")))

    @property
    def completes(self) -> bool:
        """Whether the right arrow completes it."""
        return self.path or bool(self.names)


def judged(check: Check, text: str) -> str:
    """What a check says is wrong with a text; empty when it is right."""
    try:
        answer = check(text.strip())
    except SbcError as error:
        return str(error)
    except OSError as error:
        return clean(error.strerror or str(error))
    return clean(answer) if isinstance(answer, str) else ""


def against(error: Exception) -> tuple[str, str]:
    """What an error says, and of which field, where it is one's."""
    return clean(str(error)), error.field if isinstance(error, SbcError) else ""


class Entry(Input):
    """A line of text. A paste of many lines is no text for it, but a list of boards."""

    BINDINGS: ClassVar[list[BindingType]] = []

    class Listed(Message):
        """Many lines were pasted."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, field: Field) -> None:
        self._first = field.names[0] if field.names and not field.value else ""
        suggester = SuggestFromList(field.names) if field.names else None
        super().__init__(
            field.value,
            id=field.id,
            select_on_focus=False,
            placeholder=f"(right: {self._first})" if self._first else "",
            suggester=PathSuggester(field.complete or completed) if field.path else suggester,
        )

    def _on_paste(self, event: events.Paste) -> None:
        if len(event.text.split()) > 1 and len(event.text.splitlines()) > 1:
            event.stop()
            event.prevent_default()
            self.post_message(self.Listed(event.text))

    def action_cursor_right(self, select: bool = False) -> None:
        """Complete: what has been begun, or an empty field by the first name there is."""
        if self.value or not self._first:
            super().action_cursor_right(select)
        else:
            self.value = self._first
            self.cursor_position = len(self.value)


def widget(field: Field) -> Entry | Choice:
    """The widget for a field; both kinds have a ``value``."""
    if field.choices:
        return Choice(field.choices, field.value or field.choices[0], id=field.id)
    return Entry(field)


class PathSuggester(Suggester):
    """Completes a file's path, looking in a thread."""

    def __init__(self, complete: Complete) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """The first entry that begins like this."""
        return await in_thread(lambda: self._complete(value))


def completed(value: str) -> str | None:
    """A path completed by the first entry that begins like it; folders end in ``/``."""
    folder, name = os.path.split(os.path.expanduser(value))
    if not value or not name:
        return None
    try:
        found = sorted(n for n in os.listdir(folder or ".") if n.startswith(name))
    except OSError:
        return None
    if not found:
        return None
    whole = os.path.join(folder, found[0])
    return value + whole[len(os.path.expanduser(value)) :] + ("/" * Path(whole).is_dir())
