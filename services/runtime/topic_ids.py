"""Which topic a saved offset belongs to: Kafka's id of it, which is another one each time a topic is made.

An offset alone does not tell. A topic that was made anew begins at 0 again, and once it has grown past the offsets of
the one before, whoever reads on there leaves out all that came until then without a word.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from aiokafka.conn import AIOKafkaConnection, collect_hosts
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from services.runtime.patience import leave, within
from services.runtime.postgres import AWAY, Pool
from services.runtime.queries import load_queries

SQL = load_queries(Path(__file__).with_name("sql"))
LIMIT_S = 3.0
_METADATA = 3
_UUID = (("high", Int64), ("low", Int64))
_TEXT = CompactString("utf-8")


class _Response(Response):  # type: ignore[misc] # aiokafka ships no types
    API_KEY = _METADATA
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(("node_id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT), ("tags", TaggedFields)),
        ),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _TEXT),
                *_UUID,
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _RequestStruct(RequestStruct):  # type: ignore[misc] # aiokafka ships no types
    API_KEY = _METADATA
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        ("topics", CompactArray(*_UUID, ("name", _TEXT), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Metadata(Request[_RequestStruct]):  # type: ignore[misc] # aiokafka ships no types
    """Metadata v12 (Kafka 3.0) says the ids of topics; aiokafka knows up to v5."""

    API_KEY = _METADATA

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_RequestStruct]) -> _RequestStruct:
        return request_struct_class([(0, 0, self._topic, {})], False, False, {})


async def topic_id(bootstrap: str, topic: str, limit_s: float = LIMIT_S) -> str | None:
    """Return Kafka's id of a topic; None where it has none: a Kafka older than 3.0.

    All brokers of `bootstrap` are asked at the same time, so that one that says nothing keeps nobody waiting. Raises
    KafkaError, OSError, TimeoutError (after `limit_s`): no answer, or no such topic.
    """
    asked = {asyncio.create_task(_asked(host, port, topic, limit_s)) for host, port, _ in collect_hosts(bootstrap)}
    waiting, error = asked, BaseException("no broker is named")
    try:
        async with asyncio.timeout(limit_s):
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    failed = one.exception()
                    if failed is None:
                        return one.result()
                    error = failed
    finally:
        for one in asked:
            one.cancel()
            leave(one)
    raise error


async def _asked(host: str, port: int, topic: str, limit_s: float) -> str | None:
    connection = AIOKafkaConnection(
        host, port, client_id="firenet-topic-id", request_timeout_ms=max(1, int(limit_s * 1000))
    )
    try:
        await connection.connect()
        answer = await connection.send(_Metadata(topic))
    except NotImplementedError:
        return None
    finally:
        connection.close()
    ((code, _, high, low, *_),) = answer.topics
    if code:
        raise for_code(code)(topic)
    found = UUID(int=(high % (1 << 64) << 64) | low % (1 << 64))
    return str(found) if found.int else None


class Place(NamedTuple):
    """Which offset is saved as the next, and from which one the partition is read on: another one behind a gap."""

    saved: int
    next: int


class TopicIdStatements(NamedTuple):
    """How the ids beside the saved offsets of %(topic)s are read (partition, id), and how %(topic_id)s and the offsets
    that are of it, %(next_offsets)s of %(partitions)s, are written where still %(saved_offsets)s are saved. Without an
    id the one that stands there stays.
    """

    read: str
    write: str


def topic_id_statements(schema: str) -> TopicIdStatements:
    """Return those of a service whose table `partitions` is read by `PartitionTable`."""
    read, write = SQL["topic_ids"], SQL["note_topic_id"]
    return TopicIdStatements(read.replace("{schema}", schema), write.replace("{schema}", schema))


class TopicIds(Protocol):
    """What the consuming loop asks."""

    async def now(self, topic: str) -> str | None:
        """Return the id that the topic has; None when nobody can say."""
        ...

    async def saved(self, topic: str) -> Mapping[int, str] | None:
        """Return, by partition, the id of the topic that the saved offset belongs to; None when nobody can say."""
        ...

    async def note(self, topic: str, places: Mapping[int, Place], topic_id: str | None) -> None:
        """Write down from where each partition is read on, and of which topic that is. A partition of which something
        else is saved by now is left out. What could not be written is noted next time.
        """
        ...


class SavedTopicIds:
    """Kafka's ids, and those beside the offsets in the database of a service. Neither is waited for for long."""

    def __init__(self, bootstrap: str, pool: Pool, statements: TopicIdStatements, limit_s: float = LIMIT_S) -> None:
        """`limit_s`: so long each answer is waited for."""
        self._bootstrap = bootstrap
        self._pool = pool
        self._statements = statements
        self._limit_s = limit_s

    async def now(self, topic: str) -> str | None:
        try:
            return await topic_id(self._bootstrap, topic, self._limit_s)
        except Exception:  # noqa: BLE001 - whatever is odd about this answer is no reason to read no alarms
            return None

    async def saved(self, topic: str) -> Mapping[int, str] | None:
        try:
            return await within(self._read(topic), self._limit_s)
        except AWAY:  # TimeoutError is an OSError
            return None

    async def note(self, topic: str, places: Mapping[int, Place], topic_id: str | None) -> None:
        values = {
            "topic": topic,
            "partitions": list(places),
            "saved_offsets": [place.saved for place in places.values()],
            "next_offsets": [place.next for place in places.values()],
            "topic_id": topic_id,
        }
        with contextlib.suppress(*AWAY):
            await within(self._write(values), self._limit_s)

    async def _write(self, values: Mapping[str, object]) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(self._statements.write, values)

    async def _read(self, topic: str) -> Mapping[int, str]:
        async with self._pool.connection() as connection:
            return dict(await (await connection.execute(self._statements.read, {"topic": topic})).fetchall())
