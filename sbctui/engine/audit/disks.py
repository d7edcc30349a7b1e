"""Checks of each node's own things: config, disk, base of an overlay, boot folder. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine.audit.drift import Drift
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import (
    allocated,
    changed,
    config_path,
    finding,
    fixed,
    trashable,
)
from sbctui.engine.audit.parents import base_stands
from sbctui.engine.model.addresses import undashed
from sbctui.engine.model.amounts import exact
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import Broken, Node, Site, Trashed
from sbctui.engine.nodes.making import to_trash_stray
from sbctui.engine.plan import (
    Action,
    RefreshServices,
    ResizeDisk,
    RestoreNode,
    UpdateConfig,
    WithdrawExport,
)
from sbctui.engine.rules import leaves


def broken(site: Site, drift: Drift) -> Iterator[Finding]:
    """Node folders whose config.json can't be used."""
    for name, row in sorted(site.broken.items()):
        needed = [n.name for n in site.leaves if name in (n.config.disk.base, n.config.parent)]
        yield _broken(site, name, row, needed)


def _broken(site: Site, name: str, row: Broken, needed: list[str]) -> Finding:
    more = f" {leaves(len(needed))} need it as their root." if needed else ""
    found = finding(
        "broken",
        "broken",
        name,
        f"{name} can't be read: {row.reason}",
        f"Until its config.json is good again it is not served, and its MAC and address are not "
        f"known to be taken.{more}",
        proof=f"{config_path(name)}: {row.reason}",
        bytes=row.allocated,
        since=row.mtime,
        nodes=(name, *needed),
    )
    held = site.sessions_of.get(name)
    if needed or held:
        who = f"{needed[0]} needs its disk" if needed else "a board is running from it"
        reason = f"{who}: mend {config_path(name)} by hand or from a copy, then look again"
        return found.model_copy(update={"unfixable": reason, "untrashable": reason})
    away = to_trash_stray(site, f"nodes/{name}")
    first: tuple[Action, ...] = (WithdrawExport(export=name),) if undashed(name) else ()
    return trashable(found, f"move {name} to the trash", *first, away, node=name, fix=True)


def disks(site: Site, drift: Drift) -> Iterator[Finding]:
    """Disks that are missing, of another size than stated, half resized or no image at all."""
    for name, node in sorted(site.nodes.items()):
        disk = node.config.disk
        if node.disk is None:
            yield _missing(site, node)
        elif disk.resize_to is not None:
            yield _resizing(node, disk.resize_to)
        elif name in drift.images:
            yield _no_image(node, drift.images[name])
        elif disk.format == "raw" and node.disk.apparent != disk.size:
            yield _other_size(site, node, node.disk.apparent)


def _disk_path(node: Node) -> str:
    return f"nodes/{node.name}/{node.config.disk.file}"


def _missing(site: Site, node: Node) -> Finding:
    kind = "root delete" if node.is_root else f"leaf delete {node.config.parent}"
    target = node.name if node.is_root else node.config.mac
    return finding(
        "disk-missing",
        "missing",
        node.name,
        f"{node.name} has no disk: {node.config.disk.file} is missing",
        "Nothing can be served or copied from it.",
        proof=f"{_disk_path(node)}: not there",
        since=changed(node),
        nodes=(node.name, *standing(site, node.name)),
        unfixable=f"put {_disk_path(node)} back from a copy, or delete it: sbctui {kind} {target}",
    )


def _resizing(node: Node, size: int) -> Finding:
    found = finding(
        "resize-pending",
        "half-made",
        node.name,
        f"{node.name} is in the middle of a resize to {exact(size)}",
        "The resize was begun and not finished; going on is safe at any point of it.",
        proof=f"{config_path(node.name)}: disk.resize_to is {size}",
        since=changed(node),
        nodes=(node.name,),
    )
    actions = (
        ResizeDisk(name=node.name, size=size),
        UpdateConfig(name=node.name, before=node.config, after=_with_size(node.config, size)),
    )
    return fixed(found, f"finish it: {exact(size)}", *actions, node=node.name, safe=True)


def _with_size(config: NodeConfig, size: int) -> NodeConfig:
    disk = config.disk.model_copy(update={"size": size, "resize_to": None})
    return config.model_copy(update={"disk": disk})


def _no_image(node: Node, reason: str) -> Finding:
    return finding(
        "disk-image",
        "missing",
        node.name,
        f"the disk of {node.name} is not the overlay its config says",
        f"{node.config.disk.file} {reason}, so the storage daemon can't serve it as stated.",
        proof=f"{_disk_path(node)}: {reason}",
        bytes=allocated(node),
        since=node.disk.mtime if node.disk else 0.0,
        nodes=(node.name,),
        unfixable=f"put {_disk_path(node)} back from a copy, or delete the leaf and make it again",
    )


def _other_size(site: Site, node: Node, apparent: int) -> Finding:
    stated = node.config.disk.size
    word = "larger" if apparent > stated else "smaller"
    found = finding(
        "disk-size",
        "missing",
        node.name,
        f"the disk of {node.name} is {word} than stated: {exact(apparent)}, not {exact(stated)}",
        "It was changed by something else than sbctui."
        if apparent > stated
        else "Its end is cut off: what stood there is lost, and its file system is damaged.",
        proof=f"{_disk_path(node)}: {exact(apparent)}; {config_path(node.name)}: size is {stated}",
        bytes=allocated(node),
        since=node.disk.mtime if node.disk else 0.0,
        nodes=(node.name, *standing(site, node.name)),
    )
    if apparent < stated:
        reason = (
            f"put {_disk_path(node)} back from a copy; then e2fsck -fn says whether it is whole"
        )
        return found.model_copy(update={"unfixable": reason})
    if standing(site, node.name):
        reason = (
            "leaves stand on this disk and must see it as it was: if nothing else was changed, "
            f"cut it back with: truncate -s {stated} {site.path}/{_disk_path(node)}"
        )
        return found.model_copy(update={"unfixable": reason})
    after = _with_size(node.config, apparent)
    action = UpdateConfig(name=node.name, before=node.config, after=after)
    return fixed(found, f"state its size as {exact(apparent)}", action, node=node.name, safe=True)


def standing(site: Site, root: str) -> tuple[str, ...]:
    """Nodes whose overlay needs a root's disk; what is in the trash is not counted."""
    return tuple(n for n in site.standing_on.get(root, ()) if not n.startswith("trash/"))


def bases(site: Site, drift: Drift) -> Iterator[Finding]:
    """Roots that overlays stand on and that are gone, replaced or of another size."""
    lost: dict[str, list[Node]] = {}
    other: dict[str, list[Node]] = {}
    for leaf in site.leaves:
        base = leaf.config.disk.base
        if base is None or base in site.broken:
            continue
        if not base_stands(site, leaf):
            lost.setdefault(base, []).append(leaf)
        elif _resized(site.nodes[base], leaf):
            other.setdefault(base, []).append(leaf)
    for base, on_it in sorted(lost.items()):
        yield _base_lost(site, base, on_it)
    for base, on_it in sorted(other.items()):
        yield _base_resized(site.nodes[base], on_it)


def _resized(base: Node, leaf: Node) -> bool:
    stated = base.config.disk
    faithful = base.disk is not None and base.disk.apparent == stated.size
    return faithful and stated.resize_to is None and stated.size != leaf.config.disk.size


def _base_lost(site: Site, base: str, on_it: list[Node]) -> Finding:
    newer = base in site.nodes
    found = finding(
        "base-missing",
        "missing",
        base,
        f"{leaves(len(on_it))} stand on the disk of {base}, which is "
        + ("another root by now" if newer else "gone"),
        "An overlay holds only what its board changed; without the very disk it was made on it "
        "can't be read.",
        proof=f"{config_path(on_it[0].name)}: disk.base is {base}, made "
        f"{on_it[0].config.disk.base_made}",
        bytes=sum(allocated(n) for n in on_it),
        since=changed(on_it[0]),
        nodes=(base, *(n.name for n in on_it)),
    )
    made = on_it[0].config.disk.base_made
    away = [t for t in site.trash if t.name == base and _made(t) == made]
    if away and not newer:
        restore = RestoreNode(folder=away[0].folder, name=base)
        return fixed(found, f"bring {base} back from the trash", restore, node=base, safe=True)
    reason = f"put nodes/{base} back from a copy made before, or delete these leaves"
    return found.model_copy(update={"unfixable": reason})


def _made(entry: Trashed) -> object:
    return entry.config.created if entry.config else None


def _base_resized(base: Node, on_it: list[Node]) -> Finding:
    was = on_it[0].config.disk.size
    return finding(
        "base-size",
        "missing",
        base.name,
        f"the disk of {base.name} changed its size under {leaves(len(on_it))}",
        "A root's disk may not change while overlays stand on it: what they took over from it "
        "is not what they were made on.",
        proof=f"{_disk_path(base)}: {exact(base.config.disk.size)}; its leaves were made on "
        f"{exact(was)}",
        since=base.disk.mtime if base.disk else 0.0,
        nodes=(base.name, *(n.name for n in on_it)),
        unfixable=f"put {_disk_path(base)} back from a copy of {exact(was)}, or make the leaves "
        "again",
    )


def boots(site: Site, drift: Drift) -> Iterator[Finding]:
    """Boot folders that are missing, and kernels and the like that are gone from them."""
    for name in drift.bootless:
        yield _bootless(site, site.nodes[name])
    for name, files in sorted(drift.unbootable.items()):
        listed = ", ".join(files)
        yield finding(
            "boot-file",
            "missing",
            name,
            f"{name} has no {listed} in its boot folder",
            "The boot script loads it by that name, so the board stops there.",
            proof=f"nodes/{name}/boot/{files[0]}: not there",
            nodes=(name,),
            unfixable=_link_again(site.nodes[name]),
        )


def _link_again(node: Node) -> str:
    source = node.config.cloned_from or node.config.parent
    if source:
        return f"link it again from its root: cp -aln nodes/{source}/boot/. nodes/{node.name}/boot/"
    return f"put it back from a copy into nodes/{node.name}/boot/"


def _bootless(site: Site, node: Node) -> Finding:
    found = finding(
        "boot-missing",
        "missing",
        node.name,
        f"{node.name} has no boot folder",
        "What its board loads over TFTP lies there.",
        proof=f"nodes/{node.name}/boot: not there",
        since=changed(node),
        nodes=(node.name,),
    )
    if node.config.mac is None or node.config.boot.kernel:
        reason = f"make it: mkdir -m 750 {site.node_path(node.name)}/boot; then {_link_again(node)}"
        return found.model_copy(update={"unfixable": reason})
    action = RefreshServices(names=(node.name,))
    return fixed(found, "render its boot files again", action, node=node.name, safe=True)
