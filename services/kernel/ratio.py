"""Counts, what they come to in per cent, and the verdict on a target."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


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
    """`unknown` is part of the denominator and not of the numerator; `exempt` is in neither."""

    numerator: int
    denominator: int
    unknown: int = 0
    exempt: int = 0

    @property
    def low(self) -> Fraction | None:
        return Fraction(self.numerator, self.denominator) if self.denominator else None

    @property
    def high(self) -> Fraction | None:
        return Fraction(self.numerator + self.unknown, self.denominator) if self.denominator else None


def percent(fraction: Fraction | None) -> str | None:
    """Return per cent floored to one decimal: "100.0" only when all are. None where there is no rate."""
    if fraction is None:
        return None
    tenths = fraction.numerator * 1000 // fraction.denominator
    return f"{tenths // 10}.{tenths % 10}"


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
