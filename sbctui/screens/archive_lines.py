"""What an archive holds, as lines; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.model.text import clean
from sbctui.format import Line

if TYPE_CHECKING:
    from sbctui.engine.archive.manifest import Manifest
    from sbctui.engine.repository.view import Preview

_SHOWN = 6


def told(found: Preview) -> str:
    """An archive in one sentence."""
    manifest = found.manifest
    if manifest is not None:
        disk = manifest.disk
        what = f"{manifest.kind} {clean(manifest.name)}, disk {fmt.size(disk.size)}"
        of = f" over {clean(disk.base.root)}" if disk.base else ""
        return f"archive of {_day(manifest)}: {what}{of}, {fmt.size(disk.data)} stored"
    if found.offer is not None:
        return f"for receiving by {found.by} an image of {fmt.size(found.offer.size)}"
    if found.far:
        return "on another machine: what it holds is seen when it comes"
    if found.head.node:
        return f"{_headed(found)}, {fmt.size(found.bytes)}: the rest is seen when it is read"
    return f"no archive of a node, {fmt.size(found.bytes)}"


def holds(found: Preview) -> list[Line]:
    """What an archive holds, before it is taken."""
    manifest = found.manifest
    if manifest is None:
        said: list[Line] = [((told(found), "dim" if found.far or found.head.node else "warn"),)]
        over = found.head.leaf.parent or "it was made of"
        return [*said, _over(over)] if found.head.difference else said
    disk = manifest.disk
    lines: list[Line] = [
        ((f"{manifest.kind} {clean(manifest.name)}", "key"),
         (f", made {_day(manifest)} by {clean(manifest.product)}", "dim")),
        _said("disk", f"{fmt.size(disk.size)}, {fmt.size(disk.data)} of it stored"),
    ]  # fmt: skip
    if disk.base:
        lines.append(_over(disk.base.root))
    if disk.promise:
        lines.append(_said("promise", disk.promise))
    boot = [m for m in manifest.members if m.name.startswith("boot/")]
    size = fmt.size(sum(m.size for m in boot))
    lines.append(_said("boot", f"{fmt.plural(len(boot), 'file')}, {size}" if boot else "no files"))
    names = ", ".join(clean(m.name.removeprefix("boot/")) for m in boot[:_SHOWN])
    if names:
        more = f" and {len(boot) - _SHOWN} more" if len(boot) > _SHOWN else ""
        lines.append(_said("", names + more, "dim"))
    return lines


def _headed(found: Preview) -> str:
    """Whose an archive is, as its first members tell."""
    leaf = found.head.leaf
    return f"an archive of the leaf of {leaf.mac}" if leaf.mac else "an archive"


def _over(root: str) -> Line:
    return _said("over", f"the root {clean(root)}: only what differs is in it", "warn")


def _day(manifest: Manifest) -> str:
    return f"{manifest.made:%Y-%m-%d %H:%M}"


def _said(label: str, text: str, tone: str = "") -> Line:
    return ((f"{label:<8}", "dim"), (text, tone))
