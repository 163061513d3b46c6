"""A listener for devices without a socket: wires in memory, a clock by hand, and the two lanes to look into."""

import asyncio
from collections.abc import Sequence
from datetime import date
from ipaddress import ip_network
from typing import Any

from prometheus_client import CollectorRegistry

from services.ingest.adapters.device_lanes import DeviceLanes
from services.ingest.adapters.device_listener import DeviceListener
from services.ingest.adapters.device_session import DeviceSession
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.stamps import Stamps
from services.ingest.domain.connection_policy import EndReason, Limits
from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Device, Directory, Version
from services.ingest.domain.gb26875 import PROFILES, Adu, Frame, TimeLabel, encode_frame
from services.ingest.domain.gb26875 import bodies as b
from services.ingest.domain.gb26875.values import ComponentAddress, Text
from services.ingest.domain.values import Arrival, Outcome, Refused
from services.ingest.metrics import Metrics
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import DECODERS, NOON

STANDARD = PROFILES["standard"]
LABEL = TimeLabel.of_instant(NOON, STANDARD)
CENTRE = bytes.fromhex("0a0000000000")
ADDRESSES = {f"G{number:06}": number.to_bytes(6, "little") for number in range(1, 4)}
"""G000001 and G000002 speak for units; nobody has the address of G000003."""
HOME = "10.0.0.7"


def frame(
    gateway_id: str = "G000001", adu: Adu | None = None, serial: int = 1, command: int = 2, profile: str = "standard"
) -> bytes:
    value = Frame(serial, 1, 0, LABEL, ADDRESSES[gateway_id], CENTRE, command, adu)
    return encode_frame(value, PROFILES[profile])


def status(word: int) -> Adu:
    """Return the status of one smoke detector; 3 is normal running and fire."""
    text = Text.of("", STANDARD, 31)
    return Adu(2, (b.ComponentStatus(1, 0, 40, ComponentAddress(bytes(4)), word, text, LABEL),))


def spoilt(good: bytes) -> bytes:
    return good[:-3] + bytes((good[-3] ^ 1,)) + good[-2:]


async def heard_out() -> None:
    """Let the turns of the loop pass in which new callers are heard before they take places."""
    for _ in range(3):
        await asyncio.sleep(0)


class Wire(asyncio.Transport):
    """What a session writes on, as far as it asks."""

    def __init__(self, peer: str = HOME, **extra: Any) -> None:
        super().__init__({"peername": (peer, 4711), **extra})
        self.sent = b""
        self.reading = True
        self.ended: str | None = None
        self.unsent = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.ended is not None

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Caller:
    """A device that has called."""

    def __init__(self, listener: DeviceListener, wire: Wire) -> None:
        self.wire = wire
        session = listener.protocol()
        assert isinstance(session, DeviceSession)
        self.session = session
        session.connection_made(wire)

    def say(self, *data: bytes) -> None:
        for part in data:
            if self.wire.reading and self.wire.ended is None:
                self.session.data_received(part)

    def disconnect(self, error: Exception | None = None) -> None:
        self.session.connection_lost(error)


class DeviceHarness:
    """`settle` plays the worker: it judges what waits, and answers."""

    def __init__(self, limits: Limits | None = None, *, hold: int = 1000, trusting: bool = False) -> None:
        self.clock = ManualClock(NOON)
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.directory = Directory()
        stamps = Stamps(self.clock)
        self.main = Inbox(stamps, self.clock, hold_messages=hold, hold_bytes=2**20)
        self.fire = Inbox(stamps, self.clock, hold_messages=hold, hold_bytes=2**20)
        self.lanes = DeviceLanes(self.main, self.fire, self.metrics)
        self.listener = DeviceListener(
            "127.0.0.1", 0, self.lanes, self.directory, self.metrics, self.clock, limits or Limits(), None, trusting
        )
        for gateway_id in ("G000001", "G000002"):
            self.register(gateway_id, networks=["10.0.0.0/24"])

    def register(self, gateway_id: str, networks: Sequence[str] = (), profile: str = "standard") -> None:
        device = Device(profile, ADDRESSES[gateway_id], tuple(ip_network(network) for network in networks))
        self.directory.put(gateway_id, [Version(date(2026, 1, 1), f"U{gateway_id[1:]}", None, device)])

    def call(self, peer: str = HOME, **extra: Any) -> Caller:
        return Caller(self.listener, Wire(peer, **extra))

    def waiting(self, lane: str = "device") -> int:
        return self.lanes.sources[lane].counts().in_flight

    async def settle(self, lane: str = "device", limit: int = 1000) -> list[Outcome]:
        """Take what waits in the lane, let it be judged, store it nowhere, settle and answer."""
        source = self.lanes.sources[lane]
        async with asyncio.timeout(60):
            arrivals: list[Arrival] = await source.take(limit)
        outcomes = [decide(arrival, self.directory, DECODERS) for arrival in arrivals if arrival.probe_sent_at is None]
        source.settle(arrivals, outcomes)
        for outcome in outcomes:
            if outcome.replies:
                source.answer(outcome.arrival, outcome.replies)
        return outcomes

    def ended(self, why: EndReason) -> float:
        value: float = self.metrics.device_connections_ended.labels(why)._value.get()
        return value


def words(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(outcome.reason) if isinstance(outcome, Refused) else "accepted" for outcome in outcomes]
