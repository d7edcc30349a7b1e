"""How a lab's boards are asked and switched: from inside it, or by its owner from outside."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sbctui.engine.errors import NoSuchNode, Refused, ServiceFailed
from sbctui.lab import PLACE
from sbctui.lab.spec import Power, State

SOCKET = "rack.sock"
_GREETING = (
    "A lab in a box: nothing here is real or kept.\n"
    ":lab boards   what each board does\n"
    ":lab power on dc:a6:32:77:00:03"
)
_PATIENCE = 20.0
_MOST = 1 << 20


class NoLab(NoSuchNode):
    """No lab of this user is open."""


def boards(macs: Sequence[str] = (), power: Power | None = None) -> tuple[State, ...]:
    """The boards as they are, all or those named, after switching them if asked to.

    Raises NoLab, Refused where several are open, NoSuchNode for a MAC that it does not have,
    ServiceFailed.
    """
    question = {"macs": list(macs), **({"power": power} if power else {})}
    answer = _asked(_folder() / SOCKET, question)
    if "error" in answer:
        kind = NoSuchNode if "unknown" in answer else ServiceFailed
        raise kind(str(answer["error"]))
    return tuple(State(**board) for board in answer["boards"])


def inside() -> bool:
    """Whether this process is in a lab."""
    return PLACE in os.environ


def greeting() -> str:
    """What a console in a lab says first; empty elsewhere."""
    return _GREETING if inside() else ""


def _folder() -> Path:
    here = os.environ.get(PLACE)
    if here:
        return Path(here)
    found = {_identity(folder): folder for folder in _open_labs()}
    if not found:
        raise NoLab("no lab of yours is open; open one with: sbctui lab")
    if len(found) > 1:
        raise Refused(f"{len(found)} labs of yours are open; ask inside the one that you mean")
    return next(iter(found.values()))


def _open_labs() -> Iterator[Path]:
    """Folders of this user's labs, reached through a process in each."""
    for entry in os.scandir("/proc"):
        with suppress(OSError):
            if not entry.name.isdecimal() or entry.stat().st_uid != os.geteuid():
                continue
            for pair in Path(entry.path, "environ").read_bytes().split(b"\0"):
                name, _, value = pair.partition(b"=")
                if name.decode(errors="replace") == PLACE:
                    folder = Path(f"/proc/{entry.name}/root{os.fsdecode(value)}")
                    if (folder / SOCKET).exists():
                        yield folder


def _identity(folder: Path) -> tuple[int, int]:
    facts = (folder / SOCKET).stat()
    return facts.st_dev, facts.st_ino


def _asked(path: Path, question: dict[str, Any]) -> dict[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PATIENCE)
            sock.connect(str(path))
            sock.sendall(json.dumps(question).encode() + b"\n")
            answer: dict[str, Any] = json.loads(sock.makefile("rb").readline(_MOST))
            return answer
    except (OSError, ValueError) as error:
        raise ServiceFailed(f"the lab's boards do not answer ({error}); is it closing?") from None
