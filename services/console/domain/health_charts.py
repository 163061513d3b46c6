"""The last day of FireNet itself in lines: one sample a minute. What nobody saw is absent, and never zero."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from services.console.domain.system_health import Seen, ServiceSeen, Stored, blind_partitions, free_bytes, waits

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
KEPT = timedelta(days=8)
STEP = timedelta(minutes=5)
MAX_SERVICES = 32
"""Whose waiting records one sample holds."""
_WAITING = "records_waiting:"


class Measure(StrEnum):
    """What a line shows; the keys of a sample, with the service behind a colon for `records_waiting`."""

    RECORDS_WAITING = "records_waiting"
    LAG = "lag_seconds"
    BLIND = "blind_partitions"
    NOTICES = "notices_waiting"
    OLDEST_NOTICE = "oldest_notice_seconds"
    REFUSALS = "refusals"
    ROOM = "archive_free_bytes"


@dataclass(frozen=True, slots=True)
class Sample:
    """What was seen within one minute, by key."""

    minute: datetime
    readings: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Line:
    """`values`: the worst of each step from the day's beginning, None where nothing was seen.

    `service` is told of `records_waiting` alone. `minutes`: of how many minutes there is a sample; None for counts that
    are no samples.
    """

    measure: Measure
    service: str | None
    step_s: int
    values: tuple[float | None, ...]
    minutes: int | None


@dataclass(frozen=True, slots=True)
class HealthDay:
    """From a full hour on, at least a day ago. `minutes`: so many are over; the one under way has no sample yet."""

    at: datetime
    first: datetime
    minutes: int
    lines: tuple[Line, ...]


def sampled(seen: Seen, now: datetime) -> Sample:
    """Return what is known now. A figure that somebody did not tell is left out, and so is one that is no number."""
    readings: dict[str, float | None] = {
        f"{_WAITING}{one.name}": _records(one) for one in sorted(seen.services, key=_name)[:MAX_SERVICES]
    }
    readings[Measure.ROOM] = free_bytes(seen.services)
    if seen.stored is not None:
        readings |= _stored(seen.stored, now)
    known = {key: value for key, value in readings.items() if value is not None and math.isfinite(value)}
    return Sample(now.replace(second=0, microsecond=0), known)


def _name(service: ServiceSeen) -> str:
    return service.name


def _records(service: ServiceSeen) -> float | None:
    """Return how many records wait for it; None unless every instance tells, and one of them has a partition."""
    told = [one.metrics for one in service.instances]
    partitions = [metrics.get("firenet_consumer_partitions") for metrics in told]
    if not any(partitions) or None in partitions:
        return None
    return sum(metrics.get("firenet_consumer_lag_records", 0.0) for metrics in told)


def _stored(stored: Stored, now: datetime) -> dict[str, float | None]:
    proven = [one.watermark for one in stored.partitions if one.watermark is not None]
    whole = bool(proven) and len(proven) == len(stored.partitions)
    lag = max(timedelta(), now - min(proven)).total_seconds() if whole else None
    return {
        Measure.LAG: lag,
        Measure.BLIND: blind_partitions(stored) if stored.partitions else None,
        Measure.NOTICES: stored.waiting,
        Measure.OLDEST_NOTICE: max(waits(stored, now)).total_seconds(),
    }


def day_begins(now: datetime) -> datetime:
    return (now - DAY).replace(minute=0, second=0, microsecond=0)


def day_of(samples: Sequence[Sample], refused: Mapping[datetime, int], now: datetime) -> HealthDay:
    """Return the lines to the last minute that is over. `refused`: counts by the beginning of their hour."""
    first = day_begins(now)
    last = now.replace(second=0, microsecond=0) - MINUTE
    within = [one for one in samples if first <= one.minute <= last]
    services = sorted(
        {key.removeprefix(_WAITING) for one in within for key in one.readings if key.startswith(_WAITING)}
    )
    lines = [
        _line(Measure.LAG, within, first, last),
        _line(Measure.BLIND, within, first, last),
        _line(Measure.NOTICES, within, first, last),
        _line(Measure.OLDEST_NOTICE, within, first, last),
        _refusals(within, refused, first, last),
        *(_line(Measure.RECORDS_WAITING, within, first, last, name) for name in services),
        _line(Measure.ROOM, within, first, last),
    ]
    return HealthDay(now, first, (last - first) // MINUTE + 1, tuple(lines))


def _line(
    measure: Measure, samples: Iterable[Sample], first: datetime, last: datetime, service: str | None = None
) -> Line:
    key = measure.value if service is None else f"{_WAITING}{service}"
    worst: Callable[[float, float], float] = min if measure is Measure.ROOM else max
    values: list[float | None] = [None] * ((last - first) // STEP + 1)
    minutes = 0
    for sample in samples:
        value = sample.readings.get(key)
        if value is None:
            continue
        minutes += 1
        place = (sample.minute - first) // STEP
        before = values[place]
        values[place] = value if before is None else worst(before, value)
    return Line(measure, service, int(STEP.total_seconds()), tuple(values), minutes)


def _refusals(samples: Iterable[Sample], refused: Mapping[datetime, int], first: datetime, last: datetime) -> Line:
    """An hour that nothing was counted in is one without refusals only if the database was read within it."""
    seen = {(one.minute - first) // HOUR for one in samples if Measure.NOTICES in one.readings}
    hours = range((last - first) // HOUR + 1)
    values = (refused.get(first + hour * HOUR, 0 if hour in seen else None) for hour in hours)
    return Line(Measure.REFUSALS, None, int(HOUR.total_seconds()), tuple(values), None)
