"""No site yet: what a site is, and a form that makes one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui.engine.errors import BadInput, SbcError
from sbctui.engine.model.addresses import parse_ip, parse_network
from sbctui.format import Line
from sbctui.messages import in_thread
from sbctui.screens.fields import Field, Values, against
from sbctui.screens.form import Form

if TYPE_CHECKING:
    from sbctui.engine.model.settings import Settings

_ABOUT = "A site is one folder with all roots, leaves and settings. Without an interface no "
_ABOUT += "board is given an address: nothing is served by surprise."


class StartScreen(Form[bool]):
    """Offers ``sbctui site init``; True when the site was made."""

    ENTER = "make the site"
    LEAVE = "leave sbctui"

    def __init__(self, path: Path) -> None:
        self._path = path
        about: list[Line] = [((f"{path} is no site yet.", "warn"),), ((_ABOUT, "dim"),)]
        super().__init__("There is no site here yet", _fields(), about)

    def equal(self, values: Values) -> str:
        """The command that makes the same site."""
        options = [word for k, v in values.items() if v for word in (f"--{k}", v)]
        return shlex.join(["sbctui", "--site", str(self._path), "site", "init", *options])

    def submit(self, values: Values) -> None:
        """Make the site."""
        self.sbc.background(self._make(values))

    async def _make(self, values: Values) -> None:
        from sbctui.engine.places import usual_owner
        from sbctui.engine.siteinit import init_site

        owner = usual_owner(self._path)
        try:
            await in_thread(lambda: init_site(self._path, _settings(values), owner=owner))
        except (SbcError, OSError) as error:
            self.tell({}, *against(error))
            return
        self.dismiss(True)


def _optional(parse: Callable[[str], object]) -> Callable[[str], object]:
    def check(text: str) -> None:
        if text:
            parse(text)

    return check


def _pool(text: str) -> None:
    if not text:
        return
    first, dash, last = text.partition("-")
    if not dash:
        raise BadInput("a pool is two addresses with '-' between them")
    if parse_ip(first) > parse_ip(last):
        raise BadInput("the pool ends before it begins")


def _interfaces() -> tuple[str, ...]:
    """The machine's interfaces; none where it does not say."""
    try:
        return tuple(sorted(set(os.listdir("/sys/class/net")) - {"lo"}))
    except OSError:
        return ()


def _fields() -> tuple[Field, ...]:
    return (
        Field("interface", "Interface", hint="of the lab; empty: none yet", names=_interfaces()),
        Field("subnet", "Subnet", _optional(parse_network), hint="as 10.77.0.0/24"),
        Field("pool", "Pool", _pool, hint="of addresses, as 10.77.0.50-10.77.0.250"),
        Field("server", "Server", _optional(parse_ip),
              hint="this server's address; empty: the interface's"),
    )  # fmt: skip


def _settings(values: Values) -> Settings:
    """The fields as settings. Raises BadInput with the first thing that does not agree."""
    from pydantic import ValidationError

    from sbctui.engine.model.settings import Settings

    network: dict[str, object] = {k: v for k, v in values.items() if v and k != "pool"}
    if values["pool"]:
        first, _, last = values["pool"].partition("-")
        network["pool"] = {"first": first.strip(), "last": last.strip()}
    try:
        return Settings.model_validate({"network": network})
    except ValidationError as error:
        one = error.errors()[0]
        field = next((str(part) for part in one["loc"] if part in values), "")
        raise BadInput(one["msg"].removeprefix("Value error, ")).of(field) from None
