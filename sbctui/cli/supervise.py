"""``sbctui supervise``: the services' keeper, in the foreground (for a unit of systemd)."""

from __future__ import annotations

import signal
import threading

import click

from sbctui.cli.place import Place


@click.command()
@click.pass_obj
def supervise(place: Place) -> int:
    """Keep the services running until told to stop; they stay up when it ends."""
    place.refuse_if_read_only()
    path = place.to_open()
    from sbctui.engine.commands import begin_anew
    from sbctui.engine.services.supervise import supervise as keep

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if keep(path, stop):
        begin_anew()
    return 0
