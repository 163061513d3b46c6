"""The archived log as one: the lines of all partitions, merged by the time at which they were recorded."""

import gzip
import heapq
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from schemas.topics import LISTINGS, REGISTRY, SIGNALS
from services.compliance.adapters import archive_lines
from services.compliance.adapters.archive_files import (
    TOPIC_ID,
    ArchivedFile,
    days,
    files,
    files_of_day,
    folder_of,
    places,
)
from services.compliance.adapters.archive_lines import Line
from services.compliance.ports import Place

_WHOLE = frozenset({REGISTRY, LISTINGS})
"""What holds on from long before: a unit that was registered, a listing whose deadline is in the span."""
MAX_LINE = 16 * 1024 * 1024


class BadArchive(Exception):
    """The archive cannot answer for a span; `str` says why."""


@dataclass(frozen=True, slots=True)
class ArchiveReader:
    """Memory: one line and one open file for each partition, whatever the span."""

    root: Path
    on_gap: Callable[[str], None] | None = None
    """Told of each gap; without it the first one is a BadArchive."""
    places: list[Place] = field(init=False)

    def __post_init__(self) -> None:
        """Raises BadArchive."""
        try:
            object.__setattr__(self, "places", places(self.root))
        except OSError as error:
            raise BadArchive(f"{self.root}: {error.strerror}") from error
        if not any(place.topic == SIGNALS for place in self.places):
            raise BadArchive(f"{self.root} holds no {SIGNALS}")

    def has_all_of(self, wanted: Collection[Place]) -> bool:
        """Whether each of these places has a complete file."""
        return all(
            place in self.places and next(iter(files(folder_of(self.root, place))), None) is not None
            for place in wanted
        )

    def topic_ids(self) -> Mapping[str, str]:
        """Return Kafka's ids of the topics that the files are of, as far as they were known. Raises OSError."""
        topics = {place.topic: self.root / place.topic / TOPIC_ID for place in self.places}
        found = {topic: path.read_text("ascii") for topic, path in topics.items() if path.exists()}
        return {
            topic: topic_id for topic, topic_id in found.items() if topic_id
        }  # a power cut may have left none in it

    def whole_until(self) -> bytes:
        """Return the instant before which everything is archived: where the first partition of the signals ends.

        Ticks stand in each of them twice a second, so each ends where its last file was finished; what lies beside is
        finished before. A later end of another partition would show units of this one as silent. Raises BadArchive.
        """
        ends = [self._last(place) for place in self.places if place.topic == SIGNALS]
        return min(ends)

    def lines(self, start: bytes, end: bytes) -> Iterator[Line]:
        """Yield lines recorded in [start, end), in order; of registry and listings all before `end`.

        Raises BadArchive.
        """
        return heapq.merge(*(self._of_place(place, start, end) for place in self.places))

    def lines_from(self, offsets: Mapping[Place, int], end: bytes) -> Iterator[Line]:
        """Yield the lines from an offset of each place on (0 where none is given) recorded before `end`, in order.

        Files before an offset are not opened. Raises BadArchive.
        """
        return heapq.merge(*(self._of_place(place, b"", end, offsets.get(place, 0)) for place in self.places))

    def registry(self, end: bytes, offsets: Mapping[Place, int] | None = None) -> Iterator[Line]:
        """Yield the registry's lines recorded before `end`, from `offsets` on, in order. Raises BadArchive."""
        ours = (place for place in self.places if place.topic == REGISTRY)
        return heapq.merge(*(self._of_place(place, b"", end, (offsets or {}).get(place, 0)) for place in ours))

    def _of_place(self, place: Place, start: bytes, end: bytes, first: int = 0) -> Iterator[Line]:
        since = b"" if place.topic in _WHOLE else start
        for file in self._files(place, since, end):
            if file.last < first:
                continue
            for line in _lines(file.path):
                if line.recorded_at >= end:
                    return
                if line.recorded_at >= since and line.offset >= first:
                    yield line

    def _files(self, place: Place, start: bytes, end: bytes) -> Iterator[ArchivedFile]:
        """Yield the files of the span. Raises BadArchive where one is missing between two, or there twice."""
        before: ArchivedFile | None = None
        for file in files(folder_of(self.root, place)):
            day = file.day.isoformat().encode()
            if day < start[:10]:
                before = file
                continue
            if day > end[:10]:
                return
            if before is not None and file.first != before.last + 1:
                self._gap(f"{place.topic}[{place.partition}]: after offset {before.last} comes {file.first}")
            before = file
            yield file

    def _gap(self, what: str) -> None:
        if self.on_gap is None:
            raise BadArchive(what)
        self.on_gap(what)

    def _last(self, place: Place) -> bytes:
        for day in reversed(days(folder_of(self.root, place))):
            for file in reversed(files_of_day(day)):
                last = _last_recorded(file.path)
                if last is not None:
                    return last
        raise BadArchive(f"nothing of {place.topic}[{place.partition}] is archived yet")


@lru_cache(maxsize=256)
def _last_recorded(path: Path) -> bytes | None:
    """Return when the last line of a file was recorded: a file that has its name never changes."""
    last = None
    for last in _lines(path):  # noqa: B007 - the last one is what is looked for
        pass
    return None if last is None else last.recorded_at


def _lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file. Raises BadArchive for a damaged one."""
    try:
        with gzip.open(path, "rb") as stream:
            while raw := stream.readline(MAX_LINE):
                yield archive_lines.read(raw)
    except (OSError, EOFError, zlib.error, archive_lines.BadLine) as error:
        raise BadArchive(f"{path} is damaged: {error}") from error
