"""The forms of what boards load before they have their disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sbctui import format as fmt
from sbctui.engine.bootkit.arch import ARCHITECTURES, VERSION, image_version
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import shown
from sbctui.screens.fields import Field, Values
from sbctui.screens.form_spec import FormSpec

if TYPE_CHECKING:
    from sbctui.engine.model.site import Site
    from sbctui.engine.plan import Plan

_OWN, _KIT = "own", "bootkit"
_BY_ROOT = "root's"
_NO_YES = ("no", "yes")


def initramfs(site: Site, name: str) -> FormSpec:
    """``boot use``: the other of the two stands ready."""
    config = site.nodes[name].config
    kit = bool(image_version(config.boot.initramfs))
    count = len(config.children)
    leaves = f" and its {fmt.plural(count, 'leaf')}" if count else ""
    now = f"{config.hostname}{leaves} load {config.boot.initramfs or 'none'} now; "
    return FormSpec(
        f"Initramfs of {config.hostname}",
        (
            Field("initramfs", "Load", choices=(_OWN, _KIT), value=_OWN if kit else _KIT,
                  hint="own: the image's; bootkit: the site's, built first where there is none"),
        ),
        ask.UseInitramfs,
        lambda values: {"name": name, "initramfs": values["initramfs"]},
        about=(((now + "boards that run take the other at their next start", "dim"),),),
        tells=lambda plan: {"initramfs": _does(plan)},
    )  # fmt: skip


def _does(plan: Plan) -> str:
    kinds = [action.kind for unit in plan.units for action in unit.actions]
    if not kinds:
        return "that is what is loaded already"
    built = "built first, out of the distribution's packages; then " if (
        "build-bootkit" in kinds) else ""  # fmt: skip
    changed = sum(unit.work for unit in plan.units) - bool(built)
    return f"{built}{fmt.plural(changed, 'node')} changed"


def bootkit(site: Site, root: str) -> FormSpec:
    """``bootkit build``, for the kernel of a root or of a package."""
    able = [r.name for r in site.roots if r.config.boot.kernel]

    def check_root(text: str) -> str | None:
        if text and (text not in site.nodes or not site.nodes[text].is_root):
            return f"there is no root {shown(text)}"
        return None

    def check_kernel(text: str) -> str | None:
        return None if not text or VERSION.fullmatch(text) else "a version, as 6.1.0-32-arm64"

    return FormSpec(
        "Build an initramfs",
        (
            Field("root", "For the root", check_root, root if root in able else "", names=able,
                  hint="it gets that root's own modules; empty: a kernel of the packages"),
            Field("arch", "Boards", choices=(_BY_ROOT, *ARCHITECTURES),
                  hint="without a root, say for which processor"),
            Field("kernel", "Kernel", check_kernel,
                  hint="empty: the root's only one, or the usual one of the packages"),
            Field("offline", "Without network", choices=_NO_YES,
                  hint="yes: with the packages of earlier builds only"),
        ),
        ask.BuildBootkit,
        _asked,
        heavy=_unsaid,
    )  # fmt: skip


def _asked(values: Values) -> dict[str, object]:
    return {
        "root": values["root"],
        "arch": "" if values["arch"] == _BY_ROOT else values["arch"],
        "kernel": values["kernel"],
        "offline": values["offline"] == "yes",
    }


def _unsaid(values: Values) -> bool:
    """Whether nothing is named yet that one could be built for."""
    return not values["root"] and values["arch"] == _BY_ROOT
