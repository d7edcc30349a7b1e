"""Bencoding, the form of ``.torrent`` files (BEP 3, bittorrent.org/beps/bep_0003.html)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sbctui.engine.errors import BadInput

Value = int | bytes | Sequence["Value"] | Mapping[bytes, "Value"]
_DEEPEST = 16
_LONGEST_NUMBER = 20


def encode(value: Value) -> bytes:
    """The one form of a value: keys sorted, numbers without leading zeros."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, Mapping):
        pairs = (encode(key) + encode(value[key]) for key in sorted(value))
        return b"d" + b"".join(pairs) + b"e"
    return b"l" + b"".join(encode(one) for one in value) + b"e"


def decode(data: bytes) -> Value:
    """One value and nothing behind it. Raises BadInput."""
    value, end = _value(data, 0, 0)
    if end != len(data):
        raise BadInput(f"it goes on at byte {end}, behind its end")
    return value


def _value(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    kind = data[at : at + 1]
    if depth > _DEEPEST:
        raise BadInput(f"it is nested too deep at byte {at}")
    if kind == b"i":
        return _number(data, at + 1, b"e")
    if kind.isdigit():
        return _bytes(data, at)
    if kind == b"l":
        return _list(data, at + 1, depth)
    if kind == b"d":
        return _dictionary(data, at + 1, depth)
    raise BadInput(f"byte {at} begins nothing")


def _number(data: bytes, at: int, end: bytes) -> tuple[int, int]:
    stop = data.find(end, at, at + _LONGEST_NUMBER + 1)
    digits = data[at:stop]
    if stop < 0 or not digits.isdigit() or (digits != b"0" and digits.startswith(b"0")):
        raise BadInput(f"there is no number at byte {at}")
    return int(digits), stop + 1


def _bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length, start = _number(data, at, b":")
    if start + length > len(data):
        raise BadInput(f"it ends in the middle of a string of {length} bytes")
    return data[start : start + length], start + length


def _list(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    found: list[Value] = []
    while data[at : at + 1] != b"e":
        value, at = _value(data, at, depth + 1)
        found.append(value)
    return found, at + 1


def _dictionary(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    found: dict[bytes, Value] = {}
    last = None
    while data[at : at + 1] != b"e":
        key, at = _bytes(data, at)
        if last is not None and key <= last:
            raise BadInput(f"its keys are not in order before byte {at}")
        found[key], at = _value(data, at, depth + 1)
        last = key
    return found, at + 1
