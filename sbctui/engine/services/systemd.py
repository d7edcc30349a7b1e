"""The supervisor as a unit of systemd: one file of ours, and nothing else touched.

The unit runs ``sbctui supervise``, with ``KillMode=process``: stopping or restarting it ends the
supervisor alone, as a signal does anywhere; the daemons go on and the next supervisor adopts them.
What an admin wants otherwise belongs into a drop-in (``systemctl edit``), which is never touched;
a file of the same name that is not ours is never replaced.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sbctui.engine import commands
from sbctui.engine.errors import BadInput, NotPermitted, Refused, ServiceFailed, from_os
from sbctui.engine.files import fsync_dir, write_atomic
from sbctui.engine.model.addresses import shown
from sbctui.engine.places import SYSTEM_SITE
from sbctui.engine.services.processes import Process
from sbctui.engine.services.rundir import site_id
from sbctui.engine.services.supervise_holder import read_holder

UNITS = Path("/etc/systemd/system")
_RUNNING = Path("/run/systemd/system")
"""There when systemd is the init system (sd_booted(3))."""
_END = 20.0
"""Seconds for a supervisor to finish what it does and end."""
_MARK = "# Written by sbctui. Changes belong into a drop-in:"
_UNIT = """\
{mark} systemctl edit {name}
[Unit]
Description=sbctui: DHCP, TFTP and disks of {site}
Wants=network-online.target
After=network-online.target
RequiresMountsFor={path}

[Service]
Type=exec
ExecStart={command}
# Its end leaves the daemons running, and boards notice nothing: the next one adopts them.
KillMode=process
Restart=on-failure
RestartSec=1
# Another user's, refused, no such site, no permission, supervised already.
RestartPreventExitStatus=2 3 4 5 75
LimitNOFILE=65536
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """A site's unit as it is: ``older`` is ours with another content; names of its drop-ins."""

    path: Path
    state: Literal["missing", "current", "older", "foreign"]
    dropins: tuple[str, ...] = ()


def running() -> bool:
    """Whether this machine's init system is systemd."""
    return _RUNNING.is_dir()


def unit_name(site: Path) -> str:
    """``sbctui.service`` for the system's own site; others have the site's id in it."""
    return "sbctui.service" if site == SYSTEM_SITE else f"sbctui-{site_id(site)}.service"


def render_unit(site: Path) -> bytes:
    """The unit file (systemd.unit(5), systemd.service(5)).

    Raises BadInput for a path that it can't name.
    """
    text = str(site)
    if not text.isprintable() or '"' in text or "\\" in text:
        raise BadInput(f"a unit of systemd can't name {shown(text)}; move the site")
    program = [sys.executable, "-P", "-m", "sbctui", "--site", text, "supervise"]
    return _UNIT.format(
        mark=_MARK,
        name=unit_name(site),
        site=_plain(text),
        path=_quoted(text),
        command=" ".join(_quoted(word, variables=True) for word in program),
    ).encode()


def look(site: Path, units: Path = UNITS) -> Unit:
    """The unit that is there. Raises BadInput like ``render_unit``, NotPermitted."""
    path = units / unit_name(site)
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return Unit(path, "missing", _dropins(path))
    except OSError as error:
        raise from_os(error, f"reading {path}") from error
    if not found.startswith(_MARK.encode()):
        return Unit(path, "foreign", _dropins(path))
    return Unit(path, "current" if found == render_unit(site) else "older", _dropins(path))


def install(site: Path, units: Path = UNITS) -> None:
    """Write the unit and have it started with the machine.

    Raises Refused, NotPermitted, ToolFailed.
    """
    unit = wanted(site, units)
    try:
        write_atomic(unit.path, render_unit(site), mode=0o644)
    except OSError as error:
        raise from_os(error, f"writing {unit.path}") from error
    _systemctl("daemon-reload")
    _systemctl("enable", unit.path.name)


def uninstall(site: Path, units: Path = UNITS) -> None:
    """Take the unit away; daemons that run go on. Drop-ins stay. Raises like ``install``."""
    unit = wanted(site, units)
    if unit.state == "missing":
        return
    _systemctl("disable", unit.path.name)
    _systemctl("stop", unit.path.name)
    try:
        unit.path.unlink()
        fsync_dir(unit.path.parent)
    except OSError as error:
        raise from_os(error, f"removing {unit.path}") from error
    _systemctl("daemon-reload")


def start(site: Path, units: Path = UNITS) -> bool:
    """Start the site's unit, if it has one and may be started by us. Raises ToolFailed."""
    if os.geteuid() != 0 or not running() or look(site, units).state in ("missing", "foreign"):
        return False
    _systemctl("start", unit_name(site))
    return True


def take_over(site: Path) -> None:
    """Have the unit supervise what somebody else's supervisor, or an older unit, does now.

    The daemons go on meanwhile. Raises ToolFailed, ServiceFailed.
    """
    name = unit_name(site)
    active = commands.run(["systemctl", "is-active", "--quiet", name], ok=range(256))
    if active.returncode == 0:
        _systemctl("restart", name)
        return
    _end_other(site)
    _systemctl("start", name)


def _end_other(site: Path) -> None:
    """Have the present supervisor end, and wait for it: the unit's would find the site taken.

    Raises ServiceFailed when it does not end.
    """
    holder = read_holder(site)
    process = Process.open(holder.pid) if holder else None
    if process is None:
        return
    try:
        with suppress(OSError):
            if b"supervise" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                return
        if process.send(signal.SIGTERM) and not process.wait(_END):
            raise ServiceFailed(
                f"the supervisor that runs, {holder}, did not end within {_END:g} s; "
                "end it, then install the unit again"
            )
    finally:
        process.close()


def why_not() -> str:
    """Why no unit can be installed here; empty when it can."""
    if not running():
        return (
            "systemd is not this machine's init system; start the services with: "
            "sbctui services start"
        )
    return "" if os.geteuid() == 0 else "only root can install a unit of systemd; run with sudo"


def wanted(site: Path, units: Path = UNITS) -> Unit:
    """The unit as it is, where one may be installed or removed.

    Raises Refused without systemd or for a file that is not ours, NotPermitted.
    """
    reason = why_not()
    if reason:
        raise (NotPermitted if running() else Refused)(reason)
    unit = look(site, units)
    if unit.state == "foreign":
        raise Refused(
            f"{unit.path} is there and was not written by sbctui; move it away, or keep it and "
            "don't install another"
        )
    return unit


def _dropins(path: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(n for n in os.listdir(f"{path}.d") if n.endswith(".conf")))
    except OSError:
        return ()


def _systemctl(*words: str) -> None:
    commands.run(["systemctl", "--no-ask-password", *words], timeout=60)


def _quoted(word: str, *, variables: bool = False) -> str:
    """A word where systemd splits at blanks and expands ``%`` (and ``$`` in commands)."""
    word = word.replace("%", "%%")
    if variables:
        word = word.replace("$", "$$")
    return f'"{word}"' if set(word) & set(" ';\t") else word


def _plain(text: str) -> str:
    return text.replace("%", "%%")
