"""Looks at every node's boot folder without rendering ten thousand boot scripts.

Rendered files are compared by presence and exact length: the length of a script follows from
the lengths of what stands in it, so one is rendered for each shape of node. They are compared
byte for byte where the times of the file and of its node's config are more than two seconds
apart (rendered again, or edited), and where site.toml or the template are newer than the file.
Kernels, initramfs and device trees only have to be there.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sbctui.engine.audit.drift import How, Off
from sbctui.engine.boot.defaults import DEFAULTS
from sbctui.engine.boot.imagefiles import ImageReader
from sbctui.engine.boot.overrides import newest_change
from sbctui.engine.boot.pi import CMDLINE, CONFIG, KEPT, PiImage
from sbctui.engine.boot.render import RENDERED, links, render
from sbctui.engine.boot.template import places
from sbctui.engine.derive import Derived
from sbctui.engine.errors import BadInput
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import BOOT, Node, Site
from sbctui.engine.store import SETTINGS

_TOGETHER = 2.0
"""Seconds between a node's boot files and its config when both were written by one act."""
_EXPORT = "{}"
"""Stands for the export in a file name that is remembered for many nodes."""

_Sizes = Mapping[str, int] | BadInput


@dataclass
class BootFiles:
    """One look at all boot folders; the fields are those of ``Drift``.

    ``idle`` are the nodes whose rendered files nobody wants to know about: not served anyway.
    """

    site: Site
    derived: Derived
    off: list[Off] = field(default_factory=list)
    bootless: list[str] = field(default_factory=list)
    unbootable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    _shapes: dict[object, _Sizes] = field(default_factory=dict)
    _settled: float = 0.0
    _reader: ImageReader = field(default_factory=ImageReader)

    def look(self) -> None:
        """Fill the fields."""
        templates = newest_change(self.site.path, self.site.templates)
        self._settled = max(self._time(SETTINGS), templates)
        for name, node in self.site.nodes.items():
            self._node(name, node)

    def _time(self, path: str) -> float:
        try:
            return os.stat(f"{self.site.path}/{path}").st_mtime
        except OSError:
            return 0.0

    def _node(self, name: str, node: Node) -> None:
        folder = f"{self.site.path}/nodes/{name}/{BOOT}"
        try:
            there = set(os.listdir(folder))
        except OSError:
            self.bootless.append(name)
            return
        self._loaded(name, node.config, folder, there)
        if name in self.derived.refused:
            return
        if node.config.mac is None:
            self._stale(name, name, self._more(folder, there, ()))
            return
        image = self._reader.read(folder, node.config.boot, there)
        sizes = self._sizes(node.config, image)
        if isinstance(sizes, BadInput):
            self.refused[name] = str(sizes)
            return
        export = node.config.export
        wanted = {pattern.replace(_EXPORT, export): size for pattern, size in sizes.items()}
        self._rendered(node, folder, wanted, image)
        self._stale(export, name, self._more(folder, there, wanted))
        for link in links(node.config, image):
            if link not in there:
                self._report(export, name, link, "missing", 0.0)

    def _loaded(self, name: str, config: NodeConfig, folder: str, there: set[str]) -> None:
        boot = config.boot
        named = [n for n in (boot.kernel, boot.initramfs, boot.dtbs) if n]
        gone = [n for n in named if n not in there and not os.path.exists(f"{folder}/{n}")]
        if gone:
            self.unbootable[name] = tuple(gone)

    def _sizes(self, config: NodeConfig, image: PiImage | None) -> _Sizes:
        """File name → length of what would be rendered, the same for all nodes of one shape."""
        lengths = (len(config.name), len(config.hostname), len(str(config.ip)))
        boot = config.boot
        files = (boot.kernel, boot.initramfs, boot.dtbs, boot.arch)
        templates = self.site.templates
        near = (
            tuple(p for n in DEFAULTS for p in places(config, n) if p in templates)
            if (templates)
            else ()
        )
        shape = (config.kind, lengths, files, config.personalised, near, image)
        found = self._shapes.get(shape)
        if found is None:
            found = self._shapes[shape] = self._measure(config, image)
        return found

    def _measure(self, config: NodeConfig, image: PiImage | None) -> _Sizes:
        try:
            files = render(config, self.site.settings, self.site.templates, image)
        except BadInput as error:
            return error
        return {name.replace(config.export, _EXPORT): len(data) for name, data in files.items()}

    def _rendered(
        self, node: Node, folder: str, wanted: Mapping[str, int], image: PiImage | None
    ) -> None:
        written = node.stamp.mtime_ns / 1e9
        sure = sound = True
        for name, size in wanted.items():
            try:
                facts = os.stat(f"{folder}/{name}", follow_symlinks=False)
            except OSError:
                self._report(node.config.export, node.name, name, "missing", 0.0)
                sound = False
                continue
            when = facts.st_mtime
            if facts.st_size != size:
                self._report(node.config.export, node.name, name, "different", when)
                sound = False
            sure = sure and self._settled <= when and abs(when - written) <= _TOGETHER
        if sound and not sure:
            self._exactly(node, folder, image)

    def _exactly(self, node: Node, folder: str, image: PiImage | None) -> None:
        files = render(node.config, self.site.settings, self.site.templates, image)
        for name, data in files.items():
            try:
                with open(f"{folder}/{name}", "rb") as file:
                    same = file.read(len(data) + 1) == data
            except OSError:
                same = False
            if not same:
                self._report(node.config.export, node.name, name, "different", 0.0)

    def _more(self, folder: str, there: set[str], wanted: Collection[str]) -> list[str]:
        """Rendered files of an older config: of another MAC, or not rendered any more.

        A Raspberry Pi's two texts that lie there alone are the image's own.
        """
        own = () if f"{CONFIG}{KEPT}" in there else (CONFIG, CMDLINE)
        more: list[str] = []
        for name in there.intersection(RENDERED):
            if name in wanted or name in own:
                continue
            try:
                inside = [f"{name}/{entry}" for entry in os.listdir(f"{folder}/{name}")]
            except NotADirectoryError:
                inside = [name]
            more += [entry for entry in inside if entry not in wanted]
        return more

    def _stale(self, key: str, node: str, names: list[str]) -> None:
        for name in sorted(names):
            self._report(key, node, name, "extra", 0.0)

    def _report(self, key: str, node: str, name: str, how: How, since: float) -> None:
        self.off.append(Off(key, node, f"nodes/{node}/{BOOT}/{name}", how, since))
