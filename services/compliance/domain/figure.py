"""A figure: what was asked, what it came to, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.compliance.domain.policy import Policy
from services.kernel.policy import Target
from services.kernel.ratio import Ratio, Reason, Verdict


@dataclass(frozen=True, slots=True)
class FigureAsk:
    """Instants in microseconds; `start` = `end` for a metric of an instant."""

    metric: str
    scope: str
    part: Mapping[str, str]
    unit: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What a formula returns."""

    ratio: Ratio
    detail: Mapping[str, int] = field(default_factory=dict)


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
