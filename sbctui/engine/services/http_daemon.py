"""The HTTP server as the supervisor keeps it."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
from collections.abc import Sequence
from ipaddress import IPv4Address
from pathlib import Path

from sbctui import __version__
from sbctui.engine.model.settings import Network
from sbctui.engine.services import dnsmasq_net as net
from sbctui.engine.services.http_server import answers

_ANSWER = 1.0


class HttpDaemon:
    """The HTTP server of one site, on ``listen``, this machine's addresses where boards are.

    ``owner`` is the site's (uid, gid), whom it becomes once it has the port.
    """

    name = "http"

    def __init__(
        self,
        site: Path,
        network: Network,
        owner: tuple[int, int],
        listen: Sequence[IPv4Address],
    ) -> None:
        self._root = site / "derived" / "tftp"
        self._network = network
        self._owner = owner
        self._listen = tuple(listen)

    def off(self) -> str:
        """Empty when it is wanted and possible; else why not, and the remedy."""
        if not self._network.http:
            return "boot files go by TFTP alone; http = true under [network] in site.toml adds HTTP"
        if not self._network.segments:
            return "no interface: set one with sbctui site init --interface IF --subnet CIDR"
        if os.geteuid() != 0:
            return "port 80 needs root: start the services with sudo"
        return net.unready(self._network)

    def prepare(self) -> None:
        """Nothing: all it wants to know is in its arguments."""

    def argv(self) -> Sequence[str]:
        """The server, which gives up root itself once it has the port."""
        foreign = os.geteuid() == 0 and self._owner[0] != 0
        return [
            sys.executable,
            "-I",
            "-m",
            "sbctui.engine.services.http_server",
            "--root",
            str(self._root),
            *(["--owner", f"{self._owner[0]}:{self._owner[1]}"] if foreign else []),
            "--program",
            program(),
            *(str(address) for address in self._listen),
        ]

    def drop_privileges(self) -> bool:
        """It drops them itself, behind its port."""
        return False

    def healthy(self) -> str:
        """Empty when it answers within 1 s on every address."""
        return next(filter(None, (answers(str(ip), _ANSWER) for ip in self._listen)), "")

    def started(self) -> None:
        """Nothing: it reads the tree as it is at every request."""


@functools.cache
def program() -> str:
    """Names the server's program as it was when first asked: by all that it is made of."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted(Path(__file__).parent.glob("http_*.py")):
        digest.update(path.read_bytes())
    return f"{__version__}-{digest.hexdigest()[:12]}"
