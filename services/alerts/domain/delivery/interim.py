"""A notice that was made while the database was away."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.alerts.domain.delivery.attempts import Outcome, Verdict
from services.alerts.domain.delivery.notice import Notice


@dataclass(slots=True)
class InterimRow:
    """A notice that was made without the database, and what became of it so far.

    `in_flight`: an attempt is under way. `held`: the database is just taking it over. `alarmed`: an attempt said that
    the case was open, so its address has to hear of the end.
    """

    notice: Notice
    attempts: int = 0
    next_attempt_at: datetime | None = None
    state: Literal["pending", "accepted", "dead", "cancelled"] = "pending"
    in_flight: bool = False
    held: bool = False
    alarmed: bool = False
    outcome: Outcome | None = None
    verdict: Verdict | None = None
    ended_at: datetime | None = None
