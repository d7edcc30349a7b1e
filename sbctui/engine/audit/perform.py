"""How findings are kept and let go on disk, and how that is undone."""

from __future__ import annotations

from sbctui.engine.context import Context, Undo
from sbctui.engine.errors import Refused
from sbctui.engine.files import forget, swap_back, swap_in
from sbctui.engine.model.pins import PINS
from sbctui.engine.pinfile import read_pins
from sbctui.engine.plan import SetPins


def set_pins(action: SetPins, ctx: Context) -> Undo:
    """Write ``pins.json`` anew; the old one is kept until the unit ends."""
    before, fault = read_pins(ctx.site.path)
    if fault:
        raise Refused(f"{PINS} can't be read ({fault}), and so is not written either")
    path = ctx.site.path / PINS
    old = swap_in(path, before.changed(action.add, action.drop).to_json(), owner=ctx.owner)
    ctx.holds.callback(forget, old)
    ctx.changed("")

    def undo() -> None:
        swap_back(path, old)
        ctx.changed("")

    return undo
