"""One record as one line of the archive, and back.

A value that is JSON on one line is copied as it is, byte for byte:
    {"recorded_at":"2026-03-10T00:00:00.123Z","topic":..,"partition":..,"offset":..,"event":VALUE}
Whatever else comes is kept too, in base64:
    {"recorded_at":..,"topic":..,"partition":..,"offset":..,"raw":{"key":..,"value":..}}, null for what has none
"""

import base64
import json
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from pydantic_core import from_json

from services.compliance.ports import LogRecord, Place

_HEAD = re.compile(
    rb'^\{"recorded_at":"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z)","topic":"([a-z0-9.]+)",'
    rb'"partition":([0-9]+),"offset":([0-9]+),"(event|raw)":'
)


class Line(NamedTuple):
    """`recorded_at` sorts as text. `rest` is what stands after `"event":` and its brace; None for a raw one."""

    recorded_at: bytes
    topic: str
    partition: int
    offset: int
    rest: bytes | None


class BadLine(ValueError):
    """The bytes are no line that `line` wrote."""


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def instant(ms: int) -> str:
    """Return milliseconds since 1970 as RFC 3339 with three digits, which sorts as text. Years 1970 to 9999."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


def is_event(value: bytes | None) -> bool:
    """Whether `value` is a JSON object on one line, as every event of ours is."""
    if value is None or not value.startswith(b"{") or b"\n" in value or b"\r" in value:
        return False
    try:
        from_json(value, allow_inf_nan=False, cache_strings="none")
    except ValueError:
        return False
    return True


def line(place: Place, record: LogRecord, recorded_ms: int) -> tuple[bytes, bool]:
    """Return the line of a record, with its end, and whether it is an event."""
    head = f'{{"recorded_at":"{instant(recorded_ms)}","topic":"{place.topic}","partition":{place.partition},"offset":'
    value = record.value
    if value is not None and is_event(value):
        return b'%b%d,"event":%b}\n' % (head.encode(), record.offset, value), True
    raw = json.dumps({"key": _base64(record.key), "value": _base64(value)}, separators=(",", ":"))
    return f'{head}{record.offset},"raw":{raw}}}\n'.encode(), False


def read(raw: bytes) -> Line:
    """Return what a line says without looking into the event. Raises BadLine."""
    head = _HEAD.match(raw)
    if head is None or not raw.endswith(b"}\n"):
        raise BadLine("no line of the archive")
    rest = raw[head.end() : -1] if head[5] == b"event" else None
    return Line(head[1], head[2].decode(), int(head[3]), int(head[4]), rest)


def recorded_at(line: Line) -> datetime:
    return datetime.fromisoformat(line.recorded_at.decode())


def recorded_ms(line: Line) -> int:
    """Return `recorded_at` in milliseconds since 1970."""
    moment = recorded_at(line)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1000 + int(line.recorded_at[20:23])


def _base64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()
