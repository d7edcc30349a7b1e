"""The gate's process: ``python -m sbctui.engine.services.gate --run DIR --port N ADDRESS…``.

It owns the NBD port, admits each board to its own disk only, and relays to the storage daemon's
unix socket in the runtime folder. It starts from the rules file there and needs nobody else.

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
from pathlib import Path

from sbctui.engine.services.gate_control import Control
from sbctui.engine.services.gate_door import Gate
from sbctui.engine.services.gate_log import say, set_up
from sbctui.engine.services.gate_rules import RULES, SOCKET, STORAGE, read_rules

_BACKLOG = 1024


def listen(addresses: list[str], port: int) -> list[socket.socket]:
    """One non-blocking listener an address. Raises OSError naming the first that can't be had."""
    listeners = []
    for address in addresses:
        try:
            listener = socket.create_server((address, port), backlog=_BACKLOG)
        except OSError as error:
            raise OSError(f"{address}:{port}: {error.strerror}") from None
        listener.setblocking(False)
        listeners.append(listener)
    return listeners


def drop(owner: str) -> None:
    """Become the site's owner (``uid:gid``) for good."""
    uid, gid = (int(part) for part in owner.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


async def run(directory: Path, listeners: list[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT."""
    gate = Gate(directory / STORAGE)
    gate.slots.replace(*read_rules(directory / RULES))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    control = await Control(gate, directory / RULES).serve(directory / SOCKET)
    doors = [asyncio.create_task(gate.serve(listener)) for listener in listeners]
    say(f"listening on {', '.join(':'.join(map(str, one.getsockname())) for one in listeners)}")
    await ended.wait()
    control.close()
    for door in doors:
        door.cancel()
    for relay in gate.slots.relays():
        relay.end("the gate is ended")
    say("ended")


def main(arguments: list[str]) -> int:
    """Exit code 1 with one line on standard error when the port can't be had."""
    parser = argparse.ArgumentParser(prog="gate")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--owner", default="")
    parser.add_argument("addresses", nargs="+")
    options = parser.parse_args(arguments)
    set_up()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        listeners = listen(options.addresses, options.port)
        if options.owner:
            drop(options.owner)
        asyncio.run(run(options.run, listeners))
    except OSError as error:
        say(f"can't start: {error.strerror or error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
