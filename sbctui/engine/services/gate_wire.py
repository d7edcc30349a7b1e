"""The two sockets of a session while they negotiate: whole messages, never a byte too many."""

from __future__ import annotations

import asyncio
import socket
import struct

from sbctui.engine.services import nbd

_MAX_REPLY = 64 * 1024


class Hangup(Exception):
    """A connection that ended, or said what the protocol does not allow."""


class Wire:
    """Exact reads and whole writes on one non-blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    async def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes. Raises Hangup at the end of the stream."""
        loop = asyncio.get_running_loop()
        got = bytearray()
        while len(got) < count:
            try:
                part = await loop.sock_recv(self.sock, count - len(got))
            except OSError as error:
                raise Hangup(error.strerror or "connection lost") from None
            if not part:
                raise Hangup("connection closed")
            got += part
        return bytes(got)

    async def write(self, data: bytes) -> None:
        """All of ``data``. Raises Hangup."""
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)
        except OSError as error:
            raise Hangup(error.strerror or "connection lost") from None

    def close(self) -> None:
        """Let go of the socket."""
        self.sock.close()


class Backend(Wire):
    """A connection to the storage daemon, greeted, before its export is chosen."""

    @classmethod
    async def connect(cls, path: str, *, structured: bool) -> Backend:
        """Connect and greet; ``structured`` repeats what the client negotiated. Raises Hangup."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        backend = cls(sock)
        try:
            await asyncio.get_running_loop().sock_connect(sock, path)
            await backend._greet(structured)
        except OSError as error:
            backend.close()
            raise Hangup(f"the storage daemon is away ({error.strerror})") from None
        except BaseException:
            backend.close()
            raise
        return backend

    async def _greet(self, structured: bool) -> None:
        magic, option, flags = struct.unpack(">QQH", await self.read(18))
        if (magic, option) != (nbd.MAGIC, nbd.IHAVEOPT) or not flags & nbd.FIXED_NEWSTYLE:
            raise Hangup("the storage daemon does not speak fixed newstyle NBD")
        await self.write(struct.pack(">I", flags & (nbd.FIXED_NEWSTYLE | nbd.NO_ZEROES)))
        if structured:
            replies = await self.ask(nbd.OPT_STRUCTURED_REPLY, b"")
            if replies[-1].type != nbd.REP_ACK:
                raise Hangup("the storage daemon refuses structured replies")

    async def ask(self, option: int, data: bytes) -> list[nbd.Reply]:
        """All replies to one option; the last one is its acknowledgement or error."""
        await self.write(nbd.pack_option(option, data))
        replies: list[nbd.Reply] = []
        while not replies or not replies[-1].last:
            magic, about, kind, length = nbd.REPLY.unpack(await self.read(nbd.REPLY.size))
            if magic != nbd.REPLY_MAGIC or about != option or length > _MAX_REPLY:
                raise Hangup("the storage daemon answers out of order")
            replies.append(nbd.Reply(about, kind, await self.read(length)))
        return replies
