"""One dialog for every verb: fields that say what is wrong as they are typed.

Enter shows the plan; the form stays below it until the plan is started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import Suggester, SuggestFromList
from textual.widget import Widget
from textual.widgets import Input

from sbctui.engine.errors import SbcError
from sbctui.engine.model.text import clean
from sbctui.messages import in_thread
from sbctui.screens.modal import Modal, Reason, keys_line
from sbctui.widgets.bars import Bar

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request

Values = Mapping[str, str]
Check = Callable[[str], object]
"""Raises what is wrong with a field's text, or answers with the sentence."""


@dataclass(frozen=True)
class Field:
    """One field. ``hint`` stands under it while it is right; ``names`` complete it."""

    id: str
    label: str
    check: Check
    value: str = ""
    hint: str = ""
    names: Sequence[str] = ()
    path: bool = False


@dataclass(frozen=True)
class FormSpec:
    """A form: ``build`` makes the request, in a thread, from what was typed."""

    title: str
    fields: tuple[Field, ...]
    build: Callable[[Engine, Values], Request]


class PathSuggester(Suggester):
    """Completes a file's path, looking in a thread."""

    async def get_suggestion(self, value: str) -> str | None:
        """The first entry that begins like this."""
        return await in_thread(lambda: _complete(value))


def _complete(value: str) -> str | None:
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


class FormScreen(Modal[str]):
    """Fills in a ``FormSpec``; its result is the id of the job that was started."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
    ]

    def __init__(self, spec: FormSpec) -> None:
        super().__init__(spec.title)
        self.spec = spec
        self._reasons = {f.id: Reason(f.id) for f in spec.fields}
        self._busy = False

    def body(self) -> Iterable[Widget]:
        """Label, field and reason for each; then the keys."""
        for field in self.spec.fields:
            label = Bar(classes="label")
            label.show(((field.label, "key"),))
            yield label
            suggester = SuggestFromList(field.names) if field.names else None
            yield Input(
                field.value,
                id=field.id,
                select_on_focus=False,
                suggester=PathSuggester(use_cache=False) if field.path else suggester,
            )
            yield self._reasons[field.id]
        self.keys = Bar(id="keys")
        yield self.keys

    def on_mount(self) -> None:
        """Begin in the first field."""
        self._say_keys()
        for field in self.spec.fields:
            self._judge(field, quiet=True)
        self.query(Input).first().focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge the field at once."""
        field = next(f for f in self.spec.fields if f.id == event.input.id)
        self._judge(field, quiet=False)
        self._say_keys()

    def _say_keys(self) -> None:
        keys = [("enter", "show the plan"), ("tab", "next field"), ("esc", "back")]
        self.keys.show(keys_line(*keys))

    def _judge(self, field: Field, *, quiet: bool) -> bool:
        text = self.query_one(f"#{field.id}", Input).value
        reason = _reason(field, text)
        if reason and not (quiet and not text):
            self._reasons[field.id].say(reason, "bad")
        else:
            self._reasons[field.id].say(field.hint, "dim")
        return not reason

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Show the plan, or go to the first field that is wrong."""
        event.stop()
        wrong = [f for f in self.spec.fields if not self._judge(f, quiet=False)]
        if wrong:
            self.query_one(f"#{wrong[0].id}", Input).focus()
            return
        if self._busy:
            return
        self._busy = True
        values = {i.id or "": i.value.strip() for i in self.query(Input)}
        self.keys.show(((" looking ...", "dim"),))
        self.sbc.offer(
            lambda engine: self.spec.build(engine, values), refused=self._refused, done=self._done
        )

    def _refused(self, reason: str) -> None:
        self._busy = False
        self.keys.show(((f" {reason}", "bad"),))
        self.notify(reason, title="not possible", severity="warning", markup=False)

    def _done(self, job: str | None) -> None:
        self._busy = False
        self._say_keys()
        if job is not None:
            self.dismiss(job)


def _reason(field: Field, text: str) -> str:
    """What is wrong with a field's text; empty when it is right."""
    try:
        answer = field.check(text.strip())
    except SbcError as error:
        return str(error)
    return clean(answer) if isinstance(answer, str) else ""
