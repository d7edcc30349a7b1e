"""The plan for building an initramfs; pure."""

from __future__ import annotations

from sbctui.engine import rules
from sbctui.engine.bootkit.arch import ARCHITECTURES, RISCV, VERSION, is_riscv, of_boot
from sbctui.engine.errors import BadInput, Refused, against
from sbctui.engine.model import requests as ask
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.site import Node, Site
from sbctui.engine.nodes.making import BOOTKIT_BYTES, plan
from sbctui.engine.plan import BuildBootkit, Plan, Unit


def build(site: Site, request: ask.BuildBootkit) -> Plan:
    """Raises BadInput, Refused, NoSuchNode, NoSpace."""
    root = rules.root(site, request.root) if request.root else None
    if request.kernel and not VERSION.fullmatch(request.kernel):
        raise BadInput(f"{shown(request.kernel)} can't be a kernel's version").of("kernel")
    rules.require(rules.can_build_bootkit(site))
    with against("arch"):
        arch = _architecture(request, root)
    kernel = request.kernel or ("" if root else ARCHITECTURES[arch].kernel)
    of = f" of {root.name}" if root else ""
    title = (
        f"build the initramfs for {arch} and {f'kernel {kernel}' if kernel else 'the kernel'}{of}"
    )
    action = BuildBootkit(
        arch=arch,
        kernel=kernel,
        root=root.name if root else "",
        sources=request.sources,
        offline=request.offline,
    )
    unit = Unit(title=title, node=root.name if root else "", actions=(action,))
    rules.enough_space(site, BOOTKIT_BYTES)
    return plan(site, request, title, [unit], needs=BOOTKIT_BYTES, hold=False)


def _architecture(request: ask.BuildBootkit, root: Node | None) -> str:
    own = of_boot(root.config.boot.arch) if root else ""
    arch = request.arch or own
    if is_riscv(arch or (root.config.boot.arch if root else "")):
        raise Refused(RISCV)
    if not arch:
        names = ", ".join(ARCHITECTURES)
        of = f"{root.name} does not tell its architecture; " if root else ""
        raise BadInput(f"{of}say with --arch which it is: {names}")
    if arch not in ARCHITECTURES:
        raise BadInput(f"{shown(arch)} is not built for; there are {', '.join(ARCHITECTURES)}")
    if own and own != arch and root:
        raise Refused(f"{root.name} is for {own}, so an initramfs for {arch} can't start it")
    return arch
