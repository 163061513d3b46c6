"""Rules on a real Kafka and a real PostgreSQL: topics of its own, a registry, and a log to write."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from aiokafka import AIOKafkaConsumer

from schemas import codec
from schemas.finding import Finding
from schemas.pack import Pack
from schemas.registry import (
    GatewayRecord,
    GatewayVersion,
    PackRecord,
    PackVersion,
    RegistryData,
    RegistryEvent,
    UnitRecord,
    UnitVersion,
)
from schemas.signal import Signal, SignalData, Tick, TickData, TickState
from services.rules.app import Topics
from services.runtime.kafka import BatchProducer, Record, TopicSpec, ensure_topics, partition_of
from services.runtime.migrate import migrate
from tests import quick_yaml

PACK_FILE = Path(__file__).parents[3] / "deploy" / "packs" / "sample-2026.yaml"
LISTED = date(2026, 1, 1)
RECORDED = datetime(2026, 1, 1, tzinfo=UTC)
START = datetime(2026, 3, 2, 2, tzinfo=UTC)


def new_topics(partitions: int) -> Topics:
    mark = secrets.token_hex(5)
    return Topics(f"signals-{mark}", f"registry-{mark}", f"findings-{mark}", partitions)


async def create(bootstrap: str, topics: Topics) -> None:
    await ensure_topics(
        bootstrap,
        [
            TopicSpec(topics.signals, topics.partitions, compact=False, retention_ms=None, max_message_bytes=1 << 20),
            TopicSpec(topics.registry, 2, compact=True, retention_ms=None, max_message_bytes=1 << 20),
            TopicSpec(topics.findings, 2, compact=False, retention_ms=None, max_message_bytes=1 << 20),
        ],
    )


def registry_event(record: UnitRecord | GatewayRecord | PackRecord) -> bytes:
    name = f"{record.kind}:{record.id}"
    return codec.registry.encode(
        RegistryEvent(
            id=secrets.token_hex(8), source="/registry", subject=name, time=RECORDED, data=RegistryData(record=record)
        )
    )


def unit_record(unit_id: str, **changes: Any) -> UnitRecord:
    values: dict[str, Any] = {
        "valid_from": LISTED,
        "recorded_at": RECORDED,
        "unit_id": unit_id,
        "name": f"医院 {unit_id}",
        "district": "sample",
        "town": "town-1",
        "community": "c",
        "category": "HOSPITAL",
        "key_unit": True,
        "auto_fire_facilities": True,
        "crowded_place": True,
        "flammable_place": False,
        "fire_alarm_system": True,
        "commissioned_on": LISTED,
        "lead_department": "health",
        "routed": True,
        "route_clause": "003 health 二",
        **changes,
    }
    return UnitRecord(id=unit_id, versions=(UnitVersion(**values),))


def gateway_record(gateway_id: str, unit_id: str) -> GatewayRecord:
    version = GatewayVersion(
        valid_from=LISTED, recorded_at=RECORDED, gateway_id=gateway_id, unit_id=unit_id, carrier="carrier-a"
    )
    return GatewayRecord(id=gateway_id, versions=(version,))


def pack_record() -> PackRecord:
    pack = Pack.model_validate(quick_yaml.read(PACK_FILE.read_text(encoding="utf-8")))
    return PackRecord(
        id=pack.pack_id, versions=(PackVersion(valid_from=pack.valid_from, recorded_at=RECORDED, pack=pack),)
    )


def registry_records(units: Sequence[str]) -> list[tuple[str, bytes]]:
    """Return key and value of each record: the sample pack, the units, and a gateway `G-<unit>` for each."""
    records = [("pack:sample-2026", registry_event(pack_record()))]
    for unit_id in units:
        records.append((f"unit:{unit_id}", registry_event(unit_record(unit_id))))
        records.append((f"gateway:G-{unit_id}", registry_event(gateway_record(f"G-{unit_id}", unit_id))))
    return records


def signal(unit_id: str, kind: str, at: datetime, name: str, **more: Any) -> bytes:
    data = SignalData.model_validate(
        {
            "gateway_id": f"G-{unit_id}",
            "unit_id": unit_id,
            "kind": kind,
            "carrier": "mqtt_json",
            "lane": "up",
            "instance": "ingest-1",
            **more,
        }
    )
    return codec.signals.encode(Signal(id=name, source=f"/gateways/G-{unit_id}", subject=unit_id, time=at, data=data))


def tick(number: int, at: datetime, instance: str = "ingest-1") -> bytes:
    data = TickData(instance=instance, epoch=1, number=number, state=TickState.LIVE, proven_until=at)
    return codec.signals.encode(Tick(id=secrets.token_hex(8), source=f"/ingest/{instance}", time=at, data=data))


@dataclass
class Harness:
    """One test's topics and database."""

    bootstrap: str
    dsn: str
    topics: Topics
    producer: BatchProducer
    ticks: int = 0
    written: dict[int, list[bytes]] = field(default_factory=dict)

    @classmethod
    async def build(cls, bootstrap: str, dsn: str, units: Sequence[str], partitions: int = 3) -> "Harness":
        await asyncio.to_thread(migrate, dsn)
        topics = new_topics(partitions)
        await create(bootstrap, topics)
        producer = BatchProducer(bootstrap, "rules-test")
        await producer.start()
        harness = cls(bootstrap, dsn, topics, producer)
        await producer.send_many(
            [Record(topics.registry, key.encode(), value) for key, value in registry_records(units)]
        )
        return harness

    async def send(self, records: Iterable[tuple[str, bytes]]) -> None:
        """Write signals, each under its unit's key."""
        placed = [(partition_of(unit.encode(), self.topics.partitions), unit, value) for unit, value in records]
        await self._write([(partition, unit.encode(), value) for partition, unit, value in placed])

    async def tick(self, at: datetime) -> None:
        """Write a tick to every partition."""
        self.ticks += 1
        await self._write([(partition, None, tick(self.ticks, at)) for partition in range(self.topics.partitions)])

    async def _write(self, records: Sequence[tuple[int, bytes | None, bytes]]) -> None:
        for partition, _, value in records:
            self.written.setdefault(partition, []).append(value)
        await self.producer.send_many(
            [Record(self.topics.signals, key, value, partition) for partition, key, value in records]
        )

    async def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        async with await psycopg.AsyncConnection.connect(self.dsn) as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall()

    async def unit(self, unit_id: str) -> tuple[Any, ...] | None:
        found = await self.query("SELECT connection, health FROM rules.units WHERE unit_id = %s", unit_id)
        return found[0] if found else None

    async def findings(self, wanted: int, deadline_s: float = 90) -> list[Finding]:
        """Return what stands on the findings topic once there are `wanted` different ones, repeats and all."""
        consumer = AIOKafkaConsumer(
            self.topics.findings, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest"
        )
        await consumer.start()
        found: list[Finding] = []
        try:
            async with asyncio.timeout(deadline_s):
                while len({finding.id for finding in found}) < wanted:
                    for records in (await consumer.getmany(timeout_ms=200)).values():
                        events = [codec.findings.decode(record.value) for record in records]
                        found += [event for event in events if isinstance(event, Finding)]
        finally:
            await consumer.stop()
        return found


async def eventually(question: Callable[[], Any], wanted: Callable[[Any], bool], deadline_s: float = 90) -> Any:
    """Ask again until the answer is wanted. Raises AssertionError with the last answer."""
    last: Any = None
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                last = await question()
                if wanted(last):
                    return last
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"still {last!r} after {deadline_s:g} s") from None


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def by_unit(rows: Iterable[tuple[Any, ...]]) -> Mapping[Any, list[tuple[Any, ...]]]:
    sorted_out: dict[Any, list[tuple[Any, ...]]] = {}
    for row in rows:
        sorted_out.setdefault(row[0], []).append(row)
    return sorted_out
