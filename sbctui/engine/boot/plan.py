"""The plan by which a node, and the leaves of a root, load another initramfs. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sbctui.engine import rules
from sbctui.engine.errors import Refused
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.node import BootSpec
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.making import BOOTKIT_BYTES, plan, refresh
from sbctui.engine.plan import Action, BuildBootkit, Plan, Unit, UpdateConfig, UseKit


def use(site: Site, request: ask.UseInitramfs) -> Plan:
    """Raises NoSuchNode, Refused, NoSpace. ``request.kernel`` has to be there."""
    node = rules.node(site, request.name)
    rules.require(rules.can_use_initramfs(site, node.name))
    kernel = request.kernel or ask.Kernel()
    own = request.initramfs == "own"
    boot = _own(node, kernel) if own else _site(node, kernel)
    family, notes = _family(site, node)
    units = list(_build(site, request, node, kernel)) if not own else []
    built = len(units)
    kit = None if own else kernel
    changed = [(one, acts) for one in family if (acts := switch(one, boot, kit))]
    units += [
        Unit(title=f"{one.name} loads {boot.initramfs}", node=one.name,
             detail=one.config.hostname, actions=acts)
        for one, acts in changed
    ]  # fmt: skip
    if len(units) > built:
        units.append(refresh(one.name for one, _ in changed))
    running = sum(rules.connected(site, one.name) is not None for one, _ in changed)
    if running:
        notes.append(f"{running} of the boards are running and stay as they are until they restart")
    whose = "the image's own" if own else "the site's own"
    title = f"let {node.name} load {whose} initramfs"
    needs = BOOTKIT_BYTES if built else 0
    rules.enough_space(site, needs)
    return plan(site, request, title, units if len(changed) + built else [], needs=needs,
                notes=tuple(notes), impact="create", hold=not built)  # fmt: skip


def _own(node: Node, kernel: ask.Kernel) -> BootSpec:
    if kernel.own is None:
        raise Refused(
            f"the image of {node.name} has no initramfs for {node.config.boot.kernel or 'a kernel'}"
            f" in nodes/{node.name}/boot; put one there first"
        )
    return kernel.own


def _site(node: Node, kernel: ask.Kernel) -> BootSpec:
    if kernel.site is not None:
        return kernel.site
    if not node.config.boot.kernel and not kernel.arch:
        raise Refused(
            f"{node.name} has no kernel that an initramfs could be for; put one into /boot of its "
            "image and make it again"
        )
    if not kernel.arch:
        arch = shown(node.config.boot.arch or "unknown")
        raise Refused(f"{node.name} is for the processor {arch}, and none is built for that")
    raise Refused(
        f"which kernel {node.name} has is not to be seen: {node.config.boot.kernel} does not say, "
        "and its /lib/modules is not for just one; name the file vmlinuz-VERSION"
    )


def _build(site: Site, request: ask.UseInitramfs, node: Node, kernel: ask.Kernel) -> Iterator[Unit]:
    """The unit that builds the site's, where there is none for this kernel yet."""
    if kernel.kit:
        return
    root = node.name if node.is_root else node.config.parent or ""
    if root not in site.nodes:
        raise Refused(f"{node.name} belongs to no root whose modules could be taken; attach it")
    action = BuildBootkit(
        arch=kernel.arch, kernel=kernel.version, root=root, sources="", offline=request.offline
    )
    title = f"build the initramfs for {kernel.arch} and kernel {kernel.version} of {root}"
    yield Unit(title=title, node=root, actions=(action,), required=True)


def _family(site: Site, node: Node) -> tuple[list[Node], list[str]]:
    """The node and those of its leaves that load the same kernel; a note for each other."""
    found, notes = [node], []
    for folder in node.config.children.values():
        leaf = site.nodes.get(folder)
        if leaf is None:
            continue
        if leaf.config.boot.kernel == node.config.boot.kernel:
            found.append(leaf)
        else:
            kernel = shown(leaf.config.boot.kernel or "none")
            notes.append(f"{leaf.name} has another kernel ({kernel}) and is left as it is")
    return found, notes


def switch(node: Node, boot: BootSpec, kit: ask.Kernel | None) -> tuple[Action, ...]:
    """What lets one node load ``boot``, whose initramfs is of ``kit``; nothing if it does."""
    actions: list[Action] = []
    if kit is not None and node.name not in kit.current:
        actions.append(UseKit(name=node.name, arch=kit.arch, kernel=kit.version, sha256=kit.kit))
    if node.config.boot != boot:
        after = node.config.model_copy(update={"boot": boot})
        actions.append(UpdateConfig(name=node.name, before=node.config, after=after))
    return tuple(actions)
