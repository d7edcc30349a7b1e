"""Look-ups over nodes, and how to carry one over to the next snapshot without starting anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def group(pairs: Iterable[tuple[K | None, V]]) -> dict[K, tuple[V, ...]]:
    """All values of each key; None is no key."""
    groups: dict[K, list[V]] = {}
    for key, value in pairs:
        if key is not None:
            groups.setdefault(key, []).append(value)
    return {key: tuple(values) for key, values in groups.items()}


def patched(
    index: Mapping[K, tuple[V, ...]],
    before: Iterable[tuple[K | None, V]],
    after: Iterable[tuple[K | None, V]],
) -> dict[K, tuple[V, ...]]:
    """The index with the pairs that went taken out and those that came put in."""
    old, new = set(before), set(after)
    result = dict(index)
    for key, value in old - new:
        if key is None:
            continue
        left = tuple(v for v in result.get(key, ()) if v != value)
        if left:
            result[key] = left
        else:
            result.pop(key, None)
    for key, value in new - old:
        if key is not None:
            result[key] = (*result.get(key, ()), value)
    return result
