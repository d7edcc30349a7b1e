"""What can be asked about boards, the files they boot from, and the services."""

from __future__ import annotations

from typing import Literal

from sbctui.engine.model.addresses import Alias, Group, Mac
from sbctui.engine.model.asked import Asked, Value
from sbctui.engine.model.node import BootSpec


class BoardSpec(Value):
    """One board to register."""

    mac: Mac
    alias: Alias = ""
    group: Group = ""


class RegisterBoards(Asked):
    """Write boards on the list of those that the lab owns (S4.13)."""

    verb: Literal["board register"] = "board register"
    boards: tuple[BoardSpec, ...]


class UnregisterBoards(Asked):
    """Strike boards off that list; with ``macs`` None all."""

    verb: Literal["board unregister"] = "board unregister"
    macs: tuple[Mac, ...] | None = None


class Kernel(Value):
    """What was seen of a node's kernel and of the initramfs that fit it.

    ``arch`` is Debian's name of its processor, ``version`` the kernel's; empty where they can't
    be told. ``own`` is what is loaded with the image's initramfs, ``site`` with the site's; None
    where there is no such. ``kit`` is the SHA-256 of the site's, empty before it is built.
    ``current`` are those of the node and its leaves that have this very kit in ``boot/``.
    """

    arch: str = ""
    version: str = ""
    own: BootSpec | None = None
    site: BootSpec | None = None
    kit: str = ""
    current: tuple[str, ...] = ()


class UseInitramfs(Asked):
    """Let a node, and the leaves of a root, load the image's ``own`` initramfs or the site's.

    The site's (``bootkit``) is built first where there is none for the node's kernel; ``offline``
    is for that. ``kernel`` is what the facade saw.
    """

    verb: Literal["boot use"] = "boot use"
    name: str
    initramfs: Literal["own", "bootkit"]
    offline: bool = False
    kernel: Kernel | None = None


class BuildBootkit(Asked):
    """Build an initramfs of our own for a Debian architecture and a kernel.

    With ``root`` for one that it has in /lib/modules, by its version or empty for its only one;
    else for a kernel of the distribution's packages, by version or flavour. ``arch`` may be
    empty for a root that tells; ``sources`` is a sources.list to use instead of the machine's.
    """

    verb: Literal["bootkit build"] = "bootkit build"
    arch: str = ""
    kernel: str = ""
    root: str = ""
    sources: str = ""
    offline: bool = False


class ApplyServices(Asked):
    """Derive everything again and make the daemons follow."""

    verb: Literal["services apply"] = "services apply"
