"""Exchanges that we begin (6.2 of GB/T 26875.3): from a person's order to the truth about what became of it.

Everything that happens is reported on a log that all ingest processes read, and an exchange is what the log says of it
(its states: `exchange`).

- Several processes may claim an order; the `began` that stands first on the log decides whose it is, and only that one
  sends. Whoever hears the device reports it. What comes twice has the same id; the first end on the log is the end.
- Any of them may be the one that hears the device. So each that was blind for a while, or was started while an exchange
  was open, reports that too: silence is reported only when the device had confirmed and everybody was looking.
- An answer that the device kept from before the check is none to it; one whose time nothing proves is reported as such.
- A process that was killed reads the log again and goes on with what is its own. What cannot be known is `unknown`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ingest.domain.answers import Answer, AnswerMatch, Clocks
from services.ingest.domain.controls import BEFORE_BEGINNING, UNKNOWABLE, ExchangeEvent, Order, Terms
from services.ingest.domain.exchange import AT_ONCE, Exchange
from services.ingest.domain.open_exchanges import OpenExchanges, remember
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport

MAX_ANSWERS = 10_000
"""Answers that wait for a check which is read from the log only after them."""
MAX_AT_ONCE = 200
"""Tries and events that one look gives back, about: the others are due at the next."""

_TIMED = frozenset({ExchangeStep.CONFIRMED, ExchangeStep.DENIED, ExchangeStep.ANSWERED})


class Try(NamedTuple):
    """To be sent now; then `Exchanges.tried` must hear whether it left."""

    order: Order
    serial: int


class Due(NamedTuple):
    tries: tuple[Try, ...]
    events: tuple[ExchangeEvent, ...]


class Exchanges:
    """All open exchanges of all processes, as one process, `instance`, knows them. Bounded; reads no clock.

    Every method that returns events has taken them in already; they are to be appended to the log.
    """

    def __init__(self, instance: str, terms: Terms | None = None) -> None:
        self._instance = instance
        self._terms = terms or Terms()
        self._open = OpenExchanges()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._clocks = Clocks()

    def __len__(self) -> int:
        return len(self._open)

    def ordered(self, order: Order, now: datetime, *, live: bool, near: bool, known: bool) -> list[ExchangeEvent]:
        """Take in an order. `live`: given just now, not found on the log at our start.

        `near`: this process has heard the gateway. `known`: the registry has it, and it speaks for a unit.
        """
        if self._open.has_ended(order.command_id) or self._open.get(order.command_id) is not None:
            return []
        exchange = Exchange(order, now if live else min(now, order.ordered_at), self._terms)
        why_not = self._open.why_not(order, self._terms.max_open) if known else ExchangeReason.UNKNOWN_GATEWAY
        if why_not is not None:
            return self._end(exchange, why_not, now)
        self._open.add(exchange)
        return self._claim(exchange, now) if near and live else []

    def read(self, event: ExchangeEvent, *, live: bool) -> ExchangeEvent | None:
        """Take in what stands on the log next, our own events too, in its order.

        Returns it when it ends an exchange and it was us who reported it: the one to count. `live` as above.
        """
        order = event.order
        if self._open.has_ended(order.command_id):
            return None
        exchange = self._open.get(order.command_id)
        if event.ends:
            if event.why in BEFORE_BEGINNING and exchange is not None and exchange.began_at is not None:
                exchange.ending, exchange.look_at = False, AT_ONCE  # it was taken on before: then this is no end
                return None
            self._open.end(order.command_id)
            return event if live and event.instance == self._instance else None
        if exchange is None:
            exchange = Exchange(order, event.at, self._terms)
            self._open.add(exchange)
        self._apply(exchange, event)
        return None

    def resume(self, now: datetime) -> list[ExchangeEvent]:
        """The log was read to its end after a start: what is ours goes on; we did not see all of what is open."""
        events: list[ExchangeEvent] = []
        for exchange in self._open:
            exchange.look_at = AT_ONCE
            events += self._blind(exchange, ExchangeReason.RESTARTED, now)
            if exchange.owner == self._instance:
                exchange.tries = exchange.attempts
                sent_at = exchange.last_sent_at
                exchange.next_try_at = now if sent_at is None else sent_at + self._terms.time_out
        return events

    def labelled(self, gateway_id: str, at: datetime, label: datetime, serial: int) -> None:
        """The gateway sent a frame by itself, which it labels with an instant of its clock and a number of its own."""
        self._clocks.heard(gateway_id, at, label, serial)

    def heard(
        self,
        gateway_id: str,
        serial: int,
        at: datetime,
        carrier: Transport,
        *,
        confirmed: bool,
        label: datetime | None = None,
    ) -> list[ExchangeEvent]:
        """The gateway sent a confirm or a deny with this serial number, and labels it with an instant of its clock."""
        events: list[ExchangeEvent] = []
        for exchange in self._alive(gateway_id):
            if exchange.serial != serial or exchange.confirmed:
                continue
            exchange.confirm_label = label if confirmed else None
            step = ExchangeStep.CONFIRMED if confirmed else ExchangeStep.DENIED
            attempt = None if confirmed else max(1, exchange.attempts)
            events += self._report(exchange, step, at, carrier=carrier, attempt=attempt)
        return events

    def answered(self, gateway_id: str, answer: Answer) -> list[ExchangeEvent]:
        """A person at the gateway pressed the key."""
        known = self._answers.get(gateway_id)
        if known is None or not answer.is_older_than(known):
            remember(self._answers, gateway_id, answer, MAX_ANSWERS)
        events: list[ExchangeEvent] = []
        for exchange in self._alive(gateway_id):
            events += self._answer_to(exchange)
        return events

    def tried(self, command_id: str, now: datetime, carrier: Transport | None) -> list[ExchangeEvent]:
        """A try went over `carrier`, None when no carrier took it."""
        exchange = self._open.get(command_id)
        if exchange is None:
            return []
        exchange.tries += 1
        exchange.look_at = AT_ONCE
        exchange.next_try_at = now + self._terms.time_out
        if carrier is None:
            return []
        if exchange.first_sent_at is None:
            exchange.serial_then = self._clocks.newest_serial(exchange.order.gateway_id)
        return self._report(exchange, ExchangeStep.SENT, now, carrier=carrier, attempt=exchange.attempts + 1)

    def due(self, now: datetime, seen_until: datetime | None) -> Due:
        """Return what is to be sent and reported by now. All that came to us before `seen_until` was taken in."""
        tries: list[Try] = []
        events: list[ExchangeEvent] = []
        blind = seen_until is None or now - seen_until > self._terms.blind_after
        for exchange in list(self._open):
            if exchange.ending:
                continue
            if blind:
                events += self._blind_since_sent(exchange, now, seen_until)
            if now < exchange.look_at or len(tries) + len(events) >= MAX_AT_ONCE:
                continue
            exchange.look_at = exchange.next_look(self._instance)
            if exchange.began_at is None:
                events += self._not_begun(exchange, now)
            elif exchange.owner != self._instance:
                events += self._of_another(exchange, now)
            elif exchange.confirmed:
                events += self._silent(exchange, now, seen_until)
            elif exchange.may_try(now):
                tries.append(Try(exchange.order, exchange.serial or 0))
            else:
                events += self._given_up(exchange, now, seen_until)
        return Due(tuple(tries), tuple(events))

    def _alive(self, gateway_id: str) -> Iterator[Exchange]:
        for exchange in self._open.with_gateway(gateway_id):
            if exchange.began_at is not None and not exchange.ending:
                yield exchange

    def _not_begun(self, exchange: Exchange, now: datetime) -> list[ExchangeEvent]:
        if now >= exchange.seen_at + self._terms.begin_within:
            return self._end(exchange, ExchangeReason.EXPIRED, now)
        waits = exchange.claimed or now < exchange.seen_at + self._terms.unheard_wait
        return [] if waits else self._claim(exchange, now)

    def _of_another(self, exchange: Exchange, now: datetime) -> list[ExchangeEvent]:
        if now >= exchange.abandoned_at():
            return self._end(exchange, ExchangeReason.ABANDONED, now)
        return self._answer_to(exchange)  # we may have heard it before we read that the check was sent

    def _answer_to(self, exchange: Exchange) -> list[ExchangeEvent]:
        """Report the last answer that we heard from the gateway, if it is one to this exchange."""
        gateway_id = exchange.order.gateway_id
        answer, check = self._answers.get(gateway_id), exchange.check()
        if answer is None or check is None or exchange.order.what is not ControlKind.DUTY_CHECK:
            return []
        slack = timedelta() if exchange.owner == self._instance else self._terms.clocks_apart
        if not exchange.in_time(answer.at, slack):
            return []
        del self._answers[gateway_id]  # it answers one check, or none
        found = self._clocks.match(gateway_id, answer, check)
        if found is AnswerMatch.OLD:
            exchange.met_old_answer = True
            return []
        why = ExchangeReason.TIME_UNPROVEN if found is AnswerMatch.UNPROVEN else None
        return self._report(exchange, ExchangeStep.ANSWERED, answer.at, carrier=answer.carrier, why=why)

    def _blind_since_sent(self, exchange: Exchange, now: datetime, seen_until: datetime | None) -> list[ExchangeEvent]:
        if exchange.first_sent_at is None:
            return []
        since = exchange.first_sent_at if seen_until is None else max(seen_until, exchange.first_sent_at)
        return self._blind(exchange, ExchangeReason.BLIND, now) if now - since > self._terms.blind_after else []

    def _given_up(self, exchange: Exchange, now: datetime, seen_until: datetime | None) -> list[ExchangeEvent]:
        """Nothing was confirmed; say how it ended once nothing more is sent and the last time-out is over."""
        if exchange.waits(now):
            return []
        if exchange.blind is not None:
            until = exchange.answer_until()
            if exchange.order.what is ControlKind.DUTY_CHECK and until is not None and now <= until:
                return []  # if the device has it, a person may still answer
            return self._end(exchange, exchange.blind, now)
        if exchange.last_sent_at is None:
            return self._end(exchange, ExchangeReason.UNREACHABLE, now)
        if exchange.denied:
            return self._end(exchange, ExchangeReason.DENIED, now)
        if seen_until is None or seen_until < exchange.last_sent_at + self._terms.time_out:
            return []  # the confirm may be among what we have received and not taken in
        return self._end(exchange, ExchangeReason.NO_CONFIRM, now)

    def _silent(self, exchange: Exchange, now: datetime, seen_until: datetime | None) -> list[ExchangeEvent]:
        """The device has the duty check; say how it ended once nobody can answer in time any more."""
        until = exchange.answer_until() or exchange.began_at
        if until is None or now < until + self._terms.hear_others:
            return []
        if exchange.blind is not None:
            return self._end(exchange, exchange.blind, now)
        if seen_until is None or seen_until < until:
            return []  # an answer in time may be among what we have received and not taken in
        why = ExchangeReason.OLD_ANSWER if exchange.met_old_answer else None
        return self._report(exchange, ExchangeStep.NOT_ANSWERED, now, why=why)

    def _claim(self, exchange: Exchange, now: datetime) -> list[ExchangeEvent]:
        """Offer to carry it out. Not taken in before it is read back: another process may have been first."""
        exchange.said.add((ExchangeStep.BEGAN, None))
        serial = self._open.next_serial(exchange.order)
        return [ExchangeEvent(exchange.order, ExchangeStep.BEGAN, now, self._instance, serial)]

    def _blind(self, exchange: Exchange, why: ExchangeReason, now: datetime) -> list[ExchangeEvent]:
        if exchange.blind is not None or exchange.began_at is None:
            return []
        exchange.blind = why
        return [self._event(exchange, ExchangeStep.BLIND, now, why)]

    def _end(self, exchange: Exchange, why: ExchangeReason, now: datetime) -> list[ExchangeEvent]:
        exchange.ending = True
        step = ExchangeStep.UNKNOWN if why in UNKNOWABLE else ExchangeStep.FAILED
        return [self._event(exchange, step, now, why)]

    def _event(self, exchange: Exchange, step: ExchangeStep, at: datetime, why: ExchangeReason | None) -> ExchangeEvent:
        return ExchangeEvent(exchange.order, step, at, self._instance, exchange.serial, why=why)

    def _report(
        self,
        exchange: Exchange,
        step: ExchangeStep,
        at: datetime,
        *,
        carrier: Transport | None = None,
        attempt: int | None = None,
        why: ExchangeReason | None = None,
    ) -> list[ExchangeEvent]:
        """Take in a step that we saw and return it, unless we have reported it before."""
        if (step, attempt) in exchange.said:
            return []
        exchange.said.add((step, attempt))
        seconds = exchange.seconds_since_sent(at) if step in _TIMED else None
        event = self._event(exchange, step, at, why)._replace(carrier=carrier, attempt=attempt, seconds=seconds)
        self._apply(exchange, event)
        exchange.ending = event.ends
        return [event]

    def _apply(self, exchange: Exchange, event: ExchangeEvent) -> None:
        gateway_id, had_begun = exchange.order.gateway_id, exchange.began_at is not None
        exchange.apply(event)
        if event.step is ExchangeStep.BEGAN and not had_begun:
            self._open.use_serial(gateway_id, event.serial or 0)
        elif event.step is ExchangeStep.CONFIRMED and exchange.order.what is ControlKind.SET_CLOCK:
            self._clocks.was_set(gateway_id)
