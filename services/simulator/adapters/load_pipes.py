"""Raw MQTT connections that carry one plan as fast as one process can: packets are put together from prepared parts."""

import asyncio
from array import array
from collections.abc import Callable
from datetime import datetime

from services.kernel.words import SignalKind
from services.runtime.clock import Clock
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s
from services.simulator.adapters import encoding
from services.simulator.adapters.mqtt import KEEPALIVE_S, Wire, broker_at, connect
from services.simulator.domain.load import LoadPlan
from services.simulator.ports import LinkRefused, Outcomes

NOBODY = -1
_EXTRA = {
    SignalKind.HEARTBEAT: b"",
    SignalKind.FAULT: b',"point":{"address":"L-1","type":"smoke_detector"}',
    SignalKind.RESTORE: b',"restores":"fault","point":{"address":"L-1","type":"smoke_detector"}',
    SignalKind.FIRE: b',"point":{"address":"L-2","type":"smoke_detector"}',
}
_HEAD = {kind: b'{"v":1,"kind":"%b","seq":' % kind.value.encode() for kind in SignalKind}


class Pipe:
    """One connection and the messages on it that wait for their PUBACK."""

    def __init__(self, client_id: str, outcomes: Outcomes, clock: Clock) -> None:
        self.client_id = client_id
        self.wire: Wire | None = None
        self.in_flight = 0
        self.out: list[bytes] = []
        self.lost = asyncio.Event()
        self._outcomes = outcomes
        self._clock = clock
        self._numbers = array("q", [NOBODY]) * 65_536
        self._last_id = 0

    def take_id(self, number: int) -> int:
        """Return a free packet id for a message. The window is far below 65 535, so one is near."""
        packet_id = self._last_id
        while True:
            packet_id = packet_id % 65_535 + 1
            if self._numbers[packet_id] == NOBODY:
                break
        self._last_id = packet_id
        self._numbers[packet_id] = number
        self.in_flight += 1
        return packet_id

    def flush(self) -> None:
        if self.out and self.wire is not None:
            self.wire.write(b"".join(self.out))
        self.out.clear()

    def on_acks(self, acks: bytes) -> None:
        at_s = self._clock.monotonic()
        words = array("I", acks)
        words.byteswap()
        for word in words:
            packet_id = word & 0xFFFF
            number = self._numbers[packet_id]
            if number != NOBODY:
                self._numbers[packet_id] = NOBODY
                self.in_flight -= 1
                self._outcomes.acked(number, at_s)

    def on_lost(self) -> None:
        """What was in flight stays unknown in the ledger: it is not sent again."""
        self.wire = None
        self.in_flight = 0
        self._numbers = array("q", [NOBODY]) * 65_536
        self.out.clear()
        self.lost.set()


class MqttLoadPipes:
    def __init__(
        self,
        *,
        plan: LoadPlan,
        outcomes: Outcomes,
        clock: Clock,
        host: str,
        port: int,
        account: tuple[str | None, str | None] = (None, None),
        connections: int = 4,
        window: int = 4_000,
        prefix: str = "load",
        tls_ca: str | None = None,
    ) -> None:
        self._plan = plan
        self._outcomes = outcomes
        self._clock = clock
        self._address = broker_at(host, port, tls_ca)
        self._account = account
        self._window = window
        count = max(1, min(connections, len(plan.gateways)))
        self._pipes = [Pipe(f"{prefix}-{number}", outcomes, clock) for number in range(count)]
        self._topics = [
            encoding.text(f"firenet/v1/{gateway_id}/{plan.lane.value}/json") for gateway_id, _ in plan.gateways
        ]
        self._tails = [b'","unit_id":"%b"' % unit_id.encode() for _, unit_id in plan.gateways]
        self._keepers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        await asyncio.gather(*(self._connect(pipe) for pipe in self._pipes))
        self._keepers = [asyncio.create_task(self._keep(pipe), name=pipe.client_id) for pipe in self._pipes]

    def in_flight(self) -> int:
        return sum(pipe.in_flight for pipe in self._pipes)

    def send(self, first: int, count: int, wall: datetime) -> int:
        at_s = self._clock.monotonic()
        instant = b',"occurred_at":"' + encoding.instant(wall).encode()
        pipes, gateways, window = self._pipes, len(self._topics), self._window
        done = 0
        for number in range(first, first + count):
            gateway = number % gateways
            pipe = pipes[gateway % len(pipes)]
            if pipe.wire is None or pipe.in_flight >= window or not pipe.wire.writable:
                break
            pipe.out.append(self._packet(number, gateway, pipe.take_id(number), instant))
            self._outcomes.sent(number, at_s)
            done += 1
        for pipe in pipes:
            pipe.flush()
        return done

    def _packet(self, number: int, gateway: int, packet_id: int, instant: bytes) -> bytes:
        kind = self._plan.kind_of(number)
        body = b"%b%d%b%b%b}" % (
            _HEAD[kind], number // len(self._topics), instant, self._tails[gateway], _EXTRA[kind],
        )  # fmt: skip
        topic = self._topics[gateway]
        size = len(topic) + 2 + len(body)
        return b"\x32%c%c%b%c%c%b" % (  # between 128 and 16383 bytes: the length takes two
            size & 0x7F | 0x80, size >> 7, topic, packet_id >> 8, packet_id & 0xFF, body,
        )  # fmt: skip

    async def close(self) -> None:
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        for pipe in self._pipes:
            if pipe.wire is not None and pipe.wire.transport is not None:
                pipe.wire.write(encoding.DISCONNECT)
                pipe.wire.transport.close()
                await pipe.wire.closed()

    async def _connect(self, pipe: Pipe) -> None:
        pipe.lost.clear()
        packet = encoding.connect_packet(pipe.client_id, KEEPALIVE_S, None, *self._account)
        pipe.wire = await connect(self._address, packet, pipe.on_acks, pipe.on_lost)

    async def _keep(self, pipe: Pipe) -> None:
        attempt = 0
        while True:
            try:
                await _ping_while(pipe, lambda: pipe.wire is not None)
                await self._connect(pipe)
                attempt = 0
            except LinkRefused as error:
                attempt += 1
                get_logger().warning("load_line_lost", error=str(error), attempt=attempt)
                await asyncio.sleep(min(backoff_s(attempt), 2.0))


async def _ping_while(pipe: Pipe, alive: Callable[[], bool]) -> None:
    while alive():
        try:
            async with asyncio.timeout(KEEPALIVE_S / 2):
                await pipe.lost.wait()
        except TimeoutError:
            if pipe.wire is not None:
                pipe.wire.write(encoding.PINGREQ)
