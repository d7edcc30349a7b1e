"""What several overlays give together, and what of it a disk has to be given back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from sbctui.engine.model.overlay import Item, Laid, Layer, Place, Record


@dataclass
class _Stack:
    """What the layers so far give, by path, and where they can't stand together."""

    found: dict[str, Laid] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def add(self, layer: Layer) -> None:
        """Put a layer on top."""
        for item in layer.items:
            if item.hides:
                self._hide_below(item.path)
        for item in layer.items:
            self._put(item, layer.place)

    def _hide_below(self, path: str) -> None:
        for below in [one for one in self.found if one.startswith(f"{path}/")]:
            del self.found[below]

    def _put(self, item: Item, place: Place) -> None:
        under = self.found.get(item.path)
        if under is None:
            if item.kind != "removed" or not self._is_nothing(item.path):
                self.found[item.path] = Laid(item, place)
            return
        folders = item.kind == under.item.kind == "folder"
        if folders and not item.set_ and not item.hides:
            return
        if item.kind != "removed" and not item.clears:
            self._agree(item, place, under)
            item = replace(item, clears=under.item.hides)
        self.found[item.path] = Laid(item, place, (*under.hides, under.place))

    def _is_nothing(self, path: str) -> bool:
        there = (self.found.get(way) for way in ways(path))
        return any(one is not None and one.item.kind == "removed" for one in there)

    def _agree(self, item: Item, place: Place, under: Laid) -> None:
        """A path is a folder in both, or in none of the two, unless the lower one hides it."""
        folder = item.kind == "folder"
        if under.item.kind == "removed" or folder == (under.item.kind == "folder"):
            return
        one, other = (place, under.place) if folder else (under.place, place)
        self.faults.append(
            f"{item.path} is a folder in {one.path} and none in {other.path}; take one of them away"
        )


def _stacked(layers: Sequence[Layer]) -> _Stack:
    stack = _Stack()
    for layer in layers:
        stack.add(layer)
    return stack


def merged(layers: Sequence[Layer]) -> tuple[Laid, ...]:
    """What the layers give together, by path; the later one counts.

    What lies below a path that a later layer hides is not among it. What a later layer has there
    itself stands where nothing is left of the image.
    """
    found = _stacked(layers).found
    return tuple(found[path] for path in sorted(found))


def conflicts(layers: Sequence[Layer]) -> Iterator[str]:
    """Where layers can't stand together: a path is a folder in one and none in another."""
    yield from _stacked(layers).faults


def ways(path: str) -> Iterator[str]:
    """Every folder on the way to a path, from the top down."""
    return (path[:place] for place, char in enumerate(path) if char == "/")


def within(path: str, folders: Collection[str]) -> bool:
    """Whether a path is below one of these."""
    return any(way in folders for way in ways(path))


def hidden(laid: Sequence[Laid]) -> tuple[str, ...]:
    """The paths at which all is taken away that the image has."""
    return tuple(one.item.path for one in laid if one.item.hides)


@dataclass(frozen=True, slots=True)
class Back:
    """What is to be as the root has it: single paths, and paths with all that the root has there.

    One of the latter counts where the root has a folder; it may be among the former as well.
    """

    paths: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both, each path once."""
        return tuple(sorted({*self.paths, *self.folders}))


def given_back(record: Record, laid: Sequence[Laid]) -> Back:
    """What was laid or hidden earlier and is no more."""
    here = {one.item.path for one in laid}
    still = set(hidden(laid))
    again = {path for path in record.hidden if path not in still and not within(path, still)}
    folders = tuple(sorted(path for path in again if not within(path, again)))
    paths = tuple(
        path for path in sorted(record.files) if path not in here and not within(path, still)
    )  # fmt: skip
    return Back(paths, folders)
