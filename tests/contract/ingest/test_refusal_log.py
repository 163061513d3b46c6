"""What a replay may expect of the refusals topic: in memory and on Kafka alike where both exist."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

import pytest

from schemas import codec
from schemas.topics import REFUSALS
from services.ingest.adapters.refusal_log import NEAR, KafkaRefusalLog, stored_refusal
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.errors import LogUnavailable
from services.ingest.domain.replays import LogPosition, Query, ReplayNote, StoredRefusal
from services.ingest.domain.values import Claim, Format, Refused, Route
from services.ingest.ports import RefusalReader
from services.kernel.words import Lane, RefusalReason, Transport
from services.runtime.clock import SystemClock
from services.runtime.kafka import BatchProducer, Record
from tests.fakes.ingest import MemoryRefusals
from tests.integration.ingest.log import create_topics
from tests.unit.ingest.build import arrival

ENCODER = Encoder("ingest-1")


class Shelf:
    """Puts refusals of a gateway of its own into partition 1; `kept` are they with their places."""

    def __init__(self, bootstrap: str | None) -> None:
        self.gateway_id = f"G{secrets.token_hex(4)}"
        self.bootstrap = bootstrap or ""
        self.kept: list[StoredRefusal] = []

    @property
    def log(self) -> RefusalReader:
        return KafkaRefusalLog(self.bootstrap) if self.bootstrap else MemoryRefusals(self.kept)

    async def refuse(self, raws: Sequence[bytes], claim: Claim | None = None) -> None:
        topic, at = f"firenet/v1/{self.gateway_id}/up/json", SystemClock().now()
        values = []
        for number, raw in enumerate(raws):
            came = arrival(raw, topic, received_at=at + timedelta(microseconds=number))._replace(claim=claim)
            values.append(ENCODER.refusal(Refused(came, RefusalReason.NOT_JSON, "expected value", self.gateway_id)))
        for value, offset in zip(values, await self.write(values), strict=True):
            event = codec.refusals.decode(value)
            assert event.type == "cn.firenet.refusal.v1"
            self.kept.append(stored_refusal(event, 1, offset))

    async def write(self, values: Sequence[bytes]) -> list[int]:
        if not self.bootstrap:
            return list(range(len(self.kept), len(self.kept) + len(values)))
        producer = BatchProducer(self.bootstrap, "shelf", headers=codec.HEADERS)
        await producer.start()
        positions = await producer.send_many([Record(REFUSALS, None, value, 1) for value in values])
        await producer.stop()
        return [offset for _, offset in positions]


@pytest.fixture(params=["memory", "kafka"])
async def memory_refusals(request: pytest.FixtureRequest) -> Shelf:
    bootstrap = request.getfixturevalue("kafka_broker") if request.param == "kafka" else None
    if bootstrap is not None:
        await create_topics(bootstrap)
    return Shelf(bootstrap)


@pytest.fixture
async def topic(kafka_broker: str) -> Shelf:
    await create_topics(kafka_broker)
    return Shelf(kafka_broker)


async def test_refusals_are_found_at_their_places_near_and_far_in_any_order(memory_refusals: Shelf) -> None:
    await memory_refusals.refuse([b"%d" % number for number in range(3 * NEAR)])
    wanted = [memory_refusals.kept[number] for number in (2 * NEAR + 50, 0, 1, 7, 3 * NEAR - 1)]
    found = await memory_refusals.log.at([kept.position for kept in wanted])
    assert sorted(found) == sorted(wanted)


async def test_a_device_without_a_broker_is_remembered(memory_refusals: Shelf) -> None:
    claim = Claim("", Route(Lane.ALARM, Transport.UDP_GB26875, Format.GB26875), "10.0.0.7", "cert")
    await memory_refusals.refuse([b"@@"], claim)
    (found,) = await memory_refusals.log.at([memory_refusals.kept[0].position])
    assert found.arrival.claim == claim._replace(gateway_id=memory_refusals.gateway_id)


async def test_places_of_nothing_or_of_another_refusal_are_left_out(memory_refusals: Shelf) -> None:
    await memory_refusals.refuse([b"hello"])
    here = memory_refusals.kept[0].position
    wrong = [here._replace(refusal_id="0" * 32), here._replace(offset=10**9), here._replace(partition=99)]
    assert await memory_refusals.log.at(wrong) == []


async def test_a_stretch_of_the_log_is_read_with_what_became_of_each(topic: Shelf) -> None:
    await topic.refuse([b"one", b"two"])
    one, two = topic.kept
    note = ReplayNote(one.position, topic.gateway_id, "c1", "wang", SystemClock().now(), 1, 0, None, "")
    still = note._replace(command_id="c0", at=note.at - timedelta(seconds=1), signals=0, reason="not_json")
    await topic.write([ENCODER.replayed(note), ENCODER.replayed(still), b"no event"])
    log = KafkaRefusalLog(topic.bootstrap)
    since = one.arrival.received_at - timedelta(seconds=1)
    assert [kept async for kept in log.refusals(Query(gateway_id=topic.gateway_id, since=since))] == [one, two]
    assert [kept async for kept in log.refusals(Query(ids=frozenset({two.position.refusal_id})))] == [two]
    assert [kept async for kept in log.refusals(Query(since=note.at + timedelta(days=1)))] == []
    assert log.unreadable == 1
    histories = await log.notes(since, {one.position.refusal_id})
    assert [(told.command_id, told.reason) for told in histories[one.position.refusal_id]] == [
        ("c0", "not_json"),
        ("c1", None),
    ]


async def test_without_kafka_it_says_so() -> None:
    with pytest.raises(LogUnavailable):
        await KafkaRefusalLog("127.0.0.1:1").at([LogPosition("0" * 32, 0, 0)])
