"""What an admin says of boards that need not have a node: ignored, registered (``boards.json``).

Schema 1. Unknown keys survive a read and a write. Times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sbctui.engine.model.addresses import Alias, Group, Mac

ROSTER = "boards.json"
"""The file's name in the site's folder."""


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class Ignored(_Stored):
    """A board that is not shown among those that ask: somebody's laptop, a printer."""

    mac: Mac
    made: datetime
    note: str = ""


class Registered(_Stored):
    """A board that the lab owns, by a list of the admin's, whether it has a node or not."""

    mac: Mac
    alias: Alias = ""
    group: Group = ""


class Roster(_Stored):
    """Both lists, each board once in each."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    ignored: tuple[Ignored, ...] = ()
    registered: tuple[Registered, ...] = ()

    def changed(
        self,
        ignore: tuple[Ignored, ...] = (),
        unignore: tuple[str, ...] = (),
        register: tuple[Registered, ...] = (),
        unregister: tuple[str, ...] = (),
    ) -> Roster:
        """With more of each in place of older ones of the same boards, and without others."""
        out = {*unignore, *(one.mac for one in ignore)}
        gone = {*unregister, *(one.mac for one in register)}
        return self.model_copy(
            update={
                "ignored": (*(one for one in self.ignored if one.mac not in out), *ignore),
                "registered": (
                    *(one for one in self.registered if one.mac not in gone),
                    *register,
                ),
            }
        )

    def to_json(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json(indent=2, by_alias=True).encode() + b"\n"
