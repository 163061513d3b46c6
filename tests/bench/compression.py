"""What compressing the signals costs and saves: `python -m tests.bench.compression`.

Heartbeats of 20 000 units, so many in each batch as stand in the first column: what one process of ingest sends to one
partition at once. Per signal: bytes of the batch, processor time to make it and to read it, in microseconds. Snappy,
LZ4 and Zstandard where the library that aiokafka wants for them (cramjam) is there; FireNet does not need it.
"""

import json
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from time import process_time

from aiokafka import codec as compression
from aiokafka.record import MemoryRecords
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from schemas.codec import HEADERS
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Directory, Version
from services.ingest.domain.values import Accepted, Arrival
from tests.unit.ingest.build import DECODERS, NOON

SIGNALS = 12_000
UNITS = 20_000
BATCHES = (1, 3, 8, 16, 32, 100, 400)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
BATCH_BYTES = 512 * 1024


def heartbeats(count: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value as ingest writes them."""
    chance, encoder, directory, at = random.Random(1), Encoder("ingest-1"), Directory(), NOON
    for unit in range(UNITS):
        directory.put(f"G{unit:06}", [Version(date(2026, 1, 1), f"U{unit:06}", None)])
    for number in range(count):
        at += timedelta(microseconds=chance.randint(20, 120))
        unit = chance.randrange(UNITS)
        body = json.dumps({"v": 1, "kind": "heartbeat", "seq": chance.randrange(100_000)}).encode()
        topic = f"firenet/v1/G{unit:06}/up/json"
        arrival = Arrival(1, number % 65535 + 1, topic, body, at, number=number)
        outcome = decide(arrival, directory, DECODERS)
        assert isinstance(outcome, Accepted), outcome
        yield f"U{unit:06}".encode(), encoder.signal(outcome.signals[0], arrival)


def measure(records: Sequence[tuple[bytes, bytes]], size: int, kind: int) -> tuple[float, float, float]:
    """Return bytes, microseconds to make and microseconds to read, each of one record."""
    begun = process_time()
    batches = []
    for first in range(0, len(records), size):
        builder = DefaultRecordBatchBuilder(2, kind, 1, -1, -1, -1, BATCH_BYTES)
        for number, (key, value) in enumerate(records[first : first + size]):
            builder.append(number, 1_700_000_000_000, key, value, list(HEADERS))
        batches.append(bytes(builder.build()))
    made = process_time()
    read = 0
    for batch in batches:
        found = MemoryRecords(batch)
        while found.has_next():
            read += sum(1 for _ in found.next_batch())
    done = process_time()
    assert read == len(records)
    return sum(map(len, batches)) / read, (made - begun) / read * 1e6, (done - made) / read * 1e6


def main() -> int:
    records = list(heartbeats(SIGNALS))
    there = {name: kind for name, kind in CODECS.items() if kind == 0 or getattr(compression, f"has_{name}")()}
    print("in a batch" + "".join(f"{name + ': B, make, read us':>28}" for name in there))
    for size in BATCHES:
        cells = [measure(records, size, kind) for kind in there.values()]
        print(f"{size:10}" + "".join(f"{room:14.0f} {make:6.1f} {read:6.1f}" for room, make, read in cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
