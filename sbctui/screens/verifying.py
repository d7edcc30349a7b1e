"""Images that are read whole and compared: progress while it goes on, then what is wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sbctui import format as fmt
from sbctui.engine.errors import Cancelled, SbcError
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.messages import in_thread
from sbctui.screens.modal import Lines, Modal, inner_width, keys_line
from sbctui.widgets.bars import Bar

if TYPE_CHECKING:
    from sbctui.engine.events import Event, Progress
    from sbctui.engine.repository.check import ImageFault

_TICK = 0.5


class VerifyScreen(Modal[None]):
    """Nothing is changed by it; left, it stops."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "over", show=False)]

    def __init__(self, address: str) -> None:
        super().__init__(f"Check {clean(address)}")
        self._address = address
        self._stop = threading.Event()
        self._far: Progress | None = None
        self._samples: list[tuple[float, float]] = []
        self._over = False

    def body(self) -> Iterable[Widget]:
        """How far it is, then what was found."""
        self.text = Lines(id="text")
        self.text.styles.height = 2
        yield self.text
        self.keys = Bar(id="keys")
        self.keys.show(keys_line(("esc", "stop")))
        yield self.keys

    def on_mount(self) -> None:
        """Begin."""
        self.text.focus()
        self.set_interval(_TICK, self._tell)
        self._tell()
        self.sbc.background(self._check())

    def on_unmount(self) -> None:
        """Whoever leaves stops it."""
        self._stop.set()

    def _heard(self, event: Event) -> None:
        """In a thread: how far it is."""
        if event.kind == "progress":
            self._far = event

    def _tell(self) -> None:
        if self._over or not self.is_attached:
            return
        far = self._far
        if far is None:
            self.text.put([(("looking ...", "dim"),)])
            return
        if not self._samples or far.done < self._samples[-1][1]:
            self._samples = []
        self._samples.append((time.monotonic(), far.done))
        speed = fmt.rate(self._samples)
        rate = f"{fmt.size(speed)}/s" if speed else fmt.UNKNOWN
        left = fmt.duration(fmt.eta(self._samples, far.total))
        width = max(10, inner_width(self.app.size.width) - 36)
        self.text.put([
            ((f"reading {clean(far.what)}", ""),),
            ((fmt.bar(far.done, far.total, width), "head"),
             (f" {fmt.size(far.done)} of {fmt.size(far.total)}  {rate}  {left} left", "dim")),
        ])  # fmt: skip

    async def _check(self) -> None:
        from sbctui.engine.model.repository import parse_address

        engine = self.sbc.feeds.engine
        assert engine is not None
        try:
            address = parse_address(self._address)
            call = lambda: engine.check_images(address, self._stop, self._heard)  # noqa: E731
            lines = _found(await in_thread(call))
        except Cancelled:
            return
        except (SbcError, OSError) as error:
            lines = [((clean(str(error)), "bad"),)]
        self._over = True
        if self.is_attached:
            self.text.styles.height = min(len(lines) + 2, self.app.size.height - 7)
            self.text.put(lines)
            self.keys.show(keys_line(("esc", "back")))

    def action_over(self) -> None:
        """Leave when it is over; while it goes on only esc does."""
        if self._over:
            self.dismiss(None)


def _found(faults: tuple[ImageFault, ...]) -> list[Line]:
    if not faults:
        return [(("everything is as its side files say", "good"),)]
    lines: list[Line] = []
    for one in faults:
        lines.append(((f"! {clean(str(one.address))}: {clean(one.what)}", "bad"),))
        lines.append((("    ", ""), (f"mend it with: {clean(one.remedy)}", "dim")))
    return lines
