"""How a networking rate is shown: counts first, floored percentages, an interval when we are blind, a verdict."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction


class Verdict(StrEnum):
    """What a rate says about its target. Undetermined: what we do not know decides it."""

    MET = "met"
    NOT_MET = "not_met"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class RateCounts:
    """The counters of one scope under one dimension value. `connected` holds online and late units.

    Units: numbers of premises. connected + offline + unknown + never + commissioning + exempt = in_scope.
    """

    scope: str
    value: str
    in_scope: int
    connected: int
    late: int = 0
    offline: int = 0
    unknown: int = 0
    never: int = 0
    commissioning: int = 0
    exempt: int = 0


def floored_tenths(part: int, whole: int) -> int | None:
    """Return `part / whole` in tenths of a percent, floored: 199 of 200 is 995, 9999 of 10000 is 999.

    1000 (100.0 %) comes back only when part equals whole; an empty whole gives None: not applicable, never 100 %.
    """
    if whole <= 0:
        return None
    return max(0, min(part, whole)) * 1000 // whole


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate as it is shown. Percentages in tenths of a percent, floored; None where the scope is empty."""

    counts: RateCounts
    low: int | None
    high: int | None
    target: Fraction
    verdict: Verdict

    @property
    def high_connected(self) -> int:
        """Return the numerator if every unknown unit were connected."""
        return self.counts.connected + self.counts.unknown


def judge(counts: RateCounts, target: Fraction) -> Rate:
    """Return the rate with its bounds and verdict; compares exact fractions, never the floored percentage."""
    whole = counts.in_scope
    low, high = floored_tenths(counts.connected, whole), floored_tenths(counts.connected + counts.unknown, whole)
    return Rate(counts, low, high, target, _verdict(counts, target))


def _verdict(counts: RateCounts, target: Fraction) -> Verdict:
    if counts.in_scope <= 0:
        return Verdict.NOT_APPLICABLE
    if Fraction(counts.connected, counts.in_scope) >= target:
        return Verdict.MET
    if Fraction(counts.connected + counts.unknown, counts.in_scope) < target:
        return Verdict.NOT_MET
    return Verdict.UNDETERMINED


def worst_first(rates: Iterable[RateCounts]) -> list[RateCounts]:
    """Return the rows with someone in scope: lowest proven rate first, among equals the more missing units first."""
    rows = [row for row in rates if row.in_scope > 0]
    return sorted(
        rows, key=lambda row: (Fraction(row.connected, row.in_scope), row.connected - row.in_scope, row.value)
    )
