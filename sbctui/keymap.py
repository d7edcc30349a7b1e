"""Which key does what: the table of actions, with the keys of the settings file laid over it.

Pure, and free of Textual. A key is written as Textual names it (``ctrl+p``, ``question_mark``)
or as it is shown (``^p``, ``?``); several are parted by commas, the comma itself is ``comma``.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from sbctui.actions import ACTIONS, BY_NAME, SHOWN, Action, shown

OFF = "off"
"""Written for a key: the action has none. No terminal sends it."""

_EVERYWHERE = ("list", "any")
_NAMED = frozenset((
    "escape", "enter", "tab", "space", "backspace", "delete", "insert", "home", "end", "pageup",
    "pagedown", "up", "down", "left", "right", *(f"f{n}" for n in range(1, 25)),
))  # fmt: skip
_SAME = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+h": "backspace"}
_PLAIN = {
    "solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at",
    "hyphen_minus": "minus", "plus_sign": "plus", "low_line": "underscore",
}  # fmt: skip


@dataclass(frozen=True)
class Keymap:
    """The keys in force. ``keys`` has every action's name, and () where it has no key.

    ``changed`` are the names whose keys are not the table's. With ``faults``, sentences for the
    admin, the keys are the table's own.
    """

    keys: Mapping[str, tuple[str, ...]]
    changed: frozenset[str] = frozenset()
    faults: tuple[str, ...] = ()

    def shown(self, name: str) -> str:
        """The first key of an action (``home.create``), as a person reads it; empty without."""
        return shown(self.keys[name][0]) if self.keys[name] else ""

    @cached_property
    def first(self) -> dict[str, str]:
        """Every action's first key, as a person reads it."""
        return {name: self.shown(name) for name in self.keys}

    def all_shown(self, name: str) -> str:
        """All keys of an action, as a person reads them."""
        return " ".join(shown(key) for key in self.keys[name])

    def changes(self) -> dict[str, str]:
        """What Textual's ``set_keymap`` takes: only what is not as in the table."""
        return {name: ",".join(self.keys[name]) or OFF for name in self.changed}


def keymap(chosen: Mapping[str, Mapping[str, str]]) -> Keymap:
    """The keys in force when ``chosen`` (scope → action's id → keys) is in the settings."""
    own = {a.name: tuple(a.keys.split(",")) for a in ACTIONS}
    laid, faults = dict(own), []
    for scope, ids in chosen.items():
        for id, text in ids.items():
            try:
                action = _named(scope, id)
                laid[action.name] = _keys(action, text)
            except ValueError as fault:
                faults.append(f"[keys.{scope}] {id}: {fault}")
    faults += _clashes(laid, frozenset(_shared(own)))
    if faults:
        return Keymap(own, faults=tuple(faults))
    return Keymap(laid, frozenset(name for name in own if laid[name] != own[name]))


def _named(scope: str, id: str) -> Action:
    scopes = list(dict.fromkeys(a.scope for a in ACTIONS))
    if scope not in scopes:
        raise ValueError(f"there is no scope {scope!r}; there are {', '.join(scopes)}")
    found = BY_NAME.get(f"{scope}.{id}")
    if found is None:
        import difflib

        ids = [a.id for a in ACTIONS if a.scope == scope]
        near = difflib.get_close_matches(id, ids, 1)
        hint = f"did you mean {near[0]}?" if near else "see: sbctui keys"
        raise ValueError(f"there is no such action; {hint}")
    return found


def _keys(action: Action, text: str) -> tuple[str, ...]:
    if text.strip() == OFF:
        return ()
    keys = tuple(key_named(part) for part in text.split(","))
    typed = next((k for k in keys if action.priority and "+" not in k and _types(k)), None)
    if typed:
        raise ValueError(f"{shown(typed)} could be typed nowhere any more; take one with ctrl")
    return tuple(dict.fromkeys(keys))


def _types(key: str) -> bool:
    return key not in _NAMED or key == "space"


def key_named(text: str) -> str:
    """Textual's name of a key. Raises ValueError with a sentence for what is no key."""
    text = text.strip()
    plain = next((name for name, sign in SHOWN.items() if sign == text), text)
    if plain.startswith("^") and len(plain) > 1:
        plain = f"ctrl+{plain[1:]}"
    *held, last = plain.split("+") if len(plain) > 1 else [plain]
    held = [modifier.lower() for modifier in held]
    if not last or set(held) - {"ctrl", "shift", "alt"}:
        raise ValueError(f"{text!r} is no key; write it as ctrl+p, pagedown, D, or off for none")
    if "shift" in held and len(last) == 1 and last.isalpha() and "ctrl" not in held:
        held, last = [m for m in held if m != "shift"], last.upper()
    name = "+".join([*sorted(held), _last(last.lower() if "ctrl" in held else last, text)])
    if name in _SAME:
        raise ValueError(f"a terminal can't tell {text} from {_SAME[name]}; take another key")
    return name


def _last(key: str, text: str) -> str:
    if key.lower() in _NAMED:
        return key.lower()
    if len(key) == 1 and key.isprintable():
        return character_key(key)
    if key in {character_key(c) for c in string.punctuation}:
        return key
    raise ValueError(f"{text!r} is no key; write it as ctrl+p, pagedown, D, or off for none")


def character_key(character: str) -> str:
    """Textual's name of the key that types a character."""
    if character == " ":
        return "space"
    if character.isalnum():
        return character
    name = unicodedata.name(character).lower().replace("-", "_").replace(" ", "_")
    return _PLAIN.get(name, name)


def _shared(keys: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, str, str]]:
    """Two actions that one key would do on one screen, and the key; in the table's order."""
    seen: set[tuple[str, str, str]] = set()
    for scope in dict.fromkeys(a.scope for a in ACTIONS):
        on_screen = [a.name for a in ACTIONS if a.scope in (scope, *_EVERYWHERE)]
        by_key: dict[str, list[str]] = {}
        for name in on_screen:
            for key in keys[name]:
                by_key.setdefault(key, []).append(name)
        for key, names in by_key.items():
            for one, other in combinations(names, 2):
                if (one, other, key) not in seen:
                    seen.add((one, other, key))
                    yield one, other, key


def shadowed() -> tuple[tuple[str, str, str], ...]:
    """Pairs of the table's own actions that share a key on a screen, and the key."""
    return tuple(_shared({a.name: tuple(a.keys.split(",")) for a in ACTIONS}))


def _clashes(
    keys: Mapping[str, tuple[str, ...]], meant: frozenset[tuple[str, str, str]]
) -> list[str]:
    return [
        f"[keys] {shown(key)} would be {one} as well as {other}; give one of them another key"
        for one, other, key in _shared(keys)
        if (one, other, key) not in meant
    ]
