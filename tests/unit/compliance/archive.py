"""What tests of the archive share: an archive over a folder, records, and a reader that knows nothing of ours."""

import asyncio
import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.compliance.adapters.file_archive import FileArchive
from services.compliance.ports import LogRecord, Place
from services.runtime.clock import Clock
from tests.fakes.clock import ManualClock
from tests.fakes.compliance import NOW

SIGNALS = Place("firenet.signals.v1", 0)
REGISTRY = Place("firenet.registry.v1", 0)
NOON_MS = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp() * 1000)


def archive(root: Path, clock: Clock | None = None, **changes: Any) -> FileArchive:
    settings = {"roll_bytes": 1 << 20, "roll_s": 3600.0, "min_free_bytes": 0, "clock": clock or ManualClock(NOW)}
    return FileArchive(root, **{**settings, **changes})


def records(first: int, count: int, at_ms: int = NOON_MS) -> list[LogRecord]:
    return [LogRecord(n, at_ms + n, b"k", b'{"n":%d}' % n) for n in range(first, first + count)]


def kept(root: Path, place: Place = SIGNALS) -> list[dict[str, Any]]:
    """Return the lines of all complete files of a place, in the order of the names."""
    paths = sorted((root / place.topic / str(place.partition)).glob("*/*.jsonl.gz"))
    return [json.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]


def names(root: Path, place: Place = SIGNALS) -> list[str]:
    folder = root / place.topic / str(place.partition)
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; a minute without is a failure."""
    async with asyncio.timeout(60):
        while True:
            if condition():
                return
            await asyncio.sleep(0.002)
