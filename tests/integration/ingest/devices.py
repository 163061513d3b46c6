"""Devices that know no MQTT, at the ports of a real ingest process: they resend until they are confirmed."""

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Sequence
from datetime import date
from ipaddress import ip_network
from pathlib import Path

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from deploy.stack.ports import free_ports
from schemas import codec
from schemas.registry import GatewayRecord, GatewayVersion, RegistryData, RegistryEvent
from schemas.signal import Signal
from schemas.topics import REGISTRY
from services.ingest.domain.gb26875 import (
    PROFILES,
    Adu,
    Command,
    ComponentAddress,
    Frame,
    Text,
    TimeLabel,
    decode_frame,
    encode_frame,
)
from services.ingest.domain.gb26875.bodies import ComponentStatus
from services.runtime.clock import SystemClock
from services.runtime.kafka import BatchProducer, Record
from tests.integration.ingest.log import Written, create_topics, read_all
from tests.integration.ingest.process import LIMIT_S, IngestProcess

HOST = "127.0.0.1"
STANDARD = PROFILES["standard"]
CENTRE = bytes(6)


class Device:
    """One gateway and its connection. `confirmed` are the serial numbers of frames that it may forget."""

    def __init__(self, gateway_id: str, port: int) -> None:
        self.gateway_id = gateway_id
        self.address = secrets.token_bytes(6)
        self.confirmed: set[int] = set()
        self._frames: dict[int, bytes] = {}
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    def frame(self, serial: int, *, fire: bool = False) -> bytes:
        """Return a heartbeat or a fire of now; for the same number the same bytes, as a resend has."""
        if serial not in self._frames:
            label = TimeLabel.of_instant(SystemClock().now(), STANDARD)
            adu = None
            if fire:
                text = Text.of("一层大厅感烟", STANDARD, 31)
                adu = Adu(2, (ComponentStatus(1, 0, 40, ComponentAddress(bytes(4)), 0x03, text, label),))
            frame = Frame(serial, 1, 0, label, self.address, CENTRE, Command.SEND, adu)
            self._frames[serial] = encode_frame(frame, STANDARD)
        return self._frames[serial]

    async def call(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            self._reader, self._writer = await asyncio.open_connection(HOST, self._port)

    def write(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    async def drain(self) -> None:
        assert self._writer is not None
        await self._writer.drain()

    async def answer(self, limit_s: float = LIMIT_S) -> Frame:
        """Return the next frame from the centre. Raises IncompleteReadError when the connection ends."""
        assert self._reader is not None
        async with asyncio.timeout(limit_s):
            frame = decode_frame(await self._reader.readexactly(30))
        if frame.command == Command.CONFIRM:
            self.confirmed.add(frame.serial)
        return frame

    async def ended(self) -> bool:
        """Wait for the end of the connection; whatever comes before it is thrown away."""
        assert self._reader is not None
        with contextlib.suppress(ConnectionResetError):
            async with asyncio.timeout(LIMIT_S):
                await self._reader.read()
        return True

    @property
    def unanswered(self) -> bool:
        """Whether nothing at all has come back that was not read."""
        assert self._reader is not None
        return not self._reader._buffer  # type: ignore[attr-defined] # there is no public look at what is there

    def reset(self) -> None:
        """Cut the connection off as a dead modem would: no farewell."""
        if self._writer is not None:
            sock = self._writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # the other side may have been first
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
            self._reader = self._writer = None

    async def deliver(self, serial: int, *, fire: bool = False) -> None:
        """Send a frame, and again on new connections, until it is confirmed."""
        while serial not in self.confirmed:
            try:
                if self._writer is None:
                    await self.call()
                self.write(self.frame(serial, fire=fire))
                while serial not in self.confirmed:
                    await self.answer(10)
            except (OSError, asyncio.IncompleteReadError, TimeoutError):
                self.reset()
                await asyncio.sleep(0.1)


class DeviceSite:
    """One ingest process with both ports open, and the devices registered with it."""

    def __init__(self, folder: Path, kafka: Kafka, broker: Mosquitto, **settings: str) -> None:
        self.kafka = kafka
        self._since = SystemClock().now()
        self.port, self.udp_port = free_ports(2)
        self._names = secrets.token_hex(4)
        ports = {"INGEST_TCP_PORT": str(self.port), "INGEST_UDP_PORT": str(self.udp_port)}
        self.ingest = IngestProcess(folder, kafka.bootstrap, broker.port, f"i{self._names}", **ports, **settings)
        self._devices: list[Device] = []

    async def devices(self, count: int, networks: Sequence[str] = ("127.0.0.0/8",)) -> list[Device]:
        """Register devices. To be called before ingest starts."""
        await create_topics(self.kafka.bootstrap)
        made = [Device(f"D{self._names}{number}", self.port) for number in range(count)]
        await _register(self.kafka.bootstrap, made, networks)
        self._devices += made
        return made

    async def written(self) -> Written:
        """Return what stands in Kafka since this site is there."""
        return await read_all(self.kafka.bootstrap, self._since)

    async def signals(self, device: Device) -> list[Signal]:
        async with asyncio.timeout(LIMIT_S):
            written = await self.written()
        written.assert_no_tick_lies()
        return [signal for _, _, signal in written.signals if signal.data.gateway_id == device.gateway_id]

    def balanced(self) -> bool:
        """Whether the counters of the device lanes add up."""
        names = ("stored_total", "repeated_total", "refused_total", "handed_back_total", "in_flight")
        return all(
            self.ingest.metric("received_total", lane=lane)
            == sum(self.ingest.metric(name, lane=lane) for name in names)
            for lane in ("device", "device_fire")
        )

    async def close(self) -> None:
        for device in self._devices:
            device.reset()
        await self.ingest.stop()


async def _register(bootstrap: str, devices: Sequence[Device], networks: Sequence[str]) -> None:
    producer = BatchProducer(bootstrap, "registry-of-test", headers=codec.HEADERS)
    await producer.start()
    now = SystemClock().now()
    records = []
    for device in devices:
        version = GatewayVersion(
            valid_from=date(2020, 1, 1),
            recorded_at=now,
            gateway_id=device.gateway_id,
            unit_id=f"U{device.gateway_id[1:]}",
            carrier="any",
            device_profile="keepalive_empty_send",
            device_address=device.address.hex(),
            networks=tuple(ip_network(network) for network in networks),
        )
        data = RegistryData(record=GatewayRecord(id=device.gateway_id, versions=(version,)))
        key = f"gateway:{device.gateway_id}"
        event = RegistryEvent(id=key, source="/registry", subject=key, time=now, data=data)
        records.append(Record(REGISTRY, key.encode(), codec.registry.encode(event)))
    await producer.send_many(records)
    await producer.stop()
