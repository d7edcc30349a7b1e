"""``sbctui doctor``: whether this machine is fit to serve boards."""

from __future__ import annotations

import click

from sbctui.cli import options, output
from sbctui.cli.audit import FINDINGS
from sbctui.cli.place import Place


@click.command()
@options.output_option
@click.pass_obj
def doctor(place: Place, json: bool) -> int:
    """Look at this machine, and the site if there is one; exit 8 if something is bad."""
    from sbctui.engine.doctor import doctor as examine

    here = place.found() == "site" or place.given is not None
    checks = examine(place.path if here else None)
    if json:
        found = [
            {"name": c.name, "verdict": c.ok, "detail": c.detail, "remedy": c.remedy}
            for c in checks
        ]
        output.document({"checks": found})
    else:
        for check in checks:
            output.lines([f"{check.ok:4}  {check.name}: {check.detail}"])
            if check.remedy and check.ok != "ok":
                output.lines([f"      remedy: {check.remedy}"])
    return FINDINGS if any(check.ok == "bad" for check in checks) else 0
