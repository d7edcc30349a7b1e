"""The gate's process: ``python -m sbctui.engine.services.gate --run DIR --port N ADDRESS…``.

It owns the NBD port, admits each board to its own disk only, and relays to the storage daemon's
unix socket in the runtime folder. It starts from the rules file there and needs nobody else; or
with ``--take-over`` from the gate that runs, whose boards notice nothing.

One thread and non-blocking sockets: beside two threads a connection it moved as many bytes for
half the processor time at forty boards, and a thousand idle connections cost nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures.thread  # noqa: F401 - asyncio wants it later, when we may not read it
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from sbctui.engine.services.gate_control import Control, in_waiting
from sbctui.engine.services.gate_door import Gate
from sbctui.engine.services.gate_handover import Bequest, Failed
from sbctui.engine.services.gate_heir import Estate, meet
from sbctui.engine.services.gate_log import say, set_up
from sbctui.engine.services.gate_rules import HEIR, RULES, SOCKET, STORAGE, read_rules

_BACKLOG = 1024


def listen(
    addresses: list[str], port: int, there: Sequence[socket.socket] = ()
) -> list[socket.socket]:
    """One non-blocking listener an address, of those that are there or a new one.

    Raises OSError naming the first that can't be had.
    """
    inherited = {one.getsockname(): one for one in there}
    listeners = []
    for address in addresses:
        listener = inherited.pop((address, port), None)
        try:
            listener = listener or socket.create_server((address, port), backlog=_BACKLOG)
        except OSError as error:
            raise OSError(f"{address}:{port}: {error.strerror}") from None
        listener.setblocking(False)
        listeners.append(listener)
    for unwanted in inherited.values():
        unwanted.close()
    return listeners


def drop(owner: str) -> None:
    """Become the site's owner (``uid:gid``) for good."""
    uid, gid = (int(part) for part in owner.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


async def run(directory: Path, listeners: list[socket.socket], estate: Estate | None) -> None:
    """Serve until SIGTERM or SIGINT, or until a successor has taken over. Raises Failed."""
    gate = Gate(directory / STORAGE)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    control = Control(gate, directory / RULES)
    bequest = Bequest(gate, control, ended.set)
    waiting = [directory / SOCKET, directory / HEIR]
    try:
        if estate is None:
            gate.slots.replace(*read_rules(directory / RULES))
        else:
            estate.give_to(gate)
        await control.serve(waiting[0])
        heirs = bequest.bind(waiting[1])
        if estate is not None:
            estate.accept()
        gate.start_inherited()
        gate.open(listeners)
        for path in waiting:
            in_waiting(path).replace(path)
    finally:
        for path in waiting:
            in_waiting(path).unlink(missing_ok=True)
    if estate is not None:
        estate.thank()
        say(f"took over {len(gate.slots.relays())} sessions")
    meeting = asyncio.create_task(bequest.serve(heirs))
    say(f"listening on {', '.join(':'.join(map(str, one.getsockname())) for one in listeners)}")
    await ended.wait()
    async with bequest.busy:
        meeting.cancel()
    control.close()
    gate.shut()
    if bequest.over:
        return
    for relay in gate.slots.relays():
        relay.end("the gate is ended")
    say("ended")


def serve(options: argparse.Namespace) -> None:
    """Raises OSError, Failed when it can't begin; a gate that was to be relieved goes on then."""
    estate = meet(options.run / HEIR) if options.take_over else None
    try:
        there = estate.listeners if estate is not None else ()
        listeners = listen(options.addresses, options.port, there)
        if options.owner:
            drop(options.owner)
        asyncio.run(run(options.run, listeners, estate))
    except (OSError, Failed) as error:
        if estate is not None:
            estate.refuse(str(error))
        raise


def main(arguments: list[str]) -> int:
    """Exit code 1 with one line on standard error when it can't begin."""
    parser = argparse.ArgumentParser(prog="gate")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--owner", default="")
    parser.add_argument("--program", help="what the supervisor tells versions apart by")
    parser.add_argument("--take-over", action="store_true")
    parser.add_argument("addresses", nargs="+")
    options = parser.parse_args(arguments)
    set_up()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        serve(options)
    except OSError as error:
        say(f"can't start: {error.strerror or error}")
        return 1
    except Failed as error:
        say(f"can't take over: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
