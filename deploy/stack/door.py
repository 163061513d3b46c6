"""The door for gateways in front of a broker: it opens once ingest has subscribed, and relays bytes (`relay`).

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
import ssl
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from deploy.stack.ports import HOST
from deploy.stack.relay import Relay
from deploy.stack.watcher import LANES, Watcher

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


class Door:
    """Shut at the beginning; `run` goes on until it is cancelled."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._relay = Relay({way.port: way.inner_port for way in config.ways}, self._same_broker, self._came_in)
        self._watcher: Watcher | None = None
        self._bytes_in = 0
        self._proven_at: dict[str, int] = {}
        self._state_written: tuple[bool, str] | None = None

    async def run(self) -> None:
        tls = None
        if self._config.tls_ca is not None:
            tls = ssl.create_default_context(cafile=self._config.tls_ca)
        self._write_state(Shut.BROKER_AWAY)
        while True:
            watcher = Watcher(HOST, self._config.broker_port, self._config.username, self._config.password, tls)
            try:
                await watcher.connect()
                self._watcher = watcher
                self._write_state(Shut.NOT_SUBSCRIBED)
                async for lane in watcher.probes():
                    await self._proven(lane)
            except (OSError, ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                pass
            finally:
                self._watcher = None
                self._shut(Shut.BROKER_AWAY)
                watcher.close()
            await asyncio.sleep(WATCH_AGAIN_S)

    async def _proven(self, lane: str) -> None:
        """A probe of ingest came by: one of each lane opens the door."""
        self._proven_at[lane] = self._bytes_in
        if not self._relay.is_open and set(self._proven_at) == set(LANES):
            try:
                for way in self._config.ways:
                    await self._relay.listen(way.bind, way.port)
                self._write_state(None)
            except OSError:
                self._shut(Shut.PORT_TAKEN)

    def _shut(self, why: Shut) -> None:
        self._proven_at.clear()
        self._relay.close()
        self._write_state(why)

    def _came_in(self, size: int) -> None:
        """Count what a gateway sent; shuts the door when nobody has taken anything for too much of it."""
        self._bytes_in += size
        if self._relay.is_open and self._bytes_in - min(self._proven_at.values()) > self._config.backlog_bytes:
            self._shut(Shut.NOTHING_TAKEN)

    def _same_broker(self) -> bool:
        """Say whether a connection made just now leads to the life of the broker in which ingest has subscribed."""
        return self._relay.is_open and self._watcher is not None and not self._watcher.gone(GONE)

    def _write_state(self, why: Shut | None) -> None:
        state = (why is None, "" if why is None else why.value)
        if state == self._state_written:
            return
        self._state_written = state
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
