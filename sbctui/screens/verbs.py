"""How each action of the table begins: a form, a plan, or a screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sbctui.engine.model import requests as ask
from sbctui.messages import in_thread
from sbctui.screens import forms, forms_archive, forms_away, forms_boot
from sbctui.screens.form import FormScreen
from sbctui.screens.form_spec import FormSpec
from sbctui.screens.places import completing
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


def _allocate(app: SbcApp, names: Names, asking: Names) -> None:
    app.push_screen(FormScreen(forms.allocate(_site(app), names[0], *asking[:1])))


def _leaf(app: SbcApp, names: Names, asking: Names) -> None:
    site = _site(app)
    root = parent(site, names[0]) if names else app.drafts.get("bulk", {}).get("root", "")
    app.push_screen(FormScreen(forms.leaf(site, root, *asking[:1])))


def _export(app: SbcApp, names: Names, asking: Names) -> None:
    export(app, names)


def export(app: SbcApp, names: Names, target: str = "repo:") -> None:
    """The form that writes these nodes into archives; without any one is named in it."""
    complete = completing(lambda: app.feeds.engine)
    app.push_screen(FormScreen(forms_archive.export(_site(app), names, complete, target)))


def _import(app: SbcApp, names: Names, asking: Names) -> None:
    take(app)


def take(app: SbcApp, archive: str = "") -> None:
    """The form that makes a root or a leaf of an archive."""
    from sbctui.screens.import_form import ImportScreen

    complete = completing(lambda: app.feeds.engine)
    app.push_screen(ImportScreen(forms_archive.take(_site(app), complete, archive)))


def _images(app: SbcApp, names: Names, asking: Names) -> None:
    from sbctui.screens.images import ImagesScreen

    app.push_screen(ImagesScreen(app.feeds.world))


def _bootkit(app: SbcApp, names: Names, asking: Names) -> None:
    site = _site(app)
    app.push_screen(FormScreen(forms_boot.bootkit(site, parent(site, names[0]) if names else "")))


def _delete(app: SbcApp, names: Names, asking: Names) -> None:
    site = _site(app)
    if site.nodes[names[0]].is_root:
        app.offer(lambda engine: ask.DeleteRoot(name=names[0]))
    else:
        _leaves(app, parent(site, names[0]), names, every=False)


def _delete_all(app: SbcApp, names: Names, asking: Names) -> None:
    children = _site(app).nodes[names[0]].config.children.values()
    _leaves(app, names[0], [n for n in children if n in _site(app).nodes], every=True)


def _leaves(app: SbcApp, root: str, names: Sequence[str], *, every: bool) -> None:
    site = _site(app)
    if forms_away.running(site, names):
        app.push_screen(FormScreen(forms_away.delete_leaves(site, root, names, every=every)))
        return
    macs = None if every else tuple(mac for n in names if (mac := site.nodes[n].config.mac))
    app.offer(lambda engine: ask.DeleteLeaves(root=root, macs=macs))


def _undo(app: SbcApp, names: Names, asking: Names) -> None:
    undo(app)


def undo(app: SbcApp) -> None:
    """Bring back what the last delete took."""

    def last(engine: Engine) -> ask.Request:
        return engine.undo()

    app.offer(last)


def _bulk(app: SbcApp, names: Names, asking: Names) -> None:
    app.bulk(names, "\n".join([*asking, ""]) if asking else "")


def _audit(app: SbcApp, names: Names, asking: Names) -> None:
    from sbctui.screens.audit import AuditScreen

    app.push_screen(AuditScreen(app.feeds.world))


def _boards(app: SbcApp, names: Names, asking: Names) -> None:
    from sbctui.screens.boards import BoardsScreen

    app.push_screen(BoardsScreen(app.feeds.world))


def _overlays(app: SbcApp, names: Names, asking: Names) -> None:
    from sbctui.screens.overlay import OverlayScreen

    app.push_screen(OverlayScreen(app.feeds.world, names[0]))


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


def _settings(app: SbcApp, names: Names, asking: Names) -> None:
    app.do_settings()


def _quit(app: SbcApp, names: Names, asking: Names) -> None:
    app.background(app.action_quit())


VERBS: Mapping[str, Verb] = {
    "create": _create,
    "clone": _form(forms.clone),
    "bulk": _bulk,
    "leaf": _leaf,
    "allocate": _allocate,
    "deallocate": _form(forms_away.deallocate),
    "edit": _form(forms.edit),
    "rename": _form(forms.rename),
    "resize": _form(forms.resize),
    "initramfs": _form(forms_boot.initramfs),
    "bootkit": _bootkit,
    "attach": _form(forms.attach),
    "export": _export,
    "import": _import,
    "delete": _delete,
    "delete_all": _delete_all,
    "undo": _undo,
    "audit": _audit,
    "boards": _boards,
    "images": _images,
    "overlays": _overlays,
    "trash": _trash,
    "reload": _reload,
    "settings": _settings,
    "quit": _quit,
}
"""Everything in ``actions.ACTIONS`` but what home does by itself (filter and marks)."""
