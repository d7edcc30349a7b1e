"""Make the derived files, and the daemons that read them, follow the nodes.

Everything here may be deleted and comes back identical, so nothing is flushed: after a power
cut the next start derives it again. What a board needs is there before its address is, and
its address goes before the rest does.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from sbctui.engine.boot.imagefiles import ImageReader, keep_aside
from sbctui.engine.boot.loaders import LOADERS
from sbctui.engine.boot.pi import PiImage
from sbctui.engine.boot.render import RENDERED
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.derive import Derived, derive
from sbctui.engine.errors import ServiceFailed
from sbctui.engine.files import Owner, hit, make_dir, write_new
from sbctui.engine.model.addresses import undashed
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.repository import INDEX, OWN
from sbctui.engine.model.site import BOOT, Site
from sbctui.engine.plan import RefreshServices
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.hosts import HostsDir
from sbctui.engine.services.port import Changes, Control

_DASHES = 5
"""In a MAC that is a name."""


def refresh(action: RefreshServices, ctx: Context) -> Undo:
    """Perform a plan's service refresh. Raises ServiceFailed with the daemon's own line.

    What others read of this server's repository follows the nodes too.
    """
    site = ctx.reload()
    if (site.path / OWN / INDEX).exists():
        _renew_lists(site, ctx.owner)
    changes = reconcile(site, ctx.control, action.names, before=ctx.site, owner=ctx.owner)
    if changes.refused:
        name, line = changes.refused[0]
        more = f" (and {len(changes.refused) - 1} more)" if len(changes.refused) > 1 else ""
        raise ServiceFailed(f"{name} is not served: {line}{more}")
    return nothing


def _renew_lists(site: Site, owner: Owner) -> None:
    """Most sites have none: what looks at them is loaded where there are some."""
    from sbctui.engine.repository.lists import renew_lists

    renew_lists(site, owner)


def reconcile(
    site: Site,
    control: Control,
    names: Collection[str] = (),
    *,
    before: Site | None = None,
    owner: Owner = None,
) -> Changes:
    """Derive the named nodes' files (all when empty), apply them, say what was refused.

    ``before`` is the site as it was, so that what a node no longer has is taken away.
    """
    derived = derive_all(site, names)
    keys = _keys(site, before, names) if names else None
    folder = site.path / "derived"
    for place in ("", "dnsmasq", "dnsmasq/hosts.d", "tftp", "exports"):
        _there(folder / place, owner)
    hosts = HostsDir(site.path, control)
    here = {key: host for key, host in derived.hosts.items() if hosts.has(key)}
    hosts.reconcile(here, keys)
    apply_boot(site, derived, names, owner)
    _links(folder / "tftp", derived.links, keys)
    files = {
        f"{key}.json": render_export(target, site.path) for key, target in derived.exports.items()
    }
    wanted = None if keys is None else {f"{key}.json" for key in keys}
    _files(folder / "exports", files, wanted, owner)
    _put(folder / "known_hosts", known_hosts(site), owner)
    applied = control.apply(keys or ())
    added = hosts.reconcile(derived.hosts, keys)
    return Changes(
        added=applied.added,
        changed=applied.changed,
        removed=applied.removed,
        refused=(*applied.refused, *added.refused),
    )


def _keys(site: Site, before: Site | None, names: Collection[str]) -> frozenset[str]:
    """Export names that the nodes have or had."""
    sites = (site,) if before is None else (site, before)
    found = {s.nodes[name].config.export for s in sites for name in names if name in s.nodes}
    return frozenset(found - {""})


def known_hosts(site: Site) -> bytes:
    """The host keys that personalising made, for our ssh (sshd(8), SSH_KNOWN_HOSTS)."""
    lines = [
        f"{n.config.ip},{n.config.hostname} {n.config.host_key}\n"
        for n in site.nodes.values()
        if n.config.host_key and n.config.ip
    ]
    return "".join(sorted(lines)).encode()


def derive_all(site: Site, names: Collection[str] = ()) -> Derived:
    """What should be served for the named nodes (all when empty), their boot files with it."""
    reader = ImageReader()

    def image(config: NodeConfig) -> PiImage | None:
        return reader.read(f"{site.path}/nodes/{config.name}/{BOOT}", config.boot)

    return derive(site, names or None, images=image)


def apply_boot(site: Site, derived: Derived, names: Collection[str], owner: Owner = None) -> None:
    """Make the rendered boot files of the named nodes (all when empty) as they were derived."""
    for name in names or site.nodes:
        if name not in site.nodes:
            continue
        folder = site.node_path(name) / BOOT
        wanted = derived.boot.get(name, {})
        if wanted or (folder / RENDERED[0]).exists():
            _rendered(folder, wanted, derived.boot_links.get(name, {}), owner)


def _rendered(
    folder: Path, wanted: Mapping[str, bytes], links: Mapping[str, str], owner: Owner
) -> None:
    for place in dict.fromkeys(f"{folder}/{name}".rpartition("/")[0] for name in ("", *wanted)):
        if not os.path.isdir(place):
            _there(Path(place), owner)
    keep_aside(folder)
    put: dict[bytes, str] = {}
    for name, data in wanted.items():
        target = f"{folder}/{name}"
        if data not in put:
            _put(target, data, owner, mode=0o644)
            put[data] = target
        else:
            _same(put[data], target)
    there = os.listdir(folder)
    _boot_links(folder, links, there)
    for name in RENDERED:
        if name not in there or name in wanted:
            continue
        path = folder / name
        if path.is_dir():
            for entry in os.listdir(path):
                if f"{name}/{entry}" not in wanted:
                    os.unlink(path / entry)
        else:
            path.unlink(missing_ok=True)


def _boot_links(folder: Path, wanted: Mapping[str, str], there: Collection[str]) -> None:
    """Ours follow the node; what the admin put in the place of a boot program stays."""
    macs = [name for name in there if name.count("-") == _DASHES and undashed(name) is not None]
    programs = [name for name in LOADERS if name in there]
    kept = [name for name in programs if not _leads_to(folder / name, LOADERS[name])]
    if wanted or macs or programs:
        missing = {name: target for name, target in wanted.items() if name not in kept}
        _links(folder, missing, {*wanted, *macs, *programs}.difference(kept))


def _leads_to(path: Path, target: str) -> bool:
    return path.is_symlink() and os.readlink(path) == target


def _there(folder: Path, owner: Owner) -> None:
    if not folder.is_dir():
        make_dir(folder, owner=owner)


def _files(
    folder: Path, wanted: Mapping[str, bytes], keys: Collection[str] | None, owner: Owner
) -> None:
    for name, data in wanted.items():
        _put(folder / name, data, owner)
    for name in os.listdir(folder) if keys is None else keys:
        if name not in wanted:
            hit("derived.unlink")
            (folder / name).unlink(missing_ok=True)


def _put(path: Path | str, data: bytes, owner: Owner, *, mode: int = 0o640) -> None:
    """Write a derived file if it differs: by rename, so that no reader sees half of it."""
    if _holds(path, data):
        return
    temp = _temp(os.fspath(path))
    hit("derived.write")
    try:
        write_new(temp, data, mode=mode, owner=owner, flush=False)
        os.replace(temp, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temp)
        raise


def _same(path: str, other: str) -> None:
    """Let ``other`` be a second name of a file."""
    with suppress(FileNotFoundError):
        if os.path.samefile(path, other):
            return  # renaming the one to the other would do nothing
    temp = _temp(other)
    hit("derived.link")
    os.link(path, temp)
    os.replace(temp, other)


def _temp(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{secrets.token_hex(4)}.tmp"


def _holds(path: Path | str, data: bytes) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        return os.read(fd, len(data) + 1) == data
    except IsADirectoryError:
        return False
    finally:
        os.close(fd)


def _links(folder: Path, wanted: Mapping[str, str], keys: Collection[str] | None) -> None:
    for name, target in wanted.items():
        path = folder / name
        if path.is_symlink() and os.readlink(path) == target:
            continue
        temp = _temp(os.fspath(path))
        hit("derived.link")
        os.symlink(target, temp)
        os.replace(temp, path)
    for name in os.listdir(folder) if keys is None else keys:
        if name not in wanted and (folder / name).is_symlink():
            hit("derived.unlink")
            (folder / name).unlink(missing_ok=True)
