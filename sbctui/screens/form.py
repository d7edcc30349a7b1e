"""One dialog for every verb: fields that say what is wrong as they are typed.

Enter shows the plan; the form stays below it until the plan is started. What was typed into a
form that is left is there again when the same form opens.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widget import Widget

from sbctui.engine.errors import SbcError
from sbctui.engine.model.text import clean
from sbctui.engine.nodes.words import command_line
from sbctui.format import Line, wrapped
from sbctui.messages import in_thread
from sbctui.screens.fields import Entry, Field, Values, against, judged, widget
from sbctui.screens.form_spec import FormSpec
from sbctui.screens.modal import Lines, Modal, Reason, inner_width, keys_line
from sbctui.widgets.bars import Bar
from sbctui.widgets.choice import Choice

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request

T = TypeVar("T")
_PAUSE = 0.2
"""Seconds after the last key before anything is looked at in a thread."""


class Form(Modal[T]):
    """Fields, each with its verdict under it, a command line that says the same, the keys."""

    CSS_PATH = "form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False),
        Binding("up", "app.focus_previous", show=False),
        Binding("ctrl+o", "pick", show=False, priority=True),
    ]
    ENTER = "show the plan"
    LEAVE = "back"

    def __init__(self, title: str, fields: Sequence[Field], about: Sequence[Line] = ()) -> None:
        super().__init__(title)
        self.fields = {f.id: f for f in fields}
        self._about = about
        self._entries = {f.id: widget(f) for f in fields}
        self._reasons = {f.id: Reason(f.id) for f in fields}
        self._looked: dict[str, tuple[str, str]] = {}
        self._told: Mapping[str, str] = {}
        self._wrong: Mapping[str, str] = {}
        self._pause: Timer | None = None
        self.said = Reason("all")
        self.command = Lines(id="command")
        self.keys = Bar(id="keys")

    def body(self) -> Iterable[Widget]:
        """Label and field in one row, the verdict under it; then command line and keys."""
        if self._about:
            about = Lines(id="about")
            about.can_focus = False
            about.styles.height = len(wrapped(self._about, inner_width(self.app.size.width)))
            yield about
            about.call_after_refresh(about.put, self._about)
        for field in self.fields.values():
            label = Bar(classes="label")
            label.show(((field.label, "key"),))
            yield Horizontal(label, self._entries[field.id], classes="field")
            yield self._reasons[field.id]
        yield self.said
        self.command.can_focus = False
        yield self.command
        yield self.keys

    def on_mount(self) -> None:
        """Begin in the first field."""
        for field in self.fields.values():
            self._judge(field, quiet=True)
        next(iter(self._entries.values())).focus()
        self._changed()

    @property
    def values(self) -> dict[str, str]:
        """What stands in the fields now."""
        return {id: entry.value.strip() for id, entry in self._entries.items()}

    # ── judging ───────────────────────────────────────────────────────────────────────────

    def on_input_changed(self, event: Entry.Changed) -> None:
        """Judge the field at once."""
        self._wrong = {}
        self._judge(self.fields[event.input.id or ""], quiet=False)
        self._changed()

    def on_choice_changed(self) -> None:
        """Another word may make another plan."""
        self._changed()

    def _reason(self, field: Field) -> str:
        text = self._entries[field.id].value.strip()
        looked, found = self._looked.get(field.id, ("", ""))
        return judged(field.check, text) or (found if looked == text else "")

    def _judge(self, field: Field, *, quiet: bool) -> bool:
        reason = self._reason(field)
        if not reason and field.id in self._wrong:
            self._reasons[field.id].say(self._wrong[field.id], "bad")
        elif reason and not (quiet and field.is_begun(self._entries[field.id].value)):
            self._reasons[field.id].say(reason, "bad")
        else:
            self._reasons[field.id].say(self._told.get(field.id) or field.hint, "dim")
        return not reason

    def _changed(self) -> None:
        self._say_keys()
        text = clean(self.equal(self.values))
        lines: list[Line] = [((f"$ {text}", "dim"),)] if text else []
        width = inner_width(self.app.size.width) - 1
        self.command.styles.height = max(1, len(wrapped(lines, width)))
        self.command.put(lines)
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(_PAUSE, lambda: self.sbc.background(self._look()))

    async def _look(self) -> None:
        """Ask in a thread what only the file system knows, then whatever else ``consider`` does."""
        values = self.values
        for field in self.fields.values():
            look, text = field.look, values[field.id]
            if look is not None and text and self._looked.get(field.id, ("", ""))[0] != text:
                found = await in_thread(partial(judged, look, text))
                self._looked[field.id] = (text, found)
                if self.is_attached:
                    self._judge(field, quiet=True)
        if self.is_attached and values == self.values:
            await self.consider(values, right=not any(map(self._reason, self.fields.values())))

    def tell(self, told: Mapping[str, str], said: str = "", field: str = "") -> None:
        """Put sentences under right fields, and one that is against a field, or all, there."""
        self._told = told
        self._wrong = {field: said} if said and field in self.fields else {}
        said = "" if self._wrong else said
        for one in self.fields.values():
            self._judge(one, quiet=True)
        self.said.say(said, "bad")
        self.said.display = bool(said)

    # ── what a form does ──────────────────────────────────────────────────────────────────

    def equal(self, values: Values) -> str:
        """The command line that does the same."""
        return ""

    async def consider(self, values: Values, *, right: bool) -> None:
        """Look ahead, a moment after the last key."""

    def submit(self, values: Values) -> None:
        """Every field is right and Enter was pressed."""

    def on_input_submitted(self, event: Entry.Submitted) -> None:
        """Go on, or to the first field that is wrong."""
        event.stop()
        self._submit()

    def on_choice_submitted(self) -> None:
        """Go on, or to the first field that is wrong."""
        self._submit()

    def _submit(self) -> None:
        wrong = [f for f in self.fields.values() if not self._judge(f, quiet=False)]
        if wrong:
            self._entries[wrong[0].id].focus()
        else:
            self.submit(self.values)

    def on_entry_listed(self, event: Entry.Listed) -> None:
        """Many lines are boards: offered as leaves, with this form below."""
        self.sbc.bulk((), event.text)

    def action_pick(self) -> None:
        """Choose the field's file from a list."""
        focused = self.focused
        field = self.fields.get(focused.id or "") if focused else None
        if field is None or not field.picks:
            return
        from sbctui.screens.picker import PickScreen

        entry = self._entries[field.id]

        def chosen(text: str | None) -> None:
            if text and isinstance(entry, Entry):
                entry.value = text
                entry.cursor_position = len(text)

        self.sbc.push_screen(PickScreen(entry.value, field.picks), chosen)

    def on_descendant_focus(self) -> None:
        """The keys depend on the field."""
        self._say_keys()

    def _say_keys(self) -> None:
        focused = self.focused
        field = self.fields.get(focused.id or "") if focused else None
        keys = [("enter", self.ENTER)]
        if len(self.fields) > 1:
            keys.append(("tab", "next" if field is not None and field.picks else "next field"))
        if field is not None and field.choices:
            keys.append(("space", "the other"))
        elif field is not None and field.picks:
            keys += [("right", "completes"), ("^o", "files")]
        elif field is not None and field.completes:
            keys.append(("right", "completes"))
        self.keys.show(keys_line(*keys, ("esc", self.LEAVE)))


class FormScreen(Form[str]):
    """Fills in a ``FormSpec``; its result is the id of the job that was started."""

    def __init__(self, spec: FormSpec) -> None:
        super().__init__(spec.title, spec.fields, spec.about)
        self.spec = spec
        self._busy = False
        self._against: tuple[Values, str, str] = ({}, "", "")

    def on_mount(self) -> None:
        """What was typed before comes back, where nothing else stands ready."""
        draft = self.sbc.drafts.get(self.spec.title, {})
        for id, text in draft.items():
            entry = self._entries[id]
            if isinstance(entry, Choice):
                entry.set(text)
            elif not entry.value:
                entry.value = text

    def equal(self, values: Values) -> str:
        """The request as a command line, with words in capitals for what is missing."""
        filled = {id: text or self.fields[id].stand_in for id, text in values.items()}
        return command_line(self.spec.draft(filled))

    def tell(self, told: Mapping[str, str], said: str = "", field: str = "") -> None:
        """With the hints that depend on other fields."""
        super().tell({**self.spec.hints(self.values), **told}, said, field)

    def on_choice_changed(self) -> None:
        """Hints may be others."""
        self.tell({})
        super().on_choice_changed()

    async def consider(self, values: Values, *, right: bool) -> None:
        """Plan ahead: what the plan says of the fields, or what is against it."""
        engine = self.sbc.feeds.engine
        if engine is None or not right or self.spec.heavy(values) or values == self._against[0]:
            self.tell({}, *(self._against[1:] if values == self._against[0] else ()))
            return
        said, field, told = "", "", dict[str, str]()
        try:
            plan = await in_thread(lambda: engine.plan(self.spec.build(engine, values)))
            told = dict(self.spec.tells(plan))
            self.ENTER = "show the plan" if self.sbc.asks(plan) else "do it"
        except (SbcError, OSError) as error:
            said, field = against(error)
        if self.is_attached and values == self.values and not self._busy:
            self.tell(told, said, field)
            self._say_keys()

    def submit(self, values: Values) -> None:
        """Show the plan."""
        if self._busy:
            return
        self._busy = True
        self.keys.show(((" looking ...", "dim"),))

        def build(engine: Engine) -> Request:
            return self.spec.build(engine, values)

        self.sbc.offer(build, refused=self._refused, done=self._done)

    def _refused(self, error: Exception) -> None:
        self._busy = False
        said, field = against(error)
        self._against = (self.values, said, field)
        self.tell(self._told, said, field)
        if field in self._entries and self.is_attached:
            self._entries[field].focus()
        self._say_keys()

    def _done(self, job: str | None) -> None:
        self._busy = False
        self._say_keys()
        if job is not None and self.is_attached:
            self.sbc.drafts.pop(self.spec.title, None)
            self.dismiss(job)

    def action_leave(self) -> None:
        """Back; what was typed is kept for the next time."""
        typed = {id: text for id, text in self.values.items() if text != self.fields[id].value}
        self.sbc.drafts[self.spec.title] = typed
        super().action_leave()
