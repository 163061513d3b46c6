"""The door for gateways in front of a broker: it opens once ingest has subscribed, and relays bytes.

A broker that begins with nothing in its memory acknowledges what gateways publish and hands it to nobody until ingest
has subscribed: acknowledged, and gone. So gateways come through here. While the door is shut they see a refused
connection and keep what they have.

What opens it is seen at the very broker that it leads to: ingest publishes its probes only over connections whose
subscriptions were granted. When the broker goes the door shuts, and the connections through it end. It shuts as well
when ingest takes nothing while so much comes in that the broker would soon drop the oldest.

`python -m deploy.stack.door CONFIG` runs it; `Door` of `door_part` starts that.
"""

import asyncio
import contextlib
import json
import select
import signal
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from deploy.stack.ports import HOST
from deploy.stack.watcher import LANES, Watcher

BACKLOG = 1024
WATCH_AGAIN_S = 0.05
GONE = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)


class Shut(StrEnum):
    """Why nobody is let in."""

    BROKER_AWAY = "broker_away"
    NOT_SUBSCRIBED = "ingest_not_subscribed"
    NOTHING_TAKEN = "ingest_takes_nothing"
    PORT_TAKEN = "port_taken"


@dataclass(frozen=True, slots=True)
class Way:
    """One listener and the broker's own port behind it."""

    bind: str
    port: int
    inner_port: int


@dataclass(frozen=True, slots=True)
class Config:
    """`backlog_bytes`: so much may come in without a sign that ingest takes it."""

    ways: tuple[Way, ...]
    broker_port: int
    state: str
    backlog_bytes: int
    tls_ca: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, path: Path) -> "Config":
        values: dict[str, Any] = json.loads(path.read_text())
        return cls(**{**values, "ways": tuple(Way(**way) for way in values["ways"])})

    def text(self) -> str:
        return json.dumps(asdict(self))


class _Half(asyncio.Protocol):
    """One side of a relayed connection; what it reads goes to the other, no faster than that one takes it."""

    def __init__(self, door: "Door", *, from_gateway: bool) -> None:
        self._door = door
        self._from_gateway = from_gateway
        self.transport: asyncio.Transport | None = None
        self.other: _Half | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._door.relayed.add(self)
        if self._from_gateway:
            transport.pause_reading()
            self._door.connect(self)

    def data_received(self, data: bytes) -> None:
        if self._from_gateway:
            self._door.came_in(len(data))
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, _: Exception | None) -> None:
        self._door.relayed.discard(self)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Door:
    """Shut at the beginning; `run` goes on until it is cancelled."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._servers: list[asyncio.Server] = []
        self._watcher: Watcher | None = None
        self._came_in = 0
        self._proven_at: dict[str, int] = {}
        self._told: tuple[bool, str] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.relayed: set[_Half] = set()

    @property
    def is_open(self) -> bool:
        return bool(self._servers)

    async def run(self) -> None:
        tls = None
        if self._config.tls_ca is not None:
            tls = ssl.create_default_context(cafile=self._config.tls_ca)
        self._tell(Shut.BROKER_AWAY)
        while True:
            watcher = Watcher(HOST, self._config.broker_port, self._config.username, self._config.password, tls)
            try:
                await watcher.connect()
                self._watcher = watcher
                self._tell(Shut.NOT_SUBSCRIBED)
                async for lane in watcher.probes():
                    await self._proven(lane)
            except (OSError, ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                pass
            finally:
                self._watcher = None
                self._shut(Shut.BROKER_AWAY)
                watcher.close()
            await asyncio.sleep(WATCH_AGAIN_S)

    # --- what lets in and what does not

    async def _proven(self, lane: str) -> None:
        self._proven_at[lane] = self._came_in
        if not self.is_open and set(self._proven_at) == set(LANES):
            try:
                for way in self._config.ways:
                    self._servers.append(await self._open(way))
                self._tell(None)
            except OSError:
                self._shut(Shut.PORT_TAKEN)
                self._proven_at.clear()

    async def _open(self, way: Way) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: _Half(self, from_gateway=True),
            way.bind,
            way.port,
            family=socket.AF_INET,
            backlog=BACKLOG,
            reuse_address=True,
        )

    def _shut(self, why: Shut) -> None:
        for server in self._servers:
            server.close()
        self._servers.clear()
        self._proven_at.clear()
        for half in list(self.relayed):
            half.abort()
        self._tell(why)

    def came_in(self, size: int) -> None:
        """Count what a gateway sent; shuts the door when nobody has taken anything for too much of it."""
        self._came_in += size
        if self.is_open and self._came_in - min(self._proven_at.values()) > self._config.backlog_bytes:
            self._shut(Shut.NOTHING_TAKEN)

    # --- relaying

    def connect(self, half: _Half) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(half))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, half: _Half) -> None:
        loop = asyncio.get_running_loop()
        assert half.transport is not None
        port = half.transport.get_extra_info("sockname")[1]
        inner = next((way.inner_port for way in self._config.ways if way.port == port), self._config.broker_port)
        try:
            _, other = await loop.create_connection(lambda: _Half(self, from_gateway=False), HOST, inner)
        except OSError:
            half.abort()
            return
        # Only now: when our own connection still stands, this one leads to the same life of the broker.
        if not self.is_open or self._watcher is None or self._watcher.gone(GONE) or half.transport.is_closing():
            other.abort()
            half.abort()
            return
        half.other, other.other = other, half
        half.transport.resume_reading()

    # --- for the supervisor

    def _tell(self, why: Shut | None) -> None:
        state = (why is None, "" if why is None else why.value)
        if state == self._told:
            return
        self._told = state
        print("open" if why is None else f"shut: {why}", flush=True)
        path = Path(self._config.state)
        with contextlib.suppress(OSError):
            draft = path.with_suffix(".new")
            draft.write_text(json.dumps({"open": state[0], "why": state[1]}))
            draft.replace(path)


def read_state(path: Path) -> Mapping[str, Any]:
    """Return what the door last wrote down; shut for want of a broker when it has written nothing."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else {"open": False, "why": Shut.BROKER_AWAY.value}


def main(config: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it keeps nothing: the default ends it at once
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    asyncio.run(Door(Config.read(Path(config))).run())


if __name__ == "__main__":
    main(sys.argv[1])
