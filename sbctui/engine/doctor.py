"""Is this machine fit to serve boards? Each check says what is there and what mends it.

Nothing here changes anything, and nothing raises: what can't be found out is itself a finding.
"""

from __future__ import annotations

import os
import resource
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from sbctui.engine import programs
from sbctui.engine.boards import vendors
from sbctui.engine.boot.loaders import LOADED, LOADERS, PACKAGE
from sbctui.engine.disks.probe import probe
from sbctui.engine.doctor_check import Check, Verdict, as_root
from sbctui.engine.doctor_network import interface, ports
from sbctui.engine.errors import SbcError, ToolMissing
from sbctui.engine.model.settings import Network, Settings
from sbctui.engine.model.text import clean
from sbctui.engine.services.control import SiteControl
from sbctui.engine.services.rundir import SOCKET_BYTES, run_dir
from sbctui.engine.services.supervise_holder import user_name
from sbctui.engine.store import Store, check_site, read_settings

_REMOTE = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "fuse.sshfs")
_CORE = frozenset(
    {
        "debugfs",
        "dnsmasq",
        "e2fsck",
        "mke2fs",
        "qemu-img",
        "qemu-storage-daemon",
        "resize2fs",
        "tar",
    }
)
"""Programs without which a site can't work at all."""
_LINGER = Path("/var/lib/systemd/linger")
"""Where systemd notes whose runtime folder outlives the last session."""
_LOW_BYTES = 2 << 30
_LOW_INODES = 10_000
_DESCRIPTORS = 4096


Look = tuple[str, Callable[[], list[Check]]]


def doctor(site_path: Path | None) -> tuple[Check, ...]:
    """Look at this machine and, when given, at a site. Never raises."""
    checks: list[Look] = [
        ("python", _python),
        ("tools", _tools),
        ("fuse", _fuse),
        ("vendors", _vendors),
        ("open files", _descriptors),
    ]
    if site_path is None:
        network = Settings().network
        checks += [("rights", lambda: _rights(network)), ("ports", lambda: ports(network, None))]
    else:
        checks += _site_checks(site_path)
    return tuple(check for name, look in checks for check in _guarded(name, look))


def _site_checks(site: Path) -> list[Look]:
    found = _guarded("site", lambda: _site(site))
    network = (read_settings(site) if found[0].ok != "bad" else Settings()).network
    checks: list[Look] = [
        ("site", lambda: found),
        ("rights", lambda: _rights(network)),
        ("interface", lambda: interface(network)),
        ("ports", lambda: ports(network, site)),
    ]
    if os.path.isdir(site):
        checks += [
            ("pc boot", lambda: _loaders(site)),
            ("file system", lambda: _filesystem(site)),
            ("runtime folder", lambda: _run_dir(site)),
            ("services", lambda: _services(site)),
        ]
    return checks


def _guarded(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    try:
        return look()
    except (SbcError, OSError, ValueError, psutil.Error) as error:
        return [Check(name, "bad", clean(str(error)))]


def _python() -> list[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    return [Check("python", "ok", f"{version} at {sys.executable}")]


def _tools() -> list[Check]:
    missing: list[str] = []
    for tool in programs.PACKAGES:
        try:
            programs.find(tool)
        except ToolMissing:
            missing.append(tool)
    if not missing:
        return [Check("tools", "ok", f"all {len(programs.PACKAGES)} programs are installed")]
    packages = sorted({programs.PACKAGES[tool] for tool in missing})
    remedy = as_root(f"apt-get install {' '.join(packages)}")
    worst: Verdict = "bad" if _CORE & set(missing) else "warn"
    return [Check("tools", worst, f"missing: {', '.join(missing)}", remedy)]


def _vendors() -> list[Check]:
    """The table of who made which network card, for boards that have no node yet."""
    found = next((path for path in vendors.TABLES if path.is_file()), None)
    if found is not None:
        return [Check("vendors", "ok", f"makers of network cards from {found}")]
    detail = "boards that ask are shown without their maker: no 20-OUI.hwdb"
    return [Check("vendors", "warn", detail, as_root(f"apt-get install {vendors.PACKAGE}"))]


def _fuse() -> list[Check]:
    device = Path("/dev/fuse")
    without = "personalising overlays goes by the kernel command line instead"
    if not device.exists():
        return [Check("fuse", "warn", f"no {device}; {without}", as_root("modprobe fuse"))]
    if not os.access(device, os.R_OK | os.W_OK):
        return [Check("fuse", "warn", f"{device} is not yours to open; {without}")]
    return [Check("fuse", "ok", f"{device} can be opened")]


def _descriptors() -> list[Check]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= _DESCRIPTORS or os.geteuid() == 0:
        return [Check("open files", "ok", "enough for a thousand disks")]
    detail = f"at most {hard} open files, enough for {max(0, (hard - 64) // 2)} overlay disks"
    return [Check("open files", "warn", detail, f"raise it: ulimit -Hn {_DESCRIPTORS}")]


def _rights(network: Network) -> list[Check]:
    if os.geteuid() == 0:
        return [Check("rights", "ok", "root: DHCP, TFTP and NBD can be served")]
    user = user_name(os.geteuid())
    detail = f"{user}, not root: disks can be served, DHCP and TFTP (ports 67 and 69) can't"
    wanted: Verdict = "warn" if network.interface else "ok"
    return [Check("rights", wanted, detail, "to serve them: sudo sbctui services start")]


def _site(site: Path) -> list[Check]:
    check_site(site)
    read_settings(site)
    facts = site.stat()
    if facts.st_mode & 0o007:
        quoted = shlex.quote(str(site))
        detail = f"{site}: everybody on this machine may enter it"
        return [Check("site", "warn", detail, as_root(f"chmod o= {quoted}"))]
    return [
        Check("site", "ok", f"{site}, owned by {user_name(facts.st_uid)}, safe from other users")
    ]


def _filesystem(site: Path) -> list[Check]:
    nodes = site / "nodes"
    found = probe(nodes if nodes.is_dir() else site)
    space = os.statvfs(site)
    quoted = shlex.quote(str(site))
    if found.filesystem in _REMOTE:
        detail = f"{found.filesystem}: locks and in-use checks can't be trusted there"
        kind = Check("file system", "bad", detail, "move the site to a local disk")
    elif space.f_flag & os.ST_RDONLY or not os.access(nodes, os.W_OK):
        remedy = as_root(f"mount -o remount,rw $(findmnt -no TARGET -T {quoted})")
        kind = Check("file system", "bad", f"{found.filesystem}: not writable", remedy)
    else:
        verdict: Verdict = "warn" if found.store == "copy" else "ok"
        detail = f"{found.filesystem}; clones by {found.store}: {found.reason}"
        kind = Check("file system", verdict, detail)
    return [kind, _space(space)]


def _space(space: os.statvfs_result) -> Check:
    free = space.f_bavail * space.f_frsize
    detail = f"{free / (1 << 30):.1f} GiB and {space.f_favail} inodes free"
    # btrfs has no fixed number of inodes and says 0 of 0.
    low = free < _LOW_BYTES or (space.f_files > 0 and space.f_favail < _LOW_INODES)
    remedy = "make room: sbctui trash purge, or a larger disk" if low else ""
    return Check("space", "warn" if low else "ok", detail, remedy)


def _loaders(site: Path) -> list[Check]:
    """iPXE for PCs, where a node is for one."""
    nodes = Store(site).load().nodes.values()
    if not any(node.config.boot.arch == LOADED for node in nodes):
        return []
    missing = [path for path in LOADERS.values() if not os.path.exists(path)]
    if not missing:
        return [Check("pc boot", "ok", "iPXE is there for PCs whose firmware has none")]
    detail = f"{' and '.join(missing)} are not there: PCs boot only if their card has iPXE"
    return [Check("pc boot", "warn", detail, as_root(f"apt-get install {PACKAGE}"))]


def _run_dir(site: Path) -> list[Check]:
    run = run_dir(site)
    length = len(os.fsencode(run)) + 32
    if length > SOCKET_BYTES:
        return [Check("runtime folder", "bad", f"{run} is too long for sockets")]
    if run.exists() and run.stat().st_uid not in (0, os.geteuid()):
        return [Check("runtime folder", "bad", f"{run} is another user's", f"rm -r {run}")]
    user = user_name(os.geteuid())
    if run.is_relative_to("/run/user") and not (_LINGER / user).exists():
        detail = f"{run} is removed when {user} logs out, and disks can't be had any more"
        return [Check("runtime folder", "warn", detail, f"loginctl enable-linger {user}")]
    return [Check("runtime folder", "ok", str(run))]


def _services(site: Path) -> list[Check]:
    control = SiteControl(site)
    start = "sbctui services start"
    if not control.running():
        return [Check("services", "warn", "not running", start)]
    found = [Check("services", "ok", f"supervised, generation {control.generation()}")]
    for status in control.status():
        verdict: Verdict = "bad" if status.state in ("failing", "stopped") else "ok"
        detail = f"{status.state}{', process ' + str(status.pid) if status.pid else ''}"
        if status.detail:
            detail += f": {status.detail}"
        log = site / "state" / f"{status.name}.log"
        remedy = f"tail {shlex.quote(str(log))}" if verdict == "bad" else ""
        found.append(Check(status.name, verdict, clean(detail), remedy))
    return found
