"""``sbctui audit``: findings, and what can be done about them."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.act import act, agreed, essential, report_json, report_lines, run, tell
from sbctui.cli.failing import Failed
from sbctui.cli.options import How
from sbctui.cli.place import Place
from sbctui.engine.errors import BadInput, NoSuchNode, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sbctui.engine.audit.finding import Finding
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.requests import Request

FINDINGS = 8
"""Exit code when something disagrees that nobody keeps as it is."""
_FIX, _TRASH, _KEEP, _UNKEEP = "--fix", "--trash", "--keep", "--unkeep"


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(_FIX, "verb", flag_value=_FIX, default="", help="Mend the findings with these IDs; "
              "without IDs, all that can be mended without losing anything.")  # fmt: skip
@click.option(_TRASH, "verb", flag_value=_TRASH, default="", help="Move what they are about to "
              "the trash; undo brings it back.")  # fmt: skip
@click.option(_KEEP, "verb", flag_value=_KEEP, default="", help="Leave them as they are: listed, "
              "and not counted.")  # fmt: skip
@click.option(_UNKEEP, "verb", flag_value=_UNKEEP, default="", help="Count them again.")
@click.option("--note", default="", help="With --keep: why.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="With --keep: "
              "through which day (UTC), as 2027-01-31; else 30 days.")  # fmt: skip
@options.mutating
@click.pass_obj
def audit(
    place: Place,
    ids: tuple[str, ...],
    verb: str,
    note: str,
    until: datetime | None,
    how: How,
) -> int:
    """Compare folders, configurations, derived files and services; exit 8 if they disagree."""
    _fitting(ids, verb, how, keeping=bool(note or until))
    if verb in (_TRASH, _KEEP, _UNKEEP):
        return act(place, lambda _: _request(verb, ids, note, until.date() if until else None), how)
    engine = place.engine()
    found = _chosen(engine.audit(), ids)
    if verb == _FIX:
        return _mend(place, engine, found, ids, how)
    if how.json:
        output.document({"findings": [_json(one) for one in found]})
    else:
        _print(engine, found)
    return FINDINGS if _open(found) else 0


def _fitting(ids: Sequence[str], verb: str, how: How, *, keeping: bool) -> None:
    """Raises BadInput for options that don't go together."""
    if how.dry_run and not verb:
        raise BadInput("--dry-run goes with --fix, --trash, --keep and --unkeep; an audit alone "
                       "changes nothing")  # fmt: skip
    if verb in (_TRASH, _KEEP, _UNKEEP) and not ids:
        raise BadInput(f"{verb} wants the IDs of findings; see: sbctui audit")
    if keeping and verb != _KEEP:
        raise BadInput("--note and --until go with --keep")


def _request(verb: str, ids: tuple[str, ...], note: str, until: date | None) -> Request:
    from sbctui.engine.model.requests import KeepFindings, TrashFindings, UnkeepFindings

    if verb == _KEEP:
        return KeepFindings(findings=ids, note=note, until=until)
    return TrashFindings(findings=ids) if verb == _TRASH else UnkeepFindings(findings=ids)


def _chosen(found: Sequence[Finding], ids: Sequence[str]) -> list[Finding]:
    known = {one.id: one for one in found}
    for wanted in ids:
        if wanted not in known:
            raise NoSuchNode(f"there is no finding {wanted!r} (any more); see: sbctui audit")
    return [known[wanted] for wanted in ids] if ids else list(found)


def _mend(
    place: Place, engine: Engine, found: Sequence[Finding], ids: Sequence[str], how: How
) -> int:
    """Mend, look again: 0 when nothing is left, else 8."""
    from sbctui.engine.model.requests import FixFindings

    place.refuse_if_read_only()
    stuck = [one for one in found if one.fix is None]
    if ids and stuck:
        raise Refused(f"{stuck[0].id} can't be mended here: {stuck[0].unfixable}")
    chosen = list(found) if ids else [one for one in _open(found) if one.safe]
    document: dict[str, Any] = {"report": None}
    if chosen:
        request = FixFindings(findings=tuple(one.id for one in chosen))
        if how.dry_run or place.doer.hands_over:
            return act(place, lambda engine: request, how)
        plan = engine.plan(request)
        if agreed(plan, how):
            report = run(engine, plan, how)
            document["report"] = report_json(essential(report, plan), plan.command)
            if report.code:
                return tell(report, plan, how)
            if not how.json:
                output.lines(report_lines(essential(report, plan)))
    elif not how.json:
        output.lines(["nothing that can be mended without being named"])
    return _left(engine.audit(), document, how)


def _left(left: Sequence[Finding], document: dict[str, Any], how: How) -> int:
    from sbctui.format import plural

    document["findings"] = [_json(one) for one in left]
    if counted := _open(left):
        said = f"{plural(len(counted), 'finding')} left; see: sbctui audit"
        raise Failed(said, FINDINGS, document)
    if how.json:
        output.document(document)
    return 0


def _print(engine: Engine, found: Sequence[Finding]) -> None:
    from sbctui.findings import lines

    output.lines(lines(found, engine.site(), engine.control.status()))


def _open(found: Sequence[Finding]) -> list[Finding]:
    from sbctui.findings import open_ones

    return open_ones(found)


def _json(one: Finding) -> dict[str, Any]:
    from sbctui.findings import as_json

    return as_json(one)
