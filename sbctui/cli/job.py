"""``sbctui job``: work that runs, or ran, in a session of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.act import essential, report_json, report_lines, stoppable
from sbctui.cli.background import act_or_start
from sbctui.cli.background import option as in_background
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import NoSuchNode

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine, Job
    from sbctui.joblog import Entry


@click.group(no_args_is_help=False)
def job() -> None:
    """Jobs: running ones and past ones."""


@job.command("list")
@options.output_option
@click.pass_obj
def list_(place: Place, json: bool) -> int:
    """List the jobs, newest first."""
    found = place.engine().jobs()
    if json:
        output.document({"jobs": [_json(one) for one in found]})
        return 0
    rows = [
        (one.id, _state(one), f"{one.done}/{one.total}", str(one.failed), one.title)
        for one in found
    ]
    output.table(("JOB", "STATE", "DONE", "FAILED", "TITLE"), rows, right=(2, 3))
    return 0


def _state(one: Job) -> str:
    return "resumed" if one.state == "interrupted" and one.resumed_by else one.state


def _json(one: Job) -> dict[str, Any]:
    return {
        "id": one.id,
        "title": one.title,
        "verb": one.verb,
        "state": one.state,
        "started": output.when(one.started),
        "finished": output.when(one.finished),
        "total": one.total,
        "done": one.done,
        "failed": one.failed,
        "code": one.code if one.finished else None,
        "command": one.command,
        "user": one.user or None,
        "pid": one.pid or None,
        "waits_for": one.waits or None,
        "resumes": one.resumes or None,
        "resumed_by": one.resumed_by or None,
        "closed": one.closed,
    }


def _found(engine: Engine, wanted: str) -> Job:
    found = next((one for one in engine.jobs() if one.id == wanted), None)
    if found is None:
        raise NoSuchNode(f"there is no job {wanted!r}; see: sbctui job list")
    return found


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@click.option("--log", is_flag=True, help="The commands it ran too, and what they said.")
@options.output_option
@click.pass_obj
def show(place: Place, id_: str, log: bool, json: bool) -> int:
    """Show what the job ID did, or is doing."""
    engine = place.engine()
    one = _found(engine, id_)
    report, plan = engine.report(id_), engine.job_plan(id_)
    report = essential(report, plan) if report else None
    entries = _log(engine, id_) if log else []
    if json:
        told = report_json(report, plan.command) if report else None
        more = {"log": [_entry_json(entry) for entry in entries]} if log else {}
        output.document({"job": _json(one), "report": told, **more})
        return 0
    output.pairs([pair for pair in _pairs(one) if pair[1]])
    output.lines([line for entry in entries for line in _entry_lines(entry)])
    if report:
        output.lines(report_lines(report))
    return 0


def _pairs(one: Job) -> list[tuple[str, str]]:
    return [
        ("job", one.id),
        ("title", one.title),
        ("state", one.state),
        ("waits for", one.waits),
        ("started", output.when(one.started) or ""),
        ("finished", output.when(one.finished) or ""),
        ("by", one.user),
        ("pid", str(one.pid or "")),
        ("resumes", one.resumes),
        ("resumed by", one.resumed_by),
        ("command", one.command),
    ]


def _log(engine: Engine, id_: str) -> list[Entry]:
    """What its journal tells up to now."""
    import threading

    from sbctui.joblog import entry

    now = threading.Event()
    now.set()
    return [made for event in engine.events(id_, now) if (made := entry(event)) is not None]


def _entry_lines(entry: Entry) -> list[str]:
    when = output.when(entry.at) or ""
    first, *rest = entry.lines
    if entry.kind == "output":
        return [f"{'':22}{line}" for line in entry.lines]
    return [f"{when:22}{first}", *(f"{'':22}{line}" for line in rest)]


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "at": output.when(entry.at),
        "kind": entry.kind,
        "text": entry.text,
        "error": entry.bad,
    }


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@in_background
@options.mutating
@click.pass_obj
def resume(place: Place, id_: str, background: bool, how: How) -> int:
    """Do what the job ID left undone: interrupted, stopped, or failed in part."""
    return act_or_start(place, lambda engine: engine.rest(id_), how, background=background)


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@options.output_option
@click.pass_obj
def close(place: Place, id_: str, json: bool) -> int:
    """Leave the interrupted job ID at what it has done: it is counted no more."""
    engine = place.engine()
    engine.close_job(id_)
    if json:
        output.document({"job": _json(_found(engine, id_))})
    else:
        output.lines([f"the job {id_} is left at what it has done"])
    return 0


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@options.output_option
@click.pass_obj
def follow(place: Place, id_: str, quiet: bool, json: bool) -> int:
    """Follow the job ID to its end, and exit as it does. Ctrl+C leaves it running."""
    from sbctui.cli.act import tell
    from sbctui.cli.progress import Progress
    from sbctui.engine.errors import Cancelled

    engine = place.engine()
    _found(engine, id_)
    progress = Progress(sys.stderr, quiet=quiet)
    with stoppable() as stop:
        for event in engine.events(id_, stop):
            progress.emit(event)
        progress.close()
    report = engine.report(id_)
    if report is None:
        raise Cancelled(f"no longer followed; the job {id_} goes on" if stop.is_set()
                        else f"the job {id_} was interrupted; do the rest with: "
                        f"sbctui job resume {id_}")  # fmt: skip
    return tell(report, engine.job_plan(id_), How(quiet=quiet, json=json))


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@options.output_option
@click.pass_obj
def cancel(place: Place, id_: str, json: bool) -> int:
    """Ask the running job ID to stop; what is done stays."""
    place.refuse_if_read_only()
    engine = place.engine()
    found = _found(engine, id_)
    engine.cancel(id_)
    if json:
        output.document({"job": _json(found)})
        return 0
    output.lines([f"asked the job {id_} to stop; follow it with: sbctui job follow {id_}"])
    return 0


@job.command(hidden=True)
@click.argument("id_", metavar="ID")
@click.option("--held", type=int, default=-1, help="The descriptor of its claim.")
@click.pass_obj
def run(place: Place, id_: str, held: int) -> int:
    """The body of a job, in the session that the engine starts for it."""
    place.refuse_if_read_only()
    from sbctui.engine.engine import run_job

    return run_job(place.to_open(), id_, held).code
