"""Asks where the report of an audit goes, and writes it; never over a file unasked."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.errors import SbcError
from sbctui.engine.files import write_atomic, write_new
from sbctui.engine.model.text import clean
from sbctui.messages import World, in_thread
from sbctui.screens.fields import Field, Values
from sbctui.screens.form import Form

if TYPE_CHECKING:
    from sbctui.app import SbcApp


def open_report(app: SbcApp, world: World) -> None:
    """Ask for the place: the current folder if it can be written, else the home."""

    async def ask() -> None:
        folder = await in_thread(_folder)
        app.push_screen(ReportScreen(world, folder))

    app.background(ask())


def _folder() -> str:
    here = os.getcwd()
    return here if os.access(here, os.W_OK) else os.path.expanduser("~")


class ReportScreen(Form[str]):
    """Its result is the path that was written."""

    ENTER = "write it"

    def __init__(self, world: World, folder: str) -> None:
        name = f"sbctui-audit-{time.strftime('%Y-%m-%d')}.txt"
        place = Field("path", "Write to", _named, os.path.join(folder, name), path=True,
                      hint="as text; as JSON when the name ends in .json")  # fmt: skip
        super().__init__("Report of the audit", (place,))
        self.world = world
        self._over = ""
        self._busy = False

    def submit(self, values: Values) -> None:
        """Write it, in a thread."""
        if not self._busy:
            self._busy = True
            self.sbc.background(self._write(values["path"]))

    async def _write(self, given: str) -> None:
        over = given == self._over
        try:
            size = await in_thread(lambda: write(self.world, Path(given).expanduser(), over=over))
        except FileExistsError:
            self._over = given
            self._refuse(f"{clean(given)} is there already; Enter again writes over it")
        except (SbcError, OSError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._refuse(f"{clean(given)} can't be written: {clean(why)}")
        else:
            self.sbc.notify(f"written: {clean(given)}, {fmt.size(size)}", markup=False)
            if self.is_attached:
                self.dismiss(given)

    def _refuse(self, why: str) -> None:
        self._busy = False
        if self.is_attached:
            self.tell({}, why, "path")


def _named(text: str) -> str:
    return "" if text else "name a file"


def write(world: World, path: Path, *, over: bool) -> int:
    """Write the report, in a thread; its size in bytes. Raises FileExistsError unless ``over``.

    Raises OSError, also for what is there and is no file.
    """
    from sbctui import findings as words

    assert world.site is not None
    assert world.findings is not None
    if path.suffix == ".json":
        text = words.report_json(world.findings, world.site)
    else:
        text = words.report(world.findings, world.site, world.services)
    data = text.encode(errors="backslashreplace")
    if not over:
        write_new(path, data)
    elif stat.S_ISREG(path.lstat().st_mode):
        write_atomic(path, data)
    else:
        raise IsADirectoryError(0, "what is there is no file")
    return len(data)
