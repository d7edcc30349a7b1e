"""Why a boot stopped or what it waits for, in one plain sentence. Pure."""

from __future__ import annotations

import re

from sbctui.engine.model.boots import Boot, BootState, Fetched, StageName

_NO_IPXE = (
    "its firmware wants iPXE for {}, and the package ipxe has none: put one of that name into its "
    "boot folder, or let {}"
)
_RAMDISK = re.compile(r"(.*/)?(?:try)?boot\.(?:img|sig)")
"""What a Pi with secure boot, or told boot_ramdisk=1, has its files in (config.txt's manual)."""
_HINTS = (
    (r"(.*/)?(start[^/]*\.elf|fixup[^/]*\.dat|bootcode\.bin)", "the root has no Pi firmware"),
    (r"(.*/)?config\.txt", "the root has no Pi firmware configuration"),
    (r"(.*/)?cmdline\.txt", "no kernel command line was written for it"),
    (r"(.*/)?(boot\.scr(\.uimg)?|extlinux\.conf)", "no boot script was written for it"),
    (r"(.*/)?pxelinux\.cfg/.*", "no boot menu was written for it"),
    (r"(.*/)?boot\.ipxe", "no iPXE script was written for it"),
    (r"(.*/)?ipxe-i386\.efi", _NO_IPXE.format("32 bits", "it boot as a BIOS does")),
    (r"(.*/)?ipxe-arm64\.efi", _NO_IPXE.format("arm64", "U-Boot start it")),
    (r"(.*/)?ipxe-riscv64\.efi", _NO_IPXE.format("riscv64", "U-Boot start it")),
    (r"(.*/)?[^/]*\.efi", "there is no boot program for its processor"),
    (
        _RAMDISK.pattern,
        "a Pi wants it with secure boot or boot_ramdisk=1, and this one did not go on without: "
        "switch that off, or put boot.img and boot.sig into its boot folder",
    ),
    (r"(.*/)?(vmlinu|kernel|Image|zImage|uImage)[^/]*", "the root has no kernel of that name"),
    (r"(.*/)?(initr|uInitrd)[^/]*", "the root has no initramfs of that name"),
    (r"(.*/)?[^/]*\.dtb", "the root has no device tree of that name"),
)
_BLAMES = tuple((re.compile(pattern), words) for pattern, words in _HINTS)
_OPTIONAL = re.compile(
    r"(.*/)?(recovery\.elf|recover4\.elf|autoboot\.txt|dt-blob\.bin|bootcfg\.txt|bootsig\.bin"
    r"|armstub[^/]*|[^/]*\.dtbo|overlay_map\.dtb|pieeprom\.[^/]*|vl805\.[^/]*|[^/]*\.sig"
    r"|tryboot\.txt)"
)
"""What a Pi's firmware looks for and does without."""


def blamed(boot: Boot) -> Fetched | None:
    """The file for want of which a boot stands still; None when something else was fetched since.

    A Pi asks for much that need not be there: a file that is known to matter goes first.
    """
    since: list[Fetched] = []
    ramdisk = None
    for file in reversed(boot.files):
        if file.outcome == "sent":
            break
        if _RAMDISK.fullmatch(file.path):
            ramdisk = file
        elif not _OPTIONAL.fullmatch(file.path):
            since.append(file)
    broken = next((file for file in since if file.outcome == "failed"), None)
    known = next((file for file in reversed(since) if _hint(file)), None)
    return broken or known or (since[0] if since else ramdisk)


def reason(boot: Boot, stage: StageName, state: BootState) -> str:
    """The sentence, without a full stop; empty when it is up."""
    if state == "up":
        return ""
    if boot.ended is not None:
        why = f": {boot.end}" if boot.end else ""
        return f"let go of its disk{why}" if state == "off" else f"lost its disk at once{why}"
    if stage == "files" and (file := blamed(boot)) is not None:
        return _missing(file)
    words = _STOPPED if state == "stopped" else _WAITING
    return words[stage].format(ip=boot.ip or "an address", refused=boot.refused) + _more(
        boot, stage
    )


def _missing(file: Fetched) -> str:
    if file.outcome == "failed":
        return f"asked for {file.path} and did not get it: {file.why or 'the transfer failed'}"
    hint = _hint(file)
    return f"asked for {file.path}, not there" + (f": {hint}" if hint else "")


def _hint(file: Fetched) -> str:
    return next((words for form, words in _BLAMES if form.fullmatch(file.path)), "")


def _more(boot: Boot, stage: StageName) -> str:
    if stage != "disk":
        return ""
    if boot.refused:
        return f": the gate refuses it, {boot.refused}"
    sent = [file for file in boot.files if file.outcome == "sent"]
    return f"; the last file was {sent[-1].path}" if sent else ""


_STOPPED: dict[StageName, str] = {
    "asked": "has not asked for an address",
    "offered": "asked for an address and was not answered: see the log of dnsmasq",
    "files": "has {ip} and asks for no file: its firmware may want another boot file name, or to "
    "boot by HTTP (http = true under [network]), or another DHCP server answered first",
    "disk": "was given its files and has not opened its disk",
    "write": "opened its disk and has written nothing: its root may be read-only",
    "up": "runs from its disk and does not answer by ssh",
}
_WAITING: dict[StageName, str] = {
    "asked": "is asking for an address",
    "offered": "asked for an address, waits for an answer",
    "files": "has {ip}, is about to fetch its files",
    "disk": "has its files, is starting its kernel",
    "write": "has its disk, is mounting it",
    "up": "runs from its disk, does not answer by ssh yet",
}
