"""Domain values as the JSON that browsers and API clients get."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from fractions import Fraction
from functools import cache
from typing import Any

from services.console.domain.cases import Fire
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.freshness import DataAge
from services.console.domain.rates import LIVE_RATE, RateCounts, worst_first
from services.kernel.ratio import percent, verdict

BOARD_ROWS = 200


def dumps(value: Any) -> str:
    """Return JSON: dataclasses as objects, instants in UTC, bytes in base64, fractions as text.

    Keys of mappings are texts. What has JSON's own types is left to the encoder in C: a picture of a large district has
    ten thousand values, and the page of fires waits for each.
    """
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    """Return a value that has none of JSON's types in one that has; what it holds comes here in its turn."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if is_dataclass(value):
        kind: Any = type(value)
        return {name: getattr(value, name) for name in _names(kind)}
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Fraction):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind))


def rate(counts: RateCounts, names: Names) -> dict[str, Any]:
    """Return a rate with numerator, denominator, both bounds (per cent, floored) and its verdict.

    `missing`: how many more units would have to be connected, were all unknown ones, until the target is met.
    """
    ratio, target = counts.ratio, names.targets.get(counts.scope)
    said, reason = verdict(ratio, target.value if target else None)
    return {
        "metric": LIVE_RATE,
        "scope": counts.scope,
        "value": counts.value,
        "numerator": ratio.numerator,
        "numerator_high": ratio.high_numerator,
        "denominator": ratio.denominator,
        "low": percent(ratio.low),
        "high": percent(ratio.high),
        "verdict": said.value,
        "reason": reason.value,
        "target": target and {
            "id": target.id, "op": target.op, "percent": float(target.value * 100), "due": target.due,
            "clause": target.clause,
        },
        "missing": ratio.missing(target.value) if target else 0,
        **{name: getattr(counts, name)
           for name in ("late", "offline", "unknown", "never", "commissioning", "exempt")},
    }  # fmt: skip


class JsonEncoder:
    """Implements the port `Encoder`. Names are written once for each time that they were read."""

    def __init__(self) -> None:
        self._names: tuple[Names | None, str] = (None, "")

    def sections(self, snapshot: DashboardSnapshot, names: Names) -> dict[str, str]:
        headline = {row.scope: rate(row, names) for row in snapshot.headline if names.on_the_wall(row.scope)}
        for scope in names.scopes:
            headline.setdefault(scope, rate(RateCounts(scope, ""), names))
        boards = {
            dimension: [
                rate(row, names)
                for row in worst_first([row for row in found if names.on_the_wall(row.scope)])[:BOARD_ROWS]
            ]
            for dimension, found in snapshot.boards.items()
        }
        return {
            "names": self._written(names),
            "rates": dumps(headline),
            "boards": dumps(boards),
            "tally": dumps(snapshot.tally),
            "cases": dumps(snapshot.cases),
            "fires": self.fires(snapshot.fires),
        }

    def _written(self, names: Names) -> str:
        if self._names[0] is not names:
            told = {
                "district": names.district,
                "bodies": dict(names.bodies),
                "categories": dict(names.categories),
                "scopes": dict(names.scopes),
                "all_scopes": dict(names.all_scopes),
                "packs": dict(names.packs),
                "steps": dict(names.steps),
                "people": dict(names.people),
                "events": names.events,
            }
            self._names = (names, dumps(told))
        return self._names[1]

    def fires(self, fires: Sequence[Fire]) -> str:
        return dumps(fires)

    def freshness(self, age: DataAge, now: datetime, read_at: datetime | None) -> str:
        return dumps(
            {
                "now": now,
                "as_of": age.as_of,
                "state": age.state,
                "blind": age.blind,
                "partitions": age.partitions,
                "read_at": read_at,
            }
        )
