"""How each action of the table begins: a form, a plan, or a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sbctui.engine.model import requests as ask
from sbctui.messages import in_thread
from sbctui.screens import forms
from sbctui.screens.form import FormScreen, FormSpec
from sbctui.screens.reasons import parent

if TYPE_CHECKING:
    from sbctui.app import SbcApp
    from sbctui.engine.engine import Engine
    from sbctui.engine.model.site import Site

Names = tuple[str, ...]
Verb = Callable[["SbcApp", Names, Names], None]
"""App, names acted on, MACs of unknown boards acted on."""


def _site(app: SbcApp) -> Site:
    site = app.feeds.world.site
    assert site is not None, "actions that need a site are refused before it is read"
    return site


def _form(make: Callable[[Site, str], FormSpec]) -> Verb:
    def begin(app: SbcApp, names: Names, asking: Names) -> None:
        app.push_screen(FormScreen(make(_site(app), names[0])))

    return begin


def _create(app: SbcApp, names: Names, asking: Names) -> None:
    app.push_screen(FormScreen(forms.create(_site(app))))


def _deallocate(app: SbcApp, names: Names, asking: Names) -> None:
    app.offer(lambda engine: ask.DeallocateRoot(name=names[0]))


def _delete(app: SbcApp, names: Names, asking: Names) -> None:
    site = _site(app)
    if site.nodes[names[0]].is_root:
        app.offer(lambda engine: ask.DeleteRoot(name=names[0]))
        return
    macs = tuple(mac for n in names if (mac := site.nodes[n].config.mac))
    root = parent(site, names[0])
    app.offer(lambda engine: ask.DeleteLeaves(root=root, macs=macs))


def _undo(app: SbcApp, names: Names, asking: Names) -> None:
    def last(engine: Engine) -> ask.Request:
        return engine.undo()

    app.offer(last)


def _bulk(app: SbcApp, names: Names, asking: Names) -> None:
    app.bulk(names, "\n".join([*asking, ""]) if asking else "")


def _audit(app: SbcApp, names: Names, asking: Names) -> None:
    from sbctui.screens.audit import AuditScreen

    app.push_screen(AuditScreen(app.feeds.world))


def _trash(app: SbcApp, names: Names, asking: Names) -> None:
    from sbctui.screens.trash import TrashScreen

    app.push_screen(TrashScreen(app.feeds.world))


def _reload(app: SbcApp, names: Names, asking: Names) -> None:
    engine = app.feeds.engine

    async def again() -> None:
        if engine is not None:
            await in_thread(lambda: engine.site(full=True))
            app.feeds.hurry()
            app.notify("read everything again", timeout=2, markup=False)

    app.background(again())


def _quit(app: SbcApp, names: Names, asking: Names) -> None:
    app.background(app.action_quit())


VERBS: Mapping[str, Verb] = {
    "create": _create,
    "clone": _form(forms.clone),
    "bulk": _bulk,
    "allocate": _form(forms.allocate),
    "deallocate": _deallocate,
    "edit": _form(forms.edit),
    "resize": _form(forms.resize),
    "delete": _delete,
    "undo": _undo,
    "audit": _audit,
    "trash": _trash,
    "reload": _reload,
    "quit": _quit,
}
"""Everything in ``actions.ACTIONS`` but what home does by itself (filter and marks)."""
