"""Kafka's client goes to the beginning of a log by itself when the record that is next is gone: the loop notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from services.runtime.kafka_loop import ConsumedRecord, KafkaLoop, LogGap
from services.runtime.lifecycle import Stop
from services.runtime.topic_ids import Place

PLACE = TopicPartition("t", 0)


@dataclass
class Raw:
    offset: int
    key: bytes = b"k"
    value: bytes = b"v"
    timestamp: int = 0


class Client:
    """Hands out what it was given, and knows where the log begins and ends."""

    def __init__(self, first: int, end: int, *fetches: Sequence[int]) -> None:
        self.first, self.end = first, end
        self._fetches = [[Raw(offset) for offset in offsets] for offsets in fetches]
        self.sought: list[int] = []
        self.note = 0
        self.since: list[int] = []

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Raw]]:
        return {PLACE: self._fetches.pop(0)}

    async def beginning_offsets(self, _: object) -> dict[TopicPartition, int]:
        return {PLACE: self.first}

    async def end_offsets(self, _: object) -> dict[TopicPartition, int]:
        return {PLACE: self.end}

    async def committed(self, _: TopicPartition) -> int:
        return self.note

    async def offsets_for_times(self, _: object) -> dict[TopicPartition, Any]:
        return {PLACE: SimpleNamespace(offset=self.since.pop(0))}

    def assignment(self) -> set[TopicPartition]:
        return {PLACE}

    def highwater(self, _: TopicPartition) -> int:
        return self.end

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.sought.append(offset)


class Handler:
    def __init__(self, saved: int | None) -> None:
        """`saved` None: the database does not answer."""
        self._saved = saved
        self.taken: list[int] = []

    async def assigned(self, _: int) -> int | None:
        return self._saved

    async def handle(self, batches: Mapping[int, Sequence[ConsumedRecord]]) -> None:
        self.taken += [record.offset for records in batches.values() for record in records]

    async def idle(self) -> None:
        return None

    async def revoked(self, _: Sequence[int]) -> None:
        return None


async def turn(client: Any, saved: int, turns: int = 1) -> list[int]:
    """Have the partition assigned, and that many fetches worked off; return what was handled."""
    handler = Handler(saved)
    loop = KafkaLoop("nowhere", PLACE.topic, "g", handler, "i")
    end, client.end = client.end, max(client.end, saved)
    await loop.on_assigned(client, {0})
    client.end = end
    for _ in range(turns):
        await loop._turn(client, Stop())
    return handler.taken


async def test_records_from_before_the_place_are_left_out_while_the_log_goes_on_behind_it() -> None:
    assert await turn(Client(0, 12, [0, 1], [10, 11]), saved=10, turns=2) == [10, 11]


async def test_a_log_that_lost_its_end_while_we_read_stops_the_loop() -> None:
    with pytest.raises(LogGap, match="saved offset 10, Kafka ends at 3"):
        await turn(Client(0, 3, [0, 1, 2]), saved=10)


async def test_a_log_that_was_cut_in_front_of_us_while_we_read_stops_the_loop() -> None:
    client = Client(0, 30, [20, 21])
    handler = Handler(10)
    loop = KafkaLoop("nowhere", PLACE.topic, "g", handler, "i")
    await loop.on_assigned(client, {0})
    client.first = 20
    with pytest.raises(LogGap, match="saved offset 10, Kafka begins at 20"):
        await loop._turn(client, Stop())
    assert handler.taken == []


async def test_an_offset_that_a_former_owner_saved_after_we_asked_where_the_log_ends_is_no_gap() -> None:
    client = Client(0, 1000)

    class Late(Handler):
        async def assigned(self, _: int) -> int | None:
            client.end = 1300  # it has woken up, and reads on until our claim fences it
            return 1200

    began: list[tuple[int, int, int]] = []
    loop = KafkaLoop("nowhere", PLACE.topic, "g", Late(None), "i", begins_at=lambda *place: began.append(place))
    await loop.on_assigned(cast(Any, client), {0})
    assert (loop.gaps, began, client.sought) == (0, [], [1200])


async def test_a_gap_that_is_passed_without_the_database_is_counted() -> None:
    client = Client(20, 30)
    client.note = 10
    loop = KafkaLoop("nowhere", PLACE.topic, "g", Handler(None), "i", begins_at=lambda *_: None)
    await loop.on_assigned(cast(Any, client), {0})
    assert (loop.gaps, client.sought) == (1, [20])


async def test_what_waits_in_the_handler_is_not_worked_off() -> None:
    client, saved = Client(20, 30, [20, 21, 22]), {0: 0}
    loop = KafkaLoop("nowhere", PLACE.topic, "g", Handler(20), "i", worked_off=lambda: saved)
    await loop.on_assigned(cast(Any, client), {0})
    assert loop.lags() == {0: 10}, "before the first answer to a fetch, too"
    loop._consumer = cast(Any, client)
    await loop._turn(cast(Any, client), Stop())
    assert loop.lags() == {0: 10}, "taken in, and nothing saved of it"
    saved[0] = 23
    assert loop.lags() == {0: 7}


async def test_behind_a_log_that_lost_its_end_it_goes_back_a_day_and_says_what_is_recent() -> None:
    client, began = Client(0, 30), list[tuple[int, int, int]]()
    client.since = [7, 25]
    loop = KafkaLoop("nowhere", PLACE.topic, "g", Handler(90), "i", begins_at=lambda *place: began.append(place))
    await loop.on_assigned(cast(Any, client), {0})
    assert (began, client.sought) == ([(0, 7, 25)], [7])


async def test_behind_a_log_that_lost_its_beginning_all_is_recent() -> None:
    client, began = Client(20, 30), list[tuple[int, int, int]]()
    loop = KafkaLoop("nowhere", PLACE.topic, "g", Handler(10), "i", begins_at=lambda *place: began.append(place))
    await loop.on_assigned(cast(Any, client), {0})
    assert (began, client.sought) == ([(0, 20, 20)], [20])


class Topics:
    """Kafka's id of the topic, and what stands beside the saved offsets."""

    def __init__(self, now: str | None, saved: dict[int, str] | None) -> None:
        self.id = now
        self.held = saved
        self.noted: dict[int, Place] = {}

    async def now(self, _: str) -> str | None:
        return self.id

    async def saved(self, _: str) -> Mapping[int, str] | None:
        return self.held

    async def note(self, _: str, places: Mapping[int, Place], topic_id: str | None) -> None:
        self.noted |= places
        if topic_id is not None:
            assert self.held is not None
            self.held |= dict.fromkeys(places, topic_id)


def loop_over(saved: int, topics: Topics, **more: Any) -> KafkaLoop:
    return KafkaLoop("nowhere", PLACE.topic, "g", Handler(saved), "i", topic_ids=topics, **more)


async def test_a_topic_that_was_made_anew_and_has_grown_past_the_saved_offset_stops_the_loop() -> None:
    topics = Topics("b", {0: "a"})
    client = Client(0, 30)
    with pytest.raises(LogGap, match="saved offset 10 is of a topic that was made anew since"):
        await loop_over(10, topics).on_assigned(cast(Any, client), {0})
    assert (client.sought, topics.held) == ([], {0: "a"}), "it stops again at the next start"


async def test_who_must_go_on_reads_a_topic_that_was_made_anew_from_its_beginning_and_once() -> None:
    topics, client, began = Topics("b", {0: "a"}), Client(0, 30), list[tuple[int, int, int]]()
    client.since = [0, 0]
    loop = loop_over(10, topics, begins_at=lambda *place: began.append(place))
    await loop.on_assigned(cast(Any, client), {0})
    assert (began, client.sought, loop.gaps, topics.held) == ([(0, 0, 0)], [0], 1, {0: "b"})


@pytest.mark.parametrize(("now", "saved"), [("a", {}), ("a", {0: "a"}), (None, {0: "a"}), ("a", None)])
async def test_which_topic_it_is_need_not_be_known(now: str | None, saved: dict[int, str] | None) -> None:
    topics, client = Topics(now, saved), Client(0, 30)
    await loop_over(10, topics).on_assigned(cast(Any, client), {0})
    assert client.sought == [10]
    assert topics.held == (None if saved is None else {0: "a"})


async def test_a_topic_of_which_nothing_was_read_may_be_made_anew() -> None:
    topics, client = Topics("b", {0: "a"}), Client(0, 30)
    await loop_over(0, topics).on_assigned(cast(Any, client), {0})
    assert (client.sought, topics.held) == ([0], {0: "b"})


async def test_a_topic_that_is_made_anew_while_we_read_stops_the_loop_although_it_has_grown_past_us() -> None:
    topics, client = Topics("a", {}), Client(0, 30, [0, 1])
    loop = loop_over(10, topics)
    await loop.on_assigned(cast(Any, client), {0})
    topics.id = "b"
    with pytest.raises(LogGap, match="made anew while it was read"):
        await loop._turn(cast(Any, client), Stop())


async def test_an_offset_of_the_topic_before_never_stands_beside_the_id_of_this_one() -> None:
    """No record is handled between two starts: partitions of alarms have none for months."""
    topics, client = Topics("b", {0: "a"}), Client(0, 0)
    client.since = [0, 0]
    await loop_over(5, topics, begins_at=lambda *_: None).on_assigned(cast(Any, client), {0})
    assert (topics.noted, topics.held) == ({0: Place(5, 0)}, {0: "b"})

    grown = Client(0, 6)  # while it was down
    again = loop_over(topics.noted[0].next, topics, begins_at=lambda *_: None)
    await again.on_assigned(cast(Any, grown), {0})
    assert (grown.sought, again.gaps) == ([0], 0)


@pytest.mark.parametrize("now", ["a", None])
async def test_where_a_gap_was_passed_is_written_down_although_the_topic_is_the_same_or_unknown(
    now: str | None,
) -> None:
    topics, client = Topics(now, {0: "a"}), Client(0, 30)
    client.since = [30, 30]
    loop = loop_over(90, topics, begins_at=lambda *_: None)
    await loop.on_assigned(cast(Any, client), {0})
    assert (topics.noted, topics.held) == ({0: Place(90, 30)}, {0: "a"})
    assert loop.unknown_topics == (now is None)


async def test_offsets_that_nobody_says_yet_are_asked_for_again_and_nothing_is_given_up() -> None:
    class Leaderless(Client):
        silent = 2

        async def end_offsets(self, _: object) -> dict[TopicPartition, int]:
            self.silent -= 1
            if self.silent >= 0:
                raise KafkaTimeoutError
            return {PLACE: self.end}

    client = Leaderless(0, 30)
    await loop_over(10, Topics("a", {})).on_assigned(cast(Any, client), {0})
    assert client.sought == [10]


@pytest.mark.parametrize(("owned", "looks"), [(set[TopicPartition](), 1), ({PLACE}, 0)])
async def test_only_who_has_no_partition_looks_for_the_topic(owned: set[TopicPartition], looks: int) -> None:
    looked: list[None] = []
    client: Any = Client(0, 0, [], [])
    client.assignment = lambda: owned
    client._client = SimpleNamespace(force_metadata_update=lambda: looked.append(None))
    loop = KafkaLoop("nowhere", PLACE.topic, "g", Handler(0), "i")
    for _ in range(2):
        await loop._turn(client, Stop())
    assert len(looked) == looks, "and not at every turn"


async def test_who_shall_stop_asks_no_more() -> None:
    client: Any = Client(0, 30)

    async def silent(_: object) -> None:
        stop.set()
        raise KafkaTimeoutError

    stop, client.end_offsets = Stop(), silent
    loop = loop_over(10, Topics("a", {}))
    loop._stop = stop
    with pytest.raises(KafkaTimeoutError):
        await loop.on_assigned(client, {0})
