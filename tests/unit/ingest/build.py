"""Builders for what ingest works on: every field has a plain value, a test names only what it is about."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from hypothesis import HealthCheck, settings

from services.ingest.adapters.gb26875_decoder import Gb26875Decoder
from services.ingest.adapters.json_decoder import JsonDecoder, StatusDecoder
from services.ingest.domain.accounting import MessageCounts
from services.ingest.domain.decide import Decode
from services.ingest.domain.directory import Directory, Version
from services.ingest.domain.values import Arrival, Format

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties whose cases take long to make."""

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
UP = "firenet/v1/G000001/up/json"
DECODERS: Mapping[str, Decode] = {
    Format.JSON: JsonDecoder().decode,
    Format.STATUS: StatusDecoder().decode,
    Format.GB26875: Gb26875Decoder().decode,
}


def directory() -> Directory:
    """G000001 speaks for U000001; G000002 has retired, G000003 comes later."""
    known = Directory()
    known.put("G000001", [Version(date(2026, 1, 1), "U000001", None)])
    known.put("G000002", [Version(date(2026, 1, 1), "U000002", date(2026, 5, 1))])
    known.put("G000003", [Version(date(2026, 7, 1), "U000003", None)])
    return known


def arrival(
    payload: bytes = b'{"v":1,"kind":"heartbeat"}',
    topic: str = UP,
    *,
    epoch: int = 1,
    mid: int = 1,
    received_at: datetime = NOON,
    duplicate: bool = False,
    retained: bool = False,
    probe_sent_at: datetime | None = None,
) -> Arrival:
    return Arrival(epoch, mid, topic, payload, received_at, duplicate, retained, probe_sent_at)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def balanced(counts: MessageCounts) -> bool:
    """Whether every message that was received is somewhere."""
    refused = sum(counts.refused.values())
    return counts.received == counts.stored + counts.repeated + refused + counts.handed_back + counts.in_flight
