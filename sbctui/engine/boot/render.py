"""A node's boot files as bytes, from its config and the site's settings alone."""

from __future__ import annotations

import re
from hashlib import sha256

from sbctui.engine.boot import template as templates
from sbctui.engine.boot.script import script_image
from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import parse_mac, parse_name, shown, undashed
from sbctui.engine.model.node import NodeConfig
from sbctui.engine.model.settings import Settings, parse_kernel_arguments

RENDERED = ("boot.scr", "boot.scr.uimg", "pxelinux.cfg")
"""Names in ``boot/`` that are rendered: what stands there and is not rendered is stale."""

_BOOT_COMMANDS = {"arm": "bootz", "arm64": "booti", "riscv": "booti"}
_FILE = re.compile(
    r"(?:[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,127}/){0,8}[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,127}"
)
_REMEDY = {
    "kernel": "put a vmlinuz or Image into /boot of its root",
    "initramfs": "put an initrd.img into /boot of its root",
    "boot": "put a kernel for arm, arm64 or riscv into /boot of its root",
}


def render(config: NodeConfig, settings: Settings, template: str | None = None) -> dict[str, bytes]:
    """File name inside ``boot/`` → its bytes; nothing for a node without a MAC.

    ``template`` is the admin's boot script instead of ours. Raises BadInput when the template
    asks for an unknown placeholder, or a value can't stand in a boot script.
    """
    if config.mac is None:
        return {}
    values = _values(config, config.mac, settings)
    text = template if template is not None else templates.DEFAULT
    used = templates.check(text)
    missing = [name for name in _REMEDY if name in used and not values[name]]
    script = _apology(config, missing) if missing else templates.expand(text, values)
    image = script_image(
        script.encode(),
        arch=config.boot.arch,
        name=values["hostname"],
        time=int(config.created.timestamp()),
    )
    files = {"boot.scr": image, "boot.scr.uimg": image}
    if values["kernel"] and values["initramfs"]:
        files[f"pxelinux.cfg/01-{config.export}"] = _extlinux(values).encode()
    return files


def kernel_arguments(config: NodeConfig, settings: Settings) -> str:
    """The kernel's command line. What personalising left out of a leaf's disk stands here.

    Without a server address in the settings U-Boot fills in its own ``${serverip}``.
    """
    disk = f"{_server(config, settings)}:{settings.network.nbd_port}/{config.export}"
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


def _extlinux(values: dict[str, str]) -> str:
    device_trees = f"  fdtdir {values['dtbs']}\n" if values["dtbs"] else ""
    return (
        f"# {values['hostname']} ({values['mac']}): written by sbctui\n"
        "default sbctui\n"
        "prompt 0\n"
        "label sbctui\n"
        f"  kernel {values['kernel']}\n"
        f"  initrd {values['initramfs']}\n"
        f"{device_trees}"
        f"  append {values['arguments']}\n"
    )
