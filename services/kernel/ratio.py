"""Counts, what they come to in per cent, and the verdict on a target. Nobody else divides, floors or judges.

Only the formulas of compliance count for themselves; what they return is a `Ratio` too. A unit test looks through
the whole tree for a division of counts elsewhere (docs/decisions/0026).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from typing import TypeVar

from services.kernel.words import Connection

State = TypeVar("State", bound=str)

CONNECTED = (Connection.ONLINE, Connection.LATE)
"""A late unit has not been proven lost."""


class Verdict(StrEnum):
    COMPLIANT = "compliant"
    NON_COMPLIANT = "non_compliant"
    UNDETERMINED = "undetermined"
    NO_TARGET = "no_target"
    NOT_APPLICABLE = "not_applicable"


class Reason(StrEnum):
    NOT_BEGUN = "not_begun"
    ALL_EXEMPT = "all_exempt"
    EMPTY_SCOPE = "empty_scope"
    NO_TARGET = "no_target"
    LOW_MEETS_TARGET = "low_meets_target"
    HIGH_BELOW_TARGET = "high_below_target"
    UNKNOWN_BETWEEN = "unknown_between"


@dataclass(frozen=True, slots=True)
class Ratio:
    """`unknown` is part of the denominator and not of the numerator; `exempt` is in neither.

    Raises ValueError for counts that are no rate: below nought, or more counted than there are.
    """

    numerator: int
    denominator: int
    unknown: int = 0
    exempt: int = 0

    def __post_init__(self) -> None:
        if min(self.numerator, self.unknown, self.exempt) < 0 or self.high_numerator > self.denominator:
            raise ValueError(f"{self.numerator} and {self.unknown} unknown of {self.denominator} is no rate")

    def __add__(self, other: "Ratio") -> "Ratio":
        """Return the rate of both together: sums come before the division."""
        return Ratio(
            self.numerator + other.numerator,
            self.denominator + other.denominator,
            self.unknown + other.unknown,
            self.exempt + other.exempt,
        )

    @property
    def high_numerator(self) -> int:
        """Return the numerator if everything unknown counted."""
        return self.numerator + self.unknown

    @property
    def low(self) -> Fraction | None:
        return Fraction(self.numerator, self.denominator) if self.denominator else None

    @property
    def high(self) -> Fraction | None:
        return Fraction(self.high_numerator, self.denominator) if self.denominator else None

    def missing(self, target: Fraction) -> int:
        """Return how many more must count before `high` reaches `target`: 0 when it has, or nothing is in scope."""
        return max(0, ceil(self.denominator * target) - self.high_numerator)


NOTHING = Ratio(0, 0)


def live(units: Mapping[State, int]) -> Ratio:
    """Return the live networking rate of so many units by connection: connected of those that are not exempt.

    Raises ValueError for what is no connection, and for retired units: they are in no scope.
    Source: docs/domain/figures.md, R18 and the table of metrics, R27, R28.
    """
    by = {Connection(connection): count for connection, count in units.items()}
    if by.get(Connection.RETIRED):
        raise ValueError("a retired unit is in no scope")
    exempt = by.get(Connection.EXEMPT, 0)
    return Ratio(
        numerator=sum(by.get(connection, 0) for connection in CONNECTED),
        denominator=sum(by.values()) - exempt,
        unknown=by.get(Connection.UNKNOWN, 0),
        exempt=exempt,
    )


def allowance(whole: int, target: Fraction) -> int:
    """Return how much of `whole` may be lost under a target, floored: nothing under one of 100 per cent."""
    return floor((1 - target) * whole)


def reaches(ratio: Ratio, target: Fraction) -> bool:
    """Tell whether a rate reaches a target exactly; that of nothing never does."""
    return ratio.low is not None and ratio.low >= target


def percent(fraction: Fraction | None) -> str | None:
    """Return per cent floored to one decimal: "100.0" only when all are. None where there is no rate."""
    if fraction is None:
        return None
    tenths = _tenths(fraction)
    return f"{tenths // 10}.{tenths % 10}"


def floored(fraction: Fraction) -> float:
    """Return the same as a number for a gauge, 0 to 1: 0.995 of 199 out of 200, and 1 only when all are."""
    return _tenths(fraction) / 1000


def _tenths(fraction: Fraction) -> int:
    """Return tenths of a per cent, floored."""
    return fraction.numerator * 1000 // fraction.denominator


def verdict(ratio: Ratio, target: Fraction | None) -> tuple[Verdict, Reason]:
    """Judge a figure whose window has begun against `target`, exactly. An empty scope is never 100 %."""
    if ratio.low is None or ratio.high is None:
        return Verdict.NOT_APPLICABLE, Reason.ALL_EXEMPT if ratio.exempt > 0 else Reason.EMPTY_SCOPE
    if target is None:
        return Verdict.NO_TARGET, Reason.NO_TARGET
    if ratio.low >= target:
        return Verdict.COMPLIANT, Reason.LOW_MEETS_TARGET
    if ratio.high < target:
        return Verdict.NON_COMPLIANT, Reason.HIGH_BELOW_TARGET
    return Verdict.UNDETERMINED, Reason.UNKNOWN_BETWEEN
