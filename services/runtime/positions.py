"""`positions`: saved positions beside what Kafka has; those that it does not have any more are moved when asked.

Without --move nothing is changed. A position before Kafka's beginning (retention was shorter than an absence) is moved
to the beginning. One behind its end, or of a topic that was made anew since, is moved as --move says: `end` where the
log lost its end and what is there was read; `beginning` where the topic was made anew and whatever is there is new. End
the service first. Positions of alarms are never moved: the fire lane, which reads on meanwhile, goes on by itself. Exit
code: 0 when every other position is one that Kafka has, 1 when some are not, 2 when nobody answers or a topic is
missing.
"""

import argparse
import asyncio
import sys
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import psycopg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.runtime.kafka import KafkaUnavailable, stop_consumer
from services.runtime.queries import load_queries
from services.runtime.settings import ServiceSettings, load
from services.runtime.topic_ids import topic_id

SQL = load_queries(Path(__file__).with_name("sql"))
LIMIT_S = 30.0


class Whence(StrEnum):
    """Where somebody whose position lies behind the end goes on."""

    END = "end"
    BEGINNING = "beginning"


class Statements(NamedTuple):
    """How the positions of a service are read (topic, partition, position, id of the topic) and one of them moved."""

    read: str
    move: str


class Place(NamedTuple):
    topic: str
    partition: int


class Extent(NamedTuple):
    """What Kafka has of a partition: from `first` to the one before `end`; and the id of its topic, None unknown."""

    first: int
    end: int
    topic_id: str | None = None


class Saved(NamedTuple):
    """Which record is next, and the id of the topic that it is of, None when not noted yet."""

    offset: int
    topic_id: str | None = None

    def trouble(self, extent: Extent) -> str:
        """Return what is wrong with it, nothing when Kafka has that record or will have it next."""
        if self.offset and None not in (self.topic_id, extent.topic_id) and self.topic_id != extent.topic_id:
            return "of a topic that was made anew since"
        if self.offset < extent.first:
            return "before its beginning"
        return "behind its end" if self.offset > extent.end else ""


def statements_of(schema: str) -> Statements:
    """Return those of a service whose table `partitions` is read by `PartitionTable`."""
    return Statements(SQL["positions"].replace("{schema}", schema), SQL["move_position"].replace("{schema}", schema))


def goal(saved: Saved, extent: Extent, whence: Whence) -> int:
    """Return where to go on: where it is saved, as long as Kafka has that or will have it next."""
    if not saved.trouble(extent):
        return saved.offset
    if saved.offset < extent.first or whence is Whence.BEGINNING:
        return extent.first
    return extent.end


def main(argv: Sequence[str], service: str, statements: Statements, left_alone: Collection[str] = ()) -> int:
    """Run the command of a service; `argv` is what stands behind its name.

    `left_alone`: topics whose reader goes on by itself, and reads while this runs. Their positions are never moved.
    """
    parser = argparse.ArgumentParser(prog=f"python -m services.{service} positions", description=__doc__)
    parser.add_argument("--move", type=Whence, choices=list(Whence), help="move those that Kafka does not have")
    chosen = parser.parse_args(argv)
    settings = load(ServiceSettings)
    try:
        lines, missing = _run(settings, statements, chosen.move, left_alone)
    except KafkaUnavailable as error:
        return _fail(str(error))
    except psycopg.Error as error:
        return _fail(f"the database of FIRENET_DATABASE_DSN: {str(error).splitlines()[0]}")
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return int(missing > 0)


def _fail(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return 2


def _run(
    settings: ServiceSettings, statements: Statements, whence: Whence | None, left_alone: Collection[str]
) -> tuple[list[str], int]:
    """Return a line for each position, and how many are left that Kafka does not have."""
    lines, missing = [], 0
    with psycopg.connect(settings.database_dsn.get_secret_value()) as connection:
        saved = {
            Place(topic, partition): Saved(offset, topic_id)
            for topic, partition, offset, topic_id in connection.execute(statements.read.encode()).fetchall()
        }
        extents = asyncio.run(_extents(settings.kafka_bootstrap, saved))
        for place, position in saved.items():
            extent = extents[place]
            line = (
                f"{place.topic}[{place.partition}]: saved {position.offset}, Kafka has {extent.first} to {extent.end}"
            )
            where = position.trouble(extent)
            if not where:
                lines.append(line)
                continue
            if place.topic in left_alone:
                lines.append(f"{line}: {where}, left alone: its reader goes on by itself")
                continue
            if whence is None:
                missing += 1
                lines.append(f"{line}: {where}")
                continue
            to = goal(position, extent, whence)
            moved = connection.execute(
                statements.move.encode(),
                {
                    "topic": place.topic,
                    "partition": place.partition,
                    "saved": position.offset,
                    "goal": to,
                    "topic_id": extent.topic_id,
                },
            )
            missing += not moved.rowcount
            said = f"moved to {to}" if moved.rowcount else "not moved: somebody else did meanwhile"
            lines.append(f"{line}: {where}, {said}")
    return lines, missing


async def _extents(bootstrap: str, places: Collection[Place]) -> Mapping[Place, Extent]:
    """Return what Kafka has of each. Raises KafkaUnavailable without an answer, and for a topic that is not there."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, client_id="firenet-positions")
    try:
        async with asyncio.timeout(LIMIT_S):
            await consumer.start()
            there = await consumer.topics()
            if absent := sorted({place.topic for place in places} - there):
                raise KafkaUnavailable(f"Kafka has no topic {', '.join(absent)}: python -m services.registry topics")
            asked = [TopicPartition(*place) for place in places]
            firsts, ends = await consumer.beginning_offsets(asked), await consumer.end_offsets(asked)
            ids = {topic: await topic_id(bootstrap, topic) for topic in sorted({place.topic for place in places})}
    except (TimeoutError, KafkaError, OSError) as error:
        raise KafkaUnavailable(f"no answer from Kafka at {bootstrap}: {type(error).__name__}") from error
    finally:
        await stop_consumer(consumer)
    return {
        Place(place.topic, place.partition): Extent(firsts[place], ends[place], ids[place.topic]) for place in asked
    }
