"""Rates by day from a real PostgreSQL: what is closed, what was sampled, and what nobody can say."""

from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from services.console.adapters.postgres_history import PostgresHistory
from services.console.domain.history import HistoryQuery, RateHistory, Subject
from services.console.domain.viewer import BodyCode
from services.kernel.calendar import day_number, midnight, moment
from services.kernel.ratio import Ratio
from services.kernel.words import Dimension, Period
from services.runtime.postgres import open_pool
from tests.integration.console.history import publish, sample
from tests.integration.console.scenario import PARTITIONS, Scenario, district

LIMIT_S = 60.0
D1, D2, D3 = date(2020, 11, 2), date(2020, 11, 3), date(2020, 11, 4)
DISTRICT = Subject(Dimension.DISTRICT, "sample")


@pytest.fixture
async def histories(empty_scenario: Scenario) -> AsyncIterator[PostgresHistory]:
    empty_scenario.execute("TRUNCATE rules.rate_samples, compliance.figures")
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        yield PostgresHistory(pool, LIMIT_S)


async def read(histories: PostgresHistory, first: date = D1, last: date = D3) -> RateHistory:
    return await histories.history(HistoryQuery(DISTRICT, "S1", first, last))


def ratios(found: RateHistory) -> list[Ratio | None]:
    return [day.ratio for day in found.days]


async def test_a_day_that_is_not_closed_stands_as_it_was_last_sampled(
    histories: PostgresHistory, empty_scenario: Scenario
) -> None:
    sample(empty_scenario, D1, connected=150, hour=1)
    sample(empty_scenario, D1, connected=190, unknown=4, exempt=3, hour=23)
    sample(empty_scenario, D3, connected=200)
    found = await read(histories, D1 - timedelta(days=1))
    held = Ratio(190, 197, 4, 3)
    assert ratios(found) == [None, held, held, Ratio(200, 200)], "nothing changed on the second day"
    assert not any(day.closed for day in found.days)


async def test_partitions_are_added_up_before_anything_else(
    histories: PostgresHistory, empty_scenario: Scenario
) -> None:
    sample(empty_scenario, D1, units=100, connected=90)
    empty_scenario.execute(
        "INSERT INTO rules.rate_samples SELECT sampled_at - interval '1 hour', %s, scope, dimension, value,"
        " 50, 40, 1, 2 FROM rules.rate_samples",
        [PARTITIONS - 1],
    )
    assert ratios(await read(histories, D1, D1)) == [Ratio(130, 148, 1, 2)]


async def test_samples_that_do_not_say_who_was_exempt_make_no_rate(
    histories: PostgresHistory, empty_scenario: Scenario
) -> None:
    sample(empty_scenario, D1, exempt=None)
    sample(empty_scenario, D2)
    assert ratios(await read(histories)) == [None, Ratio(200, 200), Ratio(200, 200)]


async def test_a_day_that_a_partition_has_not_come_to_has_no_rate(
    histories: PostgresHistory, empty_scenario: Scenario
) -> None:
    sample(empty_scenario, D1)
    empty_scenario.see(moment(midnight(day_number(D2)) - 1), partition=2)
    assert ratios(await read(histories)) == [Ratio(200, 200), None, None]


async def test_a_closed_day_takes_the_place_of_its_samples_with_all_its_revisions(
    histories: PostgresHistory, empty_scenario: Scenario
) -> None:
    sample(empty_scenario, D1, connected=10)
    publish(empty_scenario, D2, low=190, unknown=2)
    publish(empty_scenario, D2, low=192, revision=2)
    publish(empty_scenario, D2, subject=("town", "dongjie"), low=1)
    publish(empty_scenario, D2, scope="S2", low=2)
    sampled, closed, after = (await read(histories)).days
    assert [sampled.closed, closed.closed, after.closed] == [False, True, False]
    assert [(one.revision, one.target, one.verdict) for one in closed.publications] == [
        (1, "1", "non_compliant"), (2, "1", "non_compliant")
    ]  # fmt: skip
    day = 86_400_000_000
    first, second = closed.publications
    assert (first.ratio, second.ratio) == (Ratio(190 * day, 200 * day, 2 * day), Ratio(192 * day, 200 * day))
    assert closed.sample is None


async def test_longer_periods_are_told_when_they_lie_within_the_days(
    histories: PostgresHistory, empty_scenario: Scenario
) -> None:
    sunday = D1 + timedelta(days=6)
    publish(empty_scenario, D1, sunday, kind="week", low=199)
    publish(empty_scenario, date(2020, 11, 1), date(2020, 11, 30), kind="month")
    week = (await read(histories, D1, sunday)).periods
    assert [(one.kind, one.first, one.last) for one in week] == [(Period.WEEK, D1, sunday)]
    assert (await read(histories, D1, sunday - timedelta(days=1))).periods == ()
    both = (await read(histories, date(2020, 11, 1), date(2020, 11, 30))).periods
    assert [one.kind for one in both] == [Period.WEEK, Period.MONTH]


async def test_whose_rate_there_is(histories: PostgresHistory, empty_scenario: Scenario) -> None:
    empty_scenario.put(district(8))
    found = await histories.subjects()
    assert found[0] == DISTRICT
    assert {each.value for each in found if each.dimension is Dimension.TOWN} == {"dongjie"}
    assert Subject(Dimension.DEPARTMENT, "health") in found
    assert (await histories.is_town(BodyCode("dongjie")), await histories.is_town(BodyCode("health"))) == (True, False)
