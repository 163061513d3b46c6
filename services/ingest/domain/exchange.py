"""One exchange that is open, as one process knows it.

    ordered --began--> begun --sent--> sent --confirmed--> confirmed --answered--> answered     a set clock ends as
       |                 |              ^ |                    |                                 confirmed, a duty
       |                 |    sent anew | | denied, or no      +--nobody in time--> not_answered check goes on
       |                 |              +-+ confirm in time
       |                 |                |
       |                 +--unreachable   +--denied, no_confirm: nothing more may be sent
       |                 v                v
       +--no such     failed           failed         From `begun` on, whoever was blind or started anew meanwhile
          gateway,                                    says so, and what it may have missed ends as `unknown`; so does
          busy, too many, expired --> failed          what a process that is gone left open.

The steps are words of the log (`ExchangeStep`); the states are what the fields below say together.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from services.ingest.domain.answers import Check
from services.ingest.domain.controls import ExchangeEvent, Order, Terms
from services.kernel.words import ExchangeReason, ExchangeStep

AT_ONCE = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Exchange:
    """What the log says, and what we have added to it ourselves (`said`) and may not have read back yet.

    `confirm_label`, `serial_then` and `met_old_answer` are what this process knows of the device beside the log: see
    `answers`. `look_at`: before that instant time alone changes nothing.
    """

    order: Order
    seen_at: datetime
    terms: Terms
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

    def apply(self, event: ExchangeEvent) -> None:
        """Take in what the log says of it, or will say. What is said twice, or late, changes nothing more."""
        self.look_at = AT_ONCE
        match event.step:
            case ExchangeStep.BEGAN if self.began_at is None:  # the first on the log decides whose it is
                self.owner, self.serial, self.began_at = event.instance, event.serial, event.at
            case ExchangeStep.SENT:
                self.denied = self.denied and self.attempts >= (event.attempt or 0)
                self.attempts = max(self.attempts, event.attempt or 0)
                self.first_sent_at = min(self.first_sent_at or event.at, event.at)
                self.last_sent_at = max(self.last_sent_at or event.at, event.at)
            case ExchangeStep.BLIND:
                self.blind = self.blind or event.why
            case ExchangeStep.CONFIRMED:
                self.confirmed = True
            case ExchangeStep.DENIED if event.attempt == max(1, self.attempts) and not self.denied:
                self.denied = True
                self.next_try_at = event.at  # at once (6.5.2)
            case _:
                pass

    @property
    def claimed(self) -> bool:
        """Whether this process has offered to carry it out."""
        return (ExchangeStep.BEGAN, None) in self.said

    def next_look(self, instance: str) -> datetime:
        """Return before when time alone changes nothing about it for `instance`, except that we may be blind."""
        if self.began_at is None:
            return self.seen_at + (self.terms.begin_within if self.claimed else self.terms.unheard_wait)
        if self.owner != instance:
            return self.abandoned_at()
        if self.confirmed:
            return (self.answer_until() or self.began_at) + self.terms.hear_others
        return self.next_try_at or AT_ONCE

    def abandoned_at(self) -> datetime:
        """Return when others end it, because its owner should have long ago."""
        began_at = self.began_at or self.seen_at
        return began_at + self.terms.send_within + self.answering + self.terms.abandon_after

    def waits(self, now: datetime) -> bool:
        """Say whether the last sending may still be confirmed in time."""
        return self.next_try_at is not None and now < self.next_try_at

    def may_try(self, now: datetime) -> bool:
        """Say whether a sending is due, and not too late."""
        assert self.began_at is not None, "it began"
        in_time = now <= self.began_at + self.terms.send_within
        return in_time and self.tries <= self.terms.resends and not self.waits(now)

    @property
    def answering(self) -> timedelta:
        """How long a person may take."""
        return self.terms.answering(self.order)

    def answer_until(self) -> datetime | None:
        """From the last sending, for the device cannot have rung later: nobody is blamed for our resends."""
        return None if self.last_sent_at is None else self.last_sent_at + self.answering

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
