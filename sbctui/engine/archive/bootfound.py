"""What a root that came out of an archive loads, where that was its site's own initramfs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sbctui.engine.boot.detect import detect, kernel_version
from sbctui.engine.boot.kitlink import put_link
from sbctui.engine.bootkit.arch import image_name, image_version, of_boot
from sbctui.engine.bootkit.kits import kit
from sbctui.engine.files import Owner
from sbctui.engine.model.node import BootSpec


def boot_found(
    boot: Path, name: str, told: str, site: Path, owner: Owner, warn: Callable[[str], None]
) -> BootSpec:
    """What there is in the boot folder of the new root ``name``: ``told`` is what it loaded before.

    A site's own becomes that of this site, where one is built; else it is the one that came
    along. Raises OSError.
    """
    found = detect(boot)
    version = image_version(told)
    arch = of_boot(found.arch)
    if not version or not arch or kernel_version(found.kernel) not in ("", version):
        return found
    image = boot / image_name(version)
    built = kit(site, arch, version)
    remedy = f"sbctui boot use {name} --initramfs bootkit"
    if built is not None and built.manifest is not None:
        image.unlink(missing_ok=True)
        put_link(built.path, image, owner)
    elif image.is_file():
        warn(f"{name} loads the initramfs that came with it; to have this site's own: {remedy}")
    else:
        warn(f"{name} comes without the initramfs that it loaded; for this site's own: {remedy}")
        return found
    return found.model_copy(update={"initramfs": image.name})
