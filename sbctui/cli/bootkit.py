"""``sbctui bootkit``: initramfs of our own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from sbctui.cli import options, output
from sbctui.cli.act import act
from sbctui.cli.options import How
from sbctui.cli.place import Place

if TYPE_CHECKING:
    from sbctui.engine.bootkit.kits import Kit

_ARCHITECTURES = ("arm64", "armhf", "amd64")


class _Architecture(click.Choice[str]):
    """One of those, or riscv64: the plan says why there is none for it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name as it was given. Fails with click's own sentence for any other."""
        return str(value) if value == "riscv64" else super().convert(value, param, ctx)


@click.group(no_args_is_help=False)
def bootkit() -> None:
    """Initramfs of our own: small, the same bytes at every build, and patient with the server."""


@bootkit.command("list")
@click.option("--check", is_flag=True, help="Also read each file and compare its hash.")
@options.output_option
@click.pass_obj
def list_(place: Place, check: bool, json: bool) -> int:
    """List what was built."""
    path = place.to_open()
    from sbctui import format as words
    from sbctui.engine.bootkit.kits import kits

    found = kits(path, check=check)
    if json:
        output.document({"bootkits": [_json(kit) for kit in found]})
        return 0
    rows = [
        (kit.arch, kit.kernel, words.size(kit.manifest.size) if kit.manifest else "-",
         kit.manifest.of if kit.manifest else "-", kit.fault or "fine")
        for kit in found
    ]  # fmt: skip
    output.table(("ARCH", "KERNEL", "SIZE", "OF", "STATE"), rows, right=(2,))
    return 0


@bootkit.command()
@click.option("--arch", type=_Architecture(_ARCHITECTURES), help="For which boards.")
@click.option("--kernel", default="", metavar="VERSION",
              help="For a kernel of the distribution, by version or flavour, as 6.1.0-32-arm64 "
              "or armmp; with --root for one of its own.")  # fmt: skip
@click.option("--root", default="", type=options.ROOT, help="For the kernel this root has.")
@click.option("--sources", default="", type=options.FILE, metavar="FILE",
              help="A sources.list for apt, instead of this machine's own.")  # fmt: skip
@click.option("--offline", is_flag=True, help="With the packages of earlier builds only.")
@options.mutating
@click.pass_obj
def build(
    place: Place, arch: str | None, kernel: str, root: str, sources: str, offline: bool, how: How
) -> int:
    """Build an initramfs out of the distribution's packages."""
    from sbctui.engine.model.requests import BuildBootkit

    asked = BuildBootkit(
        arch=arch or "",
        kernel=kernel,
        root=root,
        sources=os.path.abspath(sources) if sources else "",
        offline=offline,
    )
    return act(place, lambda engine: asked, how)


def _json(kit: Kit) -> dict[str, Any]:
    about = kit.manifest
    return {
        "arch": kit.arch,
        "kernel": kit.kernel,
        "path": str(kit.path),
        "of": about.of if about else None,
        "size": about.size if about else None,
        "sha256": about.sha256 if about else None,
        "packages": [part.model_dump() for part in about.packages] if about else [],
        "modules": list(about.modules) if about else [],
        "fault": kit.fault or None,
    }
