"""The lab from within: its network, its site, its rack of boards, and one program on top.

``python -m sbctui.lab.inside FOLDER ISOLATION QUIET PROGRAM...`` is the first process of the
lab's own world; where no world could be made it is an ordinary one, and tidies up after itself.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sbctui.engine import commands, programs
from sbctui.engine.errors import SbcError, ServiceFailed
from sbctui.engine.model.text import clean
from sbctui.lab import PLACE
from sbctui.lab.furnish import SERVER, SUBNET, Say, furnish
from sbctui.lab.init import run_as_init
from sbctui.lab.nbd import PORT
from sbctui.lab.rack import BRIDGE
from sbctui.lab.remote import SOCKET, boards
from sbctui.lab.tidy import SITE, tidy

OWN = Path("/run/lab")
"""The lab's folder in a world of its own: in memory, and gone with the world."""
_MEMORY = "size=1g,mode=755"
_READY = 10.0


def main(arguments: list[str]) -> int:
    """Make the lab, run the program, leave nothing behind; the program's exit code."""
    folder, isolation, quiet, *program = arguments
    alone = isolation != "none"
    place = OWN if alone else Path(folder)
    say = _silent if quiet == "quiet" else _say
    try:
        if alone:
            _world()
        environment = _furnish(place, say, alone=alone)
        return run_as_init(program, environment)
    except (SbcError, OSError) as error:
        sys.stderr.write(f"sbctui: the lab could not be made: {clean(str(error))}\n")
        return error.code if isinstance(error, SbcError) else 1
    finally:
        if not alone:
            tidy(place)


def _world() -> None:
    """A network with one bridge and nothing beyond it, and a /run in memory."""
    commands.run(["mount", "-t", "tmpfs", "-o", _MEMORY, "lab", "/run"])
    with suppress(SbcError):  # where the kernel keeps it, it shows the machine's own cards
        commands.run(["mount", "-t", "sysfs", "lab", "/sys"])
    lines = (
        "link set lo up",
        f"link add {BRIDGE} type bridge",
        f"link set {BRIDGE} address 02:00:00:77:00:00",
        f"address add {SERVER}/{SUBNET.partition('/')[2]} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    )
    commands.run(["ip", "-batch", "-"], stdin="".join(f"{line}\n" for line in lines).encode())


def _furnish(place: Path, say: Say, *, alone: bool) -> Mapping[str, str]:
    """The whole lab up to its boards; the environment for programs in it."""
    scratch = place / "tmp"
    scratch.mkdir(parents=True)
    _door(place / "bin")
    os.environ.update(
        {
            PLACE: str(place),
            "TMPDIR": str(scratch),
            "SBCTUI_SITE": str(place / SITE),
            "PATH": f"{place / 'bin'}:{programs.search_path()}",
        }
    )
    began = time.monotonic()
    port = PORT if alone else _free_port()
    specs = furnish(place / SITE, scratch, BRIDGE if alone else "", port, say)
    say(f"{len(specs)} boards")
    door = place / SOCKET
    program = [sys.executable, "-P", "-m", "sbctui.lab.rack", str(door), str(os.getpid())]
    commands.detach(commands.start([*program, *(spec.dumped() for spec in specs)],
                                   log_file=place / "rack.log"))  # fmt: skip
    _wait_for(place)
    say(f"ready after {time.monotonic() - began:.1f} s")
    return dict(os.environ)


def _wait_for(place: Path) -> None:
    deadline = time.monotonic() + _READY
    while True:
        try:
            boards()
            return
        except SbcError:
            if time.monotonic() > deadline:
                said = (place / "rack.log").read_text(errors="replace").splitlines()[-1:]
                raise ServiceFailed(f"the boards do not start: {' '.join(said)}") from None
            time.sleep(0.02)


def _door(folder: Path) -> None:
    """A program ``sbctui``, for scripts and shells inside."""
    folder.mkdir(parents=True)
    door = folder / "sbctui"
    door.write_text(f'#!/bin/sh\nexec {commands.pasteable([sys.executable])} -P -m sbctui "$@"\n')
    door.chmod(0o755)


def _free_port() -> int:
    with socket.create_server(("127.77.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _say(what: str) -> None:
    sys.stderr.write(f"lab: {what}\n")
    sys.stderr.flush()


def _silent(what: str) -> None:
    """Nothing is said."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
