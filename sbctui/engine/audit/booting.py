"""Checks of what boards would load: whether they could boot, and with the newest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sbctui.engine.audit.drift import Drift, Unable
from sbctui.engine.audit.finding import Finding
from sbctui.engine.audit.making import changed, finding, fixed
from sbctui.engine.boot.plan import switch
from sbctui.engine.model.requests import Kernel
from sbctui.engine.model.site import Site
from sbctui.engine.model.text import clean
from sbctui.engine.plan import Action
from sbctui.engine.rules import leaves


def unable(site: Site, drift: Drift) -> Iterator[Finding]:
    """Roots in use from which no board can have its root over the network."""
    for name, lack in sorted(drift.booting.unable.items()):
        if name not in drift.unbootable and name not in drift.bootless:
            yield _unable(site, name, lack)


def _unable(site: Site, name: str, lack: Unable) -> Finding:
    node = site.nodes[name]
    count = len(node.config.children)
    who = f"its {leaves(count)} and boards to come" if count else "the board that has it"
    found = finding(
        "boot-check",
        "missing",
        name,
        f"no board can boot from {name}: {lack.why}",
        f"It stops {who} at the next start; see: sbctui boot check {name}",
        proof=f"nodes/{name}/boot: {lack.file}",
        since=changed(node),
        nodes=(name,),
    )
    names = (name, *node.config.children.values())
    return _mended(site, found, "load the site's own initramfs", names, lack.kernel, lack.remedy)


def older(site: Site, drift: Drift) -> Iterator[Finding]:
    """Nodes that load a former build of the site's own initramfs."""
    for name, (kernel, names) in sorted(drift.booting.older.items()):
        found = finding(
            "bootkit-older",
            "drift",
            name,
            f"{name} loads a former build of the site's own initramfs",
            "It was built again since; boards load what they are given, at their next start.",
            proof=f"nodes/{names[0]}/boot/{site.nodes[names[0]].config.boot.initramfs}"
            f" is not bootkit/{kernel.arch}/{kernel.version}",
            nodes=tuple(dict.fromkeys((name, *names))),
        )
        remedy = f"sbctui boot use {name} --initramfs bootkit"
        yield _mended(site, found, "load the newest build", names, kernel, remedy)


def _mended(
    site: Site,
    found: Finding,
    title: str,
    names: Iterable[str],
    kernel: Kernel | None,
    remedy: str,
) -> Finding:
    """With the unit that lets these nodes load what is built; without that, what to do."""
    actions = tuple(_switched(site, names, kernel)) if kernel and kernel.kit else ()
    if not actions:
        return found.model_copy(update={"unfixable": clean(remedy)})
    return fixed(found, title, *actions, node=found.nodes[0], safe=True)


def _switched(site: Site, names: Iterable[str], kernel: Kernel) -> Iterator[Action]:
    for name in names:
        node = site.nodes.get(name)
        if node is not None and kernel.site is not None:
            boot = node.config.boot
            if boot.kernel in ("", kernel.site.kernel):
                wanted = {"kernel": kernel.site.kernel, "arch": kernel.site.arch}
                wanted["initramfs"] = kernel.site.initramfs
                yield from switch(node, boot.model_copy(update=wanted), kernel)
