"""What the boot files say of the boots to come, for the audit."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from sbctui.engine.audit.drift import Booting, Unable
from sbctui.engine.boot.kernels import look_at_kernel, older_kits
from sbctui.engine.boot.known import Known
from sbctui.engine.model.requests import Kernel
from sbctui.engine.model.site import Site

_INITRAMFS = frozenset({"initramfs", "NBD", "modules", "file system"})
"""Parts that another initramfs mends."""


def foresee(site: Site, known: Known, stop: threading.Event) -> Booting:
    """Look at every root in use, where it is not known already, and at what its leaves load.

    A root without any kernel is left out: its boards have their boot files from elsewhere.
    """
    older: dict[str, tuple[Kernel, tuple[str, ...]]] = {}
    for root, names in _older(site).items():
        if root in site.nodes:
            older[root] = look_at_kernel(site, root, stop), names
    return Booting(dict(_unable(site, known, stop)), older)


def _unable(site: Site, known: Known, stop: threading.Event) -> Iterator[tuple[str, Unable]]:
    for root in site.roots:
        in_use = root.config.mac is not None or root.config.children
        if not in_use or not root.config.boot.kernel:
            continue
        lack = known.stops(site, root.name, stop)
        if lack is not None:
            mends = lack.part in _INITRAMFS
            kernel = look_at_kernel(site, root.name, stop) if mends else None
            yield root.name, Unable(lack.file, lack.why, lack.remedy, kernel)


def _older(site: Site) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for older in older_kits(site, site.nodes):
        found[older.root] = (*found.get(older.root, ()), older.node)
    return found
