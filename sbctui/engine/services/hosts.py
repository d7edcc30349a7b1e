"""The boards dnsmasq knows: one small file each, in a folder that it watches.

What dnsmasq 2.90 does with that folder, seen on the wire, shapes this file. A new file and a
new address act at once. Everything else only after SIGHUP, when it forgets all hosts and reads
the folder again: an address that an older line had is refused as a duplicate until then, even
to the same board, and a deleted file stays in force. So a board that goes is first told to be
ignored (that acts at once), then its file goes, then SIGHUP. A line with a tag crashes it at
SIGHUP: no tags. Success is what its log says, not that a file was written.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.files import Owner, flocked, hit
from sbctui.engine.model.addresses import dashed, parse_mac, parse_name, shown, undashed
from sbctui.engine.model.site import Lease, Seen
from sbctui.engine.services.dnsmasq_log import Verdicts
from sbctui.engine.services.leases import lease_file, read_leases
from sbctui.engine.services.port import Changes, Control, Host

_TAKEN_FOR_SOMETHING_ELSE = re.compile(r"ignore|infinite|[0-9]+[smhdw]?")
"""Names that dnsmasq reads as a keyword or a lease time."""
_PATIENCE = 5.0
_RELEASE = 1.0
_STEPS = (0.002, 0.005, 0.01, 0.02)


def hosts_dir(site: Path) -> Path:
    """Where a site's host files are."""
    return site / "derived" / "dnsmasq" / "hosts.d"


def log_file(site: Path) -> Path:
    """dnsmasq's log."""
    return site / "state" / "dnsmasq.log"


def render_host(host: Host) -> bytes:
    """The line that gives a board its address and name.

    A name that dnsmasq would take for a keyword or a lease time is left out: the board then
    keeps the name in its own disk. Raises BadInput for what is no MAC, address or name.
    """
    if not isinstance(host.ip, IPv4Address):
        raise BadInput(f"{shown(str(host.ip))} is not an IPv4 address")
    if parse_mac(host.mac) != host.mac:
        raise BadInput(f"{shown(host.mac)} is not a MAC in its stored form")
    name = parse_name(host.hostname)
    said = "" if _TAKEN_FOR_SOMETHING_ELSE.fullmatch(name) else f",{name}"
    return f"{host.mac},{host.ip}{said}\n".encode()


def read_host(data: bytes) -> tuple[str, IPv4Address] | None:
    """The MAC and address in a host file; None for a tombstone or anything not ours."""
    try:
        mac, ip, *_ = data.decode("ascii").strip().split(",")
        return parse_mac(mac), IPv4Address(ip)
    except (ValueError, BadInput):
        return None


@dataclass
class _Difference:
    """What has to change in the folder; ``old`` is what each file there held."""

    old: dict[str, bytes] = field(default_factory=dict)
    new: dict[str, bytes] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.gone)

    def changes(self, refused: Mapping[str, str]) -> Changes:
        """In the port's words."""
        stand = sorted(self.new.keys() - refused.keys())
        return Changes(
            added=tuple(name for name in stand if name not in self.old),
            changed=tuple(name for name in stand if name in self.old),
            removed=tuple(sorted(self.gone)),
            refused=tuple(sorted(refused.items())),
        )

    def moved(self, name: str) -> bool:
        """Whether a file that was there gives its board another address."""
        old = read_host(self.old.get(name, b""))
        new = read_host(self.new.get(name, b""))
        return old is not None and new is not None and old[1] != new[1]


class HostsDir:
    """The folder of host files of one site, and the dnsmasq that watches it.

    ``control`` sends SIGHUP and releases leases. When dnsmasq does not run only the files
    change: it reads them at its start.
    """

    def __init__(self, site: Path, control: Control) -> None:
        self._folder = hosts_dir(site)
        self._log = log_file(site)
        self._leases = lease_file(site)
        self._control = control

    def has(self, name: str) -> bool:
        """Whether a board (dashed MAC) has a host file."""
        return (self._folder / name).is_file()

    def leases(self) -> tuple[Lease, ...]:
        """Leases in force, from the lease file."""
        return read_leases(self._leases)

    def seen(self) -> tuple[Seen, ...]:
        """Boards without a node that asked for an address, newest first."""
        return self._control.seen()

    def reconcile(
        self, wanted: Mapping[str, Host], names: Collection[str] | None = None
    ) -> Changes:
        """Add, change, remove hosts by dashed MAC; only those in ``names`` unless it is None.

        A host that dnsmasq refuses is put back as it was. Raises ServiceFailed, BadInput.
        """
        lines = {name: render_host(host) for name, host in wanted.items()}
        for name, host in wanted.items():
            if name != dashed(host.mac):
                raise BadInput(f"{shown(name)} is not the board {host.mac}")
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        with flocked(self._folder):
            difference = self._compare(lines, names)
            if not difference:
                return Changes()
            if self._serving():
                refused = self._apply(difference, lines)
            else:
                refused = {}
                self._store(difference.new)
                self._unlink(difference.gone)
        return difference.changes(refused)

    def _compare(self, lines: Mapping[str, bytes], names: Collection[str] | None) -> _Difference:
        found = _Difference()
        for name in self._names() | lines.keys() if names is None else names:
            path = self._folder / name
            old = path.read_bytes() if path.is_file() else None
            if old is not None:
                found.old[name] = old
            if name not in lines:
                found.gone.extend([name] if old is not None else [])
            elif lines[name] != old:
                found.new[name] = lines[name]
        return found

    def _names(self) -> set[str]:
        """Files that dnsmasq reads. Our own temp files of an earlier life are removed."""
        names = set(os.listdir(self._folder))
        for temp in [name for name in names if name.startswith(".")]:
            (self._folder / temp).unlink(missing_ok=True)
        return {name for name in names if not name.startswith(".")}

    def _serving(self) -> bool:
        return any(s.name == "dnsmasq" and s.state == "running" for s in self._control.status())

    def _apply(self, difference: _Difference, lines: Mapping[str, bytes]) -> dict[str, str]:
        """Change the files and see to it that dnsmasq follows; names it refused, and why."""
        tombstones = {
            name: f"{mac},ignore\n".encode()
            for name in difference.gone
            if (mac := undashed(name)) is not None
        }
        said = self._told(lambda: self._store({**tombstones, **difference.new}),
                          tombstones.keys() | difference.new.keys())  # fmt: skip
        self._unlink(difference.gone)
        stale = [n for n in difference.new if n in difference.old and not difference.moved(n)]
        if said or difference.gone or stale:
            said = self._told(self._control.reload_dhcp, self._names())
        refused = {name: line for name, line in said.items() if name in difference.new}
        if refused:
            self._store({n: difference.old[n] for n in refused if n in difference.old})
            self._unlink([n for n in refused if n not in difference.old])
        self._release((difference.new.keys() | difference.gone) - refused.keys(), lines)
        return refused

    def _told(self, act: Callable[[], None], names: Collection[str]) -> dict[str, str]:
        """Act, wait until dnsmasq has read the named files; its complaints about them."""
        verdicts = Verdicts(self._log, self._folder)
        try:
            act()
            _wait(lambda: verdicts.look().issuperset(names), _PATIENCE)
            _wait(lambda: _idle(verdicts.pid), _RELEASE)
            verdicts.look()
        finally:
            verdicts.close()
        late = f"dnsmasq has not read it within {_PATIENCE:g} s; see {self._log.name}"
        unread = {name: late for name in names if name not in verdicts.read}
        return {**unread, **{n: why for n, why in verdicts.refused.items() if n in names}}

    def _store(self, files: Mapping[str, bytes]) -> None:
        """Write files by rename. Not flushed: all of this can be derived again."""
        owner = _owner(self._folder)
        for name, data in files.items():
            path = self._folder / name
            temp = path.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
            hit("hosts.write")
            try:
                fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
                with open(fd, "wb") as file:
                    file.write(data)
                    os.fchmod(fd, 0o640)
                    if owner is not None:
                        os.fchown(fd, *owner)
                hit("hosts.rename")
                temp.replace(path)
            except BaseException:
                temp.unlink(missing_ok=True)
                raise

    def _unlink(self, names: Collection[str]) -> None:
        for name in names:
            hit("hosts.unlink")
            (self._folder / name).unlink(missing_ok=True)

    def _release(self, touched: Collection[str], lines: Mapping[str, bytes]) -> None:
        """Free every address that a changed or removed board has, or that another should have."""
        hosts = (read_host(lines[name]) for name in touched if name in lines)
        wanted = dict(filter(None, hosts))
        holders = {ip: mac for mac, ip in wanted.items()}
        macs = {mac for mac in map(undashed, touched) if mac is not None}
        stale = {
            (lease.mac, lease.ip)
            for lease in self.leases()
            if (lease.mac in macs and wanted.get(lease.mac) != lease.ip)
            or holders.get(lease.ip, lease.mac) != lease.mac
        }
        for mac, ip in sorted(stale):
            self._control.release(mac, ip)
        if stale:
            _wait(lambda: not stale & {(one.mac, one.ip) for one in self.leases()}, _RELEASE)


def _owner(folder: Path) -> Owner:
    """Whose the files are when root writes for somebody else."""
    facts = folder.stat()
    return (facts.st_uid, facts.st_gid) if os.geteuid() == 0 and facts.st_uid else None


def _wait(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    steps = iter(_STEPS)
    while not condition() and time.monotonic() < deadline:
        time.sleep(next(steps, _STEPS[-1]))


def _idle(pid: int) -> bool:
    """Whether dnsmasq waits for something to do, so that it has said all it had to say."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state == b"S"
