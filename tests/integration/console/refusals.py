"""Ingest's side of the refusals page: what it writes on its topics, and the orders that it would carry out."""

from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import codec
from schemas.command import Command
from schemas.refusal import Refusal, RefusalData, Replayed, ReplayedData, ReplayOutcome
from schemas.topics import COMMANDS, REFUSALS
from services.kernel.words import RefusalReason
from services.runtime.clock import SystemClock
from services.runtime.kafka import BatchProducer, Record
from tests.integration.ingest.log import create_topics


@dataclass
class IngestStandIn:
    """Refuses, and says what became of it. `gateway_id` is this test's own, so that others' refusals do not matter."""

    bootstrap: str
    gateway_id: str

    async def refuse(self, number: int, reason: str, raw: bytes, *, gateway_id: str | None = None) -> Refusal:
        at = SystemClock().now()
        name = gateway_id or self.gateway_id
        data = RefusalData(
            reason=RefusalReason(reason),
            detail="the registry does not know this gateway",
            topic=f"firenet/v1/{name}/up/json",
            gateway_id=name,
            instance="ingest-1",
            received_at=at,
            raw_bytes=len(raw),
            raw=raw,
        )
        event = Refusal(id=self.refusal_id(number), source="/ingest/ingest-1", subject=name, time=at, data=data)
        await self._send(event, name)
        return event

    def refusal_id(self, number: int) -> str:
        return f"{self.gateway_id.removeprefix('G'):>024}{number:08x}"

    async def replayed(self, command: Command, refusal_id: str, at: datetime, reason: str | None = None) -> None:
        data = ReplayedData(
            refusal_id=refusal_id,
            command_id=command.id,
            by=command.data.by,
            outcome=ReplayOutcome.REFUSED if reason else ReplayOutcome.ACCEPTED,
            signals=0 if reason else 1,
            reason=RefusalReason(reason) if reason else None,
            detail="why" if reason else "",
        )
        await self._send(Replayed(id=f"{refusal_id}r", source="/ingest/replay", time=at, data=data), self.gateway_id)

    async def orders(self, refusal_id: str) -> list[Command]:
        """Return every command on the topic that names the refusal."""
        found = []
        async with AIOKafkaConsumer(COMMANDS, bootstrap_servers=self.bootstrap, auto_offset_reset="earliest") as reader:
            ends = await reader.end_offsets(sorted(reader.assignment()))
            while any([await reader.position(place) < end for place, end in ends.items()]):
                for records in (await reader.getmany(timeout_ms=500)).values():
                    found += [codec.commands.decode(record.value) for record in records]
        return [one for one in found if refusal_id in one.model_dump_json()]

    async def value_at(self, partition: int, offset: int) -> Refusal | Replayed:
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as reader:
            place = TopicPartition(REFUSALS, partition)
            reader.assign([place])
            reader.seek(place, offset)
            return codec.refusals.decode((await reader.getone(place)).value)

    async def _send(self, event: Refusal | Replayed, key: str) -> None:
        await create_topics(self.bootstrap)
        producer = BatchProducer(self.bootstrap, "ingest-stand-in", headers=codec.HEADERS)
        await producer.start()
        await producer.send_many([Record(REFUSALS, key.encode(), codec.refusals.encode(event))])
        await producer.stop()
