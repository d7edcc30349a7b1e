"""A world of its own for the lab: which kind this machine allows, and the way into it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal, NoReturn

from sbctui.engine import commands, programs
from sbctui.engine.errors import Refused, SbcError
from sbctui.lab import PLACE
from sbctui.lab.remote import inside

Isolation = Literal["user", "root", "none"]
_SPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_WAYS: Mapping[Isolation, Sequence[str]] = {
    "user": ("unshare", "--user", "--map-root-user", *_SPACES),
    "root": ("unshare", *_SPACES),
    "none": (),
}
_PROBE = ("ip", "link", "add", "probe0", "type", "veth")


@dataclass(frozen=True, slots=True)
class World:
    """How far the lab is kept apart, and why no further; ``reason`` is empty when it is whole."""

    isolation: Isolation
    reason: str = ""


def possible() -> World:
    """The best kind that the kernel allows. Raises ToolMissing."""
    programs.find("ip")
    reason = ""
    ways: tuple[Isolation, ...] = ("user", "root") if os.geteuid() == 0 else ("user",)
    for way in ways:
        try:
            commands.run([*_WAYS[way], *_PROBE], timeout=10)
            return World(way)
        except SbcError as error:
            reason = reason or str(error)
    return World("none", reason)


def enter(world: World, program: Sequence[str], *, quiet: bool) -> NoReturn:
    """Become a lab that runs this program. Raises Refused inside one, OSError."""
    if inside():
        raise Refused(f"this is a lab already ({os.environ[PLACE]}); leave it first")
    folder = mkdtemp(prefix="sbctui-lab-") if world.isolation == "none" else "-"
    way = list(_WAYS[world.isolation])
    if way:
        way[0] = str(programs.find(way[0]))
    loud = "quiet" if quiet else "loud"
    me = [sys.executable, "-P", "-m", "sbctui.lab.inside", folder, world.isolation, loud]
    argv = [*way, *me, *program]
    sys.stdout.flush()
    sys.stderr.flush()
    os.chdir(Path("/") if not Path.cwd().exists() else Path.cwd())
    os.execv(argv[0], argv)
