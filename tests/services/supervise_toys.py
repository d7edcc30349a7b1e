"""A supervisor over the toys that ``SITE/toys.json`` names (name → mode, or ``off``)."""

from __future__ import annotations

import json
import signal
import socket
import sys
import threading
from collections.abc import Collection, Sequence
from pathlib import Path

from sbctui.engine.errors import ServiceFailed
from sbctui.engine.model.boots import BootNews
from sbctui.engine.services.port import Changes
from sbctui.engine.services.supervise import supervise_with
from sbctui.engine.services.supervise_place import Pace, Place
from sbctui.engine.services.supervisor import Services

TOY = Path(__file__).with_name("supervise_toy.py")
FOLLOWS = "newest"
"""The toy whose configuration is made from site.toml."""


class Toy:
    def __init__(self, site: Path, place: Place, name: str, mode: str) -> None:
        self.name = name
        self.site, self.mode = site, mode
        self.socket = place.run / f"{name}.sock"
        self.config = place.run / f"{name}.conf"

    def off(self) -> str:
        return "nobody wants it; set its mode" if self.mode == "off" else ""

    def prepare(self) -> None:
        text = (self.site / "site.toml").read_text() if self.name == FOLLOWS else "always"
        if "refuse" in text:
            raise ServiceFailed(f"{self.name} says: line 2 is nonsense")
        self.config.write_text(text)

    def argv(self) -> Sequence[str]:
        options = ("-I", "-S", "-u", str(TOY), self.name)
        return (sys.executable, *options, str(self.socket), str(self.config), self.mode)

    def drop_privileges(self) -> bool:
        return True

    def healthy(self) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(0.3)
                client.connect(str(self.socket))
                return "" if client.recv(2) == b"ok" else "a strange answer"
        except OSError as error:
            return f"no answer: {error}"

    def started(self) -> None:
        with (self.site / "state" / "started").open("a") as file:
            file.write(f"{self.name}\n")


class Nothing:
    """What the toys do together: they write down when they are asked to."""

    def __init__(self, site: Path) -> None:
        self.site = site

    def apply(self, asker: int, exports: Collection[str] = ()) -> Changes:
        with (self.site / "state" / "applied").open("a") as file:
            file.write(f"{(self.site / 'lock').read_text()}\n")
        return Changes(added=("one",), refused=(("two", "no such file"),))

    def pending(self) -> bool:
        return False

    def boots(self, version: int) -> BootNews:
        return BootNews(version)

    def begin_following(self) -> str:
        return "toys have no boots"

    def end_following(self) -> None:
        """Nothing is followed."""

    def sessions(self) -> tuple[()]:
        return ()

    leases = seen = sessions

    def withdraw(self, export: str, *, cut: bool, asker: int) -> None:
        raise ZeroDivisionError(export)

    def restore(self, export: str) -> None:
        """Nothing is withdrawn."""

    def close(self, export: str, asker: int) -> None:
        """Nobody is admitted anyway."""

    cut = restore

    def release(self, mac: str, ip: object) -> None:
        """No leases."""


def build(site: Path, place: Place) -> Services:
    def make() -> tuple[Toy, ...]:
        modes = json.loads((site / "toys.json").read_text())
        return tuple(Toy(site, place, name, mode) for name, mode in modes.items())

    return Services(make(), Nothing(site), make)


def main(site: Path) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    pace = Pace(tick=0.1, start=2.0, misses=3, longest=3.0, grace=2.0)
    supervise_with(site, stop, build, pace)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
