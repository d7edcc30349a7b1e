"""(Site, Request) → Plan, or Refused: the one way in for every verb of the heart. Pure."""

from __future__ import annotations

from functools import singledispatch

from sbctui.engine.archive import plan as archives
from sbctui.engine.archive.plan_leaf import take_leaf
from sbctui.engine.archive.plan_many import export_many
from sbctui.engine.boards.plan import plan_boards
from sbctui.engine.boot import plan as boot
from sbctui.engine.bootkit import plan as bootkit
from sbctui.engine.model import requests as ask
from sbctui.engine.model.site import Site
from sbctui.engine.nodes import plan_leaf, plan_rename, plan_root, plan_trash
from sbctui.engine.nodes.making import plan, refresh
from sbctui.engine.plan import Plan
from sbctui.engine.repository import group_plan, overlay_plan, plan_images, plan_serve
from sbctui.engine.repository.plan import plan_repository
from sbctui.engine.repository.plan_distribution import plan_distribution


@singledispatch
def plan_for(request: ask.Request, site: Site) -> Plan:
    """Plan a request on a snapshot. Raises Refused, NoSuchNode, NoSpace, BadInput."""
    raise TypeError(type(request).__name__)


plan_for.register(ask.CreateRoot, lambda request, site: plan_root.create(site, request))
plan_for.register(ask.CloneRoot, lambda request, site: plan_root.clone(site, request))
plan_for.register(ask.AllocateRoot, lambda request, site: plan_root.allocate(site, request))
plan_for.register(ask.DeallocateRoot, lambda request, site: plan_root.deallocate(site, request))
plan_for.register(ask.ResizeRoot, lambda request, site: plan_root.resize(site, request))
plan_for.register(ask.RenameRoot, lambda request, site: plan_rename.rename(site, request))
plan_for.register(ask.DeleteRoot, lambda request, site: plan_root.delete(site, request))
plan_for.register(ask.CreateLeaves, lambda request, site: plan_leaf.create(site, request))
plan_for.register(ask.DeleteLeaves, lambda request, site: plan_leaf.delete(site, request))
plan_for.register(ask.AttachLeaf, lambda request, site: plan_leaf.attach(site, request))
plan_for.register(ask.EditNode, lambda request, site: plan_leaf.edit(site, request))
plan_for.register(ask.RestoreTrash, lambda request, site: plan_trash.restore(site, request))
plan_for.register(ask.PurgeTrash, lambda request, site: plan_trash.purge(site, request))
for _kind in (ask.IgnoreBoards, ask.UnignoreBoards, ask.RegisterBoards, ask.UnregisterBoards):
    plan_for.register(_kind, plan_boards)
for _many in (
    ask.MakeSideFiles,
    ask.SeedImages,
    ask.StopSeeding,
    ask.SendImage,
    ask.ReceiveImage,
):
    plan_for.register(_many, plan_distribution)
for _export in (ask.ExportRoot, ask.ExportLeaf):
    plan_for.register(_export, archives.export)
plan_for.register(ask.ExportMany, export_many)
plan_for.register(ask.ImportRoot, archives.take)
plan_for.register(ask.ImportLeaf, take_leaf)
plan_for.register(ask.DeleteImages, plan_images.delete)
plan_for.register(ask.ServeCache, plan_serve.serve)
plan_for.register(ask.ApplyOverlays, lambda request, site: overlay_plan.apply(site, request))
plan_for.register(ask.AddOverlay, lambda request, site: overlay_plan.add(site, request))
plan_for.register(ask.HideOverlay, lambda request, site: overlay_plan.hide(site, request))
plan_for.register(ask.RemoveOverlay, lambda request, site: overlay_plan.remove(site, request))
plan_for.register(ask.SetGroup, lambda request, site: group_plan.set_(site, request))
plan_for.register(ask.RenameGroup, lambda request, site: group_plan.rename(site, request))
plan_for.register(ask.DeleteGroup, lambda request, site: group_plan.delete(site, request))
plan_for.register(ask.UseInitramfs, lambda request, site: boot.use(site, request))
plan_for.register(ask.BuildBootkit, lambda request, site: bootkit.build(site, request))
for _about in (
    ask.AddRepository,
    ask.RemoveRepository,
    ask.MountRepository,
    ask.UnmountRepository,
    ask.IndexRepository,
    ask.ImportTree,
    ask.UpdateCache,
    ask.RestoreImage,
):
    plan_for.register(_about, plan_repository)


@plan_for.register
def _(request: ask.ApplyServices, site: Site) -> Plan:
    return plan(site, request, "apply the services", [refresh(())], impact="reversible")
