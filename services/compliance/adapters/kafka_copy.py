"""The log as Kafka holds it now, as an archive of its own: what stands there is read by the same reader."""

from datetime import timedelta
from pathlib import Path

from services.compliance.adapters.file_archive import FileArchive
from services.compliance.adapters.kafka_source import KafkaSource
from services.compliance.ports import Place
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
        left: dict[Place, int] = {place: each.end for place, each in bounds.items() if each.first < each.end}
        at = {place: each.first for place, each in bounds.items()}
        source.seek(at)
        while left:
            for place, records in (await source.fetch()).items():
                archive.append(place, at[place], records)
                at[place] = records[-1].offset + 1
                if place in left and at[place] >= left[place]:
                    del left[place]
        archive.finish()
    finally:
        archive.close(finish=False)
        await source.close()
