"""One file per export in ``derived/exports``: what the supervisor is to serve, and to whom.

JSON, ``<dashed MAC>.json``: ``export``, ``file``, ``format``, ``address``, and ``base`` for an
overlay; paths are relative to the site, so that a site can be moved.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import undashed
from sbctui.engine.model.node import DISK_FILES
from sbctui.engine.model.text import clean
from sbctui.engine.services.port import Target

SUFFIX = ".json"


def exports_dir(site: Path) -> Path:
    """Where a site's export files are."""
    return site / "derived" / "exports"


def render_export(target: Target, site: Path) -> bytes:
    """The file's bytes. Raises ValueError for a path outside the site."""
    content = {
        "export": target.export,
        "file": str(target.file.relative_to(site)),
        "format": target.format,
        "address": str(target.address),
        "base": str(target.base.relative_to(site)) if target.base else None,
    }
    return json.dumps(content).encode() + b"\n"


def read_export(data: bytes, name: str, site: Path) -> Target:
    """The export a file describes; ``name`` is what the file is called without its suffix.

    Raises BadInput for what we would not have written.
    """
    try:
        raw = json.loads(data)
        base = _disk(site, raw["base"]) if raw["base"] is not None else None
        target = Target(
            export=raw["export"],
            file=_disk(site, raw["file"]),
            format=raw["format"],
            address=IPv4Address(raw["address"]),
            base=base,
        )
        ours = target.export == name and target.format in DISK_FILES
        ours = ours and (target.base is None or target.format == "qcow2")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInput(f"derived/exports/{clean(name)}: {clean(str(error))}") from None
    if not ours or undashed(name) is None:
        raise BadInput(f"derived/exports/{clean(name)} is not what sbctui writes")
    return target


def _disk(site: Path, text: str) -> Path:
    """A disk's path, which must be ``nodes/<name>/<disk file>``."""
    parts = Path(text).parts
    if len(parts) != 3 or parts[0] != "nodes" or parts[2] not in DISK_FILES.values():
        raise ValueError(f"{text!r} is no disk of a node")
    if parts[1] in ("", ".", ".."):
        raise ValueError(f"{text!r} is no disk of a node")
    return site / text
