"""A board's negotiation, read by the gate up to the export's name.

Options that name no export are answered here; the others are checked and then answered by the
storage daemon. Nothing a client sends can do more than end its own connection.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from sbctui.engine.model.text import clean
from sbctui.engine.services import nbd
from sbctui.engine.services.gate_return import Recipe, about
from sbctui.engine.services.gate_rules import Slot
from sbctui.engine.services.gate_wire import Backend, Hangup, Wire

_MAX_OPTION = 16 * 1024
_MAX_OPTIONS = 64
_RETURN = 8.0
"""Seconds to wait for a storage daemon that is just being restarted."""
_AGAIN = 0.1
_NAMING = frozenset((nbd.OPT_INFO, nbd.OPT_GO, nbd.OPT_LIST_META_CONTEXT, nbd.OPT_SET_META_CONTEXT))


class Door(Protocol):
    """Who decides."""

    def slot(self, export: str, address: str) -> Slot | str:
        """The export's slot, or why this address may not have it."""

    async def vacate(self, slot: Slot, newcomer: str) -> None:
        """End the session there is and wait until the storage daemon has let go of it."""

    def enter(self, slot: Slot, recipe: Recipe, wire: Wire, backend: Backend, peer: str) -> None:
        """Both ends agree: begin the session."""


@dataclass
class Handshake:
    """One client's way in. ``run`` returns when its session has begun or it has left."""

    wire: Wire
    address: str
    port: int
    door: Door
    socket: str
    structured: bool = False
    context: bytes | None = None
    no_zeroes: bool = False
    backend: Backend | None = None
    refused: str = ""
    entered: bool = False

    async def run(self) -> None:
        """Raises Hangup when the client left or broke the protocol."""
        try:
            await self._run()
        finally:
            if self.backend is not None:
                self.backend.close()

    async def _run(self) -> None:
        await self.wire.write(nbd.GREETING)
        flags = int.from_bytes(await self.wire.read(4), "big")
        if flags & ~(nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES):
            raise Hangup("unknown client flags")
        self.no_zeroes = bool(flags & nbd.NO_ZEROES)
        for _ in range(_MAX_OPTIONS):
            magic, option, length = nbd.OPTION.unpack(await self.wire.read(nbd.OPTION.size))
            if magic != nbd.IHAVEOPT:
                raise Hangup("no NBD client")
            if length > _MAX_OPTION:
                raise Hangup(f"an option of {length} bytes")
            if await self._answer(option, await self.wire.read(length)):
                return
        raise Hangup(f"more than {_MAX_OPTIONS} options")

    async def _answer(self, option: int, data: bytes) -> bool:
        """Answer one option; True when the negotiation is over."""
        if option == nbd.OPT_EXPORT_NAME:
            await self._export_name(data)
            return True
        if option in _NAMING:
            return await self._named(option, data)
        if option == nbd.OPT_ABORT:
            await self._reply(option, nbd.REP_ACK)
            return True
        if option == nbd.OPT_STRUCTURED_REPLY:
            await self._structured(data)
        elif option == nbd.OPT_LIST:
            await self._reply(option, nbd.ERR_POLICY, "boards know their export's name")
        else:
            await self._reply(option, nbd.ERR_UNSUP, "not supported")
        return False

    async def _reply(self, option: int, kind: int, words: str = "") -> None:
        await self.wire.write(nbd.Reply(option, kind, words.encode()).pack())

    async def _structured(self, data: bytes) -> None:
        option = nbd.OPT_STRUCTURED_REPLY
        if data or self.structured or self.backend is not None:
            await self._reply(option, nbd.ERR_INVALID, "once, without data, before any export")
            return
        self.structured = True
        await self._reply(option, nbd.REP_ACK)

    async def _named(self, option: int, data: bytes) -> bool:
        """An option about an export; True when the session has begun."""
        name = nbd.option_name(option, data)
        if name is None or (option >= nbd.OPT_LIST_META_CONTEXT and not self.structured):
            await self._reply(option, nbd.ERR_INVALID, "malformed option")
            return False
        export, slot = self._admitted(name)
        if slot is None:
            await self._reply(option, nbd.ERR_POLICY, self.refused)
            return False
        if option != nbd.OPT_GO:
            replies = await self._ask(option, data, export)
            if option == nbd.OPT_SET_META_CONTEXT:
                self.context = data
            await self._pass_on(replies)
            return False
        async with slot.turn:
            replies = await self._go(slot, export, data)
            await self._pass_on(replies)
            begun = replies[-1].type == nbd.REP_ACK
            if begun:
                self._enter(slot, self._recipe(export, data, replies))
        return begun

    async def _export_name(self, data: bytes) -> None:
        """The old way in: no reply but the export's own, so a refusal is a closed connection."""
        name = nbd.option_name(nbd.OPT_EXPORT_NAME, data)
        if name is None:
            raise Hangup("malformed option")
        export, slot = self._admitted(name)
        if slot is None:
            raise Hangup(self.refused)
        async with slot.turn:
            go = nbd.pack_go(name)
            replies = await self._go(slot, export, go)
            recipe = self._recipe(export, go, replies)
            if replies[-1].type != nbd.REP_ACK or not recipe.about:
                raise Hangup(_words(replies[-1]))
            await self.wire.write(recipe.about[2:] + (b"" if self.no_zeroes else bytes(124)))
            self._enter(slot, recipe)

    def _admitted(self, name: bytes) -> tuple[str, Slot | None]:
        export = name.decode(errors="replace")
        found = self.door.slot(export, self.address)
        if isinstance(found, str):
            self.refused = f"{clean(export)[:80]}: {found}"
            return export, None
        return export, found

    async def _go(self, slot: Slot, export: str, data: bytes) -> list[nbd.Reply]:
        """Take the disk: alone on it, then the storage daemon's answer."""
        self._still(export)
        await self.door.vacate(slot, f"{self.address}:{self.port}")
        replies = await self._ask(nbd.OPT_GO, data, export)
        self._still(export)
        return replies

    def _recipe(self, export: str, go: bytes, replies: list[nbd.Reply]) -> Recipe:
        return Recipe(export, self.socket, self.structured, self.context, go, about(replies))

    def _enter(self, slot: Slot, recipe: Recipe) -> None:
        """The session begins, unless the export was taken away in this moment."""
        self._still(recipe.export)
        assert self.backend is not None
        backend, self.backend = self.backend, None
        self.door.enter(slot, recipe, self.wire, backend, f"{self.address}:{self.port}")
        self.entered = True

    def _still(self, export: str) -> None:
        found = self.door.slot(export, self.address)
        if isinstance(found, str):
            raise Hangup(f"{export}: {found}")

    async def _ask(self, option: int, data: bytes, export: str) -> list[nbd.Reply]:
        """The storage daemon's replies; one that just comes back gets time for its exports."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _RETURN
        while True:
            try:
                if self.backend is None:
                    self.backend = await Backend.connect(self.socket, structured=self.structured)
                replies = await self.backend.ask(option, data)
                if replies[-1].type != nbd.ERR_UNKNOWN or loop.time() >= deadline:
                    return [nbd.without_multi_conn(reply) for reply in replies]
            except Hangup:
                if self.backend is not None:
                    self.backend.close()
                    self.backend = None
                if self.context is not None or loop.time() >= deadline:
                    raise
            await asyncio.sleep(_AGAIN)
            self._still(export)

    async def _pass_on(self, replies: list[nbd.Reply]) -> None:
        await self.wire.write(b"".join(reply.pack() for reply in replies))


def _words(reply: nbd.Reply) -> str:
    return clean(reply.data.decode(errors="replace")) or f"error {reply.type:#x}"
