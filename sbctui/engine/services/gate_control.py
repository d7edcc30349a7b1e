"""The gate's own unix socket: one JSON object a line each way.

Every answer has ``ok``; a refused or malformed request gets ``error``, one sentence.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sbctui.engine.services.gate_door import Gate
from sbctui.engine.services.gate_rules import parse_rules, write_rules

_LINE = 8 << 20
_CUT = 4.0
_STEP = 0.005

Request = dict[str, Any]
Answer = dict[str, object]


def in_waiting(path: Path) -> Path:
    """A socket's name until it takes the place of the one that is there."""
    return path.with_name(f".{path.name}.{os.getpid()}")


class Control:
    """Answers the supervisor. ``rules`` is the file that a restarted gate starts from."""

    def __init__(self, gate: Gate, rules: Path) -> None:
        self._gate = gate
        self._rules = rules
        self._saving = asyncio.Lock()
        self._awake = asyncio.Event()
        self._awake.set()
        self._acting = 0
        self._server: asyncio.Server | None = None
        self._acts: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "ping": self._ping,
            "rules": self._replace,
            "rule": self._put,
            "close": self._close,
            "open": self._open,
            "cut": self._cut,
            "state": self._state,
            "sessions": self._sessions,
        }

    async def serve(self, socket: Path) -> None:
        """Listen where ``in_waiting`` says, for the owner only, until that is given its name."""
        before = os.umask(0o177)
        try:
            fresh = in_waiting(socket)
            self._server = await asyncio.start_unix_server(self._talk, fresh, limit=_LINE)
        finally:
            os.umask(before)

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def hush(self) -> None:
        """Let no act begin until ``wake``, and wait for those that have; questions are answered."""
        self._awake.clear()
        while self._acting:
            await asyncio.sleep(_STEP)

    def wake(self) -> None:
        """Undo ``hush``."""
        self._awake.set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await self._answer(line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # too long a line, or the asker left
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
            act = self._acts[request["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"ok": False, "error": "the gate does not know this request"}
        try:
            if act in (self._ping, self._state, self._sessions):
                return {"ok": True, **await act(request)}
            await self._awake.wait()
            self._acting += 1
            try:
                return {"ok": True, **await act(request)}
            finally:
                self._acting -= 1
        except (ValueError, KeyError, TypeError, OSError) as error:
            return {"ok": False, "error": str(error)}

    async def _save(self) -> None:
        """Before a change is acknowledged a restarted gate would know it too."""
        slots = self._gate.slots
        async with self._saving:
            await asyncio.to_thread(write_rules, self._rules, slots.rules(), slots.closed())

    async def _ping(self, _: Request) -> Answer:
        return {"pid": os.getpid()}

    async def _replace(self, request: Request) -> Answer:
        self._gate.slots.replace(parse_rules(request["rules"]))
        await self._save()
        return {}

    async def _put(self, request: Request) -> Answer:
        export, address = request["export"], request["address"]
        if address:
            parse_rules({export: address})
        self._gate.slots.put(export, address)
        await self._save()
        return {}

    async def _close(self, request: Request) -> Answer:
        sessions = await self._gate.close(request["export"])
        await self._save()
        return {"sessions": sessions}

    async def _open(self, request: Request) -> Answer:
        slot = self._gate.slots.of(request["export"])
        if slot is not None:
            slot.closed = False
            await self._save()
        return {}

    async def _cut(self, request: Request) -> Answer:
        return {"gone": await self._gate.cut(request["export"], _CUT)}

    async def _state(self, request: Request) -> Answer:
        slot = self._gate.slots.of(request["export"])
        return {
            "address": slot.address if slot else "",
            "closed": slot.closed if slot else False,
            "sessions": int(slot is not None and slot.relay is not None),
        }

    async def _sessions(self, _: Request) -> Answer:
        return {"sessions": [relay.facts() for relay in self._gate.slots.relays()]}
