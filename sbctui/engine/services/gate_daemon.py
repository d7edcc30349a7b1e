"""The gate as the supervisor keeps it."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from sbctui import __version__
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.services.gate_client import GateClient
from sbctui.engine.services.gate_rules import RULES, read_rules, write_rules
from sbctui.engine.services.nbd_targets import DerivedExports

_LOCAL = IPv4Address("127.0.0.1")


class GateDaemon:
    """The gate of one site.

    ``run`` is the runtime folder that the daemons may write to, ``owner`` whom it runs as, and
    ``listen`` the server's addresses: none means a site without network settings, whose disks
    can be had from this machine alone.
    """

    name = "gate"

    def __init__(
        self,
        derived: DerivedExports,
        run: Path,
        owner: tuple[int, int],
        listen: Sequence[IPv4Address],
        port: int,
    ) -> None:
        self._derived = derived
        self._run = run
        self._owner = owner
        self._listen = tuple(listen) or (_LOCAL,)
        self._port = port
        self._client = GateClient(run)

    def off(self) -> str:
        """Empty; or why an ordinary user can't have the port."""
        if self._port < _first_free_port() and os.geteuid() != 0:
            return f"port {self._port} needs root; set network.nbd_port to 1024 or more"
        return ""

    def prepare(self) -> None:
        """Write the rules it starts from; what is closed stays so. Raises ServiceFailed."""
        for address in self._listen:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                try:
                    probe.bind((str(address), 0))
                except OSError as error:
                    raise ServiceFailed(
                        f"{address} is no address of this machine ({error.strerror}); "
                        "give it to the interface, or set network.server"
                    ) from None
        _, closed = read_rules(self._run / RULES)
        write_rules(self._run / RULES, self._rules(), closed, self._foreign())

    def argv(self) -> Sequence[str]:
        """The gate, which gives up root itself once it has the port."""
        owner = self._foreign()
        return [
            sys.executable,
            "-I",
            "-m",
            "sbctui.engine.services.gate",
            "--run",
            str(self._run),
            "--port",
            str(self._port),
            *(["--owner", f"{owner[0]}:{owner[1]}"] if owner else []),
            "--program",
            program(),
            *(str(address) for address in self._listen),
        ]

    def successor(self) -> Sequence[str]:
        """A gate that takes over from the one that runs; boards notice nothing."""
        return [*self.argv(), "--take-over"]

    def drop_privileges(self) -> bool:
        """It drops them itself: our Python may be where the site's owner can't read."""
        return False

    def healthy(self) -> str:
        """Empty when it answers within 1 s."""
        try:
            self._client.ping()
        except ServiceFailed as error:
            return str(error)
        return ""

    def started(self) -> None:
        """Give it the rules as they are now."""
        self._client.replace(
            {export: target.address for export, target in self._derived.read().targets.items()}
        )

    def _rules(self) -> dict[str, str]:
        return {e: str(target.address) for e, target in self._derived.read().targets.items()}

    def _foreign(self) -> tuple[int, int] | None:
        """The owner when we are root and he is not."""
        return self._owner if os.geteuid() == 0 and self._owner[0] != 0 else None


@functools.cache
def program() -> str:
    """Names the gate's program as it was when first asked: by all that it is made of."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parent.glob("gate*.py")):
        digest.update(path.read_bytes())
    return f"{__version__}-{digest.hexdigest()[:12]}"


def _first_free_port() -> int:
    try:
        text = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
        return int(text)
    except (OSError, ValueError):
        return 1024
