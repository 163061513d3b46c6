"""The one consuming loop: a group shares the partitions, the handler keeps the offsets in its own database.

Kafka never holds our offsets. Whoever is assigned a partition claims it in the database (which fences a former owner)
and reads on from the offset that was saved together with the effects. A handler that has to work without its database
leaves a note of that offset with the group, to begin from when the database cannot be asked.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Protocol, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError, KafkaTimeoutError

from services.runtime.clock import SystemClock
from services.runtime.kafka import ANSWERED_WITHIN_MS, stop_consumer
from services.runtime.kafka_group import leave_group
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger
from services.runtime.patience import backoff_s
from services.runtime.topic_ids import Place, TopicIds

T = TypeVar("T")

REBALANCE_DRAIN_S = 10.0
NOTE_EVERY_S = 2.0
LOOK_EVERY_S = 5.0
"""Whoever has no partition looks for the topic so often: a group that met while it was gone (Kafka was lost) shares its
partitions when it next looks, and the client's own 5 minutes are too long for a fire. Whoever has some does not: a
broker that is just back may answer without the topic, and the group would meet twice for nothing."""
OFFSETS_TRIES = 8
"""A question for offsets has no answer while a partition has no leader. It is asked again, for 40 s in all as the
client's own limit would: giving the consumer up, and with it all partitions, takes longer than the next leader."""
RECENT = timedelta(minutes=10)
"""What is older is not acted upon by a handler that has neither its database nor a note: it was, in all likelihood."""


AFTER_GAP = timedelta(days=1)
"""From so long ago on reads who must go on although records are gone; what it knows already has no second effect."""


class LogGap(Exception):
    """The saved offset lies outside what Kafka holds, so records are gone and a person must decide.

    Before its beginning: retention was shorter than our absence. Beyond its end: the topic was made anew, or restored
    older than the database. Of another topic of that name: made anew, and grown past the offset since.
    """


class _GapMet(Exception):
    """The same, met by who goes on: the partitions are assigned anew, and there it is passed."""


class ConsumedRecord(NamedTuple):
    key: bytes | None
    value: bytes
    partition: int
    offset: int
    timestamp_ms: int


class Unavailable(Exception):
    """What a handler raises when a dependency is down: the loop keeps its place, backs off and hands over again."""


class PartitionHandler(Protocol):
    """Effects and offsets of the partitions that this process owns. The loop never calls two methods at once."""

    async def assigned(self, partition: int) -> int | None:
        """Claim the partition, load its state, and return the offset to read next. May raise Unavailable.

        None when the database cannot be asked and there is work to do all the same: the loop reads from the note of
        the last offset, or else what is not older than `RECENT`.
        """
        ...

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        """Take in records, in order per partition. Raising Unavailable gives the same records again later."""
        ...

    async def idle(self) -> None:
        """Called after every turn, with or without records; the place for checkpoints.

        Raising Unavailable has all partitions assigned anew.
        """
        ...

    async def revoked(self, partitions: Sequence[int]) -> None:
        """Save what is not saved and forget these partitions; another process is about to claim them."""
        ...


class KafkaLoop:
    """Runs `handler` over the partitions of `topic` that the group gives to this process.

    A `static` member is known to the group by its `instance`: started anew under the same name after `kill -9` it has
    its partitions back at once, instead of after the session timeout. Stopped in order it leaves the group when its
    effects are saved, and the others take over at once. The name must be unique: of two processes with one name each
    throws the other out.
    """

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        group: str,
        handler: PartitionHandler,
        instance: str,
        poll_records: int = 5000,
        poll_ms: int = 50,
        *,
        static: bool = False,
        noted: Callable[[], Mapping[int, int]] | None = None,
        begins_at: Callable[[int, int, int], None] | None = None,
        worked_off: Callable[[], Mapping[int, int]] | None = None,
        topic_ids: TopicIds | None = None,
    ) -> None:
        """With `begins_at` a gap in the log does not end the loop: it goes on with what Kafka has, of the last day when
        the saved offset lies beyond the end.

        `begins_at` gets partition and offset, in the place of the offset that the handler had saved, and the offset
        before which all is older than `RECENT`. `worked_off` is of a handler that takes in more than it has saved: up
        to where it has saved each partition. With `topic_ids` an offset of a topic that was made anew since is a gap.
        """
        self._bootstrap = bootstrap
        self.topic = topic
        self.group = group
        self._handler = handler
        self._instance = instance
        self._poll_records = poll_records
        self._poll_ms = poll_ms
        self._static = static
        self._noted = noted
        self._begins_at = begins_at
        self._worked_off = worked_off
        self._topic_ids = topic_ids
        self._topic_id: str | None = None
        self._note: dict[int, int] = {}
        self._noting: asyncio.Task[None] | None = None
        self._clock = SystemClock()
        self._note_at = 0.0
        self._look_at = 0.0
        self._stop = Stop()
        self._lock = asyncio.Lock()
        self._owned: set[int] = set()
        self._next: dict[int, int] = {}
        self._begun: dict[int, tuple[int, int]] = {}
        """Of each partition, from where we read and where it ended when it was assigned."""
        self._failure: Exception | None = None
        self.turns = 0
        self.rebalances = 0
        self.gaps = 0
        self.unknown_topics = 0
        self._consumer: AIOKafkaConsumer | None = None

    def lags(self) -> dict[int, int]:
        """Return, of each partition that is ours, how many records stand in Kafka that are not worked off yet.

        What waits in the handler is not. As of the broker's last answer: while it gives none the figure stands still.
        """
        consumer, found = self._consumer, dict.fromkeys(self._owned, 0)
        mine = {place.partition: place for place in consumer.assignment()} if consumer is not None else {}
        done = self._next if self._worked_off is None else self._worked_off()
        for number in found:
            begun, end = self._begun[number]
            high = consumer.highwater(mine[number]) if consumer is not None and number in mine else None
            found[number] = max(0, (end if high is None else high) - max(begun, done.get(number, begun)))
        return found

    async def run(self, stop: Stop) -> None:
        """Consume until stop; a lost cluster is waited for. Raises LogGap, and what the handler means to be fatal."""
        attempt, self._stop = 0, stop
        while not stop.is_set():
            try:
                await self._consume(stop)
                attempt = 0
            except (KafkaError, OSError, TimeoutError, Unavailable, _GapMet) as error:
                attempt += 1
                get_logger().warning("kafka_lost", topic=self.topic, error=type(error).__name__, attempt=attempt)
                await stop.wait_for(min(5.0, backoff_s(attempt)))

    async def _consume(self, stop: Stop) -> None:
        self._failure = None
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self.group,
            client_id=self._instance,
            group_instance_id=self._instance if self._static else None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=ANSWERED_WITHIN_MS,
            session_timeout_ms=10000,
            heartbeat_interval_ms=1000,
            max_poll_interval_ms=120000,
            rebalance_timeout_ms=30000,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=2 * 1024 * 1024,
        )
        consumer.subscribe([self.topic], listener=_Listener(self, consumer))
        self._consumer = consumer
        try:
            await consumer.start()
            while not stop.is_set():
                await self._turn(consumer, stop)
        finally:
            if self._noting is not None:
                self._noting.cancel()
            member_id = "" if consumer._coordinator is None else getattr(consumer._coordinator, "member_id", "")
            await stop_consumer(consumer, REBALANCE_DRAIN_S)
            self._consumer = None
            async with self._lock:
                await self._release(self._owned)
            if self._static and member_id and stop.is_set():
                await leave_group(self._bootstrap, self.group, member_id, self._instance)

    async def _turn(self, consumer: AIOKafkaConsumer, stop: Stop) -> None:
        fetched = await consumer.getmany(timeout_ms=self._poll_ms, max_records=self._poll_records)
        if self._failure is not None:
            raise self._failure
        self._look_for_topic(consumer)
        async with self._lock:
            batches, elsewhere = self._in_place(fetched)
            if elsewhere:
                await self._check_places(consumer, elsewhere)
            attempt = 0
            while batches and not stop.is_set():
                try:
                    await self._handler.handle(batches)
                    self._next.update({number: records[-1].offset + 1 for number, records in batches.items()})
                    break
                except Unavailable as error:
                    attempt += 1
                    get_logger().warning("handler_waits", topic=self.topic, error=str(error), attempt=attempt)
                    await stop.wait_for(min(5.0, backoff_s(attempt)))
            await self._handler.idle()
            self._leave_note(consumer)
            self.turns += 1

    def _look_for_topic(self, consumer: AIOKafkaConsumer) -> None:
        now = self._clock.monotonic()
        if now >= self._look_at and not consumer.assignment():
            self._look_at = now + LOOK_EVERY_S
            consumer._client.force_metadata_update()

    def _leave_note(self, consumer: AIOKafkaConsumer) -> None:
        """Have the group remember, every other second, up to where the handler's database has got."""
        now = self._clock.monotonic()
        if self._noted is None or now < self._note_at or (self._noting is not None and not self._noting.done()):
            return
        self._note_at = now + NOTE_EVERY_S
        news = {number: offset for number, offset in self._noted().items() if self._note.get(number) != offset}
        if news:
            self._noting = asyncio.create_task(self._commit_note(consumer, news))

    async def _commit_note(self, consumer: AIOKafkaConsumer, news: Mapping[int, int]) -> None:
        try:
            await consumer.commit({TopicPartition(self.topic, number): offset for number, offset in news.items()})
            self._note.update(news)
        except (
            KafkaError,
            ConsumerStoppedError,
            ValueError,
        ) as error:  # not ours any more, or the cluster is away: the next note will do
            get_logger().info("note_not_left", topic=self.topic, error=type(error).__name__)

    async def _from_note(self, consumer: AIOKafkaConsumer, place: TopicPartition, first: int, end: int) -> int:
        """Return where to begin without the database."""
        offset: int | None = await consumer.committed(place)
        if offset is None:
            return await self._recent(consumer, place, RECENT, end)
        first, end = await self._ends_now(consumer, place, offset, first, end)
        gap = self._gap(place.partition, offset, first, end)
        if gap is None:
            return offset
        self.gaps += 1
        begins_at = first if offset < first else await self._recent(consumer, place, RECENT, end)
        get_logger().error("log_gap_passed", detail=gap, begins_at=begins_at)
        return begins_at

    async def _ends_now(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, offset: int, first: int, end: int
    ) -> tuple[int, int]:
        """Return where the partition begins and ends, asked once more where the offset lies outside what was asked.

        Between that question and our claim a former owner may have read on behind it.
        """
        if self._gap(place.partition, offset, first, end) is None:
            return first, end
        firsts, ends = await self._offsets(consumer, [place])
        return firsts[place], ends[place]

    async def _offsets(
        self, consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
    ) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
        """Return where the partitions begin and where they end."""
        return (
            await self._patiently(lambda: consumer.beginning_offsets(places)),
            await self._patiently(lambda: consumer.end_offsets(places)),
        )

    async def _patiently(self, question: Callable[[], Awaitable[T]]) -> T:
        """Ask until there is an answer. Raises KafkaTimeoutError after the last try, or when we shall stop."""
        for _ in range(OFFSETS_TRIES - 1):
            try:
                return await question()
            except KafkaTimeoutError:
                if self._stop.is_set():
                    raise
                get_logger().warning("offsets_without_answer", topic=self.topic)
        return await question()

    def _in_place(
        self, fetched: Mapping[TopicPartition, Sequence[Any]]
    ) -> tuple[dict[int, list[ConsumedRecord]], list[TopicPartition]]:
        """Return what is ours and not handled yet, and the partitions of which something else came than what is next.

        aiokafka begins to fetch a partition as soon as it is assigned, from the beginning of the log, while we still
        load the offset to read from: such records come before the one we asked for. And when Kafka no longer has that
        one, it goes to the beginning of the log by itself, without a word.
        """
        batches: dict[int, list[ConsumedRecord]] = {}
        elsewhere: list[TopicPartition] = []
        for place, records in fetched.items():
            number = place.partition
            if number in self._owned:
                mine = [
                    ConsumedRecord(r.key, r.value or b"", number, r.offset, r.timestamp)
                    for r in records
                    if r.offset >= self._next[number]
                ]
                if records and records[0].offset != self._next[number]:
                    elsewhere.append(place)
                if mine:
                    batches[number] = mine
        return batches, elsewhere

    async def _check_places(self, consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> None:
        """Raise LogGap when the record that is next is none that Kafka has, or will have."""
        (firsts, ends), made_anew = await asyncio.gather(self._offsets(consumer, places), self._made_anew())
        for place in places:
            gap = self._gap(place.partition, self._next[place.partition], firsts[place], ends[place])
            if gap is None and made_anew:
                gap = f"{self.topic}[{place.partition}]: made anew while it was read"
            if gap is not None:
                raise LogGap(gap) if self._begins_at is None else _GapMet(gap)

    async def _made_anew(self) -> bool:
        """Tell whether the topic is another one than when the partitions were assigned."""
        if self._topic_ids is None:
            return False
        now = await self._topic_ids.now(self.topic)
        self.unknown_topics += now is None
        return None not in (now, self._topic_id) and now != self._topic_id

    def _gap(self, number: int, offset: int, first: int, end: int) -> str | None:
        """Say what is wrong with an offset, None when nothing is."""
        if offset < first:
            return f"{self.topic}[{number}]: saved offset {offset}, Kafka begins at {first}"
        if offset > end:
            return f"{self.topic}[{number}]: saved offset {offset}, Kafka ends at {end}"
        return None

    async def _passed(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, gap: str, first: int, end: int, *, all_is_new: bool
    ) -> int:
        """Return where to go on behind a gap, and say so. Raises LogGap where a person must decide.

        `all_is_new`: what Kafka has now came behind what was saved; otherwise the saved offset lies before it.
        """
        if self._begins_at is None:
            raise LogGap(gap)
        offset = recent = first
        if all_is_new:
            offset = await self._recent(consumer, place, AFTER_GAP, end)
            recent = await self._recent(consumer, place, RECENT, end)
        self.gaps += 1
        get_logger().error("log_gap_passed", detail=gap, begins_at=offset)
        self._begins_at(place.partition, offset, recent)
        return offset

    async def _recent(self, consumer: AIOKafkaConsumer, place: TopicPartition, ago: timedelta, end: int) -> int:
        """Return the offset of what is not older than `ago`."""
        since = int((self._clock.now() - ago).timestamp() * 1000)
        found = (await self._patiently(lambda: consumer.offsets_for_times({place: since}))).get(place)
        return end if found is None else int(found.offset)

    async def _release(self, partitions: set[int]) -> None:
        gone = sorted(partitions & self._owned)
        self._owned -= set(gone)
        if gone:
            await self._handler.revoked(gone)

    async def on_revoked(self, partitions: set[int]) -> None:
        async with self._lock:
            await self._release(partitions)

    async def on_assigned(self, consumer: AIOKafkaConsumer, partitions: set[int]) -> None:
        async with self._lock:
            places = [TopicPartition(self.topic, number) for number in partitions]
            topic = _Topic(self.topic, self._topic_ids)
            try:
                firsts, ends = await self._offsets(consumer, places)
                for number in sorted(partitions):
                    place = TopicPartition(self.topic, number)
                    await self._begin(consumer, place, topic, firsts[place], ends[place])
                await topic.note()
            finally:
                topic.close()
            self._topic_id = topic.id
            self.unknown_topics += topic.is_unknown
            self.rebalances += 1

    async def _begin(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, topic: "_Topic", first: int, end: int
    ) -> None:
        """Have the handler claim a partition, and read it on from where that saved it."""
        number = place.partition
        saved = await self._handler.assigned(number)
        made_anew = saved is not None and await topic.made_anew_since(number, saved)
        offset = saved
        if offset is None:
            offset = await self._from_note(consumer, place, first, end)
        if offset == 0:
            offset = first
        first, end = await self._ends_now(consumer, place, offset, first, end)
        gap = self._gap(number, offset, first, end)
        if made_anew:
            gap = f"{self.topic}[{number}]: saved offset {offset} is of a topic that was made anew since"
        if gap is not None:
            all_is_new = made_anew or offset > end
            offset = await self._passed(consumer, place, gap, first, end, all_is_new=all_is_new)
            if saved is not None:
                topic.passed(number, Place(saved, offset))
        consumer.seek(place, offset)
        self._next[number] = offset
        self._begun[number] = offset, end
        self._owned.add(number)

    def fail(self, error: Exception) -> None:
        self._failure = error


class _Topic:
    """The topic at one assignment: its id now, and of which topic the saved offsets are. Each is asked once.

    Kafka is asked for the id at once, while offsets are asked for and partitions claimed.
    """

    def __init__(self, name: str, ids: TopicIds | None) -> None:
        self.id: str | None = None
        self._name = name
        self._ids = ids
        self._asking = None if ids is None else asyncio.ensure_future(ids.now(name))
        self._asked = False
        self._saved: Mapping[int, str] | None = None
        self._unnoted: dict[int, Place] = {}

    @property
    def is_unknown(self) -> bool:
        """Whether somebody who should have said of which topic the offsets are did not."""
        return self._asked and self._saved is None

    async def made_anew_since(self, number: int, offset: int) -> bool:
        """Tell whether what was saved for a partition is of a topic that is gone; False where nobody can say."""
        if self._ids is not None and self._asking is not None and not self._asked:
            self._asked = True
            self.id = await self._asking
            self._saved = None if self.id is None else await self._ids.saved(self._name)
        if self._saved is None or self._saved.get(number) == self.id:
            return False
        self._unnoted[number] = Place(offset, offset)
        return offset > 0 and number in self._saved

    def passed(self, number: int, place: Place) -> None:
        """A partition is read on behind a gap, from another offset than the one that is saved."""
        self._unnoted[number] = place

    async def note(self) -> None:
        """Write down from where the partitions are read on, and that it is of this topic.

        Both at once, and before the first record: a partition may have none for months, and whoever is started anew
        then must not find the offset of the topic before beside the id of this one.
        """
        if self._ids is not None and self._unnoted:
            await self._ids.note(self._name, self._unnoted, None if self._saved is None else self.id)

    def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka ships no types
    """aiokafka logs and swallows what a listener raises, so errors are carried to the loop by hand."""

    def __init__(self, loop: KafkaLoop, consumer: AIOKafkaConsumer) -> None:
        self._loop = loop
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        try:
            await self._loop.on_revoked({place.partition for place in revoked})
        except Exception as error:  # noqa: BLE001 - carried to the loop, which raises it
            self._loop.fail(error)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        try:
            await self._loop.on_assigned(self._consumer, {place.partition for place in assigned})
        except Exception as error:  # noqa: BLE001 - carried to the loop, which raises it
            self._loop.fail(error)
