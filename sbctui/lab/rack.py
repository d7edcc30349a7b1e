"""The rack: boards with power switches, behind one socket.

Each board is a process in a network namespace of its own, plugged into the bridge by a pair of
virtual cards. Power off ends the process; a pulled plug takes the link away first, so that
nobody hears a goodbye, as with a real board.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sbctui.engine import commands
from sbctui.engine.errors import SbcError
from sbctui.lab.spec import Power, Spec, Stage, State

BRIDGE = "lab0"
_TICK = 0.2
_SOON = 5.0
_LONGEST = 65536
_OFF = "without power"


class Slot:
    """One board's place: its power, and the last it said."""

    def __init__(self, number: int, spec: Spec) -> None:
        self.spec = spec
        self._be("off", _OFF, time.time())
        self._port = f"p{number}"
        self._process: Any = None
        self._said: IO[bytes] | None = None
        self._rest = b""

    def switch(self, to: Power) -> None:
        """On, off, or the plug pulled; what it has already is left alone. Raises SbcError."""
        if to == "on":
            if self._process is None:
                self._on()
            return
        if self._process is None:
            return
        if to == "cut" and not self.spec.exports:
            commands.run(["ip", "link", "set", self._port, "down"])
        self._process.send_signal(signal.SIGKILL if to == "cut" else signal.SIGTERM)
        if not self._ended(_SOON):
            self._process.kill()
            self._ended(_SOON)
        self._gone(_OFF)

    def listen(self) -> None:
        """Take what it has said since, and notice its end."""
        if self._said is None:
            return
        *lines, self._rest = (self._rest + (self._said.read() or b"")).split(b"\n")
        told = [line for line in lines if line.startswith(b"{")]
        if told:
            said = json.loads(told[-1])
            self._be(said["stage"], said["said"], said["at"])
        if self._process.poll() is not None:
            last = lines[-1].decode(errors="replace") if lines else "no message"
            self._gone(f"its simulation failed: {last}")

    def _on(self) -> None:
        self._be("asks", "it is switched on", time.time())
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reading, False)
        program = [sys.executable, "-P", "-m", "sbctui.lab.board", self.spec.dumped()]
        alone = [] if self.spec.exports else ["unshare", "--net"]
        try:
            self._process = commands.start(
                [*alone, *program], log_file=Path(f"/proc/self/fd/{writing}")
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        self._said, self._rest = os.fdopen(reading, "rb"), b""
        if alone:
            self._plug_in()

    def _plug_in(self) -> None:
        """Give the process its network card once it has a network of its own."""
        ours = os.stat("/proc/self/ns/net").st_ino
        pid = self._process.pid
        deadline = time.monotonic() + _SOON
        with suppress(OSError):
            while os.stat(f"/proc/{pid}/ns/net").st_ino == ours and time.monotonic() < deadline:
                time.sleep(0.002)
        lines = (
            f"link add {self._port} type veth peer name eth0 address {self.spec.mac} netns {pid}",
            f"link set {self._port} master {BRIDGE} up",
        )
        commands.run(["ip", "-batch", "-"], stdin="".join(f"{x}\n" for x in lines).encode())

    def _gone(self, why: str) -> None:
        self._process = None
        if self._said is not None:
            self._said.close()
        self._said = None
        if not self.spec.exports:
            with suppress(SbcError):  # it goes with the board's network, a moment later
                commands.run(["ip", "link", "delete", self._port])
        self._be("off", why, time.time())

    def _be(self, stage: Stage, said: str, since: float) -> None:
        self.state = State(self.spec.mac, self.spec.label, stage, said, since)

    def _ended(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


class Rack:
    """All boards, and who asks about them."""

    def __init__(self, specs: Sequence[Spec]) -> None:
        self._slots = {spec.mac: Slot(n, spec) for n, spec in enumerate(specs, 1)}

    def begin(self) -> None:
        """Switch on what begins so."""
        for slot in self._slots.values():
            if slot.spec.on:
                slot.switch("on")

    def serve(self, path: Path, parent: int) -> None:
        """Answer until ``parent`` (a process) ends; then all boards lose their power."""
        with socket.socket(socket.AF_UNIX) as door, selectors.DefaultSelector() as wait:
            door.bind(str(path))
            door.listen()
            door.setblocking(False)
            wait.register(door, selectors.EVENT_READ)
            self.begin()
            while os.getppid() == parent:
                for slot in self._slots.values():
                    slot.listen()
                if wait.select(_TICK):
                    with suppress(OSError):
                        self._answer(door.accept()[0])
        for slot in self._slots.values():
            slot.switch("cut")

    def _answer(self, asker: socket.socket) -> None:
        with asker:
            asker.settimeout(1.0)
            question = asker.makefile("rb").readline(_LONGEST)
            try:
                answer = self._answered(json.loads(question))
            except SbcError as error:
                answer = {"error": str(error)}
            except (ValueError, KeyError) as error:
                answer = {"error": f"no question for a rack: {error!r}"}
            asker.sendall(json.dumps(answer).encode() + b"\n")

    def _answered(self, question: dict[str, Any]) -> dict[str, Any]:
        for slot in self._slots.values():
            slot.listen()
        wanted: list[str] = question.get("macs", [])
        unknown = [mac for mac in wanted if mac not in self._slots]
        if unknown:
            return {"error": f"there is no board {unknown[0]} in the lab", "unknown": unknown}
        slots = [self._slots[mac] for mac in wanted] or list(self._slots.values())
        if to := question.get("power"):
            for slot in slots:
                slot.switch(to)
        return {"boards": [_shown(slot.state) for slot in slots]}


def _shown(state: State) -> dict[str, Any]:
    return {
        "mac": state.mac,
        "label": state.label,
        "stage": state.stage,
        "said": state.said,
        "since": state.since,
    }


def main(arguments: list[str]) -> int:
    """``python -m sbctui.lab.rack SOCKET PARENT SPEC...``."""
    path, parent, *dumped = arguments
    specs = [Spec.loaded(spec) for spec in dumped]
    Rack(specs).serve(Path(path), int(parent))
    if any(spec.exports for spec in specs):
        from sbctui.lab.tidy import tidy

        tidy(Path(path).parent)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
