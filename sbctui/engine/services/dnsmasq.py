"""dnsmasq as one of the site's daemons: tested before use, answering, its leases true."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from sbctui.engine import commands, files, programs
from sbctui.engine.errors import BadInput, ServiceFailed, ToolFailed, ToolMissing
from sbctui.engine.model.addresses import dashed
from sbctui.engine.model.settings import Settings
from sbctui.engine.model.text import clean
from sbctui.engine.services import dnsmasq_net as net
from sbctui.engine.services.dnsmasq_config import DnsmasqConfig, parse, render
from sbctui.engine.services.dnsmasq_log import split
from sbctui.engine.services.hosts import log_file, read_host
from sbctui.engine.services.leases import read_leases, release
from sbctui.engine.services.processes import Process, last_line

_TRIAL = 3.0
_LOG_BYTES = 16 << 20
_SOON = 1.0
_ALL_USERS = "4294967295"


class DnsmasqDaemon:
    """dnsmasq of one site, with the settings as they were when this was made.

    ``run`` is the runtime folder, ``owner`` the site's (uid, gid), whom dnsmasq becomes.
    """

    def __init__(self, site: Path, run: Path, settings: Settings, owner: tuple[int, int]) -> None:
        self._site = site
        self._run = run
        self._settings = settings
        self._owner = owner
        self._folder = site / "derived" / "dnsmasq"
        self._conf = self._folder / "dnsmasq.conf"
        self._last = self._folder / "dnsmasq.conf.last"
        self._pid = 0

    @property
    def name(self) -> str:
        """``dnsmasq``."""
        return "dnsmasq"

    def off(self) -> str:
        """Empty when DHCP and TFTP are wanted and possible here; else why not, and the remedy."""
        network = self._settings.network
        if not network.interface:
            return (
                "no interface: DHCP and TFTP never start; "
                "set one with sbctui site init --interface IF --subnet CIDR"
            )
        if network.subnet is None:
            return "no subnet: set one with sbctui site init --subnet CIDR"
        if os.geteuid() != 0:
            command = commands.pasteable(["sudo", "sbctui", "--site", self._site])
            return f"needs root: {command} services start"
        try:
            programs.find("dnsmasq")
            programs.find("dhcp_release")
        except ToolMissing as error:
            return str(error)
        ours = self._conf_argument()
        held = (net.taken(interface, ours) for interface in network.interfaces)
        return net.unready(network) or next(filter(None, held), "")

    def prepare(self) -> None:
        """Install the configuration for the settings, tested first, if it is a new one.

        The one before stays beside it. Raises ServiceFailed with dnsmasq's own line; the old
        configuration is then in force, and the last good one is back should it be damaged.
        """
        try:
            config = self._config()
            wanted = render(config)
            self._furnish(config)
            installed = self._conf.read_bytes() if self._conf.is_file() else b""
            if installed == wanted:
                return
            self._try(config, wanted)
        except (BadInput, OSError, ServiceFailed, ToolMissing) as error:
            self._save_old()
            raise ServiceFailed(f"dnsmasq's configuration can't be used: {error}") from None
        if _usable(installed):
            files.write_atomic(self._last, installed, owner=self._give())
        files.write_atomic(self._conf, wanted, owner=self._give())

    def argv(self) -> Sequence[str]:
        """The argument list."""
        return ["dnsmasq", _stay(), self._conf_argument()]

    def drop_privileges(self) -> bool:
        """False: dnsmasq binds its ports first and then becomes the site's owner itself."""
        return False

    def healthy(self) -> str:
        """Empty when it answers within a second; else what is wrong. Never raises.

        Also the place where a log that has grown long is set aside.
        """
        try:
            pid = self.pid()
            wrong = net.silent(pid) if pid else "it has not started"
            if not wrong:
                self._set_log_aside(pid)
            return wrong
        except (OSError, ValueError, IndexError) as error:
            return f"it can't be asked: {clean(str(error))}"

    def started(self) -> None:
        """Make it true to the host files: forget deleted ones, release what nobody should have.

        Raises ToolFailed.
        """
        config = self._config()
        process = Process.open(self.pid())
        if process is not None:
            if config.hosts.stat().st_mtime > process.since - _SOON:
                process.send(signal.SIGHUP)
            process.close()
        for lease in read_leases(config.leases):
            try:
                host = read_host((config.hosts / dashed(lease.mac)).read_bytes())
            except OSError:
                host = None
            if host != (lease.mac, lease.ip):
                self.release(lease.mac, lease.ip)

    def release(self, mac: str, ip: IPv4Address) -> None:
        """Free a lease at once. Raises ToolFailed, ToolMissing."""
        network = self._settings.network
        segment = network.segment_of(ip)
        release(segment.interface if segment else network.interface, ip, mac)

    def pid(self) -> int:
        """The running dnsmasq of this site; 0 when it does not run."""
        mine = self._conf_argument()
        if not net.is_dnsmasq(self._pid, mine):
            self._pid = net.find_dnsmasq(mine)
        return self._pid

    def _conf_argument(self) -> str:
        return f"--conf-file={self._conf}"

    def _config(self) -> DnsmasqConfig:
        try:
            user, group = _names(self._owner)
        except KeyError:
            uid, gid = self._owner
            raise BadInput(
                f"the site belongs to uid {uid}, gid {gid}, which have no names here; "
                f"give it to a user: chown -R USER:GROUP {self._site}"
            ) from None
        return DnsmasqConfig.of(self._settings, self._site, self._run, user, group)

    def _furnish(self, config: DnsmasqConfig) -> None:
        """Make what dnsmasq wants to find, owned so that it and the owner can use it."""
        owner = self._give()
        for folder in (config.leases.parent, self._folder.parent, self._folder, config.hosts,
                       config.tftp):  # fmt: skip
            with suppress(FileExistsError):
                files.make_dir(folder, owner=owner)
        for file in (config.leases, config.log):
            if file.is_symlink() or (file.exists() and not file.is_file()):
                raise ServiceFailed(f"{file} is no file; move it away")
            with suppress(FileExistsError):
                files.write_new(file, b"", owner=owner)

    def _give(self) -> files.Owner:
        return self._owner if os.geteuid() == 0 and self._owner[0] != 0 else None

    def _try(self, config: DnsmasqConfig, wanted: bytes) -> None:
        """Let dnsmasq read a candidate, then start from it in a network of its own."""
        candidate = self._folder / ".dnsmasq.conf.new"
        try:
            files.write_atomic(candidate, wanted, owner=self._give())
            commands.run(["dnsmasq", "--test", f"--conf-file={candidate}"], timeout=10)
        except ToolFailed as error:
            raise ServiceFailed(error.detail) from None
        finally:
            candidate.unlink(missing_ok=True)
        trial(config, self._run)

    def _set_log_aside(self, pid: int) -> None:
        log = log_file(self._site)
        if log.stat().st_size > _LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
            os.kill(pid, signal.SIGUSR2)

    def _save_old(self) -> None:
        """Put the last good configuration back if the installed one is damaged."""
        with suppress(OSError):
            if not _usable(self._conf.read_bytes()) and _usable(self._last.read_bytes()):
                files.write_atomic(self._conf, self._last.read_bytes(), owner=self._give())


def trial(config: DnsmasqConfig, run: Path) -> None:
    """Start dnsmasq from a configuration in an empty network of its own, and end it.

    Shows what its syntax check can't: folders and users it can't use. Skipped where no such
    network can be made. Raises ServiceFailed with its line, BadInput.
    """
    folder = run / f"trial-{os.getpid()}-{threading.get_ident()}"
    files.make_dir(folder)
    log = folder / "log"
    own = replace(config, leases=folder / "leases", log=log, pid_file=folder / "pid")
    try:
        (folder / "conf").write_bytes(render(own))
        argv = ["unshare", "--net", "dnsmasq", _stay(), f"--conf-file={folder / 'conf'}"]
        child = commands.start(argv, log_file=folder / "said")
        try:
            deadline = time.monotonic() + _TRIAL
            while child.poll() is None and not _started(log):
                if time.monotonic() > deadline:
                    raise ServiceFailed(f"it did not start within {_TRIAL:g} s on trial")
                time.sleep(0.01)
        finally:
            commands.end_session(child)
        said = last_line(folder / "said") or _complaint(log)
        if not _started(log) and not said.startswith("unshare:"):
            raise ServiceFailed(said or f"it ended with exit code {child.returncode} on trial")
    finally:
        files.remove_tree(folder)


def _started(log: Path) -> bool:
    with suppress(OSError):
        return b": started, " in log.read_bytes()
    return False


def _complaint(log: Path) -> str:
    """Why it gave up, in its own words."""
    with suppress(OSError):
        lines = map(split, log.read_text(errors="replace").splitlines())
        words = [line.text for line in lines if line and line.text != "FAILED to start up"]
        return clean(words[-1]) if words else ""
    return ""


def _stay() -> str:
    """How it stays in the foreground; inside a user namespace it can't change its group."""
    mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    return "--keep-in-foreground" if mapped[-1:] == [_ALL_USERS] else "--no-daemon"


def _names(owner: tuple[int, int]) -> tuple[str, str]:
    """The user's and group's name. KeyError when they have none."""
    return pwd.getpwuid(owner[0]).pw_name, grp.getgrgid(owner[1]).gr_name


def _usable(data: bytes) -> bool:
    """Whether a configuration is one that we wrote, whole."""
    try:
        parse(data)
    except BadInput:
        return False
    return True
