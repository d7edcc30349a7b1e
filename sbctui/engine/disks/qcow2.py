"""How qemu's programs are told of a disk: every file named, nothing in a header followed."""

from __future__ import annotations

import json
from pathlib import Path


def block_node(path: Path, base: Path | None, *, name: str | None = None) -> dict[str, object]:
    """The block node of an overlay on the raw disk ``base``, or with None of the overlay alone."""
    file = {"driver": "file", "filename": str(path)}
    backing: dict[str, object] | None = None
    if base is not None:
        below = {"driver": "file", "filename": str(base), "read-only": True}
        backing = {"driver": "raw", "read-only": True, "file": below}
    node: dict[str, object] = {"driver": "qcow2", "file": file, "backing": backing}
    return node if name is None else {**node, "node-name": name}


def node_spec(path: Path, base: Path | None) -> str:
    """The same as a file name for qemu-img."""
    return "json:" + json.dumps(block_node(path, base))
