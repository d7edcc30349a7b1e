"""Repositories, their folders and images as rows and as told; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.distribution import UNDERWAY, VERIFIED
from sbctui.engine.model.repository import SIDE_FILES
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.totals import natural

if TYPE_CHECKING:
    from sbctui.engine.model.repository import RepositoryImage
    from sbctui.engine.model.shelf import Shelf, Users
    from sbctui.engine.model.site import Site
    from sbctui.messages import World
    from sbctui.screens.job_view import JobView

ORDERS = ("name", "size", "age")
"""What the images of a folder can be sorted by."""
_TAIL = 21
_STATES = {
    "ready": ("ready", "good"),
    "unmounted": ("unmounted", "dim"),
    "missing": ("missing", "warn"),
    "unreachable": ("! away", "bad"),
}
_TRANSFERS = (
    "root export",
    "leaf export",
    "root import",
    "leaf import",
    "repo ",
    "cache ",
    "archive ",
)
_QUICK = ("repo add", "repo remove", "repo mount", "repo unmount", "repo index")
_PACKED = ".tar.zst"


@dataclass(frozen=True)
class Chosen:
    """What an action is about: images, or else a repository with a folder in it."""

    images: tuple[RepositoryImage, ...] = ()
    shelf: Shelf | None = None
    folder: str = ""

    @property
    def address(self) -> str:
        """The one image's address, or the folder's; empty for none."""
        if self.images:
            return str(self.images[0].address)
        return f"{self.shelf.name}:{self.folder}" if self.shelf else ""


def image_key(image: RepositoryImage) -> str:
    """The key of an image's row."""
    return f"img:{image.address}"


def chosen(shelves: Iterable[Shelf], keys: Sequence[str]) -> Chosen:
    """What rows stand for; of repositories and folders only the first counts."""
    wanted = set(keys)
    images = tuple(i for s in shelves for i in s.images if image_key(i) in wanted)
    kind, _, rest = (keys[0] if keys else "").partition(":")
    name, _, folder = rest.partition(":")
    shelf = next((s for s in shelves if s.name == name), None) if kind else None
    return Chosen(images, shelf, folder if kind == "dir" else "")


def passes(image: RepositoryImage, query: str) -> bool:
    """Whether a filter lets an image through: words of its address, and ``stale``."""
    return fmt.says(f"{image.address} {'stale' if image.stale else ''}", query)


def rows(shelves: Sequence[Shelf], closed: Collection[str], order: str, query: str) -> list[str]:
    """The tree's keys: each repository, its folders and images; of a filter, what it lets in."""
    keys: list[str] = []
    for shelf in shelves:
        inside = [i for i in shelf.images if not query or passes(i, query)]
        if query and not inside:
            continue
        key = f"shelf:{shelf.name}"
        keys.append(key)
        if query or key not in closed:
            keys += _below(shelf.name, inside, (), () if query else closed, order)
    return keys


def _below(
    name: str,
    images: Sequence[RepositoryImage],
    parts: tuple[str, ...],
    closed: Collection[str],
    order: str,
) -> list[str]:
    depth = len(parts)
    keys = [image_key(i) for i in _sorted(images, order) if len(i.address.parts) == depth + 1]
    folders: dict[str, list[RepositoryImage]] = {}
    for one in images:
        if len(one.address.parts) > depth + 1:
            folders.setdefault(one.address.parts[depth], []).append(one)
    for folder in sorted(folders, key=natural):
        path = (*parts, folder)
        key = f"dir:{name}:{'/'.join(path)}"
        keys.append(key)
        if key not in closed:
            keys += _below(name, folders[folder], path, closed, order)
    return keys


def _sorted(images: Sequence[RepositoryImage], order: str) -> list[RepositoryImage]:
    named = sorted(images, key=lambda i: natural(i.address.image))
    if order == "size":
        return sorted(named, key=lambda i: -i.size)
    return sorted(named, key=lambda i: -i.mtime) if order == "age" else named


# ── the tree ──────────────────────────────────────────────────────────────────────────────


def head(width: int) -> Line:
    """The column names."""
    room = max(8, width - _TAIL)
    return ((f"{'IMAGE':<{room}}", "dim"), (" SIZE  AGE SIDE  USED", "dim"))


def image_line(image: RepositoryImage, used: Users, now: float, width: int) -> Line:
    """An image: name, size, age of its version, side files by letter, leaves of its root."""
    room = max(8, width - _TAIL)
    name = "  " * len(image.address.parts) + clean(image.address.image)
    age = fmt.age(now - image.mtime)
    letters = "".join(_letter(image, ending) for ending in SIDE_FILES)
    tone = "bad" if image.stale else "" if len(letters.replace("-", "")) > 2 else "dim"
    return (
        (f"{short(name, room):<{room}}", ""),
        (f"{fmt.size(image.size):>5} {age:>4} ", "dim"),
        (f"{letters} ", tone),
        (f"{_used(used):>5}", "good" if used.roots else "dim"),
    )


def short(name: str, room: int) -> str:
    """A name in so many columns: the usual ending goes first, then the middle; ``~`` says so."""
    if len(name) <= room:
        return name
    stem = name.removesuffix(_PACKED)
    if stem != name and len(stem) < room:
        return f"{stem}~"
    tail = room // 3
    return f"{stem[: room - tail - 1]}~{stem[-tail:]}"


def _letter(image: RepositoryImage, ending: str) -> str:
    if ending in image.stale:
        return "!"
    return ending[1] if ending in image.sides else "-"


def _used(used: Users) -> str:
    if not used.roots:
        return "-"
    return str(used.leaves) if used.leaves else "root"


def folder_line(shelf: Shelf, path: str, is_open: bool, width: int) -> Line:
    """A folder, with what all in it take."""
    inside = [i for i in shelf.images if str(i.address.path).startswith(f"{path}/")]
    depth = path.count("/") + 1
    name = f"{'  ' * depth}{'v' if is_open else '>'} {clean(path.rpartition('/')[2])}/"
    return _summed(name, inside, width, "key")


def shelf_line(shelf: Shelf, is_open: bool, late: int, width: int) -> Line:
    """A repository, with what all in it take, or why that can't be told."""
    sign = ("v" if is_open else ">") if shelf.images else "-"
    name = f"{sign} {clean(shelf.name)}:"
    if shelf.ready and not late:
        return _summed(name, shelf.images, width, "head")
    word, tone = state(shelf, late)
    return ((f"{name} ", "head"), (word, tone))


def _summed(name: str, inside: Sequence[RepositoryImage], width: int, tone: str) -> Line:
    room = max(8, width - _TAIL)
    size = fmt.size(sum(i.size for i in inside)) if inside else ""
    return (
        (f"{short(name, room):<{room}}", tone),
        (f"{size:>5}", "dim"),
        (f" {fmt.plural(len(inside), 'image')}" if inside else " empty", "dim"),
    )


# ── repositories ──────────────────────────────────────────────────────────────────────────


def shelf_head(width: int) -> Line:
    """The column names of the repositories."""
    wide = "  IMAGES  PLACE" if width >= 60 else ""
    return ((f"{'NAME':<8} {'KIND':<9} {'STATE':<9} {'FREE':>5}{wide}", "dim"),)


def state(shelf: Shelf, late: int = 0) -> fmt.Span:
    """A repository's health in a word, with its tone."""
    if late:
        return f"! {late} s", "bad"
    if shelf.repository is None:
        return "looking", "dim"
    return _STATES[shelf.repository.state]


def repository_line(shelf: Shelf, late: int, width: int) -> Line:
    """A repository: kind, health, free space; where it is, if there is room for it."""
    found, (word, tone) = shelf.repository, state(shelf, late)
    free = fmt.size(found.free) if found and found.free is not None else "-"
    more = ""
    if width >= 60 and found:
        count = "-" if found.images is None else str(found.images)
        more = fmt.cut(f"  {count:>6}  {clean(found.place)}", width - 35)
    return (
        (f"{short(clean(shelf.name), 8):<8} ", ""),
        (f"{found.kind if found else '':<9} ", "dim"),
        (f"{word:<9} ", tone),
        (f"{free:>5}", ""),
        (more, "dim"),
    )


# ── transfers ─────────────────────────────────────────────────────────────────────────────


def transfers(world: World) -> list[JobView]:
    """Jobs that move or make images, those at work first; what is quick unless it succeeded."""
    found = [j for j in world.jobs if _moves(j)]
    return sorted(found, key=lambda j: not (j.running or j.undone))


def _moves(job: JobView) -> bool:
    told = job.running or job.code != 0 or not job.verb.startswith(_QUICK)
    return told and job.verb.startswith(_TRANSFERS)


def transfer_line(job: JobView, width: int) -> Line:
    """A transfer in one line: as every job, and how many receivers have it."""
    from sbctui.screens.job_view import line

    if not job.receivers:
        return line(job, width)
    tones = [receiver_tone(state, job.running) for _, state in job.receivers]
    bad = "bad" in tones
    told = f" {tones.count('good')}/{len(tones)} verified{'!' if bad else ''}"
    return (
        *line(job, width - len(told)),
        (told, "bad" if bad else "key" if job.running else "good"),
    )


def receiver_tone(state: str, running: bool) -> str:
    """How the state of a receiver looks: it has the image, is at it, or did not get it."""
    if state == VERIFIED:
        return "good"
    return "" if running and state.startswith(UNDERWAY) else "bad"


def empty(site: Site | None) -> list[Line]:
    """What stands in the tree when no repository has an image."""
    roots = bool(site and site.roots)
    export = " x writes a root or a leaf into this server's;"
    first = export if roots else " m makes a root of a file, a URL;"
    return [
        ((" no images yet", "dim"),),
        ((first, "dim"),),
        ((" e receives what another server sends;", "dim"),),
        ((" a adds another server's, or a cache.", "dim"),),
        ((" An older tree of images comes in with", "dim"),),
        ((" sbctui repo import-tree FOLDER", "dim"),),
    ]


def above(key: str) -> str:
    """The key of the folder or repository that a row is in; of a repository its own."""
    kind, _, rest = key.partition(":")
    name, _, path = rest.partition(":")
    folder = path.rpartition("/")[0]
    if kind == "shelf" or not folder:
        return f"shelf:{name}"
    return f"dir:{name}:{folder}"
