"""What a policy pack says about cases on one day."""

from dataclasses import dataclass
from datetime import timedelta

from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.escalation.steps import LadderStep
from services.kernel.words import Recipient


@dataclass(frozen=True, slots=True)
class PackRules:
    """What a policy pack says about cases on one day. Waits are the pack's own, before any clock rate."""

    pack_id: str
    version: int
    ladders: dict[CaseKind, tuple[LadderStep, ...]]
    group_wait: timedelta
    reopen_within: timedelta
    common_by: tuple[str, ...]
    common_units: int
    common_window: timedelta
    common_hold: timedelta
    common_recipients: tuple[Recipient, ...]
    common_clause: str
    expired: bool = False


WITHOUT_PACK = PackRules(
    pack_id="none",
    version=1,
    ladders={},
    group_wait=timedelta(0),
    # so that a line that drops again and again does not tell the centre each time
    reopen_within=timedelta(days=1),
    common_by=(),
    common_units=0,
    common_window=timedelta(0),
    common_hold=timedelta(0),
    common_recipients=(),
    common_clause="",
)
"""Where a district has no pack: the centre is told once of every kind, of a fire the control room too.

See `fallback_ladder`. Never the ladder of another district: its clauses bind nobody here.
"""
