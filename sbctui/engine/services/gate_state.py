"""What a gate hands to its successor beside its sockets: one document, versioned and checked.

A line of JSON, then all byte strings in the order in which the JSON gives their lengths.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sbctui.engine.services.gate_request import Memo, Memory
from sbctui.engine.services.gate_return import Recipe
from sbctui.engine.services.gate_rules import parse_rules

VERSION = 1
"""Version of the document and of the talk about it (gate_handover.py)."""
_MOST = 1 << 62


@dataclass(frozen=True, slots=True)
class SessionState:
    """One session, between two bytes of it.

    ``client`` and ``backend`` say which of its sockets come with it; ``held`` that its storage
    daemon is away; a ``reason`` that it is over and only the storage daemon has not let go yet.
    ``asks`` and ``answers`` are bytes that were taken from one side and not given to the other.
    """

    recipe: Recipe
    peer: str
    since: float
    reason: str
    held: bool
    client: bool
    backend: bool
    read: int
    written: int
    fruitless: int
    asks: bytes
    answers: bytes
    memory: Memory


@dataclass(frozen=True, slots=True)
class GateState:
    """A whole gate: its rules, and its sessions in the order of their sockets."""

    rules: Mapping[str, str]
    closed: frozenset[str]
    sessions: tuple[SessionState, ...]


def pack(state: GateState) -> list[bytes]:
    """The document in pieces, to be joined."""
    blobs: list[bytes] = []
    document = {
        "version": VERSION,
        "rules": dict(state.rules),
        "closed": sorted(state.closed),
        "sessions": [_session(session, blobs) for session in state.sessions],
    }
    return [json.dumps(document).encode() + b"\n", *blobs]


def unpack(data: bytes) -> GateState:
    """Read a document. Raises ValueError naming what is wrong with it."""
    line, raw = _document(data)
    given = _Given(raw)
    version = given.number("version")
    if version != VERSION:
        raise ValueError(f"it is of version {version}, we speak {VERSION}")
    blobs = _Blobs(memoryview(data)[line:])
    closed = given.items("closed")
    if not all(isinstance(export, str) for export in closed):
        raise ValueError("'closed' must be names")
    state = GateState(
        parse_rules(given.value("rules")),
        frozenset(closed),
        tuple(_read_session(_Given(one), blobs) for one in given.items("sessions")),
    )
    exports = [session.recipe.export for session in state.sessions]
    if len(set(exports)) != len(exports):
        raise ValueError("two sessions are on one export")
    blobs.end()
    return state


def _document(data: bytes) -> tuple[int, Any]:
    end = data.find(b"\n") + 1
    if not end:
        raise ValueError("it has no first line")
    try:
        return end, json.loads(data[:end])
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _session(state: SessionState, blobs: list[bytes]) -> dict[str, object]:
    recipe, memory = state.recipe, state.memory

    def put(data: bytes) -> int:
        if data:
            blobs.append(data)
        return len(data)

    def memos(those: Iterable[Memo]) -> list[list[object]]:
        return [[put(m.head), put(m.body), m.mark, m.failed] for m in those]

    return {
        "export": recipe.export,
        "socket": recipe.socket,
        "structured": recipe.structured,
        "context": None if recipe.context is None else put(recipe.context),
        "go": put(recipe.go),
        "about": put(recipe.about),
        "peer": state.peer,
        "since": state.since,
        "reason": state.reason,
        "held": state.held,
        "client": state.client,
        "backend": state.backend,
        "read": state.read,
        "written": state.written,
        "fruitless": state.fruitless,
        "asks": put(state.asks),
        "answers": put(state.answers),
        "asked": memos(memory.asked),
        "numbers": [number for number, _ in memory.changed],
        "changed": memos(memo for _, memo in memory.changed),
        "number": memory.number,
        "first_change": memory.first_change,
        "leaving": memory.leaving,
        "head": put(memory.head),
        "current": memory.current,
        "flush": memory.flush,
        "reply": memory.reply,
        "reply_head": put(memory.reply_head),
        "reply_left": memory.reply_left,
        "reply_last": memory.reply_last,
        "chunked": list(memory.chunked),
    }


def _read_session(given: _Given, blobs: _Blobs) -> SessionState:
    """In the order in which ``_session`` puts the byte strings."""
    context = None if given.value("context") is None else blobs.take(given.number("context"))
    recipe = Recipe(
        given.text("export"),
        given.text("socket"),
        given.flag("structured"),
        context,
        blobs.take(given.number("go")),
        blobs.take(given.number("about")),
    )
    asks, answers = (blobs.take(given.number(name)) for name in ("asks", "answers"))
    return SessionState(
        recipe=recipe,
        peer=given.text("peer"),
        since=given.time("since"),
        reason=given.text("reason"),
        held=given.flag("held"),
        client=given.flag("client"),
        backend=given.flag("backend"),
        read=given.number("read"),
        written=given.number("written"),
        fruitless=given.number("fruitless"),
        asks=asks,
        answers=answers,
        memory=_read_memory(given, blobs),
    )


def _read_memory(given: _Given, blobs: _Blobs) -> Memory:
    asked = _read_memos(given.items("asked"), blobs)
    changed = _read_memos(given.items("changed"), blobs)
    numbers = [_number(number) for number in given.items("numbers")]
    if len(numbers) != len(changed):
        raise ValueError("'numbers' and 'changed' differ in length")
    return Memory(
        asked=asked,
        changed=tuple(zip(numbers, changed, strict=True)),
        number=given.number("number"),
        first_change=None if given.value("first_change") is None else given.time("first_change"),
        leaving=given.flag("leaving"),
        head=blobs.take(given.number("head")),
        current=given.cookie("current"),
        flush=given.cookie("flush"),
        reply=given.cookie("reply"),
        reply_head=blobs.take(given.number("reply_head")),
        reply_left=given.number("reply_left"),
        reply_last=given.flag("reply_last"),
        chunked=tuple(_number(cookie, 1 << 64) for cookie in given.items("chunked")),
    )


def _read_memos(items: list[Any], blobs: _Blobs) -> tuple[Memo, ...]:
    memos = []
    for item in items:
        if not (isinstance(item, list) and len(item) == 4 and isinstance(item[3], bool)):
            raise ValueError("a request is a list of four")
        head, body = blobs.take(_number(item[0])), blobs.take(_number(item[1]))
        memos.append(Memo(head, body, _number(item[2]), item[3]))
    return tuple(memos)


class _Blobs:
    """The byte strings behind the JSON, taken one after the other."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        """The next one. Raises ValueError when it is not all there."""
        data = bytes(self._data[self._at : self._at + length])
        self._at += length
        if len(data) != length:
            raise ValueError("it ends too early")
        return data

    def end(self) -> None:
        """Raises ValueError when something is left."""
        if self._at != len(self._data):
            raise ValueError("it is longer than it says")


class _Given:
    """A JSON object whose fields have the types asked for, or ValueError."""

    def __init__(self, raw: Any) -> None:
        if not isinstance(raw, dict):
            raise ValueError("it is no object")
        self._raw = raw

    def value(self, name: str) -> Any:
        """Whatever it is; it must be there."""
        if name not in self._raw:
            raise ValueError(f"{name!r} is missing")
        return self._raw[name]

    def text(self, name: str) -> str:
        """Text."""
        value = self.value(name)
        if not isinstance(value, str):
            raise ValueError(f"{name!r} must be text")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise ValueError(f"{name!r} must be true or false")
        return value

    def number(self, name: str) -> int:
        """A whole number from 0."""
        return _number(self.value(name))

    def cookie(self, name: str) -> int | None:
        """A request's cookie or nothing."""
        value = self.value(name)
        return None if value is None else _number(value, 1 << 64)

    def time(self, name: str) -> float:
        """Seconds."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name!r} must be a time")
        return float(value)

    def items(self, name: str) -> list[Any]:
        """A list."""
        value = self.value(name)
        if not isinstance(value, list):
            raise ValueError(f"{name!r} must be a list")
        return value


def _number(value: Any, below: int = _MOST) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < below:
        raise ValueError("a number is none, or out of its range")
    return value
