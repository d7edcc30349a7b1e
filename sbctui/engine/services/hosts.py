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
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine.errors import BadInput
from sbctui.engine.model.addresses import dashed, parse_mac, parse_name, shown, undashed
from sbctui.engine.model.site import Lease, Seen
from sbctui.engine.services.dnsmasq_log import Verdicts
from sbctui.engine.services.hosts_folder import HostsFolder
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


def known_macs(site: Path) -> frozenset[str]:
    """The boards that dnsmasq is told to know."""
    try:
        names = os.listdir(hosts_dir(site))
    except OSError:
        return frozenset()
    return frozenset(mac for mac in map(undashed, names) if mac is not None)


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

    def wants(self, name: str) -> IPv4Address:
        """The address that a new or changed file gives."""
        host = read_host(self.new[name])
        assert host is not None
        return host[1]

    def moved(self, name: str) -> bool:
        """Whether a file that was there gives its board another address."""
        old = read_host(self.old.get(name, b""))
        return old is not None and old[1] != self.wants(name)


class HostsDir:
    """The folder of host files of one site, and the dnsmasq that watches it.

    ``control`` sends SIGHUP and releases leases. When dnsmasq does not run only the files
    change: it reads them at its start.
    """

    def __init__(self, site: Path, control: Control) -> None:
        self._folder = HostsFolder(hosts_dir(site))
        self._log = log_file(site)
        self._leases = lease_file(site)
        self._control = control

    def has(self, name: str) -> bool:
        """Whether a board (dashed MAC) has a host file."""
        return self._folder.read(name) is not None

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
        with self._folder.held():
            difference = self._compare(lines, names)
            if not difference:
                return Changes()
            if self._serving():
                refused = self._apply(difference, lines)
            else:
                refused = {}
                self._folder.store(difference.new)
                self._folder.unlink(difference.gone)
        return difference.changes(refused)

    def _compare(self, lines: Mapping[str, bytes], names: Collection[str] | None) -> _Difference:
        found = _Difference()
        for name in self._folder.names() | lines.keys() if names is None else names:
            old = self._folder.read(name)
            if old is not None:
                found.old[name] = old
            if name not in lines:
                found.gone.extend([name] if old is not None else [])
            elif lines[name] != old:
                found.new[name] = lines[name]
        return found

    def _serving(self) -> bool:
        return any(s.name == "dnsmasq" and s.state == "running" for s in self._control.status())

    def _apply(self, difference: _Difference, lines: Mapping[str, bytes]) -> dict[str, str]:
        """Change the files and see to it that dnsmasq follows; names it refused, and why."""
        tombstones = {
            name: f"{mac},ignore\n".encode()
            for name in difference.gone
            if (mac := undashed(name)) is not None
        }
        said = self._told(lambda: self._folder.store({**tombstones, **difference.new}),
                          tombstones.keys() | difference.new.keys())  # fmt: skip
        self._folder.unlink(difference.gone)
        refused = self._put_back_conflicts(difference, said) if said else {}
        stale = [n for n in difference.new if n in difference.old and not difference.moved(n)]
        if said or difference.gone or stale:
            said = self._told(self._control.reload_dhcp, self._folder.names())
            late = {
                n: why for n, why in said.items() if n in difference.new.keys() - refused.keys()
            }
            self._put_back(difference, late)
            refused |= late
        self._release((difference.new.keys() | difference.gone) - refused.keys(), lines)
        return refused

    def _put_back_conflicts(
        self, difference: _Difference, said: Mapping[str, str]
    ) -> dict[str, str]:
        """Of the refused files put back those whose address another file really has.

        The others were refused for what dnsmasq still remembers, until SIGHUP.
        """
        holders: dict[IPv4Address, set[str]] = {}
        for name in self._folder.names():
            host = read_host(self._folder.read(name) or b"")
            if host is not None:
                holders.setdefault(host[1], set()).add(name)
        refused: dict[str, str] = {}
        pending = sorted(said.keys() & difference.new.keys())
        while found := [
            n for n in pending if n not in refused and len(holders.get(difference.wants(n), ())) > 1
        ]:
            name = found[0]
            refused[name] = said[name]
            holders[difference.wants(name)].discard(name)
            old = read_host(difference.old.get(name, b""))
            if old is not None:
                holders.setdefault(old[1], set()).add(name)
        self._put_back(difference, refused)
        return refused

    def _put_back(self, difference: _Difference, names: Collection[str]) -> None:
        self._folder.store({n: difference.old[n] for n in names if n in difference.old})
        self._folder.unlink([n for n in names if n not in difference.old])

    def _told(self, act: Callable[[], None], names: Collection[str]) -> dict[str, str]:
        """Act, wait until dnsmasq has read the named files; its complaints about them."""
        verdicts = Verdicts(self._log, self._folder.path)
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
