"""Which root a board gets by its model when nobody names one (the site's ``models``)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.site import Site


def default_root(settings: Settings, model: str) -> str | None:
    """The root for boards of a model; of several patterns that fit, the longest decides."""
    name = model.casefold()
    fitting = [pattern for pattern in settings.models if fnmatchcase(name, pattern.casefold())]
    return settings.models[max(fitting, key=lambda p: (len(p), p))] if name and fitting else None


def root_for(site: Site, macs: Iterable[str]) -> str:
    """The one default root of these boards, by what was heard from them.

    Raises BadInput where a board's model is not known, has no default, or they differ.
    """
    models = {seen.mac: seen.model for seen in site.facts.seen}
    roots: dict[str, str] = {}
    for mac in macs:
        model = models.get(mac, "")
        if not model:
            raise BadInput(f"the model of {mac} is not known, so ROOT has to be named")
        root = default_root(site.settings, model)
        if root is None:
            raise BadInput(
                f"boards of the model {shown(model)}, as {mac}, have no default root; name ROOT, "
                "or set one with: sbctui image model MODEL ROOT"
            )
        roots.setdefault(root, mac)
    if len(roots) != 1:
        several = ", ".join(f"{root} ({mac})" for root, mac in roots.items())
        raise BadInput(f"these boards have several default roots: {several}; name ROOT")
    return next(iter(roots))
