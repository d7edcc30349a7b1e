"""A typed command line taken apart, and what was typed before; nothing of it is Textual's."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sbctui import configfile
from sbctui.engine.model.text import clean

_KEPT = 200
"""Lines of history that are kept across runs."""


def words_of(line: str) -> list[str]:
    """The words of a line, without ``:`` and ``sbctui`` before them. Raises ValueError."""
    try:
        words = shlex.split(line.strip().removeprefix(":"))
    except ValueError:
        raise ValueError("a quote is open; close it, or write \\' for it") from None
    return words[1:] if words[:1] == ["sbctui"] else words


def begun(text: str) -> tuple[list[str], str, int]:
    """The whole words of a half-typed line, the word that is being typed, and where it begins."""
    blanks = (i for i in range(len(text), 0, -1) if text[i - 1] == " ")
    for start in [*(i for i in blanks if not text[: i - 1].endswith("\\")), 0]:
        try:
            before = words_of(text[:start])
        except ValueError:
            continue
        raw = text[start:]
        try:
            return before, "".join(shlex.split(raw)), start
        except ValueError:
            return before, raw.lstrip("\"'"), start
    return [], text, 0


@dataclass(frozen=True)
class Completion:
    """Candidates for the word at ``start`` of ``text``; ``at`` is the one that stands there.

    ``at`` is -1 while it is none of them, only what they have in common.
    """

    text: str
    start: int
    candidates: tuple[tuple[str, str], ...]
    at: int = -1

    @property
    def line(self) -> str:
        """The line with the candidate, or with what all have in common."""
        values = [value for value, _ in self.candidates]
        if self.at >= 0 or len(values) == 1:
            value = values[max(0, self.at)]
            end = "" if len(values) > 1 or value.endswith(("/", "=")) else " "
            return self.text[: self.start] + _quoted(value) + end
        common = _in_common(min(values), max(values))
        typed = self.text[self.start :]
        return self.text[: self.start] + (common if len(common) > len(typed) else typed)

    def turned(self, step: int) -> Completion:
        """The next candidate, or the one before."""
        at = self.at + step if self.at >= 0 else (0 if step > 0 else len(self.candidates) - 1)
        return replace(self, at=at % len(self.candidates))


def _in_common(one: str, other: str) -> str:
    differ = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return one[: next(differ, min(len(one), len(other)))]


def _quoted(value: str) -> str:
    return value if value.startswith("~") and " " not in value else shlex.quote(value)


class History:
    """Lines typed before, the newest last. It is a convenience: what can't be kept is not."""

    def __init__(self) -> None:
        self._file = configfile.xdg("XDG_STATE_HOME", ".local/state") / "sbctui" / "history"
        self.lines: list[str] = []

    def load(self) -> None:
        """Read what was typed in earlier runs."""
        try:
            lines = self._file.read_text("utf-8", errors="replace").splitlines()
            if len(lines) > 2 * _KEPT:
                self._write(lines[-_KEPT:], "w")
        except OSError:
            return
        self.lines = [*(clean(line) for line in lines[-_KEPT:]), *self.lines]

    def add(self, line: str) -> bool:
        """Remember a line for this run; False when it is the same as the last."""
        new = self.lines[-1:] != [line]
        if new:
            self.lines.append(line)
        return new

    def keep(self, line: str) -> None:
        """Keep a line for later runs, where only this user reads it."""
        try:
            self._write([line], "a")
        except OSError:
            return

    def _write(self, lines: Sequence[str], mode: str) -> None:
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._file, mode, encoding="utf-8", opener=_private) as file:
            file.writelines(f"{line}\n" for line in lines)


def _private(path: str | Path, flags: int) -> int:
    return os.open(path, flags, 0o600)


def found_before(lines: Sequence[str], prefix: str, at: int, step: int) -> int:
    """The next line from ``at`` that begins with ``prefix``; ``at`` when there is none."""
    index = at + step
    while 0 <= index < len(lines):
        if lines[index].startswith(prefix):
            return index
        index += step
    return len(lines) if step > 0 else at
