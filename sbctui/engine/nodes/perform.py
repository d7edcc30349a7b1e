"""How each action on nodes is done, and undone. One short function per action.

A function that raises has left nothing behind. Those named in the executor's ``LOCKED`` run
under the site's lock.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sbctui.engine import commands, rules
from sbctui.engine.boot.imagefiles import ImageReader, keep_aside
from sbctui.engine.boot.render import RENDERED, links, render
from sbctui.engine.context import Context, Undo, nothing
from sbctui.engine.errors import PartlyDone, Refused, SbcError, ToolFailed
from sbctui.engine.files import (
    Owner,
    flocked,
    forget,
    fsync_dir,
    hit,
    make_dir,
    remove_tree,
    rename_noreplace,
    swap_back,
    swap_in,
    write_new,
)
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.site import BOOT, CONFIG, Broken, Site
from sbctui.engine.model.text import clean
from sbctui.engine.nodefile import read_node
from sbctui.engine.plan import (
    DrainExport,
    DropMissingChildren,
    PublishNode,
    RebootBoard,
    SetChildren,
    StageNode,
    UpdateConfig,
    WithdrawExport,
    WriteNode,
)

_SSH_TIMEOUT = 5
"""Seconds ssh may take to connect; the whole call gets three times that."""


def stage(action: StageNode, ctx: Context) -> Undo:
    """Make the staging folder and hold it."""
    path = ctx.staged(action.name)
    if path.exists():
        raise Refused(f"{path.name} is there already, half-made; see: sbctui audit")
    make_dir(path, owner=ctx.owner)
    try:
        ctx.holds.enter_context(flocked(path, blocking=False))
        make_dir(path / BOOT, owner=ctx.owner)
        ctx.changed(action.name)
    except BaseException:
        remove_tree(path)
        raise

    def undo() -> None:
        ctx.changed(action.name)
        remove_tree(path)

    return undo


def write_node(action: WriteNode, ctx: Context) -> Undo:
    """Write the rendered boot files and the config into the staged node; staging undoes it.

    Only the config is flushed: the rest follows from it, and is compared with what it should be
    after a power cut, before anything is served.
    """
    folder = ctx.staged(action.name)
    config = _as_found(action.config, ctx)
    keep_aside(folder / BOOT)
    image = ImageReader().read(folder / BOOT, config.boot)
    files = render(config, ctx.site.settings, ctx.site.templates, image)
    _write_rendered(f"{folder}/{BOOT}", files, ctx.owner)
    for name, target in links(config, image).items():
        if not os.path.lexists(folder / BOOT / name):
            hit("boot.link")
            os.symlink(target, folder / BOOT / name)
    write_new(folder / CONFIG, config.to_json(), owner=ctx.owner)
    return nothing


def _write_rendered(folder: str, files: Mapping[str, bytes], owner: Owner) -> None:
    written: dict[bytes, str] = {}
    for name, data in files.items():
        path = f"{folder}/{name}"
        if "/" in name and not os.path.isdir(os.path.dirname(path)):
            make_dir(Path(path).parent, owner=owner)
        if data in written:
            hit("boot.link")
            os.link(written[data], path)
        else:
            write_new(path, data, mode=0o644, owner=owner, flush=False)
            written[data] = path


def _as_found(config: NodeConfig, ctx: Context) -> NodeConfig:
    found = ctx.found
    config = config.model_copy(update=found.told)
    changes: dict[str, object] = {}
    if found.boot is not None:
        changes["boot"] = found.boot
    if found.promise is not None:
        changes["promise"] = found.promise
    if found.personalised is not None:
        changes["personalised"] = found.personalised
    if found.host_key:
        changes["host_key"] = found.host_key
    if found.filesystem is not None:
        changes["disk"] = config.disk.model_copy(update={"filesystem": found.filesystem})
    return config.model_copy(update=changes)


def publish(action: PublishNode, ctx: Context) -> Undo:
    """Flush the staged folders and rename the node into place: the commit."""
    staged, target = ctx.staged(action.name), ctx.site.node_path(action.name)
    config = read_node(staged, named=action.name)
    if isinstance(config, Broken):
        raise SbcError(f"the new node {action.name} can't be read back: {config.reason}")
    _still_free(ctx.reload(), config.config)
    derived = {f"{staged}/{BOOT}/{name}" for name in RENDERED}
    for folder, _, _ in os.walk(staged, topdown=False):
        if folder not in derived:
            hit("publish.fsync")
            fsync_dir(Path(folder))
    rename_noreplace(staged, target)
    ctx.changed(action.name)

    def undo() -> None:
        ctx.changed(action.name)
        rename_noreplace(target, staged)

    return undo


def _still_free(site: Site, config: NodeConfig) -> None:
    if config.mac:
        taken = [name for name in site.by_mac.get(config.mac, ()) if name != config.name]
        rules.require(f"{config.mac} was taken meanwhile by {taken[0]}" if taken else None)
    if config.ip:
        taken = [name for name in site.by_ip.get(config.ip, ()) if name != config.name]
        rules.require(f"{config.ip} was taken meanwhile by {taken[0]}" if taken else None)
    if config.parent:
        parent = site.nodes.get(config.parent)
        listed = parent is not None and config.mac in parent.config.children
        rules.require(None if listed else f"{config.parent} does not list {config.mac} any more")


def update_config(action: UpdateConfig, ctx: Context) -> Undo:
    """Replace a config that is still the one the plan saw."""
    now = _config(ctx, action.name)
    if now != action.before:
        raise Refused(f"{action.name} was changed meanwhile; look at it again")
    return _replace(ctx, action.name, action.after)


def set_children(action: SetChildren, ctx: Context) -> Undo:
    """Add to and drop from a root's children in one write."""
    before = _config(ctx, action.root)
    if before.mac is not None and action.add:
        raise Refused(f"{action.root} was allocated meanwhile, so it can't have leaves")
    children = {m: f for m, f in before.children.items() if m not in action.drop}
    children |= {mac: dashed(mac) for mac in action.add}
    if children == before.children:
        return nothing
    return _replace(ctx, action.root, before.model_copy(update={"children": children}))


def drop_missing_children(action: DropMissingChildren, ctx: Context) -> Undo:
    """Take MACs without a folder out of a root's children."""
    before = _config(ctx, action.root)
    gone = {
        mac
        for mac in action.macs
        if mac in before.children and not ctx.site.node_path(before.children[mac]).exists()
    }
    if not gone:
        return nothing
    children = {m: f for m, f in before.children.items() if m not in gone}
    return _replace(ctx, action.root, before.model_copy(update={"children": children}))


def _config(ctx: Context, name: str) -> NodeConfig:
    """The config as it is on disk, parsed only if it is another file than the site knows."""
    found = read_node(ctx.site.node_path(name), ctx.reload().nodes.get(name))
    if isinstance(found, Broken):
        raise Refused(f"{name} can't be changed: {found.reason}")
    return found.config


def _replace(ctx: Context, name: str, after: NodeConfig) -> Undo:
    """Write a config; the old one is kept until the unit ends, so that undo needs no space."""
    path = ctx.site.node_path(name) / CONFIG
    old = swap_in(path, after.to_json(), owner=ctx.owner)
    ctx.holds.callback(forget, old)
    ctx.changed(name)

    def undo() -> None:
        swap_back(path, old)
        ctx.changed(name)

    return undo


def withdraw(action: WithdrawExport, ctx: Context) -> Undo:
    """Close the gate for an export and let the storage daemon drop its disk."""
    ctx.control.withdraw(action.export, cut=action.cut)
    return lambda: ctx.control.restore(action.export)


def drain(action: DrainExport, ctx: Context) -> Undo:
    """Wait until nobody is connected to an export."""
    seconds = action.seconds
    if ctx.control.drain(action.export, seconds, cut=action.cut, stop=ctx.stop):
        return nothing
    raise PartlyDone(
        f"the board is still connected to {action.export} after {seconds} s and keeps its disk "
        "until it lets go; shut it down, or deallocate with --cut"
    )


def reboot(action: RebootBoard, ctx: Context) -> Undo:
    """Ask a board to reboot; what came of it goes into the unit's result."""
    target = f"{action.user}@{action.ip}"
    known = f"UserKnownHostsFile=~/.ssh/known_hosts {ctx.site.path}/derived/known_hosts"
    options = ("-o", "BatchMode=yes", "-o", f"ConnectTimeout={_SSH_TIMEOUT}", "-o", known)
    try:
        done = commands.run(
            ["ssh", *options, "--", target, "reboot"],
            ok=(0, 255),
            timeout=3 * _SSH_TIMEOUT,
            stop=ctx.stop,
            log=ctx.log,
        )
    except ToolFailed as error:
        outcome = f"not rebooted: {error.detail}"
    else:
        said = clean(done.stderr.strip().splitlines()[-1]) if done.stderr.strip() else ""
        cut_off = "closed by remote host" in said
        outcome = "rebooting" if done.returncode == 0 or cut_off else f"unreachable: {said}"
    ctx.found.data["reboot"] = outcome
    if outcome != "rebooting":
        ctx.warn(f"{action.name} at {action.ip} was not rebooted ({outcome})")
    return nothing
