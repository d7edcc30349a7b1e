"""``sbctui audit``: findings, and mending them."""

from __future__ import annotations

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

FINDINGS = 8
"""Exit code when something disagrees."""


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--fix", is_flag=True, help="Mend the findings with these IDs; without IDs, all "
              "that can be mended without losing anything.")  # fmt: skip
@options.mutating
@click.pass_obj
def audit(place: Place, ids: tuple[str, ...], fix: bool, how: How) -> int:
    """Compare folders, configurations, derived files and services; exit 8 if they disagree."""
    if how.dry_run and not fix:
        raise BadInput("--dry-run goes with --fix; an audit alone changes nothing")
    engine = place.engine()
    found = _chosen(engine.audit(), ids)
    if fix:
        return _mend(place, engine, found, ids, how)
    if how.json:
        output.document({"findings": [_json(one) for one in found]})
    else:
        _print(found)
    return FINDINGS if found else 0


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

    stuck = [one for one in found if one.fix is None]
    if ids and stuck:
        raise Refused(f"{stuck[0].id} can't be mended here: {stuck[0].unfixable}")
    chosen = [one for one in found if one.fix is not None and (ids or one.safe)]
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
    if left:
        raise Failed(f"{plural(len(left), 'finding')} left; see: sbctui audit", FINDINGS, document)
    if how.json:
        output.document(document)
    return 0


def _print(found: Sequence[Finding]) -> None:
    from sbctui import format as words

    if not found:
        output.lines(["nothing disagrees"])
    group = ""
    for one in found:
        if one.group != group:
            output.lines([f"{one.group}:"])
            group = one.group
        size = f"  ({words.size(one.bytes)})" if one.bytes else ""
        output.lines([f"  {one.title}{size}", f"    {one.why}"])
        if one.proof:
            output.lines([f"    proof: {one.proof}"])
        option = "" if one.safe else " (not among those mended without being named)"
        mend = f"sbctui audit --fix {one.id}{option}" if one.fix else one.unfixable
        output.lines([f"    {one.fix_title or 'remedy'}: {mend}"])


def _json(one: Finding) -> dict[str, Any]:
    return {
        "id": one.id,
        "group": one.group,
        "subject": one.subject,
        "title": one.title,
        "why": one.why,
        "proof": one.proof,
        "bytes": one.bytes,
        "since": output.when(one.since),
        "fixable": one.fix is not None,
        "fix": one.fix_title,
        "safe": one.safe,
        "unfixable": one.unfixable,
    }
