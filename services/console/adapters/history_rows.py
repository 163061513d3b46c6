"""Rates by day as the JSON of the page and as the rows of a file: the same figures under the same names."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from services.console.adapters.spreadsheet import Value
from services.console.domain.dashboard_snapshot import Names
from services.console.domain.history import (
    CLOSED_RATE,
    DayRate,
    HistoryQuery,
    PeriodRate,
    Publication,
    RateHistory,
)
from services.kernel.calendar import CHINA
from services.kernel.policy import Target
from services.kernel.ratio import Ratio, percent
from services.kernel.words import Period

Texts = Mapping[str, Mapping[str, str]]
Line = dict[str, Any]
COLUMNS = (
    "subject", "code", "scope", "period", "day", "last", "metric", "state", "revision", "low", "high", "numerator",
    "denominator", "unknown", "exempt", "target", "verdict", "published",
)  # fmt: skip
"""Columns of a file; the catalogue has their names under `history.column`."""
MAX_EXACT = 2**53
"""Beyond this a spreadsheet and a browser round a number: it travels as text."""


def as_document(query: HistoryQuery, found: RateHistory, names: Names) -> dict[str, Any]:
    """Return what the page draws. `low` and `high` are per cent, floored, as text; null where there is no rate."""
    target = names.targets.get(query.scope)
    return {
        "dimension": query.subject.dimension,
        "value": query.subject.value,
        "scope": query.scope,
        "first": query.first.isoformat(),
        "last": query.last.isoformat(),
        "events": [
            asdict(event)
            for event in names.events
            if event.touches(query.first, query.last, query.subject.town, query.subject.district)
        ],
        "days": [_day(each, target) for each in found.days],
        "periods": [_period(each) for each in found.periods],
    }


def as_table(
    query: HistoryQuery, found: RateHistory, names: Names, texts: Texts, lang: str
) -> tuple[list[str], list[list[Value]]]:
    """Return the header, one row per day and one per longer period, the words in `lang`."""

    def t(key: str) -> str:
        return texts[key][lang]

    pair = names.bodies.get(query.subject.value) or names.district
    whose = [pair[1] or pair[0] if lang == "en" else pair[0], query.subject.value, query.scope]
    document = as_document(query, found, names)
    lines = [*document["days"], *document["periods"]]
    return [t(f"history.column.{column}") for column in COLUMNS], [[*whose, *_cells(line, t)] for line in lines]


def _day(day: DayRate, live_target: Target | None) -> Line:
    if day.publications:
        return _closed(Period.DAY, day.day, day.day, day.publications)
    judged = day.judged(live_target)
    return {
        **_head(Period.DAY, day.day, day.day),
        "metric": day.metric,
        "state": "open" if day.sample else "none",
        "revision": 0,
        "at": day.sample and day.sample.sampled_at,
        **_counts(day.ratio),
        "target": percent(live_target.value) if live_target and day.sample else None,
        "verdict": judged and judged[0],
        "reason": judged and judged[1],
        "earlier": [],
    }


def _period(period: PeriodRate) -> Line:
    return _closed(period.kind, period.first, period.last, period.publications)


def _closed(kind: Period, first: date, last: date, publications: tuple[Publication, ...]) -> Line:
    *earlier, holds = publications
    return {
        **_head(kind, first, last),
        "metric": CLOSED_RATE,
        "state": "revised" if earlier else "closed",
        **_publication(holds),
        "target": None if holds.target is None else percent(Fraction(Decimal(holds.target))),
        "reason": holds.reason,
        "earlier": [_publication(each) for each in earlier],
    }


def _head(kind: Period, first: date, last: date) -> Line:
    return {"period": kind, "day": first.isoformat(), "last": last.isoformat()}


def _publication(one: Publication) -> Line:
    return {"revision": one.revision, "at": one.published_at, "verdict": one.verdict, **_counts(one.ratio)}


def _counts(ratio: Ratio | None) -> Line:
    """Return counts as numbers, or as text where a number would be rounded on the way."""
    return {
        "low": percent(ratio.low) if ratio else None,
        "high": percent(ratio.high) if ratio else None,
        **{
            name: _exact(getattr(ratio, name)) if ratio else None
            for name in ("numerator", "denominator", "unknown", "exempt")
        },
    }


def _exact(count: int) -> Value:
    return count if count < MAX_EXACT else str(count)


def _cells(line: Line, t: Callable[[str], str]) -> list[Value]:
    at: datetime | None = line["at"]
    return [
        t(f"history.period.{line['period']}"),
        line["day"],
        line["last"],
        t(f"rate.{line['metric']}") if line["metric"] else None,
        t(f"history.state.{line['state']}"),
        line["revision"] or None,
        *(line[name] for name in ("low", "high", "numerator", "denominator", "unknown", "exempt", "target")),
        t(f"verdict.{line['verdict']}") if line["verdict"] else None,
        at.astimezone(CHINA).isoformat(timespec="seconds") if at else None,
    ]
