"""What this terminal can do, judged from the environment alone; nothing is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_KNOWN = (
    "xterm", "tmux", "screen", "rxvt", "putty", "vte", "gnome", "konsole", "alacritty", "foot",
    "kitty", "wezterm", "contour", "ghostty", "st-", "iterm", "mlterm", "eterm", "mintty", "nsterm",
)  # fmt: skip
"""Beginnings of ``TERM`` of terminals whose fonts have lines."""
_MANY = ("kitty", "alacritty", "foot", "wezterm", "contour", "ghostty")
_NONE = ("dumb", "vt1", "vt2", "vt3", "vt5", "unknown", "network")

TRUE = 16_777_216
"""So many colours a terminal has that takes red, green and blue."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """``colours``: 0, 8, 16, 256 or ``TRUE``. ``lines``: whether it surely has ``─`` and ``│``.

    ``encoding`` is what its text must fit into; ``wide``: whether letters beyond Europe's can be
    expected to show. ``wrap``: the multiplexer that a clipboard sequence must be passed through.
    ``remote``: reached over ssh, so the mouse is better left to the terminal's own selection.
    """

    colours: int = TRUE
    lines: bool = True
    encoding: str = "utf-8"
    wide: bool = True
    wrap: Literal["", "tmux", "screen"] = ""
    remote: bool = False


def detect(env: Mapping[str, str]) -> Terminal:
    """The terminal that these environment variables speak of; in doubt the plainer."""
    term = env.get("TERM", "").lower()
    known = term.startswith(_KNOWN) or term == "st"
    charset = _charset(env)
    return Terminal(
        colours=_colours(term, env),
        lines=known and charset == "utf-8",
        encoding=charset,
        wide=known,
        wrap=_wrap(term, env),
        remote="SSH_CONNECTION" in env or "SSH_TTY" in env,
    )


def _colours(term: str, env: Mapping[str, str]) -> int:
    if "NO_COLOR" in env or not term or term.startswith(_NONE):
        return 0
    if term.startswith("linux"):
        return 16
    nested = term.startswith("screen") and not env.get("TMUX")
    promised = env.get("COLORTERM", "").lower() in ("truecolor", "24bit")
    if term.endswith("direct") or (promised and not nested):
        return TRUE  # GNU screen hands COLORTERM on from outside and can't do it
    if "256" in term or term.startswith(_MANY):
        return 256
    return 8 if term in ("ansi", "cygwin") else 16


def _charset(env: Mapping[str, str]) -> str:
    """The encoding that the locale names; ASCII where it names none that Python knows."""
    import codecs

    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    name = locale.partition("@")[0].partition(".")[2]
    try:
        return codecs.lookup(name).name if name else "ascii"
    except LookupError:
        return "ascii"


def _wrap(term: str, env: Mapping[str, str]) -> Literal["", "tmux", "screen"]:
    if env.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if env.get("STY") or term.startswith("screen") else ""
