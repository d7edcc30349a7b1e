"""A Raspberry Pi's ``config.txt`` and ``cmdline.txt``, from those its image came with.

What the image says is kept; only what must differ for a root over the network is changed. The
formats are those of raspberrypi.com/documentation/computers/config_txt.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sbctui.engine.bootkit.arch import image_version
from sbctui.engine.model.node import BootSpec

CONFIG, CMDLINE = "config.txt", "cmdline.txt"
KEPT = ".image"
"""Ending of the names under which the image's own two files are kept in ``boot/``."""
MARK = "# written by sbctui: the image's own is config.txt.image"
"""First line of our ``config.txt``, by which it is told from an image's."""
FIRMWARE = ("bootcode.bin", "start.elf", "start4.elf")
"""Files that only a Raspberry Pi asks for."""

VENDOR = ("28:cd:c1", "2c:cf:67", "88:a2:9e", "b8:27:eb", "d8:3a:dd", "dc:a6:32", "e4:5f:01")
"""First half of the MACs that the IEEE gave to Raspberry Pi."""

Model = Literal["pi3", "pi4", "pi5"]
MODELS: tuple[Model, ...] = ("pi3", "pi4", "pi5")

_KERNELS: Mapping[Model, tuple[str, ...]] = {
    "pi3": ("kernel8.img", "kernel7.img"),
    "pi4": ("kernel8.img", "kernel7l.img"),
    "pi5": ("kernel_2712.img", "kernel8.img"),
}
"""What each model's firmware looks for when ``kernel=`` is not given, best first."""
PI_KERNELS = ("kernel8.img", "kernel7l.img", "kernel7.img")
"""Names that only a Raspberry Pi's firmware gives a kernel, the one most models run first."""
_RAMDISKS: Mapping[str, str] = {
    "kernel8.img": "initramfs8",
    "kernel7.img": "initramfs7",
    "kernel7l.img": "initramfs7l",
    "kernel_2712.img": "initramfs_2712",
}
"""With ``auto_initramfs=1``: kernel → its initramfs."""
_NARROW = ("kernel7.img", "kernel7l.img")
"""Kernels of 32 bits, for ``arm_64bit=0``; a Pi 5 has none and does not heed that."""
_FILTERS: Mapping[str, tuple[Model, ...]] = {
    "all": MODELS,
    "pi3": ("pi3",),
    "pi4": ("pi4",),
    "pi5": ("pi5",),
}
"""Section of config.txt → the models it is for; any other is for none of the boards meant here."""
_LOCAL = re.compile(
    r"(?:root|rootfstype|rootflags|rootdelay|ip|nbdroot|nfsroot|fsck\.repair|systemd\.run"
    r"|systemd\.run_success_action|systemd\.run_failure_action|systemd\.hostname"
    r"|systemd\.machine_id)=.*|rootwait|ro|rw|resize"
    r"|init=.*(?:firstboot|init_resize).*|systemd\.unit=kernel-command-line\.target"
)
"""Words of an image's command line about its card, or about its first start from it."""
_WORD = re.compile(r"[!-~]+")
_SAFE = re.compile(r"(?:[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,63}/?){1,4}")
"""A prefix under which files are looked for."""


@dataclass(frozen=True, slots=True)
class PiImage:
    """What an image brought for a Raspberry Pi: its two texts, and files' names in ``boot/``."""

    config: str = ""
    cmdline: str = ""
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Loads:
    """What one model's firmware would load, by a config.txt; empty for what it finds no name.

    All names are from the top of ``boot/``. ``prefix`` is the ``os_prefix`` as far as it counts.
    """

    kernel: str
    initramfs: str
    cmdline: str
    prefix: str = ""


_KNOWN = frozenset((*FIRMWARE, *_RAMDISKS, *_RAMDISKS.values()))


def of_interest(names: Iterable[str], boot: BootSpec, prefixes: Iterable[str]) -> frozenset[str]:
    """Those files whose being there makes a difference to what is written."""
    known = _KNOWN.union((boot.kernel, boot.initramfs))
    more = (prefix + name for prefix in prefixes for name in known)
    return known.union(more).intersection(names)


def prefixes(config: str) -> frozenset[str]:
    """Every ``os_prefix`` that a config.txt sets for some model."""
    return frozenset(
        value
        for model in MODELS
        for key, value in _settings(config, model)
        if key == "os_prefix" and _SAFE.fullmatch(value)
    )


def loads(config: str, model: Model, names: frozenset[str]) -> Loads:
    """What a model would load, by a config.txt and the files that are there."""
    said = dict(_settings(config, model))
    narrow = [name for name in _KERNELS[model] if name in _NARROW]
    choice = narrow if narrow and said.get("arm_64bit") == "0" else _KERNELS[model]
    choice = [said["kernel"]] if said.get("kernel") else choice
    prefix = said.get("os_prefix", "")
    if not any(_full(prefix, name) in names for name in choice):
        prefix = ""  # the firmware takes no heed of one under which there is no kernel
    kernel = next((name for name in choice if _full(prefix, name) in names), choice[0])
    initramfs = said.get("initramfs", "").split()[0] if said.get("initramfs") else ""
    if not initramfs and said.get("auto_initramfs") == "1":
        initramfs = _RAMDISKS.get(kernel, "")
    return Loads(
        _full(prefix, kernel),
        _full(prefix, initramfs) if initramfs else "",
        _full(prefix, said.get("cmdline") or CMDLINE),
        prefix,
    )


def _full(prefix: str, name: str) -> str:
    """A name as it is asked for; one that begins with a slash has no prefix."""
    return name[1:] if name.startswith("/") else prefix + name


def config_txt(image: PiImage, boot: BootSpec) -> str:
    """The image's config.txt, with what a root over the network needs at its end."""
    before = image.config
    if before and not before.endswith("\n"):
        before += "\n"
    wanted = _changes(image, boot.kernel, boot.initramfs, boot.arch)
    ours = "\n# what a root over the network needs\n[all]\n" if wanted else ""
    return f"{MARK}\n{before}{ours}" + "".join(f"{line}\n" for line in wanted)


@lru_cache(maxsize=64)
def _changes(image: PiImage, kernel: str, initramfs: str, arch: str) -> tuple[str, ...]:
    """Lines for a last ``[all]`` section, where the last word counts."""
    return tuple(_each_change(image, kernel, initramfs, arch))


def _each_change(image: PiImage, kernel: str, initramfs: str, arch: str) -> Iterator[str]:
    found = {model: loads(image.config, model, image.names) for model in MODELS}
    top = "/" if prefixes(image.config) else ""
    if top or any(one.cmdline != CMDLINE for one in found.values()):
        yield f"cmdline={top}{CMDLINE}"
    if any(("boot_ramdisk", "1") in _settings(image.config, model) for model in MODELS):
        yield "boot_ramdisk=0"
    if kernel and image_version(initramfs):
        yield from _ours(top, kernel, initramfs, arch)
        return
    able = [one for one in found.values() if one.kernel in image.names]
    if able and all(one.initramfs in image.names for one in able):
        return
    automatic = [_beside(one) in image.names for one in able]
    if automatic and all(automatic) and not any(one.initramfs for one in able):
        yield "auto_initramfs=1"
    elif kernel and initramfs:
        yield from _ours(top, kernel, initramfs, arch)


def _ours(top: str, kernel: str, initramfs: str, arch: str) -> Iterator[str]:
    yield "auto_initramfs=0"
    yield f"kernel={top}{kernel}"
    yield f"initramfs {top}{initramfs} followkernel"
    if arch in ("arm", "arm64"):
        yield f"arm_64bit={int(arch == 'arm64')}"


def _beside(found: Loads) -> str:
    """The initramfs that ``auto_initramfs`` finds for a kernel; empty for none."""
    name = _RAMDISKS.get(found.kernel.removeprefix(found.prefix), "")
    return found.prefix + name if name else ""


def _settings(config: str, model: Model) -> Iterator[tuple[str, str]]:
    """What holds for a model, in order: ``key=value``, and ``initramfs FILE WHERE``."""
    holds = True
    for raw in config.splitlines():
        line = raw.partition("#")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            holds = model in _FILTERS.get(line[1:-1].strip().lower(), ())
        elif holds and line.split()[:1] == ["initramfs"]:
            yield "initramfs", line[len("initramfs") :].strip()
        elif holds and "=" in line:
            key, _, value = line.partition("=")
            yield key.strip(), value.strip()


def cmdline_txt(image: PiImage, arguments: str) -> str:
    """The image's words that are not about its card, then ours; one line without its end."""
    words = [w for w in image.cmdline.split() if _WORD.fullmatch(w) and not _LOCAL.fullmatch(w)]
    return " ".join([*words, arguments])
