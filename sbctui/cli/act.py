"""A request from plan to report: preview, question, run with progress, outcome."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sbctui.cli import output
from sbctui.cli.failing import Declined, Failed
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request
    from sbctui.engine.plan import Plan, Report, UnitResult

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MOST = 40
"""Lines of units in a preview; the rest is counted."""


Make = Callable[["Engine"], "Request"]


def act(place: Place, make: Make, how: How) -> int:
    """Plan what ``make`` asks for and, if the admin agrees, have it done; the exit code."""
    if how.dry_run:
        engine = place.engine()
        return preview(engine.plan(make(engine)), how)
    return place.doer.change(make, how)


class AtTerminal:
    """How a verb has things done from a command line: it asks there, and does them itself."""

    hands_over = False

    def __init__(self, place: Place) -> None:
        self._place = place

    def change(self, make: Make, how: How) -> int:
        """Plan, ask, run, tell."""
        self._place.refuse_if_read_only()
        engine = self._place.engine()
        plan = engine.plan(make(engine))
        return perform(engine, plan, how) if agreed(plan, how) else 0

    def confirm(self, title: str, lines: Sequence[str], word: str, how: How) -> None:
        """Show the lines and ask, unless told not to. Raises Declined."""
        if not how.yes:
            output.error_lines([title, *lines])
            confirm(title, word)

    def announce(self, title: str) -> None:
        """Nobody is asked before what is harmless."""


def preview(plan: Plan, how: How, **more: Any) -> int:
    """Print a plan that will not be run; 0."""
    if how.json:
        output.document({"plan": plan_json(plan), **more})
    else:
        output.lines(plan_lines(plan))
        output.lines(["dry run: nothing was changed"])
    return 0


def agreed(plan: Plan, how: How) -> bool:
    """Whether to go on: False when there is nothing to do. Raises Declined."""
    if not plan.units:
        if how.json:
            output.document({"report": empty_report(plan)})
        else:
            output.lines([*plan_lines(plan)[1:], "nothing to do"])
        return False
    if how.yes:
        return True
    if not how.quiet or _terminal():
        output.error_lines(plan_lines(plan))
    confirm(plan.title, plan.confirm)
    return True


def confirm(title: str, word: str = "") -> None:
    """Ask on the terminal: y, or ``word`` typed out. Raises Declined."""
    if not _terminal():
        raise Declined(
            f"not done: {title} wants a yes and there is no terminal to ask on; "
            "add --yes, or --dry-run to see the plan"
        )
    question = f"Type {word} to do it" if word else "Do it? [y/N]"
    sys.stderr.write(f"{question}: ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != word if word else answer.lower() not in ("y", "yes"):
        raise Declined(f"not done: {title} was declined; nothing was changed")


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def perform(engine: Engine, plan: Plan, how: How) -> int:
    """Run a plan and print its report. Raises Failed for its code."""
    return tell(run(engine, plan, how), plan, how)


def run(engine: Engine, plan: Plan, how: How) -> Report:
    """Run a plan, with progress on a terminal."""
    from sbctui.cli.progress import Progress

    progress = Progress(sys.stderr, quiet=how.quiet)
    with stoppable() as stop:
        try:
            return engine.apply(plan, progress.emit, stop)
        finally:
            progress.close()


@contextmanager
def stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl+C, TERM and HUP set; a second Ctrl+C interrupts at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(report: Report, plan: Plan, how: How) -> int:
    """Print what became of a plan; 0. Raises Failed, with the report, for any other code."""
    short = essential(report, plan)
    document = {"report": report_json(short, plan.command)}
    if report.code == 0:
        if how.json:
            output.document(document)
        else:
            output.lines(report_lines(short))
        return 0
    if not how.json:
        output.lines(report_lines(short))
    raise Failed(_sentence(short, plan.command), report.code, document)


def essential(report: Report, plan: Plan) -> Report:
    """The report without the steps that only prepare or tidy up, unless one of them failed."""
    if len(report.results) != len(plan.units):
        return report
    steps = zip(report.results, plan.units, strict=True)
    kept = tuple(
        result
        for result, unit in steps
        if result.outcome == "failed" or (unit.counts and not unit.always)
    )
    return report.model_copy(update={"results": kept or report.results})


def _sentence(report: Report, command: str) -> str:
    failed = report.of("failed")
    if report.error:
        return report.error
    if report.code == 130:
        return f"interrupted: {_counted(report)}; what is done stays"
    if not failed:
        return f"{report.title}: {_counted(report)}"
    if len(report.results) == 1 or report.code != 7:
        return failed[0].error
    again = f"; the rest again with: {command}" if command else ""
    first = failed[0]
    where = "" if first.error.startswith(first.title) else f"{first.title}: "
    return f"{report.title}: {_counted(report)}; {where}{first.error}{again}"


def _counted(report: Report) -> str:
    return ", ".join(f"{len(report.of(o))} {o}" for o in ("done", "failed", "skipped"))


def plan_lines(plan: Plan) -> list[str]:
    """The preview, as the app shows it."""
    from sbctui import format

    return format.plan_lines(plan, _MOST)


def report_lines(report: Report) -> list[str]:
    """The outcome, as the app shows it."""
    from sbctui import format

    return format.report_lines(report)


def plan_json(plan: Plan) -> dict[str, Any]:
    """The ``plan`` object of docs/cli.md."""
    return {
        "title": plan.title,
        "verb": plan.request.verb,
        "command": plan.command,
        "impact": plan.impact,
        "needs": plan.needs,
        "frees": plan.frees,
        "notes": list(plan.notes),
        "units": [
            {
                "title": unit.title,
                "node": unit.node,
                "detail": unit.detail,
                "actions": [action.kind for action in unit.actions],
            }
            for unit in plan.units
        ],
    }


def report_json(report: Report, command: str) -> dict[str, Any]:
    """The ``report`` object of docs/cli.md."""
    return {
        "title": report.title,
        "verb": report.verb,
        "command": command,
        "job": report.job,
        "code": report.code,
        "done": len(report.of("done")),
        "failed": len(report.of("failed")),
        "skipped": len(report.of("skipped")),
        "results": [_result_json(result) for result in report.results],
    }


def _result_json(result: UnitResult) -> dict[str, Any]:
    return {
        "title": result.title,
        "node": result.node,
        "outcome": result.outcome,
        "code": result.code,
        "error": result.error,
        "data": dict(result.data),
    }


def empty_report(plan: Plan) -> dict[str, Any]:
    """The ``report`` object of a plan with nothing to do."""
    from sbctui.engine.plan import Report

    report = Report(title=plan.title, verb=plan.request.verb, results=(), code=0)
    return report_json(report, plan.command) | {"notes": list(plan.notes)}
