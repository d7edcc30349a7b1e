"""The themes: the one place where a tone becomes a style.

Widgets draw with ``STYLES``, style sheets with the variables of the Textual theme of the same
name (``$ground``, ``$ink``, ``$frame``, …); ``wear`` changes the first, ``textual_theme`` makes the
second, both from one palette. A terminal of 16 colours or fewer gets palettes of named colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from rich.style import Style
from textual.theme import Theme

STYLES: dict[str, Style] = {}
"""How each tone looks now; every tone that means something also has its own words."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by use, as Rich names them: ``default``, ``cyan``, ``#rrggbb``.

    ``faint`` empty stands for the terminal's own dimming. ``strong`` makes warnings bold, which
    many consoles of 16 colours show as another colour. ``alarm`` is what else marks the bad.
    """

    ink: str = "default"
    ground: str = "default"
    good: str = "green"
    warn: str = "yellow"
    bad: str = "red"
    head: str = "cyan"
    mark: str = "magenta"
    frame: str = "bright_black"
    faint: str = ""
    strong: bool = True
    alarm: Literal["", "reverse", "underline"] = ""


_MONO = Palette(
    good="default",
    warn="default",
    bad="default",
    head="default",
    mark="default",
    frame="default",
    alarm="underline",
)
_MANY: Mapping[str, Palette] = {
    "terminal": Palette(),
    "dark": Palette(
        ink="#d5d9de",
        ground="#14181d",
        good="#7fc98a",
        warn="#e5c07b",
        bad="#f5827c",
        head="#6cb6d9",
        mark="#cf9be0",
        frame="#4f5a66",
        faint="#8d969f",
    ),
    "light": Palette(
        ink="#20242a",
        ground="#fafaf7",
        good="#1b6e2f",
        warn="#7f5200",
        bad="#b3261e",
        head="#005a82",
        mark="#7b2d96",
        frame="#b0b5ba",
        faint="#5c636a",
    ),
    "blue-orange": Palette(good="#3d8fe0", warn="#d9730d", bad="#d9730d", alarm="reverse"),
    "mono": _MONO,
}
_FEW: Mapping[str, Palette] = {
    "terminal": Palette(faint="default", frame="default"),
    "dark": Palette(ink="white", ground="black", faint="white", frame="white"),
    "light": Palette(
        ink="black",
        ground="white",
        good="blue",
        warn="magenta",
        head="blue",
        frame="black",
        faint="black",
        strong=False,
    ),
    "blue-orange": Palette(
        good="bright_blue", bad="yellow", faint="default", frame="default", alarm="reverse"
    ),
    "mono": replace(_MONO, faint="default"),
}
"""Bright black is unreadable on some consoles, and dimming is bright black on others."""

FEW_COLOURS = 16


def palette(theme: str, colours: int) -> Palette:
    """The palette of a theme for a terminal of so many colours; without colours ``mono``."""
    if not colours:
        theme = "mono"
    return (_FEW if colours <= FEW_COLOURS else _MANY)[theme]


def styles(look: Palette) -> dict[str, Style]:
    """The style of every tone."""

    def style(colour: str, attributes: str = "") -> Style:
        base = Style(color=_known(colour), bgcolor=_known(look.ground))
        return base + Style.parse(attributes)

    strong = "bold" if look.strong else ""
    return {
        "": style(look.ink),
        "dim": style(look.faint) if look.faint else style(look.ink, "dim"),
        "good": style(look.good),
        "warn": style(look.warn, strong),
        "bad": style(look.bad, f"{strong} {look.alarm}"),
        "head": style(look.head, strong),
        "key": style(look.ink, "bold"),
        "bar": style(look.head, "reverse"),
        "mark": style(look.mark, strong),
        "cursor": style(look.head, f"reverse {strong}"),
        "parked": Style(bold=True),
    }


def wear(look: Palette) -> None:
    """Draw with this palette from now on; who has drawn already has to draw anew."""
    STYLES.update(styles(look))


def textual_theme(name: str, look: Palette) -> Theme:
    """The theme for style sheets; ``name`` tells it from others of the same app."""
    ink, ground, frame = _css(look.ink), _css(look.ground), _css(look.frame)
    accent = _css(look.head)
    return Theme(
        name=name,
        ansi=True,
        dark=True,
        primary=accent,
        secondary=accent,
        accent=accent,
        warning=_css(look.warn),
        error=_css(look.bad),
        success=_css(look.good),
        foreground=ink,
        background=ground,
        surface=ground,
        panel=ground,
        boost=ground,
        variables={
            "ink": ink,
            "ground": ground,
            "frame": frame,
            "faint": _css(look.faint or look.ink),
            "ansi-background": ground,
            "ansi-foreground": ink,
            "border": accent,
            "border-blurred": frame,
            "input-cursor-background": ground,
            "input-cursor-foreground": ink,
            "input-cursor-text-style": "reverse",
            "input-selection-background": ground,
            "input-selection-foreground": accent,
            "screen-selection-background": ground,
            "screen-selection-foreground": accent,
        },
    )


def _known(colour: str) -> str | None:
    """A colour for Rich; the terminal's own is left unsaid."""
    return None if colour == "default" else colour


def _css(colour: str) -> str:
    return colour if colour.startswith("#") else f"ansi_{colour}"


wear(_MANY["terminal"])
