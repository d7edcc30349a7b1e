"""What can be asked about findings of the audit and about the trash."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator

from sbctui.engine.model.addresses import Mac
from sbctui.engine.model.asked import Asked
from sbctui.engine.model.text import clean


class RestoreTrash(Asked):
    """Bring trash folders back to where they were; also what ``undo`` asks."""

    verb: Literal["trash restore"] = "trash restore"
    folders: tuple[str, ...]


class PurgeTrash(Asked):
    """Delete trash folders for good, leaves before their roots."""

    verb: Literal["trash purge"] = "trash purge"
    folders: tuple[str, ...]


class FixFindings(Asked):
    """Apply the fixes of the audit findings with these ids."""

    verb: Literal["audit fix"] = "audit fix"
    findings: tuple[str, ...]


class TrashFindings(Asked):
    """Move what the audit findings with these ids are about to the trash."""

    verb: Literal["audit trash"] = "audit trash"
    findings: tuple[str, ...]


Note = Annotated[str, AfterValidator(clean)]
"""A sentence for whoever looks next."""


class KeepFindings(Asked):
    """Keep these findings as they are through the day ``until`` (UTC; None: the usual span).

    ``by`` is who asks, filled in by the facade.
    """

    verb: Literal["audit keep"] = "audit keep"
    findings: tuple[str, ...]
    note: Note
    until: date | None = None
    by: str = ""


class UnkeepFindings(Asked):
    """Count these findings again."""

    verb: Literal["audit unkeep"] = "audit unkeep"
    findings: tuple[str, ...]


class IgnoreBoards(Asked):
    """Show these boards no more among those that ask."""

    verb: Literal["board ignore"] = "board ignore"
    macs: tuple[Mac, ...]
    note: Note = ""


class UnignoreBoards(Asked):
    """Show them again."""

    verb: Literal["board unignore"] = "board unignore"
    macs: tuple[Mac, ...]
