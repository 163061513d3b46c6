"""Which topic a saved offset belongs to: Kafka's id of it, which is another one each time a topic is made.

An offset alone does not tell. A topic that was made anew begins at 0 again, and once it has grown past the offsets of
the one before, whoever reads on there leaves out all that came until then without a word.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
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

from services.runtime.postgres import AWAY, Pool
from services.runtime.queries import load_queries

SQL = load_queries(Path(__file__).with_name("sql"))
LIMIT_S = 3.0
TRY_AGAIN_S = 0.05
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


async def topic_id(bootstrap: str, topic: str) -> str | None:
    """Return Kafka's id of a topic; None where it has none: a Kafka older than 3.0.

    Raises KafkaError, OSError, TimeoutError (3 s): no answer, or no such topic.
    """
    client = AIOKafkaClient(bootstrap_servers=bootstrap, client_id="firenet-topic-id")
    try:
        async with asyncio.timeout(LIMIT_S):
            await client.bootstrap()
            node = client.get_random_node()
            while not await client.ready(node):  # noqa: ASYNC110 - the client tells nobody
                await asyncio.sleep(TRY_AGAIN_S)
            answer = await client.send(node, _Metadata(topic))
    except NotImplementedError:
        return None
    finally:
        await client.close()
    ((code, _, high, low, *_),) = answer.topics
    if code:
        raise for_code(code)(topic)
    found = UUID(int=(high % (1 << 64) << 64) | low % (1 << 64))
    return str(found) if found.int else None


class TopicIdStatements(NamedTuple):
    """How the ids beside the saved offsets of %(topic)s are read (partition, id), and %(topic_id)s is written beside
    those of %(partitions)s.
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

    async def note(self, topic: str, partitions: Sequence[int], topic_id: str) -> None:
        """Write down to which topic the saved offsets belong from now on. What could not be is noted next time."""
        ...


class SavedTopicIds:
    """Kafka's ids, and those beside the offsets in the database of a service. Neither is waited for for long."""

    def __init__(self, bootstrap: str, pool: Pool, statements: TopicIdStatements, limit_s: float = LIMIT_S) -> None:
        """`limit_s`: so long the database is waited for."""
        self._bootstrap = bootstrap
        self._pool = pool
        self._statements = statements
        self._limit_s = limit_s

    async def now(self, topic: str) -> str | None:
        try:
            return await topic_id(self._bootstrap, topic)
        except (KafkaError, OSError, TimeoutError):
            return None

    async def saved(self, topic: str) -> Mapping[int, str] | None:
        try:
            async with asyncio.timeout(self._limit_s), self._pool.connection() as connection:
                rows = await (await connection.execute(self._statements.read, {"topic": topic})).fetchall()
        except AWAY:  # TimeoutError is an OSError
            return None
        return dict(rows)

    async def note(self, topic: str, partitions: Sequence[int], topic_id: str) -> None:
        values = {"topic": topic, "partitions": list(partitions), "topic_id": topic_id}
        with contextlib.suppress(*AWAY):
            async with asyncio.timeout(self._limit_s), self._pool.connection() as connection:
                await connection.execute(self._statements.write, values)
