"""A machine of its own to set up: a network, /etc, /run and /var/lib that are nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import REPO, Lab, needs
from tests.labbox.box import Box

SITE = "/var/lib/sbctui"
UNIT = "/etc/systemd/system/sbctui.service"
_OWN = """
cp -a /etc/. {folder}/etc/ && mount --bind {folder}/etc /etc
mount -t tmpfs -o mode=755 run /run && mount -t tmpfs -o mode=755 lib /var/lib
PATH={folder}/bin:$PATH; export PATH; unset SBCTUI_SITE
sbctui() {{ {python} -P -m sbctui "$@"; }}
userdel sbctui 2>/dev/null || :
"""
_SYSTEMCTL = '''#!{python}
"""A systemctl that starts and ends what a unit names, and writes down what it was asked."""
import os, shlex, signal, subprocess, sys
verb, unit = ([w for w in sys.argv[1:] if not w.startswith("-")] + ["-"])[:2]
open("{folder}/asked", "a").write(f"{{verb}} {{unit}}\\n")
record = f"/run/{{unit}}.pid"
pid = int(open(record).read()) if os.path.exists(record) else 0
def stop():
    if pid and os.path.exists(f"/proc/{{pid}}"):
        os.kill(pid, signal.SIGTERM)
        os.system(f"while kill -0 {{pid}} 2>/dev/null; do sleep 0.02; done")
    if pid:
        os.unlink(record)
def supervises(entry):
    try:
        return b"supervise\\0" in open(f"/proc/{{entry}}/cmdline", "rb").read()
    except OSError:
        return False
def start():
    if verb == "start" and pid and os.path.exists(f"/proc/{{pid}}"):
        return
    if any(supervises(entry) for entry in os.listdir("/proc") if entry.isdigit()):
        sys.exit("a supervisor is there already")
    lines = open(f"/etc/systemd/system/{{unit}}").read().splitlines()
    command = next(line for line in lines if line.startswith("ExecStart=")).partition("=")[2]
    log = open("{folder}/unit.log", "ab")
    started = subprocess.Popen(["sh", "-c", f"exec {{command}}"], stdin=subprocess.DEVNULL,
                               stdout=log, stderr=log, start_new_session=True)
    open(record, "w").write(str(started.pid))
if verb == "is-active":
    sys.exit(0 if pid else 3)
if verb in ("stop", "restart"):
    stop()
if verb in ("start", "restart"):
    start()
'''


class Machine(Box):
    """A shell as root on the machine; its interface ``lab0`` is up and has no address."""

    def __init__(self, process: subprocess.Popen[str], lab: Lab, folder: Path) -> None:
        super().__init__(process)
        self.lab = lab
        self.folder = folder
        self.shell(_OWN.format(folder=folder, python=sys.executable))

    def with_systemd(self) -> None:
        """From here on it looks as if systemd ran; ``asked`` tells what it was told."""
        self.shell("mkdir -p /run/systemd/system")
        tool = self.folder / "bin" / "systemctl"
        tool.write_text(_SYSTEMCTL.format(python=sys.executable, folder=self.folder))
        tool.chmod(0o755)

    def asked(self) -> list[str]:
        file = self.folder / "asked"
        return file.read_text().splitlines() if file.exists() else []

    def pids(self) -> dict[str, int]:
        """The daemons by name."""
        return {one["name"]: one["pid"] for one in self.services()}

    def services(self) -> list[dict[str, object]]:
        return list(self.ask("services", "status")["services"])


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """It is removed at the end with all that runs on it."""
    needs("dnsmasq", "dhcp_release", "qemu-storage-daemon", "useradd", "unshare")
    for name in ("etc", "bin"):
        (folder / name).mkdir()
    for one in (folder, folder.parent, folder.parent.parent):
        one.chmod(0o755)
    with Lab() as lab:
        lab.server.run(["ip", "address", "flush", "dev", lab.interface])
        process = subprocess.Popen(
            lab.server.argv(["unshare", "-mpf", "--mount-proc", "--kill-child", "sh"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPO)},
            cwd=REPO,
        )
        assert process.stdin
        assert process.stdout
        try:
            yield Machine(process, lab, folder)
        finally:
            process.stdin.close()
            process.wait(20)
            process.stdout.close()
