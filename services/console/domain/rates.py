"""The live networking rate of a scope: how many units stand how, and what the kernel says it comes to."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.kernel.ratio import Ratio, live

LIVE_RATE = "live_networking_rate"


@dataclass(frozen=True, slots=True)
class RateCounts:
    """Units of one scope under one dimension value, by connection. Exempt ones are counted here and in no rate."""

    scope: str
    value: str
    online: int = 0
    late: int = 0
    offline: int = 0
    unknown: int = 0
    never: int = 0
    commissioning: int = 0
    exempt: int = 0

    @property
    def ratio(self) -> Ratio:
        return live(
            {
                "online": self.online,
                "late": self.late,
                "offline": self.offline,
                "unknown": self.unknown,
                "never_connected": self.never,
                "commissioning": self.commissioning,
                "exempt": self.exempt,
            }
        )


def worst_first(rates: Iterable[RateCounts]) -> list[RateCounts]:
    """Return the rows that have a rate: lowest proven one first, among equals the more missing units first."""
    found = [(row.ratio.low, row.ratio, row) for row in rates]
    ranked = [(low, ratio.numerator - ratio.denominator, row) for low, ratio, row in found if low is not None]
    return [row for _, _, row in sorted(ranked, key=lambda each: (each[0], each[1], each[2].value))]
