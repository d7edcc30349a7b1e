"""Actions on the services and on boards that run."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.addresses import Ip
from sbctui.engine.model.asked import Value


class WithdrawExport(Value):
    """Close the gate for an export and take it from the storage daemon; undo puts it back.

    With a session open: refused, or with ``cut`` the session is ended.
    """

    kind: Literal["withdraw-export"] = "withdraw-export"
    export: str
    cut: bool = False


class DrainExport(Value):
    """Admit no new session and wait up to ``seconds`` for the old one; ``cut`` ends it then."""

    kind: Literal["drain-export"] = "drain-export"
    export: str
    seconds: int
    cut: bool = False


class RebootBoard(Value):
    """Ask a board to reboot over ssh; being unreachable is reported and is no failure."""

    kind: Literal["reboot"] = "reboot"
    name: str
    ip: Ip
    user: str


class RefreshServices(Value):
    """Re-derive every file of the named nodes (all when empty) and make the daemons follow."""

    kind: Literal["refresh"] = "refresh"
    names: tuple[str, ...] = ()
