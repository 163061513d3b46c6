"""The last day of the health page: what was not seen is a gap and never zero, and the worst of each step is drawn."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from services.console.adapters.encode import dumps
from services.console.domain.errors import DataUnavailable, NotAllowed
from services.console.domain.freshness import PartitionVisibility
from services.console.domain.health_charts import (
    KEPT,
    MAX_SERVICES,
    HealthDay,
    Line,
    Measure,
    Sample,
    day_of,
    sampled,
)
from services.console.domain.system_health import InstanceSeen, Seen, ServiceSeen
from services.console.domain.viewer import Role
from services.console.metrics import Metrics
from services.console.worker.system_health import KEEP_DAY_S, HealthSampler, SystemHealthService
from services.kernel.words import VisibilityState
from tests.fakes.clock import ManualClock
from tests.fakes.console_health import FakeHealthSamples
from tests.unit.console.test_system_health import NOW, STORED, WHOLE, Look, viewer

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FIRST = datetime(2026, 11, 29, 1, 0, tzinfo=UTC)


def rules(*instances: Mapping[str, float]) -> ServiceSeen:
    return ServiceSeen("rules", tuple(InstanceSeen(f"a:{n}", True, {}, told) for n, told in enumerate(instances)))


def told(partitions: float, lag: float | None = None) -> dict[str, float]:
    found = {"firenet_consumer_partitions": partitions}
    return found if lag is None else found | {"firenet_consumer_lag_records": lag}


def line(day: HealthDay, measure: Measure) -> Line:
    return next(one for one in day.lines if one.measure is measure)


def test_a_sample_has_what_was_seen_and_its_minute() -> None:
    at = NOW + timedelta(seconds=42)
    found = sampled(replace(WHOLE, services=(*WHOLE.services, rules(told(8, 5), told(4, 2)))), at)
    assert found == Sample(
        NOW,
        {
            "records_waiting:rules": 7,
            "lag_seconds": 44,
            "blind_partitions": 0,
            "notices_waiting": 0,
            "oldest_notice_seconds": 0,
            "archive_free_bytes": 9e10,
        },
    )


@pytest.mark.parametrize(
    "service",
    [
        rules(),
        rules(told(8, 5), {}),
        rules(told(0)),
        rules(told(0), told(0)),
        rules(told(8, math.nan)),
    ],
)
def test_records_that_not_every_instance_tells_of_are_unknown(service: ServiceSeen) -> None:
    assert sampled(Seen((service,), None, None), NOW).readings == {}


def test_an_instance_that_stands_by_takes_nothing_from_the_sum() -> None:
    assert sampled(Seen((rules(told(12, 3), told(0)),), None, None), NOW).readings == {"records_waiting:rules": 3}


def test_without_proof_of_a_partition_the_lag_is_unknown_and_the_partition_blind() -> None:
    partitions = (*STORED.partitions, PartitionVisibility(12, None, VisibilityState.CLEAR))
    found = sampled(Seen((), replace(STORED, partitions=partitions), None), NOW).readings
    assert (found.get("lag_seconds"), found["blind_partitions"]) == (None, 1)
    none = sampled(Seen((), replace(STORED, partitions=()), None), NOW).readings
    assert "blind_partitions" not in none


def test_many_services_do_not_make_a_sample_larger() -> None:
    services = tuple(ServiceSeen(f"s{n:02}", rules(told(1, 1)).instances) for n in range(50))
    assert len(sampled(Seen(services, None, None), NOW).readings) == MAX_SERVICES


def test_a_step_shows_the_worst_of_its_minutes_and_one_without_a_sample_is_no_zero() -> None:
    samples = [
        Sample(FIRST + n * MINUTE, {"lag_seconds": lag, "archive_free_bytes": lag})
        for n, lag in ((0, 2.0), (4, 9.0), (5, 0.0), (15, 3.0))
    ]
    day = day_of(samples, {}, NOW)
    lag = line(day, Measure.LAG)
    assert (day.first, day.minutes, lag.step_s, lag.minutes) == (FIRST, 24 * 60, 300, 4)
    assert lag.values[:5] == (9.0, 0.0, None, 3.0, None)
    assert set(lag.values[4:]) == {None}
    assert len(lag.values) == 24 * 12
    assert line(day, Measure.ROOM).values[:2] == (2.0, 0.0)
    assert set(line(day, Measure.NOTICES).values) == {None}


def test_a_day_without_a_sample_is_unknown_from_end_to_end() -> None:
    assert {value for one in day_of([], {}, NOW).lines for value in one.values} == {None}


def test_what_is_older_or_of_the_minute_under_way_is_not_of_the_day() -> None:
    outside = [Sample(FIRST - MINUTE, {"lag_seconds": 5.0}), Sample(NOW, {"lag_seconds": 5.0})]
    assert line(day_of(outside, {}, NOW), Measure.LAG).minutes == 0


def test_an_hour_without_refusals_is_zero_only_where_the_database_was_read() -> None:
    seen = Sample(FIRST + HOUR, {"notices_waiting": 0.0})
    values = line(day_of([seen, Sample(FIRST + 2 * HOUR, {})], {FIRST: 4}, NOW), Measure.REFUSALS).values
    assert (len(values), values[:3]) == (24, (4, 0, None))


def test_each_service_that_told_within_the_day_has_a_line() -> None:
    samples = [Sample(FIRST, {"records_waiting:rules": 1.0}), Sample(NOW - MINUTE, {"records_waiting:alerts": 2.0})]
    found = [one.service for one in day_of(samples, {}, NOW).lines if one.measure is Measure.RECORDS_WAITING]
    assert found == ["alerts", "rules"]
    assert json.loads(dumps(day_of(samples, {}, NOW)))["lines"][5]["service"] == "alerts"


async def test_the_sampler_stores_a_minute_and_counts_one_that_it_could_not() -> None:
    samples, registry = FakeHealthSamples(), CollectorRegistry()
    clock = ManualClock(NOW - timedelta(seconds=1))
    samples.kept[NOW - KEPT - MINUTE] = {}
    service = SystemHealthService(Look(), Look(), samples, clock)
    sampler = HealthSampler(service, Metrics(registry), clock)
    await service.now(viewer(Role.BRIGADE))  # somebody looks just before the minute ends: it is looked anew
    clock.forward(1)
    await sampler.turn()
    assert [*samples.kept] == [NOW]
    assert samples.kept[NOW]["notices_waiting"] == 0
    samples.away = True
    await sampler.turn()
    counted = {
        outcome: registry.get_sample_value("firenet_console_health_samples_total", {"outcome": outcome})
        for outcome in ("stored", "failed")
    }
    assert counted == {"stored": 1, "failed": 1}


async def test_the_day_is_for_whom_the_page_is_and_read_once_in_a_while() -> None:
    samples, clock = FakeHealthSamples(), ManualClock(NOW)
    service = SystemHealthService(Look(), Look(), samples, clock)
    for one in (viewer(Role.DEPARTMENT, "health"), viewer(Role.CENTRE), viewer(Role.SCREEN)):
        with pytest.raises(NotAllowed):
            await service.day(one)
    before = await service.day(viewer(Role.BRIGADE))
    samples.away = True
    assert await service.day(viewer(Role.BRIGADE)) is before
    clock.forward(KEEP_DAY_S + 1)
    with pytest.raises(DataUnavailable):
        await service.day(viewer(Role.BRIGADE))
