"""Relays connections of gateways to a broker behind: bytes both ways, no faster than the other side takes them."""

import asyncio
import socket
from collections.abc import Callable, Mapping

from deploy.stack.ports import HOST

BACKLOG = 1024
"""Callers that wait for us: a whole district calls at once when a broker has come back."""


class _Half(asyncio.Protocol):
    """One side of a relayed connection; what it reads goes to the other."""

    def __init__(self, relay: "Relay", *, from_gateway: bool) -> None:
        self._relay = relay
        self._from_gateway = from_gateway
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._relay.halves.add(self)
        if self._from_gateway:
            transport.pause_reading()
            self._relay.join(self)

    def data_received(self, data: bytes) -> None:
        if self._from_gateway:
            self._relay.came_in(len(data))
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self._relay.halves.discard(self)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Relay:
    """Listens where it is asked to, and ends everything at once when it must."""

    def __init__(
        self,
        inner_ports: Mapping[int, int],
        may_join: Callable[[], bool],
        came_in: Callable[[int], None],
    ) -> None:
        """`inner_ports`: the broker's port behind each of ours. `may_join`: asked when both sides stand.

        `came_in` hears how many bytes gateways have sent.
        """
        self._inner_ports = inner_ports
        self._may_join = may_join
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.came_in = came_in
        self.halves: set[_Half] = set()

    @property
    def is_open(self) -> bool:
        return bool(self._servers)

    async def listen(self, bind: str, port: int) -> None:
        """Open one port. Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Half(self, from_gateway=True),
            bind,
            port,
            family=socket.AF_INET,
            backlog=BACKLOG,
            reuse_address=True,
        )
        self._servers.append(server)

    def close(self) -> None:
        """Close every port and every connection through them."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        for half in list(self.halves):
            half.abort()

    def join(self, half: _Half) -> None:
        task = asyncio.get_running_loop().create_task(self._join(half))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, half: _Half) -> None:
        loop = asyncio.get_running_loop()
        assert half.transport is not None
        inner = self._inner_ports[half.transport.get_extra_info("sockname")[1]]
        try:
            _, other = await loop.create_connection(lambda: _Half(self, from_gateway=False), HOST, inner)
        except OSError:
            half.abort()
            return
        # Only now: a connection that was made while the broker went may lead to its next life.
        if not self._may_join() or half.transport.is_closing():
            other.abort()
            half.abort()
            return
        half.other, other.other = other, half
        half.transport.resume_reading()
