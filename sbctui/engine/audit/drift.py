"""What was seen on disk beside the nodes' configs: the facts that the checks judge.

Frozen values, gathered by ``observe`` in one cheap pass. Paths are relative to the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sbctui.engine.model.distribution import ImageFile
from sbctui.engine.model.overlay import Place
from sbctui.engine.model.requests import Cover, Kernel
from sbctui.engine.model.site import Stray
from sbctui.engine.services.port import Status

How = Literal["missing", "different", "extra", "tombstone"]
"""``tombstone``: a host file that still tells dnsmasq to ignore a board that is long gone."""


@dataclass(frozen=True, slots=True)
class Off:
    """One file that is not what the nodes say it should be.

    ``key`` is the export name it belongs to (a MAC with dashes, or the odd file's own name),
    ``node`` the folder in ``nodes/`` it is about, empty when there is none. ``since`` is the
    file's change time in epoch seconds, 0 when it is missing.
    """

    key: str
    node: str
    path: str
    how: How
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class OverlayFolder:
    """One folder below ``repo/groups`` or ``repo/clients``, relative to the site.

    ``place`` is None for one that holds no image's folder. ``fault`` says why it can't be laid.
    """

    path: str
    place: Place | None
    fault: str = ""
    bytes: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class LaidOver:
    """A leaf whose disk has not what its overlays hold now; ``fault`` says why that is unknown."""

    cover: Cover
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Unable:
    """What ``boot check`` says of a root from which no board can boot.

    ``file`` is what is missing, in ``boot/`` or in its initramfs; ``kernel`` is what there is to
    load instead, None where its own initramfs is not what is wrong.
    """

    file: str
    why: str
    remedy: str
    kernel: Kernel | None = None


@dataclass(frozen=True, slots=True)
class Booting:
    """What the boot files say of the boots to come.

    ``unable`` are roots in use from which no board can boot; ``older`` maps a root to its kernel
    and to those of it and its leaves that load a former build of the site's own initramfs.
    """

    unable: Mapping[str, Unable] = field(default_factory=dict)
    older: Mapping[str, tuple[Kernel, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drift:
    """Everything seen.

    ``derived`` and ``boot`` are files off from what the nodes say, ``bootless`` the nodes
    without a boot folder, ``unbootable`` maps a node to the files in ``boot/`` that its config
    names and that are gone, ``images`` an overlay's node to what is wrong with its header.
    ``refused`` maps a node that has a MAC and can't be served to the reason; ``template`` says
    what is wrong with one of the admin's templates, and then nothing derived was compared.
    ``stale`` are images of the repository that lack side files of what they are now, ``unlisted``
    the lists of what is in it (relative to the site) that are not right.
    ``overlays`` are all folders of overlays, ``laid`` maps leaves to what their disks lack of them.
    ``strays`` lie in places that loading a site does not look at; ``status`` is every daemon.
    """

    derived: tuple[Off, ...] = ()
    boot: tuple[Off, ...] = ()
    bootless: tuple[str, ...] = ()
    unbootable: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    template: str = ""
    stale: tuple[ImageFile, ...] = ()
    unlisted: tuple[str, ...] = ()
    strays: tuple[Stray, ...] = ()
    status: tuple[Status, ...] = ()
    overlays: tuple[OverlayFolder, ...] = ()
    laid: Mapping[str, LaidOver] = field(default_factory=dict)
    booting: Booting = Booting()
