"""A TCP hop in the test's own event loop that can misbehave: each link can be hurt apart from the others."""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

CHUNK = 4096


@dataclass
class Manners:
    """How the hop behaves from now on; the calling side is `up`, the server `down`.

    half_open       new calls are accepted and never answered
    mute_up         what callers send is swallowed; they still hear the server. `mute_down` the other way round
    delay_s         every piece waits so long, and up to `jitter_s` more
    bytes_per_s     no faster than this, each way; 0 for no limit
    cut_after       end a call after so many bytes from the server, in the middle of whatever they are
    """

    half_open: bool = False
    mute_up: bool = False
    mute_down: bool = False
    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: int = 0
    cut_after: int | None = None


class Proxy:
    def __init__(self, target_port: int, seed: int = 1) -> None:
        self.manners = Manners()
        self.calls = 0
        self.port = 0
        self._target_port = target_port
        self._dice = random.Random(seed)
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._unaware = False
        self._left: list[asyncio.StreamWriter] = []

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Nobody listens any more; calls that stand go on. `start` listens again on the same port."""
        assert self._server is not None
        self._server.close()

    async def cut(self, *, reset: bool = False) -> None:
        """End every call, politely or with a reset."""
        tasks = list(self._open.values())
        for writer, task in list(self._open.items()):
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def cut_line(self) -> None:
        """End every call for its caller; the server does not hear of it, as where a line is cut."""
        self._unaware = True
        await self.cut()
        self._unaware = False

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self.cut()
        for writer in self._left:
            await _end(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        task = asyncio.create_task(self._call(reader, writer))
        self._open[writer] = task
        await asyncio.gather(task, return_exceptions=True)
        del self._open[writer]
        await _end(writer)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.manners.half_open:
            await asyncio.Event().wait()
        try:
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            return
        ways = [
            asyncio.create_task(self._carry(reader, their_writer, up=True)),
            asyncio.create_task(self._carry(their_reader, writer, up=False)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            if self._unaware:
                self._left.append(their_writer)
            else:
                await _end(their_writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        carried = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                manners = self.manners
                if manners.delay_s:
                    await asyncio.sleep(manners.delay_s + manners.jitter_s * self._dice.random())
                if manners.bytes_per_s:
                    await asyncio.sleep(len(data) / manners.bytes_per_s)
                if manners.mute_up if up else manners.mute_down:
                    continue
                if not up and manners.cut_after is not None and carried + len(data) > manners.cut_after:
                    writer.write(data[: manners.cut_after - carried])
                    await writer.drain()
                    return
                carried += len(data)
                writer.write(data)
                await writer.drain()


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def proxy(target_port: int) -> AsyncIterator[Proxy]:
    """Yield a hop to a port on loopback that behaves well until it is told otherwise."""
    hop = Proxy(target_port)
    await hop.start()
    try:
        yield hop
    finally:
        await hop.close()
