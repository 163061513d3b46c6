"""The archive as files. Exactly once because a file counts when it is complete, and only then.

A file is written under a temporary name, and after `fsync` gets the name that says which offsets it holds. There is no
other record of how far we are. So after `kill -9` at any instant what is whole is there once, and the rest, whose
temporary files are removed, is read from Kafka again.

All files are finished together, those of the signals last: whoever reads the archive up to where each partition of the
signals is whole then has the registry and the exchanges up to there too. What comes later than that is dated there:
what a reader has taken as whole stays as it is.
"""

import contextlib
import errno
import fcntl
import gzip
import os
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from schemas.topics import SIGNALS
from services.compliance.adapters import archive_lines
from services.compliance.adapters.archive_files import (
    LOCK,
    TOPIC_ID,
    UNFINISHED,
    ArchivedFile,
    days,
    files,
    files_of_day,
    finished_name,
    folder_of,
    unfinished_name,
)
from services.compliance.ports import Appended, LogRecord, Place, Trouble, Waits
from services.runtime.clock import Clock

LEVEL = 3
"""Of zlib: half the time of the default for a tenth more bytes on our events."""
GZIP = 16 + zlib.MAX_WBITS
DAY_MS = 86_400_000
AHEAD_OF_US_MS = 3_600_000
"""A time further ahead of our clock is not believed: as times never fall, one record would date all after it."""
_TROUBLE = {
    errno.ENOSPC: Trouble.FULL, errno.EDQUOT: Trouble.FULL,
    errno.EROFS: Trouble.READ_ONLY, errno.EACCES: Trouble.READ_ONLY, errno.EPERM: Trouble.READ_ONLY,
    errno.ENOENT: Trouble.MISSING, errno.ENOTDIR: Trouble.MISSING, errno.ESTALE: Trouble.MISSING,
}  # fmt: skip


class FileArchive:
    """Not thread-safe: one call at a time. Holds one open file and some 300 KB for each place that is written to."""

    def __init__(self, root: Path, *, roll_bytes: int, roll_s: float, min_free_bytes: int, clock: Clock) -> None:
        self._root = root.absolute()
        self._roll_bytes = roll_bytes
        self._roll_s = roll_s
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._lock: int | None = None
        self._open: dict[Place, _OpenFile] = {}
        self._recorded_ms: dict[Place, int] = {}
        self._whole_ms: dict[Place, int] = {}
        """When the last record of the finished files was recorded, of the signals."""
        self._finished: dict[Place, int] = {}

    def open(self, noted: Mapping[Place, int | None]) -> Mapping[Place, int | None]:
        with _translated():
            known = any(noted.values())
            if known and not (self._root / LOCK).exists():
                raise Waits(Trouble.MISSING, f"{self._root} is gone, or another folder lies in its place")
            self._root.mkdir(parents=True, exist_ok=True)
            self._take()
            self._check_room()
            found = {place: self._take_up(place) for place in noted}
            self._whole_ms = {place: self._recorded_ms[place] for place in noted if place.topic == SIGNALS}
        gone = [place for place, next_offset in found.items() if next_offset is None and noted[place]]
        if gone:
            raise Waits(Trouble.MISSING, f"no file of {gone[0].topic}[{gone[0].partition}] is left in {self._root}")
        return found

    def belongs_to(self, topic_ids: Mapping[str, str]) -> None:
        with _translated():
            for topic, now in topic_ids.items():
                path = self._root / topic / TOPIC_ID
                before = path.read_text("ascii") if path.exists() else ""
                has_files = any(self._recorded_ms[place] for place in self._recorded_ms if place.topic == topic)
                if before and before != now and has_files:
                    raise Waits(Trouble.AHEAD, f"{topic} was made anew since it was archived to {self._root}")
                if before != now:
                    unfinished = path.with_name(f"{TOPIC_ID}{UNFINISHED}")
                    with unfinished.open("w", encoding="ascii") as file:
                        file.write(now)
                        file.flush()
                        os.fsync(file.fileno())
                    unfinished.rename(path)
                    _sync_folder(path.parent)

    def append(self, place: Place, first: int, records: Sequence[LogRecord]) -> Appended:
        with _translated():
            self._check_room()
            batch = _Batch(place, self._earliest_ms(place), self._latest_ms())
            for part in batch.by_day(records):
                self._file(place, first, part.day).write(part)
                first = part.last + 1
            self._recorded_ms[place] = batch.recorded_ms
            return Appended(len(records), batch.line_bytes, batch.undecodable, batch.clamped)

    def due(self) -> bool:
        now_s = self._clock.monotonic()
        return any(
            file.line_bytes >= self._roll_bytes or now_s - file.opened_s >= self._roll_s for file in self._open.values()
        )

    def finish(self) -> Mapping[Place, int]:
        with _translated():
            self._finish_all()
        return self._take_finished()

    def drop_before(self, day: date, topics: Collection[str]) -> int:
        with _translated():
            kept_for_now = [place for place in self._recorded_ms if place.topic in topics]
            return sum(_drop(folder_of(self._root, place), day) for place in kept_for_now)

    def free_bytes(self) -> int:
        with _translated():
            disk = os.statvfs(self._root)
        return disk.f_bavail * disk.f_frsize

    def close(self, finish: bool = True) -> Mapping[Place, int]:
        try:
            with contextlib.suppress(Waits), _translated():
                if finish:
                    self._finish_all()
        finally:
            for file in self._open.values():
                file.remove()
            self._open = {}
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
        return self._take_finished()

    def _take(self) -> None:
        """Hold the archive. The lock goes with the process, however it ends."""
        lock = os.open(self._root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise Waits(Trouble.HELD, f"another process writes to {self._root}") from error
        self._lock = lock

    def _take_up(self, place: Place) -> int | None:
        """Remove what is unfinished, see where the last file ends and when its last record was recorded."""
        folder = folder_of(self._root, place)
        folder.mkdir(parents=True, exist_ok=True)
        last: ArchivedFile | None = None
        for day in reversed(days(folder)):
            for path in day.glob(f"*{UNFINISHED}"):
                path.unlink()
            found = files_of_day(day)
            if found:
                last = found[-1]
                break
        self._recorded_ms[place] = 0 if last is None else _last_recorded_ms(last.path)
        return None if last is None else last.last + 1

    def _check_room(self) -> None:
        """Raises Waits when the folder is not the one we hold any more, or its disk is all but full."""
        self._check_held()
        free = self.free_bytes()
        if free < self._min_free_bytes:
            raise Waits(Trouble.FULL, f"{free} bytes are free at {self._root}, {self._min_free_bytes} are to be left")

    def _check_held(self) -> None:
        """Raises Waits when a disk was taken away, or another one put over the folder: it would get our files."""
        assert self._lock is not None, "open() comes first"
        held, there = os.fstat(self._lock), (self._root / LOCK).stat()
        if (held.st_dev, held.st_ino) != (there.st_dev, there.st_ino):
            raise Waits(Trouble.MISSING, f"another folder lies in the place of {self._root}")

    def _file(self, place: Place, first: int, day: str) -> "_OpenFile":
        """Return the open file of a place. With a new day all are finished first, so that each is of one day."""
        if place in self._open and self._open[place].day != day:
            self._finish_all()
        if place not in self._open:
            folder = folder_of(self._root, place) / day
            if not folder.exists():
                folder.mkdir()
                _sync_folder(folder.parent)
            self._open[place] = _OpenFile(folder, first, self._clock.monotonic())
        return self._open[place]

    def _finish_all(self) -> None:
        if self._open:
            self._check_held()
        for place in sorted(self._open, key=lambda place: place.topic == SIGNALS):
            self._open[place].finish()
            file = self._open.pop(place)
            self._finished[place] = file.last + 1
            if place.topic == SIGNALS:
                self._whole_ms[place] = file.recorded_ms

    def _earliest_ms(self, place: Place) -> int:
        """Return when a record of a place is dated at the earliest: as its forerunner, where the signals are whole."""
        before = self._recorded_ms.get(place, 0)
        return before if place.topic == SIGNALS else max(before, min(self._whole_ms.values(), default=0))

    def _latest_ms(self) -> int:
        return int(self._clock.now().timestamp() * 1000) + AHEAD_OF_US_MS

    def _take_finished(self) -> Mapping[Place, int]:
        finished, self._finished = self._finished, {}
        return finished


class _DayPart(NamedTuple):
    """The lines of one UTC day, the offset of the last of them and when it was recorded."""

    day: str
    lines: list[bytes]
    last: int
    recorded_ms: int


class _Batch:
    """Makes lines of records: `recorded_ms` never falls and never goes beyond `latest_ms`."""

    def __init__(self, place: Place, recorded_ms: int, latest_ms: int) -> None:
        self._place = place
        self._latest_ms = latest_ms
        self.recorded_ms = recorded_ms
        self.line_bytes = 0
        self.undecodable = 0
        self.clamped = 0

    def by_day(self, records: Sequence[LogRecord]) -> Iterator[_DayPart]:
        lines: list[bytes] = []
        last, at = 0, self.recorded_ms
        for record in records:
            line = self._line(record)
            if lines and self.recorded_ms // DAY_MS != at // DAY_MS:
                yield _DayPart(archive_lines.instant(at)[:10], lines, last, at)
                lines = []
            last, at = record.offset, self.recorded_ms
            lines.append(line)
        if lines:
            yield _DayPart(archive_lines.instant(at)[:10], lines, last, at)

    def _line(self, record: LogRecord) -> bytes:
        at = max(self.recorded_ms, min(record.timestamp_ms, self._latest_ms))
        self.clamped += at != record.timestamp_ms
        self.recorded_ms = at
        line, is_event = archive_lines.line(self._place, record, at)
        self.undecodable += not is_event
        self.line_bytes += len(line)
        return line


class _OpenFile:
    """A file that is being written. One that failed once is never finished: nobody knows what is in it."""

    def __init__(self, folder: Path, first: int, opened_s: float) -> None:
        self._path = folder / unfinished_name(first)
        self._first = first
        self._compress = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._torn = False
        self.day = folder.name
        self.last = first
        self.recorded_ms = 0
        self.line_bytes = 0
        self.opened_s = opened_s

    def write(self, part: _DayPart) -> None:
        raw = b"".join(part.lines)
        self._put(self._compress.compress(raw))
        self.line_bytes += len(raw)
        self.last, self.recorded_ms = part.last, part.recorded_ms

    def finish(self) -> None:
        """Give it its name once all of it is on the disk. Raises OSError."""
        if self._torn:
            raise OSError(errno.EIO, "an earlier write to this file failed")
        self._put(self._compress.flush())
        self._torn = True  # until it is done: what was flushed is at its end
        os.fsync(self._file)
        self._path.rename(self._path.with_name(finished_name(self._first, self.last)))
        _sync_folder(self._path.parent)
        os.close(self._file)

    def remove(self) -> None:
        """Let it go; one that cannot be removed now is when the archive is opened next."""
        with contextlib.suppress(OSError):
            os.close(self._file)
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _put(self, packed: bytes) -> None:
        self._torn, whole = True, memoryview(packed)
        while whole:
            whole = whole[os.write(self._file, whole) :]
        self._torn = False


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        trouble = _TROUBLE.get(error.errno or 0, Trouble.FAILED)
        raise Waits(trouble, error.strerror or type(error).__name__) from error


def _last_recorded_ms(path: Path) -> int:
    """Return when the last line was recorded. Raises Waits(FAILED) for a damaged file, which a person must look at."""
    try:
        with gzip.open(path, "rb") as lines:
            last = b""
            for last in lines:  # noqa: B007 - the last one is what is looked for
                pass
        return archive_lines.recorded_ms(archive_lines.read(last))
    except (EOFError, gzip.BadGzipFile, zlib.error, archive_lines.BadLine) as error:
        raise Waits(Trouble.FAILED, f"{path} is damaged: {type(error).__name__}") from error


def _drop(folder: Path, before: date) -> int:
    """Remove the files of days before `before` but for the last of all: it says where to read on."""
    dropped = 0
    for file in list(files(folder))[:-1]:
        if file.day >= before:
            break
        file.path.unlink()
        dropped += 1
    for day in days(folder):
        if date.fromisoformat(day.name) < before:
            with contextlib.suppress(OSError):  # one that is not empty
                day.rmdir()
    return dropped


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
