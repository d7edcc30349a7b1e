"""``pins.json`` ⇄ ``Pins``; a file that can't be used is never overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from sbctui.engine.model.pins import PINS, Pins
from sbctui.engine.model.text import clean

_MOST = 16 * 1024 * 1024


def read_pins(site: Path) -> tuple[Pins, str]:
    """What is kept, and what is wrong with the file: then nothing is. None yet is not wrong."""
    try:
        return Pins.model_validate_json(_read(site / PINS)), ""
    except FileNotFoundError:
        return Pins(), ""
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return Pins(), clean(f"{where + ': ' if where else ''}{first['msg']}")
    except OSError as error:
        return Pins(), clean(error.strerror or str(error))
    except ValueError as error:
        return Pins(), clean(str(error))


def in_work(name: str) -> bool:
    """Whether a file in the site's folder is of a write of the pins, going on or cut short."""
    return name.startswith(f".{PINS}.")


def _read(path: Path) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(fd, "rb") as file:
        size = os.fstat(fd).st_size
        if size > _MOST:
            raise ValueError(f"it is {size} bytes long")
        return file.read(size + 1)
