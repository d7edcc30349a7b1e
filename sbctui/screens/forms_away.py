"""The forms of the verbs that take something away, with what that does to boards that run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model import requests as ask
from sbctui.format import Line
from sbctui.screens.fields import Field, Values
from sbctui.screens.form_spec import FormSpec

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site

_NO_YES = ("no", "yes")
_YES_NO = ("yes", "no")
_SHOWN = 3


def running(site: Site, names: Sequence[str]) -> tuple[str, ...]:
    """Those of these nodes a board is connected to."""
    return tuple(n for n in names if site.sessions_of.get(site.nodes[n].config.export))


def deallocate(site: Site, name: str) -> FormSpec:
    """``root deallocate``: whether to reboot the board, and to cut it off if it stays."""
    config = site.nodes[name].config
    seconds = site.settings.drain_seconds
    connected = bool(running(site, [name]))
    cut = Field(
        "cut",
        "Cut it off",
        choices=_NO_YES,
        hint=f"no: it keeps its disk until it lets go; yes: for {seconds} s at most",
    )
    state = f"the board {config.mac} at {config.ip} "
    state += "is running from it now" if connected else "is not connected"
    return FormSpec(
        f"Deallocate {name}",
        (
            Field("reboot", "Reboot the board", choices=_YES_NO,
                  hint=f"yes: over ssh as {site.settings.ssh_user}; no: it is left as it is"),
            *([cut] if connected else []),
        ),
        ask.DeallocateRoot,
        lambda values: {
            "name": name,
            "reboot": values["reboot"] == "yes",
            "cut": values.get("cut") == "yes",
        },
        about=(((state, "warn" if connected else "dim"),),),
    )  # fmt: skip


def delete_leaves(site: Site, root: str, names: Sequence[str], *, every: bool) -> FormSpec:
    """``leaf delete`` while boards run from some of the leaves: only with their consent."""
    connected = running(site, names)
    macs = None if every else tuple(mac for n in names if (mac := site.nodes[n].config.mac))

    def check(text: str) -> str:
        if text == "yes":
            return ""
        return "they stay while boards run from them: shut the boards down, or choose yes"

    def arguments(values: Values) -> dict[str, object]:
        return {"root": root, "macs": macs, "cut": values["cut"] == "yes"}

    count = len(names)
    return FormSpec(
        f"Delete {fmt.plural(count, 'leaf')} of {root}",
        (Field("cut", "Pull disks away", check, choices=_NO_YES,
               hint="yes: these boards lose their root at once and crash"),),
        ask.DeleteLeaves,
        arguments,
        about=_told(site, connected),
    )  # fmt: skip


def _told(site: Site, connected: Sequence[str]) -> tuple[Line, ...]:
    listed = ", ".join(site.nodes[n].config.hostname for n in connected[:_SHOWN])
    more = f" and {len(connected) - _SHOWN} more" if len(connected) > _SHOWN else ""
    are = "a board is" if len(connected) == 1 else f"{len(connected)} boards are"
    return (((f"{are} running from {listed}{more}", "warn"),),)
