"""The way back to a storage daemon that was restarted: the same negotiation, the same disk."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from sbctui.engine.services import nbd
from sbctui.engine.services.gate_request import Begun
from sbctui.engine.services.gate_wire import Backend, Hangup


class Unlike(Exception):
    """The export that came back is another one, or does not take what it took before."""


@dataclass(frozen=True)
class Recipe:
    """How a session was negotiated: options' data as the board sent them; ``context`` or None.

    ``about`` is the description of the export that the board was given: size and flags.
    """

    export: str
    socket: str
    structured: bool
    context: bytes | None
    go: bytes
    about: bytes

    async def connect(self) -> Backend:
        """Negotiate it once more. Raises Hangup while it can't be had, Unlike when it differs."""
        backend = await Backend.connect(self.socket, structured=self.structured)
        try:
            if self.context is not None:
                await self._ask(backend, nbd.OPT_SET_META_CONTEXT, self.context)
            replies = await self._ask(backend, nbd.OPT_GO, self.go)
            if about(replies) != self.about:
                raise Unlike(f"{self.export} came back with another size or other rights")
        except BaseException:
            backend.close()
            raise
        return backend

    async def _ask(self, backend: Backend, option: int, data: bytes) -> list[nbd.Reply]:
        replies = await backend.ask(option, data)
        if replies[-1].type != nbd.REP_ACK:
            raise Hangup("the export is not there yet")
        return [nbd.without_multi_conn(reply) for reply in replies]


def about(replies: Sequence[nbd.Reply]) -> bytes:
    """The export's size and flags among the answers to GO; empty when they are not there."""
    found = (r.data for r in replies if r.type == nbd.REP_INFO and len(r.data) == 12)
    return next((d for d in found if d[:2] == struct.pack(">H", nbd.INFO_EXPORT)), b"")


async def redo(backend: Backend, changes: Sequence[bytes]) -> None:
    """Make changes again, one after the other as they were answered, and have them flushed.

    Raises Hangup, Unlike when one is refused.
    """
    if not changes:
        return
    flush = nbd.REQUEST.pack(nbd.REQUEST_MAGIC, 0, nbd.CMD_FLUSH, 0, 0, 0)
    for change in (*changes, flush):
        await backend.write(change)
        if await _failed(backend):
            raise Unlike("the disk that came back does not take what the last one took")


async def rest_of(backend: Backend, begun: Begun) -> bytes:
    """What the board misses of a simple answer to a read. Raises Hangup, Unlike."""
    await backend.write(begun.head)
    magic, error, _ = nbd.SIMPLE.unpack(await backend.read(nbd.SIMPLE.size))
    if magic != nbd.SIMPLE_MAGIC or error:
        raise Unlike("the disk that came back does not give what the last one gave")
    return (await backend.read(begun.length))[begun.passed :]


async def _failed(backend: Backend) -> bool:
    """Read the answer to one request that is no read; whether it is an error."""
    failed = False
    while True:
        (magic,) = struct.unpack(">I", head := await backend.read(4))
        if magic == nbd.SIMPLE_MAGIC:
            rest = await backend.read(nbd.SIMPLE.size - len(head))
            return failed or nbd.SIMPLE.unpack(head + rest)[1] != 0
        if magic != nbd.CHUNK_MAGIC:
            raise Hangup("the storage daemon answers out of order")
        rest = await backend.read(nbd.CHUNK.size - len(head))
        _, flags, kind, _, length = nbd.CHUNK.unpack(head + rest)
        await backend.read(length)
        failed = failed or bool(kind & nbd.CHUNK_ERROR)
        if flags & nbd.CHUNK_LAST:
            return failed
