"""One exchange that is open, as one process knows it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.ingest.domain.answers import Check
from services.ingest.domain.controls import Order
from services.kernel.words import ExchangeReason, ExchangeStep

AT_ONCE = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Exchange:
    """What the log says, and what we have added to it ourselves (`said`) and may not have read back yet.

    `confirm_label`, `serial_then` and `met_old_answer` are what this process knows of the device beside the log: see
    `answers`.
    """

    order: Order
    seen_at: datetime
    answering: timedelta
    owner: str | None = None
    serial: int | None = None
    began_at: datetime | None = None
    tries: int = 0
    attempts: int = 0
    next_try_at: datetime | None = None
    first_sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    confirmed: bool = False
    denied: bool = False
    ending: bool = False
    blind: ExchangeReason | None = None
    confirm_label: datetime | None = None
    serial_then: int | None = None
    met_old_answer: bool = False
    look_at: datetime = AT_ONCE
    said: set[tuple[ExchangeStep, int | None]] = field(default_factory=set)

    def answer_until(self) -> datetime | None:
        """From the last sending, for the device cannot have rung later: nobody is blamed for our resends."""
        if self.last_sent_at is None:
            return None
        return self.last_sent_at + self.answering

    def in_time(self, at: datetime, slack: timedelta) -> bool:
        """Say whether an answer that came at `at` is one to this check, give or take `slack` at its beginning."""
        until = self.answer_until()
        return self.first_sent_at is not None and until is not None and self.first_sent_at - slack <= at <= until

    def seconds_since_sent(self, at: datetime) -> float | None:
        since = self.first_sent_at or self.began_at
        return None if since is None else max(0.0, (at - since).total_seconds())

    def check(self) -> Check | None:
        """Return what an answer is measured against, None while nothing was sent."""
        return None if self.first_sent_at is None else Check(self.first_sent_at, self.confirm_label, self.serial_then)
