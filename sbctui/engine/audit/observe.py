"""Looks at what lies beside the nodes' configs, in one cheap pass over the site's folders.

What is compared with what:
- every host line and export file byte for byte, every TFTP link by its target;
- every node folder's names against what belongs there;
- images of the repository with what their side files and the lists of all say of them;
- an overlay's header: that it is qcow2 and has the size its config states;
- boot files as ``boot_observe`` says. Disks are not read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from struct import Struct

from sbctui.engine.audit.boot_observe import BootFiles
from sbctui.engine.audit.drift import Booting, Drift, How, Off
from sbctui.engine.audit.overlay_observe import laid_over, overlays_of
from sbctui.engine.derive import derive
from sbctui.engine.errors import BadInput, SbcError
from sbctui.engine.files import is_held
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.distribution import ImageFile
from sbctui.engine.model.overlay import RECORD
from sbctui.engine.model.site import BOOT, CONFIG, Node, Site, Stray
from sbctui.engine.nodefile import tree_bytes
from sbctui.engine.reconcile import known_hosts
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.hosts import render_host
from sbctui.engine.services.port import Status
from sbctui.engine.store import GONE, TRASHED

_PLACES: Mapping[str, frozenset[str]] = {
    "derived": frozenset({"dnsmasq", "tftp", "exports", "known_hosts"}),
    "derived/dnsmasq": frozenset({"dnsmasq.conf", "hosts.d"}),
}
NOTHING_SEEN = Booting()
_TEMP = re.compile(r"\..+\.tmp")
_IN_FLIGHT = 60.0
"""Seconds for which a temp file of an atomic write may be somebody's work in progress."""
_OWNER = re.compile(rb"nodes/([^/\"]+)/")
_MOST = 4096
"""Bytes that are looked at of a derived file that nobody wants."""
_QCOW2 = Struct(">4sI16xQ")
"""Magic and version, then after the backing file's place the disk's size."""


def observe(site: Site, status: tuple[Status, ...] = (), booting: Booting = NOTHING_SEEN) -> Drift:
    """Everything on disk that the checks want to know.

    ``status`` is what the daemons say, ``booting`` what was seen of boots to come.
    """
    from sbctui.engine.repository import lists  # not before somebody audits

    strays = [*_in_nodes(site), *_in_places(site), *_in_trash(site), *_in_images(site)]
    seen = Drift(
        images={name: wrong for name, node in site.nodes.items() if (wrong := _image(site, node))},
        stale=_stale(site),
        unlisted=lists.stale_lists(site),
        strays=tuple(strays),
        status=status,
        overlays=overlays_of(site),
        laid=laid_over(site),
        booting=booting,
    )
    try:
        derived = derive(site, boot=False)
    except BadInput as error:
        return replace(seen, template=str(error))
    boot = BootFiles(site, derived)
    boot.look()
    held = {site.nodes[name].config.export for name in boot.refused}
    links = {k: v.encode() for k, v in derived.links.items() if k not in held}
    hosts = {k: render_host(h) for k, h in derived.hosts.items() if k not in held}
    exports = {
        f"{k}.json": render_export(t, site.path)
        for k, t in derived.exports.items()
        if k not in held
    }
    for place, wanted, read in (
        ("derived/dnsmasq/hosts.d", hosts, _read_file),
        ("derived/tftp", links, _read_link),
        ("derived/exports", exports, _read_file),
    ):
        seen = _compared(site, seen, place, wanted, read)
    if not seen.derived and not boot.off:
        seen = replace(seen, derived=tuple(_host_keys(site)))
    return replace(
        seen,
        boot=tuple(boot.off),
        bootless=tuple(boot.bootless),
        unbootable=boot.unbootable,
        refused={**derived.refused, **boot.refused},
    )


def _read_file(path: str, most: int) -> bytes | None:
    """The first bytes of a file; None for what is no file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, most)
    except OSError:
        return None
    finally:
        os.close(fd)


def _read_link(path: str, most: int) -> bytes | None:
    """A link's target; None for what is no link."""
    try:
        return os.readlink(os.fsencode(path))
    except OSError:
        return None


def _compared(
    site: Site,
    seen: Drift,
    place: str,
    wanted: Mapping[str, bytes],
    read: Callable[[str, int], bytes | None],
) -> Drift:
    """One derived folder against what should be in it; names are file names there."""
    folder = f"{site.path}/{place}"
    there = set(_listed(folder))
    off: list[Off] = []
    strays: list[Stray] = []
    for name, data in wanted.items():
        found = read(f"{folder}/{name}", len(data) + 1) if name in there else None
        if found != data:
            key = name.removesuffix(".json")
            how: How = "missing" if name not in there else _how(found, "different")
            off.append(Off(key, _node(site, key), f"{place}/{name}", how, _when(folder, name)))
    for name in sorted(there.difference(wanted)):
        found = read(f"{folder}/{name}", _MOST)
        if found is None or _TEMP.fullmatch(name):
            strays += _stray(site, f"{place}/{name}")
        else:
            key, node = name.removesuffix(".json"), _owner(site, found)
            how = _how(found, "extra")
            off.append(Off(key, node, f"{place}/{name}", how, _when(folder, name)))
    return replace(seen, derived=(*seen.derived, *off), strays=(*seen.strays, *strays))


def _host_keys(site: Site) -> Iterator[Off]:
    """The boards' host keys; asked last, since a change of any node changes them too."""
    place = f"{site.path}/derived"
    wanted = known_hosts(site)
    found = _read_file(f"{place}/known_hosts", len(wanted) + 1)
    if found != wanted and (found is not None or wanted):
        how: How = "missing" if found is None else "different"
        yield Off("known_hosts", "", "derived/known_hosts", how, _when(place, "known_hosts"))


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _how(data: bytes | None, otherwise: How) -> How:
    return "tombstone" if data is not None and data.rstrip().endswith(b",ignore") else otherwise


def _when(folder: str, name: str) -> float:
    try:
        return os.lstat(f"{folder}/{name}").st_mtime
    except OSError:
        return 0.0


def _node(site: Site, export: str) -> str:
    names = site.by_mac.get(export.replace("-", ":"), ())
    return names[0] if names else ""


def _owner(site: Site, data: bytes) -> str:
    """The node that a file nobody wants any more was made for, as the file itself says."""
    match = _OWNER.search(data)
    name = os.fsdecode(match.group(1)) if match else ""
    return name if name in site.nodes or name in site.broken else ""


def _image(site: Site, node: Node) -> str:
    """What is wrong with an overlay's header; empty for a good one and for raw disks."""
    if node.config.disk.format != "qcow2" or node.disk is None:
        return ""
    head = _read_file(str(site.disk_path(node.name)), _QCOW2.size)
    if head is None:
        return "can't be read"
    if len(head) < _QCOW2.size:
        return "is too short for a qcow2 image"
    magic, _, size = _QCOW2.unpack(head)
    if magic != b"QFI\xfb":
        return "is no qcow2 image"
    stated = node.config.disk.size
    return "" if size == stated else f"is for a disk of {exact(size)}, not {exact(stated)}"


def _in_nodes(site: Site) -> Iterator[Stray]:
    """What lies in a node's folder or its boot folder and does not belong there."""
    for name, node in site.nodes.items():
        belongs = {CONFIG, BOOT, node.config.disk.file}
        if not node.is_root:
            belongs.add(RECORD)
        for entry in _listed(f"{site.path}/nodes/{name}"):
            if entry not in belongs:
                yield from _stray(site, f"nodes/{name}/{entry}")


def _in_places(site: Site) -> Iterator[Stray]:
    for place, known in _PLACES.items():
        for entry in _listed(f"{site.path}/{place}"):
            if entry not in known:
                yield from _stray(site, f"{place}/{entry}")


def _in_trash(site: Site) -> Iterator[Stray]:
    for entry in _listed(f"{site.path}/trash"):
        if entry.startswith(GONE):
            for stray in _stray(site, f"trash/{entry}"):
                yield replace(stray, kind="staging")
        elif not TRASHED.fullmatch(entry):
            yield from _stray(site, f"trash/{entry}")


def _in_images(site: Site) -> Iterator[Stray]:
    """Side files without an image, and what is left of one that nobody goes on receiving."""
    from sbctui.engine.repository.sidefiles import orphans

    with suppress(SbcError):
        for path in orphans(site.path):
            part = path.with_name(path.name.removesuffix(".aria2"))
            if not is_held(part):
                yield from _stray(site, str(path.relative_to(site.path)))


def _stale(site: Site) -> tuple[ImageFile, ...]:
    """Images that lack side files; none of a repository that can't be read."""
    from sbctui.engine.repository.sidefiles import images

    with suppress(SbcError):
        return tuple(one for one in images(site.path) if one.lacking)
    return ()


def _stray(site: Site, path: str) -> Iterator[Stray]:
    """What stands there as a stray; nothing if it is gone again or just being written."""
    full = f"{site.path}/{path}"
    try:
        facts = os.lstat(full)
    except OSError:
        return
    temp = _TEMP.fullmatch(os.path.basename(path)) is not None
    if temp and abs(site.facts.now - facts.st_mtime) < _IN_FLIGHT:
        return
    if stat.S_ISDIR(facts.st_mode):
        yield Stray(path, "folder", tree_bytes(full), facts.st_mtime)
    else:
        file = stat.S_ISREG(facts.st_mode)
        yield Stray(path, "file" if file else "other", facts.st_blocks * 512, facts.st_mtime)
