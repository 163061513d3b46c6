"""`python -m tests.bench.ingest_cost`: what a message costs ingest at full load, in processor time of one process.

The bytes that a broker would send are made beforehand and handed over as if read from its socket; from there on all is
ingest's own: packets, inbox, decision, records, aiokafka's batches, acknowledgements. What is missing are the system
calls, the second thread and Kafka, and with them most of what makes a figure of `tests.bench.ingest` differ from run to
run on a busy machine. `--profile` says where the time goes.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

from aiokafka.producer.message_accumulator import BatchBuilder
from prometheus_client import CollectorRegistry

from schemas.codec import HEADERS
from schemas.topics import ALARMS, REFUSALS, SIGNALS, all_topics
from services.ingest.adapters.inbox import Inbox
from services.ingest.adapters.json_decoder import JsonDecoder
from services.ingest.adapters.kafka_store import KafkaStore
from services.ingest.adapters.mqtt_connection import MqttConnection, Probes
from services.ingest.adapters.mqtt_outbox import Outbox, Waker
from services.ingest.adapters.mqtt_session import Broker, MqttSession
from services.ingest.adapters.stamps import Stamps
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.directory import Directory, Version
from services.ingest.domain.gaps import GapWatch
from services.ingest.domain.values import Arrival, Format, Outcome
from services.ingest.domain.watermark import InstanceWatermark
from services.ingest.metrics import Metrics
from services.ingest.worker.classifier import Classifier
from services.ingest.worker.lane import LaneWorker
from services.runtime.clock import SystemClock
from services.runtime.kafka import BATCH_BYTES, BatchProducer
from services.runtime.lifecycle import Stop
from tests.bench.mqtt_publisher import build, gateway_name

LANE = "main"


class StillWaker(Waker):
    """Nobody waits: whoever turns has something to do."""

    def wait(self, limit_s: float, sock: object = None, *, read: bool = False, write: bool = False) -> None: ...

    def attach(self, sock: object) -> None: ...


class Recorded:
    """A socket that has so many bytes of a recording to read in each turn, and takes whatever is sent."""

    def __init__(self, recording: bytes, per_turn: int) -> None:
        self._recording = recording
        self._per_turn = per_turn
        self._at = self._until = 0
        self.sent = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._recording)

    def turn(self) -> None:
        self._until = min(len(self._recording), self._at + self._per_turn)

    def setsockopt(self, *_: int) -> None: ...

    def recv(self, size: int) -> bytes:
        if self._at >= self._until:
            raise BlockingIOError
        read = self._recording[self._at : min(self._until, self._at + size)]
        self._at += len(read)
        return read

    def send(self, data: bytes) -> int:
        self.sent += len(data)
        return len(data)


class RecordedSource:
    """The port Source of the lane's worker over one connection, in one thread."""

    def __init__(self, recording: bytes, per_turn: int) -> None:
        clock = SystemClock()
        self._inbox = Inbox(Stamps(clock), clock, 1 << 30, 1 << 40)
        self._outbox = Outbox()
        self._sock = Recorded(recording, per_turn)
        session = MqttSession(Broker("", 0, "3.1.1"), "bench", (), 8192, 60, lambda _: None, lambda _: None)
        session.epoch = 1
        self._connection = MqttConnection(
            self._sock, LANE, session, self._inbox, self._outbox, StillWaker(), Probes("-", ""), clock,
            silent_limit_s=1e9,
        )  # fmt: skip

    @property
    def acknowledged(self) -> int:
        return self._sock.sent // 4

    async def take(self, limit: int) -> list[Arrival]:
        if self._sock.ended:
            self._inbox.close()
        else:
            self._sock.turn()
        self._connection.turn()
        return await self._inbox.take(limit)

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        self._outbox.acks.extend(self._inbox.settle(arrivals, outcomes))
        if self._sock.ended:
            self._connection.turn()

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None: ...

    def stop_receiving(self) -> None: ...

    def probe(self) -> None: ...


class PackingProducer:
    """aiokafka's producer without Kafka: batches are built to the last byte, and confirmed at once."""

    def __init__(self) -> None:
        self.records = 0

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        batch._build()
        self.records += batch.record_count()
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.set_result(SimpleNamespace(offset=0))
        return done


class Lane:
    """One lane of a process between a recording and batches that go nowhere; gateways keep their numbering."""

    def __init__(self, gateways: int) -> None:
        directory = Directory()
        for number in range(gateways):
            directory.put(gateway_name(number), [Version(date(2020, 1, 1), f"U{number:06d}", None)])
        self._clock = SystemClock()
        self._metrics = Metrics(CollectorRegistry())
        self._classifier = Classifier(directory, {Format.JSON: JsonDecoder().decode})
        self._watermark = InstanceWatermark((LANE,), epoch=1, since=datetime.now(UTC))
        self._watermark.settled(LANE, datetime.now(UTC))
        self._gaps = GapWatch()

    async def pass_on(self, recording: bytes, messages: int, batch: int) -> float:
        """Return the processor seconds from the recording to the acknowledgements."""
        source = RecordedSource(recording, batch * (len(recording) // messages))
        producer = BatchProducer("", "bench", headers=HEADERS)
        packing = PackingProducer()
        producer._producer = cast(Any, packing)
        store = KafkaStore("", "bench", Encoder("ingest-1"), self._metrics)
        store._producer = producer
        store._partitions = {topic.name: topic.partitions for topic in all_topics().values()}
        assert {SIGNALS, ALARMS, REFUSALS} <= store._partitions.keys()
        worker = LaneWorker(
            LANE, source, store, self._classifier, self._watermark, self._gaps, self._metrics, self._clock,
            batch_messages=2 * batch, batch_every_s=0,
        )  # fmt: skip
        began = time.process_time()
        await worker.run(Stop())
        took = time.process_time() - began
        assert (packing.records, source.acknowledged) == (messages, messages), "every message is stored and confirmed"
        return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=40_000, help="of one run")
    parser.add_argument("--batch", type=int, default=400, help="messages read and stored together")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--gateways", type=int, default=2000)
    parser.add_argument("--plain", action="store_true", help="the smallest heartbeats instead of 290 bytes")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    packets = build(0, 1, options.gateways, options.messages * (options.runs + 1), options.plain)
    size = options.messages
    recordings = [b"".join(packets[at : at + size]) for at in range(0, len(packets), size)]
    del packets
    lane = Lane(options.gateways)
    asyncio.run(lane.pass_on(recordings[0], size, options.batch))  # the first one meets everything for the first time
    gc.collect()
    gc.freeze()  # as the service does
    if options.profile:
        profile = cProfile.Profile()
        profile.runcall(lambda: asyncio.run(lane.pass_on(recordings[1], size, options.batch)))
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        return
    found = sorted(
        asyncio.run(lane.pass_on(recording, size, options.batch)) / size * 1e6 for recording in recordings[1:]
    )
    print(f"processor time of a message: {found[0]:.1f} us at best, {found[len(found) // 2]:.1f} us in the middle")


if __name__ == "__main__":
    main()
