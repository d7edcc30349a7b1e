"""A site with a root, and looking at what was laid over its leaves' disks."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sbctui.engine.disks.qcow2 import node_spec
from sbctui.engine.engine import Engine, init_site
from sbctui.engine.model import requests as ask
from sbctui.engine.model.settings import Settings
from sbctui.engine.plan import Report
from tests.disks.place import tool

MIB = 1024**2
OFF = {"hostname": False, "machine_id": False, "ssh_host_key": False}


def mac(number: int) -> str:
    return f"dc:a6:32:00:00:{number:02x}"


def name(number: int) -> str:
    return mac(number).replace(":", "-")


def image_tree(path: Path) -> Path:
    """What the root has: files, a link to a folder, a link to a file, a folder."""
    for folder in ("etc", "usr/lib", "opt/old"):
        (path / folder).mkdir(parents=True)
    (path / "etc/motd").write_text("of the image\n")
    (path / "etc/motd").chmod(0o640)
    (path / "etc/issue").write_text("welcome\n")
    (path / "etc/mtab").symlink_to("../proc/self/mounts")
    (path / "opt/old/thing").write_text("thing\n")
    (path / "lib").symlink_to("usr/lib")
    return path


def make_site(
    path: Path, tree: Path, *, kind: str = "copy", size: int = 8 * MIB, port: int = 0
) -> Engine:
    """A site with the root ``deb``; with a ``port`` boards are other addresses of loopback."""
    net = "127.0.0" if port else "10.77.0"
    settings = {
        "network": {
            "subnet": f"{net}.0/24",
            "pool": {"first": f"{net}.50", "last": f"{net}.250"},
            "server": f"{net}.1",
            **({"nbd_port": port} if port else {}),
        },
        "personalise": OFF,
        "disk_kind": kind,
    }
    init_site(path, Settings.model_validate(settings))
    engine = Engine(path)
    do(engine, ask.CreateRoot(name="deb", size=size, source=engine.source(tree)))
    return engine


def do(engine: Engine, request: ask.Request, code: int = 0) -> Report:
    report = engine.apply(engine.plan(request))
    assert report.code == code, report
    return report


def leaf(engine: Engine, number: int, group: str = "") -> Report:
    spec = ask.LeafSpec(mac=mac(number), alias=f"pi-{number}", group=group)
    return do(engine, ask.CreateLeaves(root="deb", leaves=(spec,)))


def put(site: Path, place: str, path: str, data: str = "laid\n", mode: int = 0o644) -> Path:
    """A file in an overlay (``groups/kitchen``), as an admin puts it there by hand."""
    file = site / "repo" / place / "deb" / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(data)
    file.chmod(mode)
    return file


def table(site: Path, place: str, text: str) -> None:
    folder = site / "repo" / place / "deb"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".overlay.toml").write_text(text)


class Seen:
    """A leaf's disk, looked at with debugfs."""

    def __init__(self, engine: Engine, number: int, scratch: Path) -> None:
        site = engine.site(full=True)
        config = site.nodes[name(number)].config
        self.disk = site.disk_path(config.name)
        if config.disk.base:
            flat = scratch / f"flat-{number}"
            base = site.node_path(config.disk.base) / "root.img"
            tool("qemu-img", "convert", "-O", "raw", node_spec(self.disk, base), flat)
            self.disk = flat

    def sound(self) -> bool:
        return tool("e2fsck", "-fn", self.disk, check=False).returncode == 0

    def read(self, path: str) -> str:
        return self._ask(f'cat "{path}"').stdout

    def facts(self, path: str) -> tuple[str, str, str]:
        """Kind, mode, owner; empty strings where nothing is."""
        text = self._ask(f'stat "{path}"').stdout
        if "Type:" not in text:
            return "", "", ""
        words = {
            key: text.split(key)[1].split()[0] for key in ("Type:", "Mode:", "User:", "Group:")
        }
        return words["Type:"], words["Mode:"], f"{words['User:']}:{words['Group:']}"

    def leads(self, path: str) -> str:
        return self._ask(f'stat "{path}"').stdout.split('Fast link dest: "')[1].split('"')[0]

    def _ask(self, what: str) -> subprocess.CompletedProcess[str]:
        return tool("debugfs", "-R", what, self.disk)


def states(engine: Engine, number: int) -> dict[str, str]:
    return {row.path: row.state for row in engine.overlay(name(number)).rows}
