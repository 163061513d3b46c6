"""What a pack would have said of a closed period: asked here, answered by compliance, never published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from services.console.domain.errors import NotAllowed, WhatIfPeriod
from services.console.domain.register import may_propose
from services.console.domain.viewer import Role, Viewer
from services.kernel.calendar import date_of, micros, midnight, period_days
from services.kernel.words import Period

KINDS = (Period.DAY, Period.WEEK, Period.MONTH)
TAKEN_WITHIN, KEPT = timedelta(days=1), timedelta(days=30)
"""As compliance has them: one that nobody took so long is given up, and nothing older is kept."""
MAX_OPEN = 5
"""So many wait or run at once, of all accounts; of one account, one."""
LISTED = 20


@dataclass(frozen=True, slots=True)
class PackSource:
    """Which pack: a file (`content`, base64), a proposal, or a version of the register. Exactly one."""

    file_name: str = ""
    content: str | None = None
    proposal_id: str | None = None
    pack_id: str | None = None
    version: int | None = None

    @property
    def label(self) -> str:
        if self.proposal_id is not None:
            return self.proposal_id
        return self.file_name if self.content is not None else f"{self.pack_id} {self.version}"


@dataclass(frozen=True, slots=True)
class NewWhatIf:
    """`first`: of the period. `pack`: YAML as the registry writes it."""

    kind: Period
    first: date
    source: str
    pack: str


@dataclass(frozen=True, slots=True)
class WhatIfRow:
    """`state`: waiting, running, done or failed. `result`: of one that is looked at, once it is done."""

    what_if_id: int
    kind: Period
    first: date
    source: str
    asked_by: str
    asked_at: datetime
    state: str
    reason: str
    result: Mapping[str, Any] | None = None


def may_suppose(viewer: Viewer) -> Viewer:
    """Return who may ask. Raises NotAllowed for anybody but the brigade, and for who administers accounts."""
    if viewer.role is not Role.BRIGADE:
        raise NotAllowed("what a pack would have said is asked by the brigade")
    return may_propose(viewer)


def first_day(kind: Period, day: date, now: datetime) -> date:
    """Return the first day of the period of a kind that holds `day`. Raises WhatIfPeriod for one that is not over."""
    first, after = period_days(kind, day)
    if kind not in KINDS or midnight(after) > micros(now):
        raise WhatIfPeriod
    return date_of(first)
