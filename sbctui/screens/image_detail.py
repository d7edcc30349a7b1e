"""All about one image or repository: what is known of it, and of an image what is in it."""

from __future__ import annotations

from collections.abc import Sequence

from sbctui.engine.errors import SbcError
from sbctui.engine.model.text import clean
from sbctui.format import Line, wrapped
from sbctui.messages import in_thread
from sbctui.screens.archive_lines import holds
from sbctui.screens.modal import TextModal


class ImageScreen(TextModal):
    """What an image holds is looked at in a thread; its repository may be slow."""

    def __init__(self, title: str, known: Sequence[Line], address: str) -> None:
        looking: list[Line] = [(), ((" looking at what it holds ...", "dim"),)] if address else []
        super().__init__(clean(title), [*known[1:], *looking])
        self._known = list(known[1:])
        self._address = address

    def on_mount(self) -> None:
        """Begin to look."""
        super().on_mount()
        if self._address:
            self.sbc.background(self._look())

    async def _look(self) -> None:
        engine = self.sbc.feeds.engine
        if engine is None:
            return
        try:
            lines = holds(await in_thread(lambda: engine.preview(self._address)))
        except (SbcError, OSError) as error:
            lines = [((clean(str(error)), "warn"),)]
        if self.is_attached:
            shown = [*self._known, (), *lines]
            rows = len(wrapped(shown, self.columns()))
            self.text.styles.height = min(rows, self.app.size.height - 7)
            self.text.put(shown)
