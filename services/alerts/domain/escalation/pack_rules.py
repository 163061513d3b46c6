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
    common_tells: tuple[Recipient, ...]
    common_clause: str
    expired: bool = False
