"""How far the page may be believed: decided from each partition's watermark, never from the last repaint."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.kernel.words import VisibilityState


class Freshness(StrEnum):
    """`no_data`: nothing was ever proven. `unreachable`: the console itself cannot read the database.

    `ahead`: what is proven is ahead of our clock, since that of ingest was set back or goes wrong.
    """

    LIVE = "live"
    AHEAD = "ahead"
    IMPAIRED = "impaired"
    PARTLY_BLIND = "partly_blind"
    BLIND = "blind"
    NO_DATA = "no_data"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class PartitionVisibility:
    partition: int
    watermark: datetime | None
    visibility: VisibilityState


@dataclass(frozen=True, slots=True)
class DataAge:
    """`as_of`: every unit's state is proven up to here (UTC), the oldest watermark of all partitions."""

    state: Freshness
    as_of: datetime | None
    blind: int
    partitions: int


AHEAD_AFTER = timedelta(seconds=5)
"""Clocks of several machines differ by less."""


def data_age(partitions: Sequence[PartitionVisibility], now: datetime) -> DataAge:
    """Return the age of the whole picture; one blind partition is enough to say so."""
    marks = [part.watermark for part in partitions if part.watermark is not None]
    blind = sum(part.visibility is VisibilityState.BLIND for part in partitions)
    if not marks:
        return DataAge(Freshness.NO_DATA, None, blind, len(partitions))
    if blind == len(partitions):
        state = Freshness.BLIND
    elif blind:
        state = Freshness.PARTLY_BLIND
    elif any(part.visibility is VisibilityState.IMPAIRED for part in partitions):
        state = Freshness.IMPAIRED
    elif max(marks) - now > AHEAD_AFTER:
        state = Freshness.AHEAD
    else:
        state = Freshness.LIVE
    return DataAge(state, min(marks), blind, len(partitions))
