"""Import: the form, and what the archive holds before it is taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from textual.widget import Widget

from sbctui.engine.errors import SbcError
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.messages import in_thread
from sbctui.screens.archive_lines import holds
from sbctui.screens.fields import Entry, Values
from sbctui.screens.form import FormScreen
from sbctui.screens.form_spec import FormSpec
from sbctui.screens.forms_archive import suggested, suggested_board
from sbctui.screens.modal import Lines, inner_width

if TYPE_CHECKING:
    from sbctui.engine.repository.view import Preview

_NAMES = "name"


class ImportScreen(FormScreen):
    """Looks at the archive when its field rests: tells what it holds, and proposes a name."""

    def __init__(self, spec: FormSpec) -> None:
        super().__init__(spec)
        self.holds = Lines(id="holds")
        self._seen = ""
        self._against_place = ""
        self._proposed = ""

    def body(self) -> Iterable[Widget]:
        """The fields, then what the archive holds."""
        for one in super().body():
            if one is self.said:
                self.holds.can_focus = False
                self.holds.display = False
                yield self.holds
            yield one

    async def consider(self, values: Values, *, right: bool) -> None:
        """Look at the archive first."""
        place = values["archive"]
        if place and place != self._seen:
            self._seen = place
            self._show(*await self._previewed(place))
            values = self.values
            right = not any(map(self._reason, self.fields.values()))
        elif not place:
            self._show(None, "")
        if self._against_place:
            self.tell({}, self._against_place, "archive")
            return
        await super().consider(values, right=right)

    async def _previewed(self, place: str) -> tuple[Preview | None, str]:
        engine = self.sbc.feeds.engine
        assert engine is not None
        try:
            return await in_thread(lambda: engine.preview(place)), ""
        except (SbcError, OSError) as error:
            return None, clean(str(error))

    def _show(self, found: Preview | None, against: str) -> None:
        if not self.is_attached:
            return
        self._against_place = against
        lines: list[Line] = holds(found) if found else []
        self.holds.display = bool(lines)
        self.holds.styles.height = len(wrapped(lines, inner_width(self.app.size.width) - 1))
        self.holds.put(lines)
        if found is not None:
            self._propose(found)

    def _propose(self, found: Preview) -> None:
        """A name from the archive, or the board's MAC of a leaf's, while nobody typed another."""
        entry = self._entries[_NAMES]
        site = self.sbc.feeds.world.site
        leaf, named = _of(found)
        name = suggested_board(site, named) if site and leaf else ""
        if site and not name:
            name = suggested(site, found.place, "" if leaf else named)
        if isinstance(entry, Entry) and entry.value in ("", self._proposed) and name:
            entry.value = self._proposed = name


def _of(found: Preview) -> tuple[bool, str]:
    """Whether an archive is a leaf's, and the name of its node, as far as it tells."""
    manifest, mac = found.manifest, found.head.leaf.mac
    if manifest is not None:
        return manifest.kind == "leaf", manifest.name
    return mac is not None, dashed(mac) if mac else ""
