"""What a board that asks tells of itself, in words; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sbctui.engine.model.text import clean

if TYPE_CHECKING:
    from sbctui.engine.model.site import Seen

_PI = "Raspberry Pi "


def short(seen: Seen) -> str:
    """A word or two for a narrow column: the model, else the maker; empty without either."""
    model = seen.model.partition(",")[0]
    if model.startswith(_PI):
        model = f"Pi {model.removeprefix(_PI)}"
    return clean(model or seen.vendor)


def tells(seen: Seen) -> str:
    """All in one line, the surest first."""
    maker = seen.vendor or ("made-up MAC" if seen.local else "")
    parts = (
        seen.model or maker,
        seen.serial and f"serial {seen.serial}",
        seen.architecture,
        seen.hostname and f"calls itself {seen.hostname}",
        seen.vendor_class,
    )
    return clean(", ".join(filter(None, parts)))


def times(seen: Seen) -> str:
    """How often it asked."""
    return "once" if seen.count == 1 else f"{seen.count} times"


def told(seen: Seen) -> Iterator[tuple[str, str]]:
    """Labels and what is known under them; what is not known is left out."""
    maker = seen.vendor or ("nobody: the MAC was made up" if seen.local else "")
    known = (
        ("model", seen.model),
        ("serial", seen.serial),
        ("cpu", seen.architecture),
        ("maker", maker),
        ("name", seen.hostname),
        ("says", seen.vendor_class),
    )
    return ((label, clean(text)) for label, text in known if text)
