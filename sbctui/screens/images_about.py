"""All about one image, folder or repository, as lines; pure."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.repository import OWN, SIDE_FILES
from sbctui.engine.model.text import clean
from sbctui.format import Line
from sbctui.screens.images_lines import receiver_tone, state
from sbctui.screens.job_view import outcome, tone_of, waits_for

if TYPE_CHECKING:
    from sbctui.engine.model.repository import Repository, RepositoryImage
    from sbctui.engine.model.shelf import Shelf, Users
    from sbctui.screens.job_view import JobView


def about_image(image: RepositoryImage, used: Users, now: float) -> list[Line]:
    """What is known of an image without opening it: what there is to do about it first."""
    lines: list[Line] = [((clean(str(image.address)), "key"),)]
    lines.append(_said("version", f"{_when(image.mtime)}, {fmt.age(now - image.mtime)}"))
    if former := image.former:
        lines.append(
            _said("former", f"{_when(former.mtime)}, {fmt.size(former.size)}; F brings it back")
        )
    lines += [*_beside(image), _said("used by", _users(used))]
    if used.held or used.other:
        also = [*used.held, *(f"{name} (another version)" for name in used.other)]
        lines.append(_said("also in", ", ".join(map(clean, also))))
    if used.laid:
        lines.append(_said("laid over", f"files for {', '.join(map(clean, used.laid))}"))
    return lines


def _when(mtime: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(mtime))


def _beside(image: RepositoryImage) -> list[Line]:
    """Its side files: those that are wrong, right, and missing."""
    own = image.address.repository == OWN
    right = [e for e in SIDE_FILES if e in image.sides and e not in image.stale]
    missing = [e for e in SIDE_FILES if e not in image.sides]
    lines: list[Line] = []
    if image.stale:
        mend = ": f makes them anew" if own else ""
        lines.append(_said("stale", f"{' '.join(image.stale)}{mend}", "bad"))
    if len(right) == len(SIDE_FILES):
        lines.append(_said("beside it", f"all {len(right)} side files"))
    elif right:
        lines.append(_said("beside it", " ".join(right)))
    elif not image.stale:
        lines.append(_said("beside it", f"no side files{'; f makes them' if own else ''}", "dim"))
    if missing and right:
        lines.append(_said("missing", " ".join(missing), "dim"))
    return lines


def _users(used: Users) -> str:
    if not used.roots and not used.leaves:
        return "no root made of it"
    roots = f"root{'' if len(used.roots) == 1 else 's'} {', '.join(used.roots)}, "
    return f"{roots if used.roots else ''}{fmt.plural(used.leaves, 'leaf')}"


def about_job(job: JobView, now: float) -> list[Line]:
    """A transfer: all of its title, how far it is, and what became of each receiver."""
    word = job.state if job.running else outcome(job)
    took = fmt.duration(job.took(now))
    lines: list[Line] = [((job.title, "key"),)]
    lines.append(_said("state", f"{word}, {took}", "" if job.running else tone_of(job)))
    if job.state == "waiting":
        lines.append(_said("waits", waits_for(job), "warn"))
    elif job.running and job.part:
        lines.append(_said("speed", f"{job.speed}, {fmt.duration(job.left)} left"))
    elif job.running and job.told and not job.receivers:
        lines.append(_said("now", job.told))
    if job.undone:
        lines.append((("E goes on with it; on its own page (enter) it is closed", "dim"),))
    lines += [
        _said("to", f"{who}: {state}", receiver_tone(state, job.running))
        for who, state in job.receivers
    ]
    return [*lines, *job.trouble]


def about_folder(shelf: Shelf, path: str) -> list[Line]:
    """A folder of a repository."""
    inside = [i for i in shelf.images if str(i.address.path).startswith(f"{path}/")]
    size = fmt.size(sum(i.size for i in inside))
    lines: list[Line] = [((clean(f"{shelf.name}:{path}"), "key"),)]
    return [*lines, _said("holds", f"{fmt.plural(len(inside), 'image')}, {size}")]


def about_shelf(shelf: Shelf, late: int = 0) -> list[Line]:
    """Where a repository is, how it is, and how full."""
    lines: list[Line] = [((clean(f"{shelf.name}:"), "key"),)]
    found = shelf.repository
    if late:
        lines.append(_said("silent", f"no answer for {late} s", "bad"))
    if found is None:
        return [*lines, _said("state", "looking ...", "dim")]
    word, tone = state(shelf)
    lines += [_said("state", word, tone)]
    if found.state == "unmounted":
        lines.append(_said("", "p mounts it", "dim"))
    elif found.told:
        lines.append(_said("why", clean(found.told), "dim" if shelf.ready else "warn"))
    lines += [_said("kind", _kind(found)), _said("place", clean(found.place))]
    if found.total:
        lines.append(_said("space", f"{fmt.size(found.free or 0)} of {fmt.size(found.total)} free"))
    size = fmt.size(sum(i.size for i in shelf.images))
    if found.images is not None:
        lines.append(_said("holds", f"{fmt.plural(found.images, 'image')}, {size}"))
    return lines


def _kind(found: Repository) -> str:
    what = "this server's own" if found.name == OWN else found.kind
    return what if found.writable or found.state != "ready" else f"{what}, read-only"


def _said(label: str, text: str, tone: str = "") -> Line:
    return ((f"{label:<10}", "dim"), (text, tone))
