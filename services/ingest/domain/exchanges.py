"""Exchanges that we begin (6.2 of GB/T 26875.3): from a person's order to the truth about what became of it.

Everything that happens is told on a log that all ingest processes read, and an exchange is what the log says of it:

    order -> began -> sent -> (denied -> sent ...) -> confirmed -> answered | not_answered
                  \\-> failed | unknown at any point

- Several processes may claim an order; the `began` that stands first on the log decides whose it is, and only that one
  sends. Whoever hears the device tells it. What is told twice has the same id, and the first end on the log is the end.
- Any of them may be the one that hears the device. So each that was blind for a while, or was started while an exchange
  was open, tells that too: a person's silence is told only when the device had confirmed and everybody was looking.
- An answer that the device kept from before the check is none to it; one whose time nothing proves is told as such.
- A process that was killed reads the log again and goes on with what is its own. What cannot be known is `unknown`.
"""

from collections import OrderedDict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from zlib import crc32

from services.ingest.domain.answers import Answer, Clocks, Verdict
from services.ingest.domain.controls import Order, Terms, Told
from services.ingest.domain.exchange import AT_ONCE, Exchange
from services.kernel.words import Carrier, ControlKind, ExchangeReason, ExchangeStep

MAX_SERIALS = MAX_ENDED = 100_000
MAX_ANSWERS = 10_000
V = TypeVar("V")

MAX_AT_ONCE = 200
"""Tries and words that one look gives back, about: the others are due at the next."""

_BEFORE_BEGINNING = frozenset(
    {ExchangeReason.UNKNOWN_GATEWAY, ExchangeReason.BUSY, ExchangeReason.TOO_MANY, ExchangeReason.EXPIRED}
)


class Try(NamedTuple):
    """To be sent now; then `Exchanges.tried` must hear whether it left."""

    order: Order
    serial: int


class Due(NamedTuple):
    tries: tuple[Try, ...]
    told: tuple[Told, ...]


class Exchanges:
    """All open exchanges of all processes, as one process, `instance`, knows them. Bounded; reads no clock."""

    def __init__(self, instance: str, terms: Terms | None = None) -> None:
        self._instance = instance
        self._terms = terms or Terms()
        self._open: dict[str, Exchange] = {}
        self._by_gateway: dict[str, list[Exchange]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._serials: OrderedDict[str, int] = OrderedDict()
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._clocks = Clocks()

    def __len__(self) -> int:
        return len(self._open)

    # --- what comes in

    def ordered(self, order: Order, now: datetime, *, live: bool, near: bool, known: bool) -> list[Told]:
        """Take in an order. `live`: given just now, not found on the log at our start.

        `near`: this process has heard the gateway. `known`: the registry has it, and it speaks for a unit.
        """
        if order.command_id in self._ended or order.command_id in self._open:
            return []
        exchange = Exchange(order, now if live else min(now, order.ordered_at), self._terms.answering(order))
        why_not = self._why_not(exchange, known=known)
        if why_not is not None:
            return [self._fail(exchange, why_not, now)]
        self._add(exchange)
        return [self._claim(exchange, now)] if near and live else []

    def read(self, told: Told, *, live: bool) -> Told | None:
        """Take in what stands on the log next, our own words too, in its order.

        Returns it when it ends an exchange and it was us who told it: the one to count. `live` as above.
        """
        order = told.order
        if order.command_id in self._ended:
            return None
        exchange = self._open.get(order.command_id)
        if told.ends:
            if told.why in _BEFORE_BEGINNING and exchange is not None and exchange.began_at is not None:
                exchange.ending, exchange.look_at = False, AT_ONCE  # it was taken on before: then this is no end
                return None
            self._end(order.command_id)
            return told if live and told.instance == self._instance else None
        if exchange is None:
            exchange = Exchange(order, told.at, self._terms.answering(order))
            self._add(exchange)
        self._apply(exchange, told)
        return None

    def resume(self, now: datetime) -> list[Told]:
        """The log was read to its end after a start: what is ours goes on; we did not see all of what is open."""
        told: list[Told] = []
        for exchange in self._open.values():
            exchange.look_at = AT_ONCE
            told += self._blind(exchange, ExchangeReason.RESTARTED, now)
            if exchange.owner == self._instance:
                exchange.tries = exchange.attempts
                sent_at = exchange.last_sent_at
                exchange.next_try_at = now if sent_at is None else sent_at + self._terms.time_out
        return told

    def labelled(self, gateway_id: str, at: datetime, label: datetime, serial: int) -> None:
        """The gateway sent a frame by itself, which it labels with an instant of its clock and a number of its own."""
        self._clocks.heard(gateway_id, at, label, serial)

    def heard(
        self,
        gateway_id: str,
        serial: int,
        at: datetime,
        carrier: Carrier,
        *,
        confirmed: bool,
        label: datetime | None = None,
    ) -> list[Told]:
        """The gateway sent a confirm or a deny with this serial number, and labels it with an instant of its clock."""
        told: list[Told] = []
        for exchange in self._alive(gateway_id):
            if exchange.serial != serial or exchange.confirmed:
                continue
            exchange.confirm_label = label if confirmed else None
            step, attempt = (
                (ExchangeStep.CONFIRMED, None) if confirmed else (ExchangeStep.DENIED, max(1, exchange.attempts))
            )
            told += self._say(exchange, step, at, carrier=carrier, attempt=attempt)
        return told

    def answered(self, gateway_id: str, answer: Answer) -> list[Told]:
        """A person at the gateway pressed the key."""
        known = self._answers.get(gateway_id)
        if known is None or not answer.is_older_than(known):
            _remember(self._answers, gateway_id, answer, MAX_ANSWERS)
        told: list[Told] = []
        for exchange in self._alive(gateway_id):
            told += self._answer_to(exchange)
        return told

    def tried(self, command_id: str, now: datetime, carrier: Carrier | None) -> list[Told]:
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
        return self._say(exchange, ExchangeStep.SENT, now, carrier=carrier, attempt=exchange.attempts + 1)

    def due(self, now: datetime, seen_until: datetime | None) -> Due:
        """Return what is to be sent and told by now. All that came to us before `seen_until` was taken in."""
        tries: list[Try] = []
        told: list[Told] = []
        blind = seen_until is None or now - seen_until > self._terms.blind_after
        for exchange in list(self._open.values()):
            if exchange.ending:
                continue
            if blind:
                told += self._look(exchange, now, seen_until)
            if now < exchange.look_at or len(tries) + len(told) >= MAX_AT_ONCE:
                continue
            exchange.look_at = self._next_look(exchange)
            if exchange.began_at is None:
                told += self._not_begun(exchange, now)
            elif exchange.owner != self._instance:
                told += self._of_another(exchange, now)
            elif exchange.confirmed:
                told += self._silent(exchange, now, seen_until)
            elif self._may_try(exchange, now):
                tries.append(Try(exchange.order, exchange.serial or 0))
            else:
                told += self._given_up(exchange, now, seen_until)
        return Due(tuple(tries), tuple(told))

    # --- decisions

    def _why_not(self, exchange: Exchange, *, known: bool) -> ExchangeReason | None:
        order = exchange.order
        if not known:
            return ExchangeReason.UNKNOWN_GATEWAY
        if any(other.order.what is order.what for other in self._by_gateway.get(order.gateway_id, ())):
            return ExchangeReason.BUSY
        return ExchangeReason.TOO_MANY if len(self._open) >= self._terms.max_open else None

    def _next_look(self, exchange: Exchange) -> datetime:
        """Return before when time alone changes nothing about an exchange, except that we may be blind."""
        if exchange.began_at is None:
            claimed = (ExchangeStep.BEGAN, None) in exchange.said
            return exchange.seen_at + (self._terms.begin_within if claimed else self._terms.unheard_wait)
        if exchange.owner != self._instance:
            return self._abandoned_at(exchange)
        if exchange.confirmed:
            return (exchange.answer_until() or exchange.began_at) + self._terms.hear_others
        return exchange.next_try_at or AT_ONCE

    def _not_begun(self, exchange: Exchange, now: datetime) -> list[Told]:
        if now >= exchange.seen_at + self._terms.begin_within:
            return [self._fail(exchange, ExchangeReason.EXPIRED, now)]
        claimed = (ExchangeStep.BEGAN, None) in exchange.said
        return [] if claimed or now < exchange.seen_at + self._terms.unheard_wait else [self._claim(exchange, now)]

    def _of_another(self, exchange: Exchange, now: datetime) -> list[Told]:
        if now >= self._abandoned_at(exchange):
            return self._unknown(exchange, ExchangeReason.ABANDONED, now)
        return self._answer_to(exchange)  # we may have heard it before we read that the check was sent

    def _answer_to(self, exchange: Exchange) -> list[Told]:
        """Tell the last answer that we heard from the gateway, if it is one to this exchange."""
        gateway_id = exchange.order.gateway_id
        answer, check = self._answers.get(gateway_id), exchange.check()
        if answer is None or check is None or exchange.order.what is not ControlKind.DUTY_CHECK:
            return []
        slack = timedelta() if exchange.owner == self._instance else self._terms.clocks_apart
        if not exchange.in_time(answer.at, slack):
            return []
        del self._answers[gateway_id]  # it answers one check, or none
        verdict = self._clocks.classifier(gateway_id, answer, check)
        if verdict is Verdict.OLD:
            exchange.met_old_answer = True
            return []
        why = ExchangeReason.TIME_UNPROVEN if verdict is Verdict.UNPROVEN else None
        return self._say(exchange, ExchangeStep.ANSWERED, answer.at, carrier=answer.carrier, why=why)

    def _abandoned_at(self, exchange: Exchange) -> datetime:
        began_at = exchange.began_at or exchange.seen_at
        return began_at + self._terms.send_within + exchange.answering + self._terms.abandon_after

    def _look(self, exchange: Exchange, now: datetime, seen_until: datetime | None) -> list[Told]:
        if exchange.first_sent_at is None:
            return []
        since = exchange.first_sent_at if seen_until is None else max(seen_until, exchange.first_sent_at)
        return self._blind(exchange, ExchangeReason.BLIND, now) if now - since > self._terms.blind_after else []

    def _may_try(self, exchange: Exchange, now: datetime) -> bool:
        """Say whether a sending is due, and not too late."""
        assert exchange.began_at is not None, "it began"
        in_time = now <= exchange.began_at + self._terms.send_within
        return in_time and exchange.tries <= self._terms.resends and not self._waits(exchange, now)

    def _waits(self, exchange: Exchange, now: datetime) -> bool:
        return exchange.next_try_at is not None and now < exchange.next_try_at

    def _given_up(self, exchange: Exchange, now: datetime, seen_until: datetime | None) -> list[Told]:
        """Nothing was confirmed; say how it ended once nothing more is sent and the last time-out is over."""
        if self._waits(exchange, now):
            return []
        if exchange.blind is not None:
            until = exchange.answer_until()
            if exchange.order.what is ControlKind.DUTY_CHECK and until is not None and now <= until:
                return []  # if the device has it, a person may still answer
            return self._unknown(exchange, exchange.blind, now)
        if exchange.last_sent_at is None:
            return [self._fail(exchange, ExchangeReason.UNREACHABLE, now)]
        if exchange.denied:
            return [self._fail(exchange, ExchangeReason.DENIED, now)]
        if seen_until is None or seen_until < exchange.last_sent_at + self._terms.time_out:
            return []  # the confirm may be among what we have received and not taken in
        return [self._fail(exchange, ExchangeReason.NO_CONFIRM, now)]

    def _silent(self, exchange: Exchange, now: datetime, seen_until: datetime | None) -> list[Told]:
        """The device has the duty check; say how it ended once nobody can answer in time any more."""
        until = exchange.answer_until() or exchange.began_at
        if until is None or now < until + self._terms.hear_others:
            return []
        if exchange.blind is not None:
            return self._unknown(exchange, exchange.blind, now)
        if seen_until is None or seen_until < until:
            return []  # an answer in time may be among what we have received and not taken in
        why = ExchangeReason.OLD_ANSWER if exchange.met_old_answer else None
        return self._say(exchange, ExchangeStep.NOT_ANSWERED, now, why=why)

    # --- words

    def _claim(self, exchange: Exchange, now: datetime) -> Told:
        exchange.said.add((ExchangeStep.BEGAN, None))
        return Told(exchange.order, ExchangeStep.BEGAN, now, self._instance, self._next_serial(exchange.order))

    def _fail(self, exchange: Exchange, why: ExchangeReason, now: datetime) -> Told:
        exchange.ending = True
        return Told(exchange.order, ExchangeStep.FAILED, now, self._instance, exchange.serial, why=why)

    def _blind(self, exchange: Exchange, why: ExchangeReason, now: datetime) -> list[Told]:
        if exchange.blind is not None or exchange.began_at is None:
            return []
        exchange.blind = why
        return [Told(exchange.order, ExchangeStep.BLIND, now, self._instance, exchange.serial, why=why)]

    def _unknown(self, exchange: Exchange, why: ExchangeReason, now: datetime) -> list[Told]:
        exchange.ending = True
        return [Told(exchange.order, ExchangeStep.UNKNOWN, now, self._instance, exchange.serial, why=why)]

    def _say(
        self,
        exchange: Exchange,
        step: ExchangeStep,
        at: datetime,
        *,
        carrier: Carrier | None = None,
        attempt: int | None = None,
        why: ExchangeReason | None = None,
    ) -> list[Told]:
        if (step, attempt) in exchange.said:
            return []
        exchange.said.add((step, attempt))
        takes = step in {ExchangeStep.CONFIRMED, ExchangeStep.DENIED, ExchangeStep.ANSWERED}
        seconds = exchange.seconds_since_sent(at) if takes else None
        told = Told(exchange.order, step, at, self._instance, exchange.serial, carrier, attempt, seconds, why)
        self._apply(exchange, told)
        exchange.ending = told.ends
        return [told]

    def _apply(self, exchange: Exchange, told: Told) -> None:
        exchange.look_at = AT_ONCE
        match told.step:
            case ExchangeStep.BEGAN if exchange.began_at is None:
                exchange.owner, exchange.serial, exchange.began_at = told.instance, told.serial, told.at
                self._remember_serial(told.order.gateway_id, told.serial or 0)
            case ExchangeStep.SENT:
                exchange.denied = exchange.denied and exchange.attempts >= (told.attempt or 0)
                exchange.attempts = max(exchange.attempts, told.attempt or 0)
                exchange.first_sent_at = min(exchange.first_sent_at or told.at, told.at)
                exchange.last_sent_at = max(exchange.last_sent_at or told.at, told.at)
            case ExchangeStep.BLIND:
                exchange.blind = exchange.blind or told.why
            case ExchangeStep.CONFIRMED:
                exchange.confirmed = True
                if exchange.order.what is ControlKind.SET_CLOCK:
                    self._clocks.was_set(exchange.order.gateway_id)
            case ExchangeStep.DENIED if told.attempt == max(1, exchange.attempts) and not exchange.denied:
                exchange.denied = True
                exchange.next_try_at = told.at  # at once (6.5.2)
            case _:
                pass

    # --- keeping

    def _alive(self, gateway_id: str) -> Iterator[Exchange]:
        for exchange in self._by_gateway.get(gateway_id, ()):
            if exchange.began_at is not None and not exchange.ending:
                yield exchange

    def _add(self, exchange: Exchange) -> None:
        self._open[exchange.order.command_id] = exchange
        self._by_gateway.setdefault(exchange.order.gateway_id, []).append(exchange)

    def _end(self, command_id: str) -> None:
        _remember(self._ended, command_id, None, MAX_ENDED)
        exchange = self._open.pop(command_id, None)
        if exchange is None:
            return
        gateway_id = exchange.order.gateway_id
        left = [other for other in self._by_gateway[gateway_id] if other is not exchange]
        if left:
            self._by_gateway[gateway_id] = left
        else:
            del self._by_gateway[gateway_id]

    def _next_serial(self, order: Order) -> int:
        """Return the next number for this gateway; of one we remember nothing of, a number that the order gives.

        To begin at 0 again after a restart could make ours look like a resend of an old one. Processes that claim the
        same order come to the same number.
        """
        used = {exchange.serial for exchange in self._by_gateway.get(order.gateway_id, ())}
        last = self._serials.get(order.gateway_id)
        serial = crc32(order.command_id.encode()) & 0xFFFF if last is None else (last + 1) & 0xFFFF
        while serial in used:
            serial = (serial + 1) & 0xFFFF
        return serial

    def _remember_serial(self, gateway_id: str, serial: int) -> None:
        _remember(self._serials, gateway_id, serial, MAX_SERIALS)


def _remember(kept: OrderedDict[str, V], key: str, value: V, limit: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > limit:
        kept.popitem(last=False)
