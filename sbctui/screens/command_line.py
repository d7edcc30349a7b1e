"""The ``:`` line: the command line's own grammar, and the names of the screen's actions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

from sbctui.actions import Action, of_scope
from sbctui.engine.errors import Refused
from sbctui.engine.model.text import clean
from sbctui.format import Line, Span
from sbctui.messages import in_thread
from sbctui.port import EXITS, Told
from sbctui.screens.acting import Acting
from sbctui.screens.ask import AskScreen
from sbctui.screens.modal import Modal, Reason
from sbctui.screens.offers import perform
from sbctui.screens.typed import Completion, begun, found_before, words_of
from sbctui.screens.verb_output import VerbOutput
from sbctui.widgets.bars import Bar
from sbctui.widgets.pane import Pane

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request

_HINT = " a verb, or an action of this screen   tab: completes   up: typed before"
_SHORT = {"q": "quit"}


class CommandLine(Modal[None]):
    """One line at the bottom. What is wrong with it stands above it, and it stays for mending."""

    CSS_PATH = "command_line.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete(1)", show=False, priority=True),
        Binding("shift+tab", "complete(-1)", show=False, priority=True),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
    ]

    def __init__(self, below: Screen[object], text: str = "") -> None:
        super().__init__("")
        self._below = below
        self._text = text
        self._completion: Completion | None = None
        self._at: int | None = None
        self._prefix = ""
        self._set = text
        self._busy = False

    def compose(self) -> ComposeResult:
        """Candidates, what is wrong, the line."""
        with Vertical(id="bottom"):
            yield Bar(id="candidates")
            self.said = Reason("line")
            yield self.said
            with Horizontal(id="line"):
                colon = Bar(id="colon")
                colon.show(((":", "head"),))
                yield colon
                yield Input(self._text, id="typed", select_on_focus=False)

    def on_mount(self) -> None:
        """Begin to type; what was typed in earlier runs comes meanwhile."""
        self._history = self.sbc.history
        self.input = self.query_one(Input)
        self.input.focus()
        self.input.cursor_position = len(self._text)
        self._say("")
        self._offer_candidates()

    # ── completing, and what was typed before ─────────────────────────────────────────────

    def on_input_changed(self, event: Input.Changed) -> None:
        """What was typed by hand is completed anew."""
        if event.value != self._set:
            self._completion, self._at = None, None
            self._set = event.value
            self._say("")
            self._offer_candidates()

    def _put(self, text: str) -> None:
        self._set = text
        self.input.value = text
        self.input.cursor_position = len(text)

    def action_complete(self, step: int) -> None:
        """Complete the word before the cursor, or take the next candidate."""
        if self._completion is None:
            self.sbc.background(self._complete(self.input.value[: self.input.cursor_position]))
        elif len(self._completion.candidates) > 1:
            self._completion = self._completion.turned(step)
            self._put(self._completion.line)
            self._offer_candidates()

    async def _complete(self, text: str) -> None:
        before, word, start = begun(text)
        verbs, path = self.sbc.verbs, self.sbc.feeds.path
        found = self._names(word) if not before else []
        if verbs is not None:
            found += await in_thread(lambda: verbs.complete(before, word, path))
        if not self.is_attached or text != self.input.value[: self.input.cursor_position]:
            return
        candidates = tuple(dict(reversed(found)).items())[::-1]
        if not candidates:
            self._say("nothing begins so" if word else "there is nothing to complete here")
            return
        self._completion = Completion(text, start, candidates)
        self._put(self._completion.line)
        if len(candidates) == 1:
            self._completion = None
        self._offer_candidates()

    def _names(self, word: str) -> list[tuple[str, str]]:
        return [(id, a.help) for id, a in self._actions().items() if id.startswith(word)]

    def _offer_candidates(self) -> None:
        line: Line = ((_HINT, "dim"),)
        if self._completion is not None:
            line = _candidates(self._completion, self.app.size.width)
        self.query_one("#candidates", Bar).show(line)

    def action_recall(self, step: int) -> None:
        """A line typed before that begins like what is typed."""
        lines = self._history.lines
        if self._at is None:
            self._at, self._prefix = len(lines), self.input.value
        self._at = found_before(lines, self._prefix, self._at, step)
        self._put(lines[self._at] if self._at < len(lines) else self._prefix)

    # ── doing ─────────────────────────────────────────────────────────────────────────────

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Do an action of the screen, or run the verb."""
        event.stop()
        if self._busy:
            return
        line = event.value.strip()
        try:
            words = words_of(line)
        except ValueError as error:
            self._say(str(error))
            return
        if not words:
            self.dismiss(None)
            return
        if self._history.add(line):
            self.sbc.background(in_thread(lambda: self._history.keep(line)))
        action = self._actions().get(_SHORT.get(words[0], words[0]))
        if action is not None and (len(words) == 1 or action.id == "filter"):
            self._act(action, words[1:])
        elif self.sbc.verbs is None or not isinstance(self._below, Acting):
            self._say(f"{clean(words[0])} is no action of this screen")
        else:
            self._busy = True
            self._say("working; esc leaves it to itself", "dim")
            self.sbc.background(self._run(words, line))

    def _actions(self) -> dict[str, Action]:
        """The actions of the screen below and of all screens, by id; home's quit is everywhere."""
        scope = self._below.SCOPE if isinstance(self._below, Acting) else ""
        known = {a.id: a for s in ("any", scope) for a in of_scope(s)}
        return {**known, "quit": next(a for a in of_scope("home") if a.id == "quit")}

    def _act(self, action: Action, words: Sequence[str]) -> None:
        below = self._below
        reason = None
        if isinstance(below, Acting) and action.scope == below.SCOPE:
            reason = below.why_not(action.id)
        if reason:
            self._say(reason)
            return
        self.dismiss(None)
        if action.id == "quit":
            self.app.call_later(self.sbc.action_quit)
        elif words:
            self.app.call_later(_filter, below, " ".join(words))
        else:
            perform(self.sbc, below, action)

    async def _run(self, words: Sequence[str], line: str) -> None:
        verbs = self.sbc.verbs
        assert verbs is not None
        desk = _Desk(self)
        told = await in_thread(lambda: verbs.run(words, desk))
        if desk.handed:
            return  # the plan's outcome is told by itself
        if not self.is_current:
            self._tell_late(line, told)
        elif told.error and not told.text.strip():
            self.refused(told.error)
        else:
            self.dismiss(None)
            self.app.push_screen(VerbOutput(line, told))

    def _tell_late(self, line: str, told: Told) -> None:
        if self.is_attached:
            self._busy = False
        text = clean(told.error or EXITS.get(told.code, "ended"))
        level: SeverityLevel = "error" if told.error else "information"
        self.notify(f"{clean(line)}: {text}", severity=level, timeout=10, markup=False)

    def refused(self, reason: str) -> None:
        """Say why it is not done; the line stays."""
        self._busy = False
        if self.is_attached:
            self._say(clean(reason))
        else:
            self.sbc.refuse(reason)

    def done(self, job: str | None) -> None:
        """Its plan was left, or started as a job."""
        self._busy = False
        if job is not None and self.is_current:
            self.dismiss(None)
        elif self.is_attached:
            self._say("")

    def _say(self, text: str, tone: str = "bad") -> None:
        self.said.display = bool(text)
        self.said.say(text, tone)


class _Desk:
    """The console, as a verb in a thread may use it."""

    def __init__(self, line: CommandLine) -> None:
        self._line = line
        self._app: SbcApp = line.sbc
        self.handed = False
        self.columns = max(40, line.app.size.width - 5)

    @property
    def path(self) -> Path:
        return self._app.feeds.path

    @property
    def read_only(self) -> bool:
        return self._app.read_only

    def engine(self) -> Engine:
        engine = self._app.feeds.engine
        if engine is None:
            raise Refused("the site has not been read yet; try again in a moment")
        return engine

    def offer(self, make: Callable[[Engine], Request]) -> None:
        self.handed = True
        line = self._line
        self._app.call_from_thread(
            lambda: self._app.offer(
                make, refused=lambda error: line.refused(str(error)), done=line.done
            )
        )

    def ask(self, title: str, lines: Sequence[str], word: str) -> bool:
        answer: Future[bool | None] = Future()
        self._app.call_from_thread(
            self._app.push_screen, AskScreen(title, lines, word), answer.set_result
        )
        return bool(answer.result())


def _filter(screen: Screen[object], text: str) -> None:
    """Filter the pane that the screen would filter."""
    screen.do_filter()  # type: ignore[attr-defined]
    pane = next((p for p in screen.query(Pane) if p.typing), None)
    if pane is not None:
        pane.set_filter(text)


def _candidates(completion: Completion, width: int) -> Line:
    """As many as fit, with the one that stands in the line, or what there is to say of the only."""
    values = completion.candidates
    first = max(0, completion.at)
    room = width - 12
    spans: list[Span] = [(" ", "")]
    for at in range(first, len(values)):
        value = clean(values[at][0])
        room -= len(value) + 2
        if room < 0 and at > first:
            spans.append((f"+{len(values) - at} more", "dim"))
            break
        spans += [(value, "bar" if at == completion.at else "key"), ("  ", "")]
    if completion.at >= 0 and room > 20:
        spans.append((clean(values[completion.at][1])[:room], "dim"))
    return tuple(spans)
