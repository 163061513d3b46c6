"""Rates by day as rules samples them and compliance publishes them, for the page that shows them."""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction

from services.kernel.calendar import day_number, midnight, moment
from services.kernel.ratio import Ratio, verdict
from tests.integration.console.scenario import Scenario

SAMPLE = """
INSERT INTO rules.rate_samples (sampled_at, partition, scope, dimension, value, in_scope, connected, unknown, exempt)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def sample(
    scenario: Scenario,
    day: date,
    *,
    subject: tuple[str, str] = ("district", "sample"),
    scope: str = "S1",
    units: int = 200,
    connected: int = 200,
    unknown: int = 0,
    exempt: int | None = 0,
    hour: int = 9,
) -> None:
    """Write the sample of an hour of the day, all units on the first partition."""
    at = moment(midnight(day_number(day))) + timedelta(hours=hour)
    row = [at, 0, scope, *subject, units, connected, unknown, exempt]
    scenario.execute(SAMPLE, row, notify=False)


def days_before(last: date, count: int) -> Iterable[date]:
    return (last - timedelta(days=n) for n in reversed(range(count)))


PUBLISH = """
INSERT INTO compliance.figures (metric, scope, slice_kind, slice_id, period_kind, period_from, period_to, revision,
    known_at, recorded_at, numerator, denominator, unknown, exempt, value, low, high, verdict, reason, pack_id,
    pack_version, difference, figure)
VALUES ('time_weighted_networking_rate', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, NULL, NULL, NULL, %s, %s,
    'sample-2026', 1, '{}', %s)
"""
ONE = Fraction(1)


def publish(
    scenario: Scenario,
    first: date,
    last: date | None = None,
    *,
    subject: tuple[str, str] = ("district", "sample"),
    scope: str = "S1",
    kind: str = "day",
    units: int = 200,
    low: int = 200,
    unknown: int = 0,
    revision: int = 1,
) -> None:
    """Write a closed figure as compliance publishes it: `low` of `units` were connected all the time."""
    begin, end = (midnight(day_number(first)), midnight(day_number(last or first) + 1))
    ratio = Ratio(low * (end - begin), units * (end - begin), unknown * (end - begin))
    said, reason = verdict(ratio, ONE)
    at = moment(end) + timedelta(hours=revision)
    counts = (ratio.numerator, ratio.denominator, ratio.unknown)
    target = json.dumps({"target": {"value": "1"}})
    row = [
        scope, *subject, kind, moment(begin), moment(end), revision, at, at, *counts, said.value, reason.value, target
    ]  # fmt: skip
    scenario.execute(PUBLISH, row, notify=False)
