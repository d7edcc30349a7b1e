"""What a node's board would ask for and get: file, size, and where that came from."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sbctui.engine.boot.asks import Ask, Firmware, asks, kinds
from sbctui.engine.boot.imagefiles import ImageReader
from sbctui.engine.boot.loaders import LOADERS, PACKAGE
from sbctui.engine.boot.pi import CONFIG, PiImage
from sbctui.engine.boot.render import RENDERED, Rendered, rendered
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import BOOT, Site

_PACKAGED = f"package {PACKAGE}"
_SAMPLE = "02:00:00:00:00:00"
"""Stands for a board's MAC where a root has none: its leaves' files are made likewise."""


@dataclass(frozen=True, slots=True)
class Given:
    """An ask and the answer to it.

    ``file`` is relative to the site, or of the distribution; empty when there is none.
    ``origin`` is a template (``built-in`` or its path), ``root NAME`` for a file shared with that
    root, ``package NAME``, or ``own``.
    ``each``: it is written for each board, of which this root has none.
    """

    ask: Ask
    file: str = ""
    size: int = 0
    origin: str = ""
    each: bool = False

    @property
    def missing(self) -> bool:
        """Whether the board stops here."""
        return self.ask.needed and not self.origin


@dataclass(frozen=True, slots=True)
class Served:
    """One kind of firmware and, in order, what it gets."""

    firmware: Firmware
    files: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class BootFolder:
    """A node's boot folder, and what is rendered for it."""

    path: Path
    config: NodeConfig
    image: PiImage | None
    files: Mapping[str, Rendered]
    names: frozenset[str]


def look(site: Site, name: str) -> BootFolder:
    """The folder of a node that is there. Raises BadInput for a template that can't be used."""
    return look_in(site.node_path(name) / BOOT, site.nodes[name].config, site)


def look_in(folder: Path, config: NodeConfig, site: Site) -> BootFolder:
    """The same for a folder that may still be in the making. Raises BadInput."""
    if config.mac is None:
        config = config.model_copy(update={"mac": _SAMPLE})
    image = ImageReader().read(folder, config.boot)
    files = rendered(config, site.settings, site.templates, image)
    try:
        names = frozenset(os.listdir(folder))
    except OSError:
        names = frozenset()
    return BootFolder(folder, config, image, files, names | (image.names if image else frozenset()))


def pi_config(folder: BootFolder) -> str:
    """The config.txt that a Raspberry Pi would read; empty when there is none."""
    made = folder.files.get(CONFIG)
    return made.data.decode("utf-8", "surrogateescape") if made else ""


def served(site: Site, name: str, firmware: Firmware | None = None) -> tuple[Served, ...]:
    """By kind of firmware, what a node's board asks for and gets; only one kind if it is named.

    Raises BadInput for a template that can't be used.
    """
    folder = look(site, name)
    wanted = (firmware,) if firmware else kinds(folder.config, folder.names)
    return tuple(Served(kind, tuple(_answers(site, name, folder, kind))) for kind in wanted)


def _answers(site: Site, name: str, folder: BootFolder, kind: Firmware) -> list[Given]:
    wanted = asks(kind, folder.config, site.templates, pi_config(folder), folder.names)
    return [_answer(site, name, folder, ask) for ask in wanted]


def _answer(site: Site, name: str, folder: BootFolder, ask: Ask) -> Given:
    each = site.nodes[name].config.mac is None
    made = folder.files.get(ask.name)
    if made is not None and each:
        return Given(ask, "", len(made.data), made.origin, each=True)
    if each and ask.name.partition("/")[0] in RENDERED:
        return Given(ask)  # what lies there is the image's own, and no leaf gets it
    if ask.name.endswith("/FDTFILE"):
        return _trees(site, folder, ask)
    if ask.name in LOADERS and (each or (folder.path / ask.name).is_symlink()):
        return _packaged(ask, each=each)
    path = folder.path / ask.name
    try:
        facts = path.stat()
    except OSError:
        return Given(ask)
    if not stat.S_ISREG(facts.st_mode):
        return Given(ask)
    origin = made.origin if made else _shared(site, name, ask.name, facts)
    return Given(ask, str(path.relative_to(site.path)), facts.st_size, origin)


def _packaged(ask: Ask, *, each: bool) -> Given:
    path = Path(LOADERS[ask.name])
    if not path.is_file():
        return Given(ask)
    return Given(ask, str(path), path.stat().st_size, _PACKAGED, each)


def _trees(site: Site, folder: BootFolder, ask: Ask) -> Given:
    """A folder of device trees of which the board names one."""
    inside = folder.path / folder.config.boot.dtbs
    sizes = [found.stat().st_size for found in inside.rglob("*.dtb")] if inside.is_dir() else []
    if not sizes:
        return Given(ask)
    return Given(ask, str(inside.relative_to(site.path)), sum(sizes), f"{len(sizes)} device trees")


def _shared(site: Site, name: str, file: str, facts: os.stat_result) -> str:
    """``root NAME`` when the file is the root's own by a hard link."""
    parent = site.nodes[name].config.parent
    if parent and parent in site.nodes:
        try:
            other = (site.node_path(parent) / BOOT / file).stat()
        except OSError:
            return "own"
        if (other.st_dev, other.st_ino) == (facts.st_dev, facts.st_ino):
            return f"root {parent}"
    return f"root {name}" if site.nodes[name].is_root else "own"
