"""The log as Kafka holds it now, as an archive of its own: what stands there is read by the same reader.

Kafka keeps of each entity of the registry the newest record only (compaction), and that holds all versions. Where an
earlier one is gone, a record is dated when the first of its versions was recorded, not when it was sent: what was known
at an instant is then told by the versions, which reach the topic a moment after they were recorded.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from schemas import codec
from schemas.topics import REGISTRY, SIGNALS
from services.compliance.adapters.file_archive import FileArchive
from services.compliance.adapters.kafka_source import KafkaSource
from services.compliance.ports import Bounds, LogRecord, Place
from services.runtime.clock import SystemClock

ROLL_BYTES = 64 * 1024 * 1024


async def copy_of_kafka(bootstrap: str, topics: dict[str, int], root: Path) -> None:
    """Write all records that Kafka holds at the beginning of this. Raises Waits.

    Nothing is noted in Kafka, so the archive of the installation is not touched by it.
    """
    source = KafkaSource(bootstrap, "firenet-replay", topics, "firenet-replay")
    archive = FileArchive(
        root, roll_bytes=ROLL_BYTES, roll_s=timedelta(days=1).total_seconds(), min_free_bytes=0, clock=SystemClock()
    )
    try:
        bounds = await source.open()
        archive.open(dict.fromkeys(bounds))
        source.seek({place: each.first for place, each in bounds.items()})
        copy = _Copy(source, archive, bounds)
        await copy.registry()
        await copy.places(place for place in bounds if place.topic not in (REGISTRY, SIGNALS))
        await copy.places(place for place in bounds if place.topic == SIGNALS)
        archive.finish()
    finally:
        archive.close(finish=False)
        await source.close()


class _Copy:
    """What signals are read by comes before them, as in the archive."""

    def __init__(self, source: KafkaSource, archive: FileArchive, bounds: Mapping[Place, Bounds]) -> None:
        self._source = source
        self._archive = archive
        self._bounds = bounds
        self._next = {place: each.first for place, each in bounds.items()}

    async def registry(self) -> None:
        places = [place for place in self._bounds if place.topic == REGISTRY]
        found: dict[Place, list[LogRecord]] = {place: [] for place in places}
        async for place, records in self._read(places):
            found[place] += records
        for place, held in found.items():
            first, end = self._bounds[place].first, self._bounds[place].end
            if held:
                self._append(place, held if len(held) == end else dated_by_versions(held, first))

    async def places(self, places: Iterable[Place]) -> None:
        async for place, records in self._read(places):
            self._append(place, records)

    async def _read(self, places: Iterable[Place]) -> AsyncIterator[tuple[Place, Sequence[LogRecord]]]:
        left = {place: each.end for place in places if (each := self._bounds[place]).first < each.end}
        while left:
            for place, records in (await self._source.fetch(left)).items():
                yield place, records
                if records[-1].offset + 1 >= left[place]:
                    del left[place]

    def _append(self, place: Place, records: Sequence[LogRecord]) -> None:
        self._archive.append(place, self._next[place], records)
        self._next[place] = records[-1].offset + 1


def dated_by_versions(records: Iterable[LogRecord], first: int = 0) -> list[LogRecord]:
    """Return the records of a compacted partition by when the first of their versions was recorded, numbered anew."""
    dated = sorted((replace(each, timestamp_ms=_first_recorded_ms(each)) for each in records), key=_timestamp_ms)
    return [replace(each, offset=number) for number, each in enumerate(dated, first)]


def _timestamp_ms(record: LogRecord) -> int:
    return record.timestamp_ms


def _first_recorded_ms(record: LogRecord) -> int:
    """Return the record's own time where it says nothing of versions, or something that cannot be read."""
    try:
        event = codec.registry.decode(record.value or b"")
    except codec.BadRecord:
        return record.timestamp_ms
    recorded = (int(version.recorded_at.timestamp() * 1000) for version in event.data.record.versions)
    return min(record.timestamp_ms, *recorded)
