"""What can be done about findings, on the list of them and on the evidence of one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model import requests as ask
from sbctui.screens.acting import Acting
from sbctui.screens.audit_lines import Keys

if TYPE_CHECKING:
    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.engine import Engine
    from sbctui.screens.fields import Values
    from sbctui.screens.form_spec import FormSpec

_NONE = "put the cursor on a finding first, or mark some with space"


class OnFindings(Acting):
    """A screen on which findings are chosen."""

    def chosen(self) -> list[Finding]:
        """The findings that are meant now."""
        raise NotImplementedError

    def begun(self) -> None:
        """A job about them was started."""

    def keys(self) -> Keys:
        """The keys for what can be done."""
        shown = self.sbc.keymap.shown
        return Keys(*(shown(f"{self.SCOPE}.{id}") for id in ("fix", "trash", "keep")))

    def reason(self, action: str) -> str | None:
        """Why the chosen ones can't be fixed, kept or moved to the trash, or None."""
        if action not in ("fix", "keep", "trash"):
            return None
        chosen = self.chosen()
        if not chosen:
            return _NONE
        if action == "fix":
            return _first(chosen, [f.unfixable if f.fix is None else "" for f in chosen], "fix")
        if action == "trash":
            stuck = [f.untrashable if f.trash is None else "" for f in chosen]
            return _first(chosen, stuck, "way to the trash")
        return None

    def offer(self, request: ask.Request) -> None:
        """Plan it and, agreed to, start it."""

        def build(engine: Engine) -> ask.Request:
            return request

        def done(job: str | None) -> None:
            if job is not None:
                self.begun()

        self.sbc.offer(build, done=done)

    def do_fix(self) -> None:
        """Show the plan that fixes them."""
        self.offer(ask.FixFindings(findings=_ids(self.chosen())))

    def do_trash(self) -> None:
        """Show the plan that moves what they are about to the trash."""
        self.offer(ask.TrashFindings(findings=_ids(self.chosen())))

    def do_keep(self) -> None:
        """Ask for the note and the day; what is kept already is counted again."""
        chosen = self.chosen()
        if all(one.kept for one in chosen):
            self.offer(ask.UnkeepFindings(findings=_ids(chosen)))
            return
        from sbctui.engine.model.pins import day
        from sbctui.screens.form import FormScreen

        def done(job: str | None) -> None:
            if job is not None:
                self.begun()

        today = day(self.sbc.feeds.world.audited)
        self.sbc.push_screen(FormScreen(keep_form(chosen, today)), done)


def _ids(findings: Sequence[Finding]) -> tuple[str, ...]:
    return tuple(one.id for one in findings)


def _first(chosen: Sequence[Finding], reasons: Sequence[str], what: str) -> str | None:
    stuck = [(one, why) for one, why in zip(chosen, reasons, strict=True) if why]
    if not stuck:
        return None
    one, why = stuck[0]
    if len(chosen) == 1:
        return why
    return f"{len(stuck)} of these {len(chosen)} have no {what}, as: {one.title}: {why}"


def keep_form(chosen: Sequence[Finding], today: date) -> FormSpec:
    """The form for keeping findings as they are."""
    from sbctui.engine.audit.keep import KEEP_DAYS
    from sbctui.screens.fields import Field
    from sbctui.screens.form_spec import FormSpec

    usual = today + timedelta(days=KEEP_DAYS)

    def note(text: str) -> str:
        return "" if text else "say why: whoever looks next wants to know"

    def until(text: str) -> str:
        found = _day(text)
        if found is None:
            return f"write the day as {usual}"
        return "" if found >= today else "that day is over"

    def arguments(values: Values) -> dict[str, object]:
        day = _day(values["until"])
        return {"findings": _ids(chosen), "note": values["note"], "until": day}

    count = fmt.plural(len(chosen), "finding")
    return FormSpec(
        f"Keep {count} as it is" if len(chosen) == 1 else f"Keep {count} as they are",
        (
            Field("note", "Note", note, hint="shown with it", stand_in="NOTE"),
            Field("until", "Until", until, str(usual), hint="the last day on which it is not "
                  "counted; sooner, if it comes to say something else"),
        ),
        ask.KeepFindings,
        arguments,
        about=tuple(((one.title, ""),) for one in chosen[:3]),
    )  # fmt: skip


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
