"""How the lists of boards are written, and how that is undone."""

from __future__ import annotations

from sbctui.engine.context import Context, Undo
from sbctui.engine.errors import Refused
from sbctui.engine.files import forget, swap_back, swap_in
from sbctui.engine.model.roster import ROSTER
from sbctui.engine.pinfile import read_roster
from sbctui.engine.plan import SetRoster


def set_roster(action: SetRoster, ctx: Context) -> Undo:
    """Write ``boards.json`` anew; the old one is kept until the unit ends."""
    before, fault = read_roster(ctx.site.path)
    if fault:
        raise Refused(f"{ROSTER} can't be read ({fault}), and so is not written either")
    path = ctx.site.path / ROSTER
    after = before.changed(action.ignored, action.seen, action.registered, action.struck)
    old = swap_in(path, after.to_json(), owner=ctx.owner)
    ctx.holds.callback(forget, old)
    ctx.changed("")

    def undo() -> None:
        swap_back(path, old)
        ctx.changed("")

    return undo
