"""``sbctui undo``."""

from __future__ import annotations

import click

from sbctui.cli import options
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place


@click.command()
@options.mutating
@click.pass_obj
def undo(place: Place, how: How) -> int:
    """Bring back what the last delete took."""
    return act(place, lambda engine: engine.undo(), how)
