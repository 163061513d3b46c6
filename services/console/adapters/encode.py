"""Domain values as the JSON that browsers and API clients get."""

import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from fractions import Fraction
from typing import Any

from services.console.domain.cases import Fire
from services.console.domain.dashboard_snapshot import DashboardSnapshot, Names
from services.console.domain.freshness import DataAge
from services.console.domain.rates import LIVE_RATE, RateCounts, worst_first
from services.kernel.ratio import percent, verdict

BOARD_ROWS = 200


def plain(value: Any) -> Any:
    """Return `value` in JSON types: dataclasses as objects, instants in UTC, bytes in base64, fractions as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def dumps(value: Any) -> str:
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


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
    """Implements the port `Encoder`."""

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
            "names": dumps(
                {
                    "district": names.district,
                    "bodies": dict(names.bodies),
                    "categories": dict(names.categories),
                    "scopes": dict(names.scopes),
                    "all_scopes": dict(names.all_scopes),
                    "packs": dict(names.packs),
                    "steps": dict(names.steps),
                    "people": dict(names.people),
                }
            ),
            "rates": dumps(headline),
            "boards": dumps(boards),
            "tally": dumps(snapshot.tally),
            "cases": dumps(snapshot.cases),
            "fires": self.fires(snapshot.fires),
        }

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
