"""The rungs of a ladder, and what climbing one leaves behind."""

from dataclasses import dataclass
from datetime import datetime

from services.alerts.domain.escalation.triggers import Trigger
from services.alerts.domain.ids import CaseId
from services.kernel.words import Recipient, StepExit


@dataclass(frozen=True, slots=True)
class LadderStep:
    """A rung: taken in its turn when `trigger` says so, not at all once one of `exits` holds."""

    code: str
    trigger: Trigger
    tells: tuple[Recipient, ...]
    document: str
    name_zh: str
    name_en: str
    clause: str
    reply_working_days: int | None = None
    receipt_working_days: int | None = None
    board_only: bool = False
    exits: tuple[StepExit, ...] = (StepExit.CASE_CLOSED,)


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A rung that was climbed: who was told, or why nobody."""

    case_id: CaseId
    step: str
    due_at: datetime
    taken_at: datetime
    document: str
    clause: str
    recipients: tuple[str, ...]
    nobody: str | None = None
