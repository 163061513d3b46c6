"""Samples for the charts of the health page: a fake and a real PostgreSQL keep the same promises."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from services.console.adapters.postgres_health_samples import PostgresHealthSamples
from services.console.domain.health_charts import KEPT, Sample
from services.console.ports.health import HealthSamples
from services.runtime.postgres import open_pool
from tests.fakes.console_health import FakeHealthSamples
from tests.integration.console.scenario import Scenario

NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@dataclass
class Store:
    samples: HealthSamples
    refuse: Callable[[datetime, str, int], None]


@pytest.fixture(params=["fake", "postgresql"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "fake":
        fake = FakeHealthSamples()

        def counted(hour: datetime, gateway: str, n: int) -> None:
            fake.counted[hour] = fake.counted.get(hour, 0) + n

        yield Store(fake, counted)
        return
    scenario: Scenario = request.getfixturevalue("empty_scenario")
    scenario.execute("TRUNCATE console.health_samples, console.refusal_counts")

    def stored(hour: datetime, gateway: str, n: int) -> None:
        scenario.execute(
            "INSERT INTO console.refusal_counts (hour, gateway_id, reason, refused) VALUES (%s, %s, 'payload', %s)",
            (hour, gateway, n),
        )

    async with open_pool(scenario.dsn, "test", max_size=2) as pool:
        yield Store(PostgresHealthSamples(pool, 60), stored)


async def test_of_one_minute_the_first_sample_stands_and_the_second_adds_what_it_lacks(store: Store) -> None:
    await store.samples.keep(Sample(NOON, {"lag_seconds": 2.5}), NOON - KEPT)
    await store.samples.keep(Sample(NOON, {"lag_seconds": 9.0, "notices_waiting": 0.0}), NOON - KEPT)
    await store.samples.keep(Sample(NOON + MINUTE, {}), NOON - KEPT)
    assert await store.samples.since(NOON) == [
        Sample(NOON, {"lag_seconds": 2.5, "notices_waiting": 0.0}), Sample(NOON + MINUTE, {}),
    ]  # fmt: skip
    assert [one.minute for one in await store.samples.since(NOON + MINUTE)] == [NOON + MINUTE]


async def test_each_sample_takes_those_away_that_have_aged(store: Store) -> None:
    for minute in (NOON - KEPT - MINUTE, NOON - KEPT, NOON):
        await store.samples.keep(Sample(minute, {"lag_seconds": 1.0}), minute - KEPT)
    assert [one.minute for one in await store.samples.since(NOON - 2 * KEPT)] == [NOON - KEPT, NOON]


async def test_refusals_are_summed_over_gateways_by_hour(store: Store) -> None:
    for hour, gateway, n in ((NOON - HOUR, "g1", 7), (NOON, "g1", 2), (NOON, "g2", 3)):
        store.refuse(hour, gateway, n)
    assert await store.samples.refused(NOON) == {NOON: 5}
