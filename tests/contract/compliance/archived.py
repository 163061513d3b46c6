"""A worked example as the topics would hold it: signals by unit, ticks in every partition, the registry before all."""

import json
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from schemas.topics import REGISTRY, SIGNALS, all_topics
from services.runtime.kafka import partition_of

PARTITIONS = all_topics()["signals"].partitions
HOUR_MS = 3_600_000


class Sent(NamedTuple):
    topic: str
    partition: int
    value: bytes
    timestamp_ms: int


def ms(instant: str) -> int:
    at = datetime.fromisoformat(instant)
    return int(at.replace(microsecond=0).timestamp()) * 1000 + at.microsecond // 1000


def records(example: Path) -> list[Sent]:
    """Return what is on the topics, in the order of arrival.

    An hour after the last record each partition of the signals gets one that is no event: it stands for the time after
    the example, and changes nothing.
    """
    lines = [json.loads(line) for line in (example / "LOG.jsonl").read_text("utf-8").splitlines()]
    first_ms = ms(lines[0]["recorded_at"])
    registry = (example / "REGISTRY.jsonl").read_bytes().splitlines()
    found = [Sent(REGISTRY, number % 3, value, first_ms - 1) for number, value in enumerate(registry)]
    for line in lines:
        event, at_ms = line["event"], ms(line["recorded_at"])
        value = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
        if event["type"].endswith("tick.v1"):
            found += [Sent(SIGNALS, number, value, at_ms) for number in range(PARTITIONS)]
        else:
            number = partition_of(event["data"]["unit_id"].encode(), PARTITIONS)
            found.append(Sent(line["topic"], number, value, at_ms))
    after_ms = found[-1].timestamp_ms + HOUR_MS
    return found + [Sent(SIGNALS, number, b"later", after_ms) for number in range(PARTITIONS)]


def span(example: Path) -> tuple[str, str]:
    """Return FROM and TO that take in the whole example and nothing after it."""
    lines = (example / "LOG.jsonl").read_text("utf-8").splitlines()
    first, last = (datetime.fromisoformat(json.loads(line)["recorded_at"]) for line in (lines[0], lines[-1]))
    return first.isoformat(), last.replace(microsecond=last.microsecond + 1000).isoformat()
