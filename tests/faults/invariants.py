"""What must hold of a site after any fault and recovery, read from the folders alone.

Written apart from the audit on purpose: raw JSON, no ``Site``, no checks of the product. Only
the derived files are compared with the product's own derivation, as that is their definition.
"""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import zlib
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from sbctui.engine.derive import derive
from sbctui.engine.reconcile import known_hosts
from sbctui.engine.services.exportfile import render_export
from sbctui.engine.services.hosts import render_host
from sbctui.engine.store import Store

_KNOWN_GOOD: set[int] = set()
"""Fingerprints of disks that a file system check has passed."""


def violations(site: Path, *, orphans: bool = False, derived: bool = True) -> list[str]:
    """Every invariant broken, in words; ``orphans`` = unlisted leaves are part of the test."""
    found = list(_nodes(site))
    configs = dict(_configs(site))
    found += _unique(site, configs)
    found += _family(site, configs, orphans=orphans)
    found += _leftovers(site)
    if derived and not found:
        found += _derived(site)
    return found


def _configs(site: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in (site / "nodes").iterdir():
        if not folder.name.startswith("."):
            try:
                yield folder.name, json.loads((folder / "config.json").read_bytes())
            except (OSError, ValueError):
                continue


def _nodes(site: Path) -> Iterator[str]:
    for folder in (site / "nodes").iterdir():
        if folder.name.startswith("."):
            continue
        try:
            config = json.loads((folder / "config.json").read_bytes())
        except (OSError, ValueError) as error:
            yield f"I1: {folder.name}: config.json: {error}"
            continue
        if config["name"] != folder.name:
            yield f"I1: {folder.name} is named {config['name']}"
        yield from _disk(site, folder, config["disk"])
        for name in filter(None, config["boot"].values()):
            if name != config["boot"]["arch"] and not (folder / "boot" / name).exists():
                yield f"I1: {folder.name}: boot/{name} is missing"
        if not (folder / "boot").is_dir():
            yield f"I1: {folder.name}: no boot folder"


def _disk(site: Path, folder: Path, disk: dict[str, Any]) -> Iterator[str]:
    raw = disk["format"] == "raw"
    path = folder / ("root.img" if raw else "root.qcow2")
    if not path.is_file():
        yield f"I1: {folder.name}: {path.name} is missing"
        return
    size = path.stat().st_size if raw else _virtual(path)
    if size != disk["size"] or disk.get("resize_to"):
        yield f"I1: {folder.name}: the disk has {size} bytes, not {disk['size']}"
    mark = fingerprint(path)
    if mark in _KNOWN_GOOD:
        return
    command = ["e2fsck", "-fn", path] if raw else ["qemu-img", "check", "-q", "-f", "qcow2", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"I1: {folder.name}: {done.stdout.strip()[-200:]} {done.stderr.strip()[-200:]}"
    else:
        _KNOWN_GOOD.add(mark)


def _virtual(path: Path) -> int:
    with open(path, "rb") as file:
        head = file.read(32)
    return int(struct.unpack(">24xQ", head)[0]) if head[:4] == b"QFI\xfb" else -1


def fingerprint(path: Path) -> int:
    """A number for a sparse file's size and data."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        mark, place = zlib.crc32(str(end).encode()), 0
        while place < end:
            try:
                start = os.lseek(file.fileno(), place, os.SEEK_DATA)
            except OSError:
                break
            place = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            mark = zlib.crc32(os.pread(file.fileno(), place - start, start).rstrip(b"\0"), mark)
    return mark


def _unique(site: Path, configs: dict[str, dict[str, Any]]) -> Iterator[str]:
    for key in ("mac", "ip"):
        counts = Counter(c[key] for c in configs.values() if c[key])
        yield from (f"I2: {n} nodes have the {key} {v}" for v, n in counts.items() if n > 1)
    text = (site / "site.toml").read_text()
    subnet = re.search(r'subnet = "(.*)"', text)
    net = IPv4Network(subnet.group(1)) if subnet else None
    for name, config in configs.items():
        if net and config["ip"] and IPv4Address(config["ip"]) not in net:
            yield f"I2: {name} has {config['ip']}, outside {net}"
        if bool(config["mac"]) != bool(config["ip"]):
            yield f"I2: {name} has mac {config['mac']} and ip {config['ip']}"


def _family(site: Path, configs: dict[str, dict[str, Any]], *, orphans: bool) -> Iterator[str]:
    listed = Counter(child for c in configs.values() for child in c["children"].values())
    for name, config in configs.items():
        for mac, child in config["children"].items():
            if child != mac.replace(":", "-") or child not in configs:
                yield f"I3: {name} lists {mac} as {child}, which is not there"
        if config["kind"] == "leaf" and listed[name] != 1 and not orphans:
            yield f"I3: {name} is listed {listed[name]} times"
        if config["kind"] == "root" and config["mac"] and config["children"]:
            yield f"I3: {name} is allocated and has leaves"
        base = config["disk"].get("base")
        if base and (
            base not in configs or configs[base]["created"] != config["disk"]["base_made"]
        ):
            yield f"I3: {name} stands on {base}, which is not there"


def _leftovers(site: Path) -> Iterator[str]:
    known = {"site.toml", "lock", "nodes", "trash", "jobs", "derived", "state", "templates"}
    known |= {"pins.json", "boards.json", "repo", "bootkit"}
    yield from (f"I6: {name}" for name in sorted(set(os.listdir(site)) - known))
    for folder, folders, files in os.walk(site):
        inside = os.path.relpath(folder, site)
        for name in (*folders, *files):
            if name.startswith(".") and name not in (".overlay.toml", ".packages"):
                yield f"I6: {inside}/{name} is left"
    belongs = {"config.json", "boot", "root.img", "root.qcow2", "overlay.json"}
    for place in ("nodes", "trash"):
        for node in (site / place).iterdir():
            if node.is_dir():
                more = (
                    set(os.listdir(node)) - belongs - ({"overlay"} if place == "trash" else set())
                )
                yield from (f"I6: {place}/{node.name}/{name} is left" for name in sorted(more))
            elif place == "nodes":
                yield f"I6: {place}/{node.name} is left"
    for job in (site / "jobs").iterdir():
        if not (job / "result.json").exists():
            yield f"I6: the job {job.name} has no result"


def _derived(site: Path) -> Iterator[str]:
    now = Store(site).load()
    wanted = derive(now)
    files = {f"derived/dnsmasq/hosts.d/{k}": render_host(h) for k, h in wanted.hosts.items()}
    files |= {
        f"derived/exports/{k}.json": render_export(t, site) for k, t in wanted.exports.items()
    }
    files |= {f"derived/tftp/{k}": target.encode() for k, target in wanted.links.items()}
    files["derived/known_hosts"] = known_hosts(now)
    there: dict[str, bytes] = {}
    for folder, folders, names in os.walk(site / "derived"):
        for name in (*names, *(f for f in folders if os.path.islink(os.path.join(folder, f)))):
            path = Path(folder, name)
            data = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            there[str(path.relative_to(site))] = data
    there.pop("derived/dnsmasq/dnsmasq.conf", None)
    if not there.get("derived/known_hosts") and not files["derived/known_hosts"]:
        files.pop("derived/known_hosts")
        there.pop("derived/known_hosts", None)
    for path in sorted(files.keys() | there.keys()):
        if files.get(path) != there.get(path):
            yield f"I4: {path} is {there.get(path)!r}, not {files.get(path)!r}"
    for name, rendered in wanted.boot.items():
        for file, data in rendered.items():
            path = site / "nodes" / name / "boot" / file
            if not path.exists() or path.read_bytes() != data:
                yield f"I4: nodes/{name}/boot/{file}"


State = dict[str, Any]


def _overlays(site: Path) -> dict[str, str]:
    """Every file of an overlay, in its place or in the trash, and its content."""
    found = {}
    for path in sorted((*site.glob("repo/*/*/*/**/*"), *site.glob("trash/*/overlay/**/*"))):
        if path.is_file():
            at = path.relative_to(site)
            place = Path("trash", *at.parts[2:]) if at.parts[0] == "trash" else at
            found[str(place)] = path.read_text()
    return found


def _laid(folder: Path) -> list[str]:
    """Paths that were laid over a disk for certain."""
    path = folder / "overlay.json"
    files = json.loads(path.read_bytes())["files"] if path.exists() else {}
    return sorted(name for name, digest in files.items() if digest)


def _pins(site: Path) -> dict[str, Any]:
    """What is kept, by finding."""
    path = site / "pins.json"
    pins = json.loads(path.read_bytes())["pins"] if path.exists() else []
    return {pin["finding"]: {**pin, "made": ""} for pin in pins}


def _kits(site: Path) -> dict[str, Any]:
    """What was built, by place, and whether it is as its manifest says."""
    return {
        str(path.parent.relative_to(site)): [
            path.read_text(),
            sha256((path.parent / "initrd.img").read_bytes()).hexdigest(),
        ]
        for path in (site / "bootkit").glob("[!.]*/[!.]*/manifest.json")
    }


def _templates(site: Path) -> list[str]:
    return sorted(str(p.relative_to(site)) for p in (site / "templates").rglob("*") if p.is_file())


_PLAIN: dict[str, Any] = {"created": "", "disk": 0}


def state(site: Path) -> State:
    """Everything a verb can change, without times and random parts, to compare old and new.

    Keys are ``nodes/<name>``, ``trash/<name>`` and what stands beside them; a value is the config,
    the names in boot/, what was laid over the disk and its fingerprint, or what is kept, built or
    set.
    """
    found: State = {
        "pins.json": {"config": _pins(site), **_PLAIN},
        "repo": {"config": _overlays(site), **_PLAIN},
        "bootkit": {"config": _kits(site), **_PLAIN},
        "site.toml": {"config": {"text": (site / "site.toml").read_text()}, **_PLAIN},
        "templates": {"config": {"there": _templates(site)}, **_PLAIN},
    }
    for place in ("nodes", "trash"):
        for folder in sorted((site / place).iterdir()):
            if folder.name.startswith(".") or not (folder / "config.json").is_file():
                continue
            try:
                config = json.loads((folder / "config.json").read_bytes())
            except ValueError:
                found[f"{place}/{folder.name}"] = {"config": {}, "created": "", "disk": 0}
                continue
            file = "root.img" if config["disk"]["format"] == "raw" else "root.qcow2"
            disk = folder / file
            created = config.pop("created")
            config.pop("host_key", None)
            config["disk"].pop("base_made", None)
            found[f"{place}/{config['name']}"] = {
                "config": config,
                "created": created,
                "boot": sorted(str(p.relative_to(folder)) for p in (folder / "boot").rglob("*")),
                "laid": _laid(folder),
                "disk": fingerprint(disk) if disk.is_file() else None,
            }
    return found
