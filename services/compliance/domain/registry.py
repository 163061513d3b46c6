"""Registry rows as known at an instant; `in_force` says which holds on a day (R1). Days are whole numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.compliance.domain.adjustments import NONE, Adjustments
from services.kernel.effective import in_force


@dataclass(frozen=True, slots=True)
class UnitRow:
    """`facts`: names of the facts that are true of the unit. `dimensions`: what a slice may ask for."""

    valid_from: int
    recorded_at: int
    facts: frozenset[str]
    dimensions: Mapping[str, str]
    accepted_on: int | None = None
    commissioned_on: int | None = None
    retired_on: int | None = None
    exempt_from: int | None = None
    exempt_until: int | None = None
    profile: str | None = None

    @property
    def district(self) -> str:
        return self.dimensions["district"]

    def retired(self, day: int) -> bool:
        return self.retired_on is not None and day >= self.retired_on

    def exempt(self, day: int) -> bool:
        return (
            self.exempt_from is not None
            and self.exempt_until is not None
            and (self.exempt_from <= day <= self.exempt_until)
        )

    def commissioned(self, day: int) -> bool:
        return self.commissioned_on is not None and self.commissioned_on <= day

    def accepted(self, day: int) -> bool:
        return self.accepted_on is not None and self.accepted_on <= day

    def turning_days(self) -> Iterable[int]:
        until = None if self.exempt_until is None else self.exempt_until + 1
        days = (self.valid_from, self.accepted_on, self.commissioned_on, self.retired_on, self.exempt_from, until)
        return [day for day in days if day is not None]


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """`points`: how many components are registered, 0 where that is not said."""

    valid_from: int
    recorded_at: int
    unit_id: str
    carrier: str
    retired_on: int | None = None
    points: int = 0

    def serves(self, unit_id: str, day: int) -> bool:
        return self.unit_id == unit_id and (self.retired_on is None or day < self.retired_on)

    def turning_days(self) -> Iterable[int]:
        return [self.valid_from] if self.retired_on is None else [self.valid_from, self.retired_on]


class Registry(NamedTuple):
    """Rows by unit and by gateway, each in the order of (valid_from, recorded_at); none without a known row.

    `adjustments` by unit, of those that have any.
    """

    units: Mapping[str, Sequence[UnitRow]]
    gateways: Mapping[str, Sequence[GatewayRow]]
    adjustments: Mapping[str, Adjustments] = {}

    def adjusted(self, unit_id: str) -> Adjustments:
        return self.adjustments.get(unit_id, NONE)

    def pairs(self) -> set[tuple[str, str]]:
        """Return every (gateway, unit) that a row names."""
        return {(gateway, row.unit_id) for gateway, rows in self.gateways.items() for row in rows}

    def runs(self, gateway_id: str, unit_id: str) -> list[tuple[int, int | None]]:
        """Return the runs of a pair as (first day, first day after it), None for one without an end (R44)."""
        rows = self.gateways.get(gateway_id, ())
        found: list[tuple[int, int | None]] = []
        begun: int | None = None
        for day in sorted({day for row in rows for day in row.turning_days()}):
            row = in_force(rows, day)
            serves = row is not None and row.serves(unit_id, day)
            if serves and begun is None:
                begun = day
            elif not serves and begun is not None:
                found.append((begun, day))
                begun = None
        return found if begun is None else [*found, (begun, None)]
