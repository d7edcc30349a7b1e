"""A served site whose board writes to an overlay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.model.node import DiskSpec, NodeConfig
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.port import Target
from tests.disks.place import tool
from tests.services.test_control_real import ONE
from tests.services.test_live_clone import BOARD, SIZE, Lab, lab


@contextmanager
def thin_lab(path: Path) -> Iterator[Lab]:
    """The site at ``path`` with the root golden and a leaf on it, which its board may open."""
    with lab(path) as made:
        golden, made.root = made.root, path / "nodes" / ONE / "root.qcow2"
        (made.root.parent / "boot").mkdir(parents=True)
        tool("qemu-img", "create", "-q", "-u", "-f", "qcow2", "-F", "raw",
             "-b", "../golden/root.img", made.root, str(SIZE))  # fmt: skip
        root = made.site.nodes["golden"].config
        mac = root.mac or ""
        root = root.model_copy(update={"mac": None, "ip": None, "children": {mac: ONE}})
        leaf = NodeConfig(
            kind="leaf",
            name=ONE,
            mac=mac,
            ip=IPv4Address(BOARD),
            parent="golden",
            disk=DiskSpec(format="qcow2", size=SIZE, base="golden", base_made=root.created),
        )
        (golden.parent / "config.json").write_bytes(root.to_json())
        (made.root.parent / "config.json").write_bytes(leaf.to_json())
        target = Target(ONE, made.root, "qcow2", IPv4Address(BOARD), golden)
        data = render_export(target, path)
        (path / "derived" / "exports" / f"{ONE}.json").write_bytes(data)
        made.control.apply()
        yield made
