"""The boot script's template: plain text with ``{{name}}`` for a fixed list of values.

Nothing in a template is executed here; what U-Boot makes of it is the admin's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import shown
from sbctui.engine.model.text import clean

TEMPLATE = "templates/boot.cmd"
"""Where the admin may put his own, relative to the site."""

MEANING: Mapping[str, str] = {
    "name": "the node's name",
    "hostname": "the board's host name",
    "mac": "its MAC with colons",
    "ip": "its address",
    "server": "this server's address",
    "port": "the NBD port",
    "export": "the NBD export",
    "arguments": "the whole kernel command line",
    "kernel": "the kernel's file",
    "initramfs": "the initramfs' file",
    "dtbs": "the folder of device trees, empty when there is none",
    "boot": "U-Boot's command for this kind of kernel: booti or bootz",
}
"""Every placeholder and what stands there afterwards."""

DEFAULT = """\
# {{hostname}} ({{mac}}): written by sbctui; to change it, write templates/boot.cmd in the site.
echo "sbctui: {{hostname}} boots from {{server}}, disk {{export}}"
setenv serverip {{server}}
setenv bootargs "{{arguments}}"
setenv sbctui_fdt ${fdtcontroladdr}
setenv sbctui_dtbs "{{dtbs}}"
if test -n "${sbctui_dtbs}" && test -n "${fdtfile}"; then
    if tftpboot ${fdt_addr_r} ${sbctui_dtbs}/${fdtfile}; then
        setenv sbctui_fdt ${fdt_addr_r}
    else
        echo "sbctui: no ${fdtfile} in {{dtbs}}: going on with the device tree of the firmware"
    fi
fi
if tftpboot ${kernel_addr_r} {{kernel}} && tftpboot ${ramdisk_addr_r} {{initramfs}}; then
    {{boot}} ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${sbctui_fdt}
    echo "sbctui: {{hostname}}: {{boot}} refused {{kernel}}; its own line above says why"
else
    echo "sbctui: {{hostname}}: {{server}} did not send {{kernel}} and {{initramfs}}"
fi
"""
"""The initramfs comes last, because ``${filesize}`` is that of the last file loaded.

U-Boot's shell takes an apostrophe for a quote even between double quotes: none stands here.
"""

_PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffd]")
_MOST = 64 * 1024


def check(template: str) -> frozenset[str]:
    """The placeholders of a template.

    Raises BadInput naming one that there is not, and for what is no text or over 64 KiB.
    """
    odd = _NO_TEXT.search(template.replace("\r\n", "\n"))
    if odd or len(template) > _MOST:
        why = f"holds {clean(odd[0])!r}" if odd else f"is longer than {_MOST // 1024} KiB"
        raise BadInput(f"{TEMPLATE} {why}; write it as plain UTF-8 text or remove it")
    used = frozenset(match.strip() for match in _PLACEHOLDER.findall(template))
    for name in sorted(used - MEANING.keys()):
        raise BadInput(
            f"{TEMPLATE} asks for {shown(name)}, which is no placeholder; "
            f"there are {', '.join(MEANING)}"
        )
    return used


def expand(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders filled in. Values are not looked at again."""
    text = template.replace("\r\n", "\n")
    return _PLACEHOLDER.sub(lambda match: values[match[1].strip()], text)
