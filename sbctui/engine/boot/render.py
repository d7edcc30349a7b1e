"""A node's boot files as bytes, from its config and the site's settings alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from sbctui.engine.boot import pi
from sbctui.engine.boot import template as templates
from sbctui.engine.boot.loaders import LOADED, LOADERS
from sbctui.engine.boot.script import script_image
from sbctui.engine.boot.template import Overrides, Template
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import parse_mac, parse_name, shown, undashed
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.settings import Settings, parse_kernel_arguments

RENDERED = (
    "boot.scr",
    "boot.scr.uimg",
    "pxelinux.cfg",
    "extlinux",
    pi.CONFIG,
    pi.CMDLINE,
    "boot.ipxe",
)
"""Names in ``boot/`` that are rendered: what stands there and is not rendered is stale."""
NO_OVERRIDES: Overrides = {}

_BOOT_COMMANDS = {"arm": "bootz", "arm64": "booti", "riscv": "booti"}
_EFI = ("x86", "arm64")
"""Processors that iPXE, loaded by their firmware, is there for."""
_FILE = re.compile(
    r"(?:[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,127}/){0,8}[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,127}"
)
_REMEDY = {
    "kernel": "put a vmlinuz or Image into /boot of its root",
    "initramfs": "put an initrd.img into /boot of its root",
    "boot": "put a kernel for arm, arm64 or riscv into /boot of its root",
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file's bytes, and where its template came from."""

    data: bytes
    origin: str


def render(
    config: NodeConfig,
    settings: Settings,
    overrides: Overrides = NO_OVERRIDES,
    image: pi.PiImage | None = None,
) -> dict[str, bytes]:
    """File name inside ``boot/`` → its bytes; nothing for a node without a MAC.

    ``overrides`` are the admin's templates, ``image`` is what there is for a Raspberry Pi. Raises
    BadInput when a template can't be used, or a value can't stand in a boot file.
    """
    files = rendered(config, settings, overrides, image)
    return {name: one.data for name, one in files.items()}


def rendered(
    config: NodeConfig,
    settings: Settings,
    overrides: Overrides = NO_OVERRIDES,
    image: pi.PiImage | None = None,
) -> dict[str, Rendered]:
    """The same with where each file came from. Raises BadInput."""
    if config.mac is None:
        return {}
    values = _values(config, config.mac, settings)
    script = _script(config, values, templates.chosen(overrides, config, "boot.cmd"))
    files = {"boot.scr": script, "boot.scr.uimg": script}
    if values["kernel"] and values["initramfs"]:
        extlinux = templates.chosen(overrides, config, "extlinux.conf")
        files[f"pxelinux.cfg/01-{config.export}"] = _extlinux(extlinux, values)
        files["extlinux/extlinux.conf"] = _extlinux(extlinux, _from_the_top(values))
        if config.boot.arch in _EFI:
            ipxe = templates.chosen(overrides, config, "boot.ipxe")
            own = values | {"arguments": kernel_arguments(config, settings, "${next-server}")}
            own["server"] = str(settings.network.server_for(config.ip) or "${next-server}")
            own["http"] = f"http://{own['server']}" if settings.network.http else ""
            files["boot.ipxe"] = _text(ipxe, own)
    if image is not None and settings.network.server_for(config.ip) is not None:
        files |= dict(_pi_files(config, values, overrides, image))
    return files


def links(config: NodeConfig, image: pi.PiImage | None) -> dict[str, str]:
    """Links in ``boot/``, name → where it leads.

    A Raspberry Pi with ``TFTP_PREFIX=2`` puts its MAC before every name: that leads to ``boot/``
    itself. A PC's firmware loads iPXE: that leads to where the distribution has it.
    """
    if not config.export:
        return {}
    found = {config.export: "."} if image is not None else {}
    return {**found, **LOADERS} if config.boot.arch == LOADED else found


def _script(config: NodeConfig, values: Mapping[str, str], template: Template) -> Rendered:
    used = templates.check(template)
    missing = [name for name in _REMEDY if name in used and not values[name]]
    script = _apology(config, missing) if missing else templates.expand(template, values)
    image = script_image(
        script.encode(),
        arch=config.boot.arch,
        name=values["hostname"],
        time=int(config.created.timestamp()),
    )
    return Rendered(image, template.origin)


def _text(template: Template, values: Mapping[str, str]) -> Rendered:
    templates.check(template)
    text = templates.expand(template, values)
    return Rendered(text.encode("utf-8", "surrogateescape"), template.origin)


def _extlinux(template: Template, values: Mapping[str, str]) -> Rendered:
    if template.is_own or not values["dtbs"]:
        return _text(template, values)
    lines = template.text.replace("  append", "  fdtdir {{dtbs}}\n  append")
    return _text(Template(template.name, lines), values)


def _from_the_top(values: Mapping[str, str]) -> dict[str, str]:
    """With file names that mean the same from the folder ``extlinux``."""
    files = ("kernel", "initramfs", "dtbs")
    return {**values, **{name: f"/{values[name]}" for name in files if values[name]}}


def _pi_files(
    config: NodeConfig, values: Mapping[str, str], overrides: Overrides, image: pi.PiImage
) -> Iterator[tuple[str, Rendered]]:
    """config.txt always begins with our mark, by which it is known from an image's own."""
    own = {**values, "default": pi.config_txt(image, config.boot)}
    made = _text(templates.chosen(overrides, config, pi.CONFIG), own)
    mark = f"{pi.MARK}\n".encode()
    marked = made.data if made.data.startswith(mark) else mark + made.data
    yield pi.CONFIG, Rendered(marked, made.origin)
    own["default"] = pi.cmdline_txt(image, values["arguments"])
    made = _text(templates.chosen(overrides, config, pi.CMDLINE), own)
    yield pi.CMDLINE, Rendered(made.data.rstrip(b"\n") + b"\n", made.origin)


def kernel_arguments(config: NodeConfig, settings: Settings, server: str = "${serverip}") -> str:
    """The kernel's command line. What personalising left out of a leaf's disk stands here.

    ``server`` stands for this server where the settings have no address: U-Boot and iPXE fill
    in the one they were told.
    """
    own = settings.network.server_for(config.ip) or server
    disk = f"{own}:{settings.network.nbd_port}/{config.export}"
    words = ["root=/dev/nbd0", "ip=dhcp", f"nbdroot={disk}", "rw"]
    left_out = set(settings.personalise.what) - set(config.personalised)
    if config.kind == "leaf" and "hostname" in left_out:
        words.append(f"systemd.hostname={config.hostname}")
    if config.kind == "leaf" and "machine_id" in left_out:
        words.append(f"systemd.machine_id={machine_id(config)}")
    more = parse_kernel_arguments(settings.kernel_arguments)
    return " ".join([*words, *more.split()])


def machine_id(config: NodeConfig) -> str:
    """A leaf's own machine-id, the same at every rendering: 32 hex digits."""
    about = f"sbctui machine-id {config.mac} {config.created.isoformat()}"
    return sha256(about.encode()).hexdigest()[:32]


def _server(config: NodeConfig, settings: Settings) -> str:
    return str(settings.network.server_for(config.ip) or "${serverip}")


def _values(config: NodeConfig, mac: str, settings: Settings) -> dict[str, str]:
    boot = config.boot
    for label, path in (
        ("kernel", boot.kernel),
        ("initramfs", boot.initramfs),
        ("dtbs", boot.dtbs),
    ):
        if path and not _FILE.fullmatch(path):
            raise BadInput(
                f"boot.{label} of {shown(config.name)} is {shown(path)}, which is no plain file "
                "name; rename the file and its entry in config.json"
            )
    return {
        "name": config.name if undashed(config.name) else parse_name(config.name),
        "hostname": parse_name(config.hostname),
        "mac": parse_mac(mac),
        "ip": str(config.ip or ""),
        "server": _server(config, settings),
        "port": str(settings.network.nbd_port),
        "http": f"http://{_server(config, settings)}" if settings.network.http else "",
        "export": config.export,
        "arguments": kernel_arguments(config, settings),
        "kernel": boot.kernel,
        "initramfs": boot.initramfs,
        "dtbs": boot.dtbs,
        "boot": _BOOT_COMMANDS.get(boot.arch, ""),
    }


def _apology(config: NodeConfig, missing: list[str]) -> str:
    label = {"boot": "kernel that U-Boot starts"}
    if "kernel" in missing:
        missing = [name for name in missing if name != "boot"]
    lines = [
        f'echo "sbctui: {config.hostname} has no {label.get(name, name)}: {_REMEDY[name]}"'
        for name in missing
    ]
    return "\n".join([*lines, 'echo "sbctui: stopped"', "exit", ""])
