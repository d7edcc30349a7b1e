"""The built-in templates, by the file that each is for."""

from __future__ import annotations

from collections.abc import Mapping

BOOT_CMD = """\
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
setenv sbctui_http "{{http}}"
setenv sbctui_got
if test -n "${sbctui_http}"; then
    if wget ${kernel_addr_r} {{server}}:/{{kernel}}; then
        wget ${ramdisk_addr_r} {{server}}:/{{initramfs}} && setenv sbctui_got yes
    fi
    test -n "${sbctui_got}" || echo "sbctui: not by HTTP, going on by TFTP"
fi
if test -z "${sbctui_got}"; then
    if tftpboot ${kernel_addr_r} {{kernel}} && tftpboot ${ramdisk_addr_r} {{initramfs}}; then
        setenv sbctui_got yes
    fi
fi
if test -n "${sbctui_got}"; then
    {{boot}} ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${sbctui_fdt}
    echo "sbctui: {{hostname}}: {{boot}} refused {{kernel}}; its own line above says why"
else
    echo "sbctui: {{hostname}}: {{server}} did not send {{kernel}} and {{initramfs}}"
fi
"""
"""``wget`` is not in every U-Boot; where it is not, its shell says so and that part has failed.

The initramfs comes last, because ``${filesize}`` is that of the last file loaded.

U-Boot's shell takes an apostrophe for a quote even between double quotes: none stands here.
"""

EXTLINUX = """\
# {{hostname}} ({{mac}}): written by sbctui
default sbctui
prompt 0
label sbctui
  kernel {{kernel}}
  initrd {{initramfs}}
  append {{arguments}}
"""
"""Syslinux' configuration language, as U-Boot reads it (doc/usage/cmd/pxe.rst there).

``fdtdir`` is put in where there are device trees: an empty one is an error.
"""

IPXE = """\
#!ipxe
# {{hostname}} ({{mac}}): written by sbctui
echo sbctui: {{hostname}} boots from {{server}}, disk {{export}}
set files {{http}}
isset ${files} || goto tftp
kernel ${files}/{{kernel}} initrd=initrd {{arguments}} || goto tftp
initrd --name initrd ${files}/{{initramfs}} || goto tftp
goto start
:tftp
imgfree
kernel {{kernel}} initrd=initrd {{arguments}} || goto failed
initrd --name initrd {{initramfs}} || goto failed
:start
boot ||
:failed
echo sbctui: {{hostname}}: {{kernel}} and {{initramfs}} were not loaded or not started
sleep 10
reboot
"""
"""File names are relative to where the script came from (ipxe.org/scripting).

``initrd=initrd`` names the initramfs for kernels started as EFI programs.
"""

DEFAULTS: Mapping[str, str] = {
    "boot.cmd": BOOT_CMD,
    "extlinux.conf": EXTLINUX,
    "config.txt": "{{default}}",
    "cmdline.txt": "{{default}}",
    "boot.ipxe": IPXE,
}
"""Template → its text. ``boot.cmd`` becomes ``boot.scr``; ``extlinux.conf`` the file of that name
in ``extlinux/`` and the one that U-Boot's ``pxe get`` asks for."""
