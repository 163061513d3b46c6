"""What a new state of the registry changes about the past: which units are computed anew, and from which day on."""

from collections.abc import Iterable
from typing import NamedTuple

from services.compliance.domain.registry import Registry, UnitRow
from services.kernel.effective import in_force


class Changes(NamedTuple):
    """`units` are computed anew. `since`: the first day on which somebody is counted otherwise, None for nobody."""

    units: frozenset[str]
    since: int | None


def changes(before: Registry, after: Registry) -> Changes:
    """Return what differs between two states of the registry.

    An adjustment changes the days of its unit and no scope or slice: which ones is seen when they are computed anew.
    """
    units = {unit_id for unit_id, rows in after.units.items() if list(before.units.get(unit_id, ())) != list(rows)}
    units |= {
        unit_id
        for unit_id in before.adjustments.keys() | after.adjustments.keys()
        if before.adjusted(unit_id).all != after.adjusted(unit_id).all
    }
    days = [_first_day(before.units.get(unit_id, ()), after.units.get(unit_id, ())) for unit_id in units]
    for gateway_id, rows in after.gateways.items():
        old = before.gateways.get(gateway_id, ())
        if list(old) != list(rows):
            units.update(row.unit_id for row in (*old, *rows))
    return Changes(
        frozenset(units) & frozenset(after.units), min((day for day in days if day is not None), default=None)
    )


def _first_day(before: Iterable[UnitRow], after: Iterable[UnitRow]) -> int | None:
    old, new = list(before), list(after)
    for day in sorted({day for row in (*old, *new) for day in row.turning_days()}):
        if _facts(in_force(old, day)) != _facts(in_force(new, day)):
            return day
    return None


def _facts(row: UnitRow | None) -> tuple[object, ...] | None:
    """Return what decides who counts; when it was written down is no part of it."""
    if row is None:
        return None
    return (
        row.facts, tuple(row.dimensions.items()), row.accepted_on, row.commissioned_on, row.retired_on,
        row.exempt_from, row.exempt_until, row.profile,
    )  # fmt: skip
