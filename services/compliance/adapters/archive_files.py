"""Where a part of the log lies in the archive: ROOT/TOPIC/PARTITION/DAY/FIRST-LAST.jsonl.gz.

DAY is the UTC day of `recorded_at`. A file holds all offsets from FIRST to LAST that Kafka had, so a missing file shows
by the names alone, and where to read on after a restart does too. FIRST alone, `FIRST.unfinished`, is being written.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from services.compliance.ports import Place

DIGITS = 20
"""Wide enough for any offset, so that names in order of text are in order of offsets."""
UNFINISHED = ".unfinished"
LOCK = "LOCK"
"""Held by the one process that writes. A folder without it is no archive."""
TOPIC_ID = "TOPIC_ID"
"""In the folder of a topic: which one of that name its files are of, as Kafka calls it."""
_NAME = re.compile(r"^([0-9]{20})-([0-9]{20})\.jsonl\.gz$")
_DAY = re.compile(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
_TOPIC = re.compile(r"^firenet\.[a-z]+\.v[0-9]+$")


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A complete file; `first` and `last` are offsets, both in it."""

    path: Path
    first: int
    last: int

    @property
    def day(self) -> date:
        return date.fromisoformat(self.path.parent.name)


def folder_of(root: Path, place: Place) -> Path:
    return root / place.topic / str(place.partition)


def finished_name(first: int, last: int) -> str:
    return f"{first:0{DIGITS}}-{last:0{DIGITS}}.jsonl.gz"


def unfinished_name(first: int) -> str:
    return f"{first:0{DIGITS}}{UNFINISHED}"


def places(root: Path) -> list[Place]:
    """Return the places that have a folder, in order. Raises OSError."""
    return sorted(
        Place(topic.name, int(partition.name))
        for topic in root.iterdir()
        if _TOPIC.match(topic.name)
        for partition in topic.iterdir()
        if partition.name.isdecimal()
    )


def days(folder: Path) -> list[Path]:
    """Return the day folders of a place, oldest first. Raises OSError."""
    return sorted(day for day in folder.iterdir() if _DAY.match(day.name))


def files_of_day(day: Path) -> list[ArchivedFile]:
    """Return the complete files of a day folder, in order of their offsets. Raises OSError."""
    found = ((path, _NAME.match(path.name)) for path in day.iterdir())
    return sorted(
        (ArchivedFile(path, int(name[1]), int(name[2])) for path, name in found if name), key=lambda file: file.first
    )


def files(folder: Path) -> Iterator[ArchivedFile]:
    """Yield the complete files of a place, in order of their offsets. Raises OSError."""
    for day in days(folder):
        yield from files_of_day(day)
