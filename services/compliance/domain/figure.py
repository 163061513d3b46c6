"""A figure: what was asked, what it came to, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from services.compliance.domain.policy import Policy, Target
from services.kernel.ratio import Ratio, Reason, Verdict


@dataclass(frozen=True, slots=True)
class FigureAsk:
    """Instants in microseconds; `start` = `end` for a metric of an instant.

    `limit` (microseconds) and `availability` are set for the metrics that ask for them.
    """

    metric: str
    scope: str
    part: Mapping[str, str]
    unit: str | None
    start: int
    end: int
    limit: int = 0
    availability: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a formula returns. `detail` is what the answer shows beside the rate."""

    ratio: Ratio
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    ask: FigureAsk
    through: int
    closed: bool
    counts: str
    counted: Counted
    verdict: Verdict
    reason: Reason
    target: Target | None
    clause: str | None
    pack: Policy
    packs: Sequence[Policy]
