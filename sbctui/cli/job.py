"""``sbctui job``: work that runs, or ran, in a session of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.act import essential, report_json, report_lines, stoppable
from sbctui.cli.place import Place
from sbctui.engine.errors import NoSuchNode

if TYPE_CHECKING:
    from sbctui.engine.engine import Engine, Job


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
        (one.id, one.state, f"{one.done}/{one.total}", str(one.failed), one.title) for one in found
    ]
    output.table(("JOB", "STATE", "DONE", "FAILED", "TITLE"), rows, right=(2, 3))
    return 0


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
    }


def _found(engine: Engine, wanted: str) -> Job:
    found = next((one for one in engine.jobs() if one.id == wanted), None)
    if found is None:
        raise NoSuchNode(f"there is no job {wanted!r}; see: sbctui job list")
    return found


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@options.output_option
@click.pass_obj
def show(place: Place, id_: str, json: bool) -> int:
    """Show what the job ID did, or is doing."""
    engine = place.engine()
    one = _found(engine, id_)
    report, plan = engine.report(id_), engine.job_plan(id_)
    report = essential(report, plan) if report else None
    if json:
        told = report_json(report, plan.command) if report else None
        output.document({"job": _json(one), "report": told})
        return 0
    output.pairs([
        ("job", one.id),
        ("title", one.title),
        ("state", one.state),
        ("started", output.when(one.started) or ""),
        ("finished", output.when(one.finished) or ""),
        ("command", plan.command),
    ])  # fmt: skip
    if report:
        output.lines([*report_lines(report), *([report.error] if report.error else [])])
    return 0


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")
@options.output_option
@click.pass_obj
def follow(place: Place, id_: str, quiet: bool, json: bool) -> int:
    """Follow the job ID to its end, and exit as it does. Ctrl+C leaves it running."""
    from sbctui.cli.act import tell
    from sbctui.cli.options import How
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
                        else f"the job {id_} was interrupted; see: sbctui audit")  # fmt: skip
    return tell(report, engine.job_plan(id_), How(quiet=quiet, json=json))


@job.command()
@click.argument("id_", type=options.JOB, metavar="ID")
@options.output_option
@click.pass_obj
def cancel(place: Place, id_: str, json: bool) -> int:
    """Ask the running job ID to stop; what is done stays."""
    engine = place.engine()
    found = _found(engine, id_)
    engine.cancel(id_)
    if json:
        output.document({"job": _json(found)})
        return 0
    output.lines([f"asked the job {id_} to stop; follow it with: sbctui job follow {id_}"])
    return 0


@job.command(hidden=True)
@click.argument("id_", type=options.JOB, metavar="ID")
@click.pass_obj
def run(place: Place, id_: str) -> int:
    """The body of a job, in the session that the engine starts for it."""
    from sbctui.engine.engine import run_job

    return run_job(place.to_open(), id_).code
