"""What archiving needs: the log to read, and the place where it is kept."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple, Protocol


class Place(NamedTuple):
    """One partition of one topic: records in order of arrival."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as Kafka has it. `timestamp_ms` is the producer's clock (CreateTime), so it may step back."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Bounds(NamedTuple):
    """What Kafka holds of a place: offsets [first, end), and the offset up to which it remembers that we archived."""

    first: int
    end: int
    noted: int | None


class Appended(NamedTuple):
    """What became of a batch: lines written, their bytes before compression, anomalies among them."""

    records: int
    line_bytes: int
    undecodable: int
    clamped: int


class Trouble(StrEnum):
    """Why nothing is archived now. What Kafka has waits there."""

    FULL = "full"
    READ_ONLY = "read_only"
    MISSING = "missing"
    HELD = "held"
    AHEAD = "ahead"
    FAILED = "failed"
    KAFKA = "kafka"


class Waits(Exception):
    """Archiving cannot go on for now; nothing is lost by waiting."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail


class LogSource(Protocol):
    """The topics to archive, all partitions of them. Every method but `close` may raise Waits(KAFKA)."""

    async def open(self) -> Mapping[Place, Bounds]:
        """Connect and return what there is."""
        ...

    def seek(self, positions: Mapping[Place, int]) -> None:
        """Read on from these offsets."""
        ...

    async def fetch(self) -> Mapping[Place, Sequence[LogRecord]]:
        """Return what has come, in order per place; empty after a short while without. Bounded in memory."""
        ...

    def ends(self) -> Mapping[Place, int]:
        """Return where each place ended when Kafka last said so."""
        ...

    async def note(self, positions: Mapping[Place, int]) -> None:
        """Have Kafka remember up to where the archive is whole: by it a folder that is gone is known from a new one."""
        ...

    async def close(self) -> None: ...


class Archive(Protocol):
    """Complete files only count. Every method but `close` may raise Waits; all block, none is called beside another."""

    def open(self, noted: Mapping[Place, int | None]) -> Mapping[Place, int | None]:
        """Take the archive for this process and return the offset after the last archived one, None for none.

        What a process that was killed left unfinished is removed: Kafka has it. Raises Waits(MISSING) when Kafka was
        told of more than nothing of a place and nothing of it is here.
        """
        ...

    def append(self, place: Place, first: int, records: Sequence[LogRecord]) -> Appended:
        """Write records. `first` is the offset that was asked for: Kafka may have had nothing from it to the first's.

        What is written is safe after `finish` only.
        """
        ...

    def due(self) -> bool:
        """Whether a file has reached its size or age."""
        ...

    def finish(self) -> Mapping[Place, int]:
        """Make all unfinished files whole, on the disk; return the offset after the last of each."""
        ...

    def drop_before(self, day: date, topics: Collection[str]) -> int:
        """Remove files of these topics of days before `day`, never the last of a place. Return how many."""
        ...

    def free_bytes(self) -> int: ...

    def close(self, finish: bool) -> Mapping[Place, int]:
        """Finish what can be finished, if `finish`; remove the rest, let the archive go. Never raises."""
        ...
