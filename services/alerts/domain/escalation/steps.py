"""The rungs of a ladder, and what climbing one leaves behind."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.domain.ids import CaseId
from services.kernel.words import Recipient


@dataclass(frozen=True, slots=True)
class LadderStep:
    """A rung, `after` the case's clock started; times are the pack's own, before any clock rate."""

    code: str
    after: timedelta
    tells: tuple[Recipient, ...]
    document: str
    name_zh: str
    name_en: str
    clause: str
    reply_working_days: int | None = None
    board_only: bool = False


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A rung that was climbed: who was told, or why nobody."""

    case_id: CaseId
    step: str
    due_at: datetime
    taken_at: datetime
    document: str
    clause: str
    told: tuple[str, ...]
    nobody: str | None = None
