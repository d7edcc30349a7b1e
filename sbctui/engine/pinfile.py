"""``pins.json`` ⇄ ``Pins``, ``boards.json`` ⇄ ``Roster``; one that can't be used is never
overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sbctui.engine.model.amounts import size as told
from sbctui.engine.model.pins import PINS, Pins
from sbctui.engine.model.roster import ROSTER, Roster
from sbctui.engine.model.text import clean

T = TypeVar("T", bound=BaseModel)

_MOST = 16 * 1024 * 1024


def read_pins(site: Path) -> tuple[Pins, str]:
    """What is kept, and what is wrong with the file: then nothing is. None yet is not wrong."""
    return _stored(site / PINS, Pins)


def read_roster(site: Path) -> tuple[Roster, str]:
    """The lists of boards, and what is wrong with the file: then they are empty."""
    return _stored(site / ROSTER, Roster)


def _stored(path: Path, kind: type[T]) -> tuple[T, str]:
    try:
        return kind.model_validate_json(_read(path)), ""
    except FileNotFoundError:
        return kind(), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return kind(), clean(f"{where + ': ' if where else ''}{first['msg']}")
    except OSError as error:
        return kind(), clean(error.strerror or str(error))
    except ValueError as error:
        return kind(), clean(str(error))


def in_work(name: str) -> bool:
    """Whether a file in the site's folder is of a write of either, going on or cut short."""
    return name.startswith((f".{PINS}.", f".{ROSTER}."))


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size > _MOST:
            raise ValueError(f"it is {told(size)} long")
        return file.read(size + 1)
