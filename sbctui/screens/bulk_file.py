"""Which file the lines of bulk creation come from."""

from __future__ import annotations

from pathlib import Path

from sbctui.engine.errors import SbcError
from sbctui.engine.lists import read_list
from sbctui.engine.model.text import clean
from sbctui.messages import in_thread
from sbctui.screens.fields import Field, Values
from sbctui.screens.form import Form


class FileScreen(Form[str]):
    """Asks for a file and reads it; the result is its text."""

    ENTER = "read it"

    def __init__(self) -> None:
        hint = "a list of MACs or a CSV with MAC, alias, group"
        super().__init__(
            "Lines of a file", (Field("path", "File", _named, hint=hint, path=True, look=_read),)
        )

    def submit(self, values: Values) -> None:
        """Read it."""
        self.sbc.background(self._take(values["path"]))

    async def _take(self, path: str) -> None:
        try:
            text = await in_thread(lambda: _read(path))
        except SbcError as error:
            self.tell({}, clean(str(error)), "path")
            return
        if self.is_attached:
            self.dismiss(text)


def _named(text: str) -> str:
    return "" if text else "name the file; the right arrow completes"


def _read(path: str) -> str:
    return read_list(Path(path).expanduser())
