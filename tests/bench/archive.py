"""What it costs to archive the log and to read it back: `python -m tests.bench.archive`.

Heartbeats of 20 000 units over the twelve partitions, 400 records at once, as a busy consumer hands them over.
Processor time of everything but Kafka's client (check, line, compression, file, fsync), so that other work on the
machine counts little.
"""

import io
import random
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from time import process_time

from schemas import codec
from schemas.signal import Signal, SignalData
from schemas.topics import SIGNALS, all_topics
from services.compliance.adapters.file_archive import FileArchive
from services.compliance.cli import log
from services.compliance.ports import LogRecord, Place
from services.runtime.clock import SystemClock
from tests.bench.machine import against

RECORDS = 240_000
UNITS = 20_000
BATCH = 400
FLOOR_PER_S = 40_000
"""Twice the goal of the whole system: half a core, the other half is Kafka's client."""
BEGIN = datetime(2026, 3, 10, tzinfo=UTC)


def heartbeat(chance: random.Random, number: int) -> bytes:
    unit = number % UNITS
    data = SignalData.model_validate(
        {
            "gateway_id": f"G{unit:06}", "unit_id": f"U{unit:06}", "kind": "heartbeat", "carrier": "mqtt_json",
            "lane": "up", "instance": "ingest-1", "seq": number // UNITS,
        }
    )  # fmt: skip
    event = Signal(
        id=chance.randbytes(16).hex(), source=f"/gateways/G{unit:06}", subject=f"U{unit:06}", time=BEGIN, data=data
    )
    return codec.signals.encode(event)


def archive(root: Path) -> tuple[float, int]:
    """Return seconds of processor time and bytes of lines."""
    chance, places = random.Random(10), [Place(SIGNALS, n) for n in range(all_topics()["signals"].partitions)]
    at_ms = int(BEGIN.timestamp() * 1000)
    files = FileArchive(root, roll_bytes=8 << 20, roll_s=3600, min_free_bytes=0, clock=SystemClock())
    files.open(dict.fromkeys(places))
    spent, line_bytes, positions = 0.0, 0, dict.fromkeys(places, 0)
    for turn in range(RECORDS // BATCH):
        place = places[turn % len(places)]
        first = positions[place]
        batch = [
            LogRecord(first + n, at_ms + turn * 20 + n // 20, None, heartbeat(chance, turn * BATCH + n))
            for n in range(BATCH)
        ]
        positions[place] += BATCH
        begun = process_time()
        line_bytes += files.append(place, first, batch).line_bytes
        if files.due():
            files.finish()
        spent += process_time() - begun
    begun = process_time()
    files.close()
    return spent + process_time() - begun, line_bytes


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        spent, line_bytes = archive(root)
        stored = sum(path.stat().st_size for path in root.rglob("*.gz"))
        rate = RECORDS / spent
        print(f"archive: {rate:,.0f} records/s of one core {against(rate, FLOOR_PER_S, 'records/s', at_most=False)}")
        print(f"         {spent / RECORDS * 1e6:.1f} us and {stored / RECORDS:.0f} bytes stored per record")
        print(f"         {line_bytes / spent / 1e6:.0f} MB/s of lines of {line_bytes / RECORDS:.0f} bytes")
        begun = process_time()
        code = log.run(["2026-03-10", "2026-03-11", "--archive", str(root)], io.BytesIO(), sys.stdout)
        spent = process_time() - begun
        print(f"log:     {RECORDS / spent:,.0f} records/s of one core, each decoded")
    return 1 if code or rate < FLOOR_PER_S else 0


if __name__ == "__main__":
    sys.exit(main())
