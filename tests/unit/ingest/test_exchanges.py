"""What becomes of an order: each decision, with time as data."""

from datetime import timedelta
from itertools import pairwise

import pytest

from services.ingest.domain.answers import Answer
from services.ingest.domain.controls import ExchangeEvent, Order, Terms
from services.ingest.domain.exchanges import Exchanges, Try
from services.kernel.words import ControlKind, ExchangeReason, ExchangeStep, Transport
from tests.unit.ingest.build import NOON, after

MQTT = Transport.MQTT_GB26875
CLOCK = Order("c1", "G000001", ControlKind.SET_CLOCK, None, "wang", NOON)
DUTY = Order("d1", "G000001", ControlKind.DUTY_CHECK, 5, "wang", NOON)


class NumberSequence:
    """One process, the log that it reads at once, and a device that hears everything while `reachable`."""

    def __init__(self, instance: str = "ingest-1", terms: Terms | None = None) -> None:
        self.exchanges = Exchanges(instance, terms)
        self.log: list[ExchangeEvent] = []
        self.sent: list[tuple[float, Try]] = []
        self.counted: list[ExchangeEvent] = []
        self.reachable = True
        self.lag_s = 0.0

    def order(self, order: Order, at: float = 0, *, live: bool = True, near: bool = True, known: bool = True) -> None:
        self.report(self.exchanges.ordered(order, after(at), live=live, near=near, known=known))

    def report(self, events: list[ExchangeEvent]) -> None:
        for one in events:
            self.log.append(one)
            ended = self.exchanges.read(one, live=True)
            if ended is not None:
                self.counted.append(ended)

    def pass_time(self, at: float) -> None:
        due = self.exchanges.due(after(at), after(at - self.lag_s))
        for one in due.tries:
            self.sent.append((at, one))
            events = self.exchanges.tried(one.order.command_id, after(at), MQTT if self.reachable else None)
            self.report(events)
        self.report(list(due.events))

    def pass_until(self, end: float, start: float = 0) -> None:
        for tenth in range(int(start * 2), int(end * 2) + 1):
            self.pass_time(tenth / 2)

    def confirm(self, at: float, *, confirmed: bool = True, serial: int | None = None) -> None:
        number = self.sent[-1][1].serial if serial is None else serial
        self.report(self.exchanges.heard("G000001", number, after(at), MQTT, confirmed=confirmed))

    def answer(self, at: float) -> None:
        self.report(self.exchanges.answered("G000001", Answer(after(at), MQTT, after(at))))

    def steps(self, command_id: str | None = None) -> list[ExchangeStep]:
        return [event.step for event in self.log if command_id in (None, event.order.command_id)]

    @property
    def end(self) -> ExchangeEvent:
        (end,) = [event for event in self.log if event.ends]
        return end


def test_a_clock_is_set_when_the_device_confirms() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_time(0.5)
    line.confirm(1.25)
    line.pass_until(60, start=1.5)
    assert line.steps() == [ExchangeStep.BEGAN, ExchangeStep.SENT, ExchangeStep.CONFIRMED]
    assert line.end.seconds == 0.75
    assert line.end.order.by == "wang"
    assert line.counted == [line.end]
    assert len(line.exchanges) == 0


def test_a_control_is_sent_four_times_ten_seconds_apart_and_then_failed() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_until(60)
    assert [at for at, _ in line.sent] == [0, 10, 20, 30]
    assert len({one.serial for _, one in line.sent}) == 1
    assert (line.end.step, line.end.why, line.end.at) == (ExchangeStep.FAILED, ExchangeReason.NO_CONFIRM, after(40))


def test_a_confirm_to_a_resend_counts_from_the_first_sending() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_until(12)
    line.confirm(12)
    assert line.end.seconds == 12


def test_a_denied_control_is_sent_again_at_once_and_after_three_resends_it_has_failed() -> None:
    line = NumberSequence()
    line.order(DUTY)
    for second in range(4):
        line.pass_time(second)
        line.confirm(second + 0.5, confirmed=False)
    line.pass_time(4)
    assert [at for at, _ in line.sent] == [0, 1, 2, 3]
    assert line.steps().count(ExchangeStep.DENIED) == 4
    assert (line.end.step, line.end.why) == (ExchangeStep.FAILED, ExchangeReason.DENIED)


def test_a_device_that_denies_and_then_confirms_has_it() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_time(0)
    line.confirm(0.5, confirmed=False)
    line.pass_time(1)
    line.confirm(1.5)
    assert line.end.step is ExchangeStep.CONFIRMED


def test_a_person_who_answers_after_forty_seconds_is_measured_from_the_control_not_from_the_confirm() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_until(11)
    line.confirm(11.5)
    line.pass_until(39.5, start=12)
    line.answer(40)
    assert line.end.step is ExchangeStep.ANSWERED
    assert line.end.seconds == 40


@pytest.mark.parametrize("minute_s", [60, 6])
def test_silence_is_told_only_after_the_minutes_and_only_of_a_device_that_confirmed(minute_s: int) -> None:
    line = NumberSequence(terms=Terms(minute=timedelta(seconds=minute_s)))
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    line.pass_until(5 * minute_s + 4.5)
    assert line.steps()[-1] is ExchangeStep.CONFIRMED
    line.pass_time(5 * minute_s + 5)
    assert line.end.step is ExchangeStep.NOT_ANSWERED


def test_our_resends_take_nothing_of_the_minutes_of_the_person() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_until(30)
    line.confirm(30.5)  # to the fourth sending
    line.pass_until(325)
    line.answer(329)
    assert (line.end.step, line.end.seconds) == (ExchangeStep.ANSWERED, 329)


def test_an_answer_after_the_minutes_is_none() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    line.pass_time(300)
    line.answer(301)
    line.pass_time(306)
    assert line.end.step is ExchangeStep.NOT_ANSWERED


def test_an_answer_that_came_before_the_control_was_sent_is_none() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(2)
    line.answer(1.5)
    assert ExchangeStep.ANSWERED not in line.steps()


def test_an_answer_that_the_device_kept_from_before_the_check_is_none_and_the_person_may_still_answer() -> None:
    silent, heard = NumberSequence(), NumberSequence()
    for line in (silent, heard):
        line.order(DUTY)
        line.pass_time(0)
        line.confirm(1)
        line.report(line.exchanges.answered("G000001", Answer(after(20), MQTT, after(-600))))
        line.pass_until(30, start=20)
        assert ExchangeStep.ANSWERED not in line.steps()
    heard.answer(40)
    assert (heard.end.step, heard.end.seconds, heard.end.why) == (ExchangeStep.ANSWERED, 40, None)
    silent.pass_time(306)
    assert (silent.end.step, silent.end.why) == (ExchangeStep.NOT_ANSWERED, ExchangeReason.OLD_ANSWER)


def test_an_answer_whose_time_nothing_proves_counts_and_says_so() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.report(line.exchanges.answered("G000001", Answer(after(20), MQTT)))
    assert (line.end.step, line.end.why) == (ExchangeStep.ANSWERED, ExchangeReason.TIME_UNPROVEN)


def test_a_person_who_answers_before_the_confirm_came_has_answered() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.answer(3)
    assert line.end.step is ExchangeStep.ANSWERED


def test_silence_while_we_were_blind_is_unknown() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    line.pass_until(100)
    line.lag_s = 16
    line.pass_until(105, start=100.5)
    line.lag_s = 0
    line.pass_until(310, start=105.5)
    assert (line.end.step, line.end.why) == (ExchangeStep.UNKNOWN, ExchangeReason.BLIND)


def test_an_answer_counts_although_we_were_blind_for_a_while() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    line.lag_s = 20
    line.pass_until(60)
    line.answer(61)
    assert line.end.step is ExchangeStep.ANSWERED


def test_no_verdict_of_silence_before_everything_that_came_in_time_was_taken_in() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    line.lag_s = 10  # Kafka is slow, not away
    line.pass_until(309)
    line.answer(299)
    assert line.end.step is ExchangeStep.ANSWERED


def test_a_gateway_without_a_way_to_it_is_unreachable() -> None:
    line = NumberSequence()
    line.reachable = False
    line.order(CLOCK)
    line.pass_until(60)
    assert (line.end.step, line.end.why) == (ExchangeStep.FAILED, ExchangeReason.UNREACHABLE)
    assert ExchangeStep.SENT not in line.steps()


def test_a_gateway_that_comes_back_between_two_tries_is_reached() -> None:
    line = NumberSequence()
    line.reachable = False
    line.order(CLOCK)
    line.pass_until(15)
    line.reachable = True
    line.pass_until(20, start=15.5)
    line.confirm(20.5)
    assert line.end.step is ExchangeStep.CONFIRMED


@pytest.mark.parametrize("order", [CLOCK, DUTY])
def test_a_second_order_of_the_same_kind_for_a_gateway_waits_for_nothing_and_fails(order: Order) -> None:
    line = NumberSequence()
    line.order(order)
    line.pass_time(0)
    line.order(order._replace(command_id="second"), 1)
    assert line.steps("second") == [ExchangeStep.FAILED]
    assert line.log[-1].why is ExchangeReason.BUSY
    assert len(line.exchanges) == 1


def test_clock_and_duty_check_of_one_gateway_go_side_by_side_under_different_serials() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.order(DUTY)
    line.pass_time(0)
    (_, clock), (_, duty) = line.sent
    assert clock.serial != duty.serial
    line.confirm(1, serial=duty.serial)
    line.confirm(2, serial=clock.serial)
    line.answer(3)
    assert {event.order.what: event.step for event in line.log if event.ends} == {
        ControlKind.SET_CLOCK: ExchangeStep.CONFIRMED,
        ControlKind.DUTY_CHECK: ExchangeStep.ANSWERED,
    }


def test_more_orders_than_may_be_open_fail_and_say_why() -> None:
    line = NumberSequence(terms=Terms(max_open=3))
    for number in range(5):
        line.order(DUTY._replace(command_id=f"d{number}", gateway_id=f"G{number}"))
    assert [event.why for event in line.log if event.ends] == [ExchangeReason.TOO_MANY, ExchangeReason.TOO_MANY]
    assert len(line.exchanges) == 3


def test_an_order_for_a_gateway_that_the_registry_does_not_know_fails() -> None:
    line = NumberSequence()
    line.order(CLOCK, known=False)
    assert (line.end.step, line.end.why) == (ExchangeStep.FAILED, ExchangeReason.UNKNOWN_GATEWAY)


def test_an_order_for_a_gateway_not_heard_here_is_left_to_others_for_two_seconds() -> None:
    line = NumberSequence()
    line.order(CLOCK, near=False)
    line.pass_until(1.5)
    assert line.log == []
    line.pass_time(2)
    assert line.steps()[0] is ExchangeStep.BEGAN


def test_an_order_found_on_the_log_is_carried_out_while_it_is_young_and_has_expired_after_a_minute() -> None:
    young, old = NumberSequence(), NumberSequence()
    young.order(CLOCK, 30, live=False)
    young.pass_until(31, start=30)
    old.order(CLOCK, 61, live=False)
    old.pass_time(61)
    assert ExchangeStep.SENT in young.steps()
    assert (old.end.step, old.end.why) == (ExchangeStep.FAILED, ExchangeReason.EXPIRED)


def test_the_same_order_twice_has_one_effect_also_after_its_end() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.order(CLOCK)
    line.pass_time(0)
    line.confirm(1)
    line.order(CLOCK, 2)
    line.pass_until(60, start=2)
    assert line.steps() == [ExchangeStep.BEGAN, ExchangeStep.SENT, ExchangeStep.CONFIRMED]


def restarted(line: NumberSequence, at: float, instance: str = "ingest-1") -> NumberSequence:
    """The process dies; another one reads the log."""
    again = NumberSequence(instance)
    again.log = list(line.log)
    for event in line.log:
        again.exchanges.read(event, live=False)
    again.report(again.exchanges.resume(after(at)))
    return again


def test_after_a_restart_a_confirm_still_counts_and_the_serial_is_the_same() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_time(0)
    again = restarted(line, 5)
    again.pass_until(10, start=5)
    assert again.sent[0][1] == line.sent[0][1]
    again.confirm(10.5)
    assert again.end.step is ExchangeStep.CONFIRMED
    assert again.end.seconds == 10.5


def test_after_a_restart_silence_is_unknown_and_an_answer_is_an_answer() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    silent, heard = restarted(line, 100), restarted(line, 100)
    silent.pass_until(310, start=100)
    assert (silent.end.step, silent.end.why) == (ExchangeStep.UNKNOWN, ExchangeReason.RESTARTED)
    heard.answer(200)
    assert (heard.end.step, heard.end.seconds) == (ExchangeStep.ANSWERED, 200)


def test_after_a_restart_a_control_that_was_never_confirmed_is_unknown_not_failed() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_until(30)
    again = restarted(line, 35)
    again.pass_until(60, start=35)
    assert (again.end.step, again.end.why) == (ExchangeStep.UNKNOWN, ExchangeReason.RESTARTED)
    assert again.sent == []


def test_after_a_long_absence_nothing_is_sent_any_more() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    again = restarted(line, 90)
    again.pass_until(400, start=90)
    assert again.sent == []
    assert again.end.step is ExchangeStep.UNKNOWN


def test_what_ended_before_a_restart_stays_ended() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_time(0)
    line.confirm(1)
    again = restarted(line, 5)
    again.order(CLOCK, 5, live=False)
    again.pass_until(60, start=5)
    assert again.log == line.log


def test_what_a_process_left_open_for_ever_is_ended_by_another() -> None:
    line = NumberSequence()
    line.order(DUTY)
    line.pass_time(0)
    other = restarted(line, 5, instance="ingest-2")
    other.pass_until(430, start=5)
    assert other.sent == []
    assert other.steps().count(ExchangeStep.BLIND) == 1
    assert (other.end.step, other.end.why) == (ExchangeStep.UNKNOWN, ExchangeReason.ABANDONED)


def test_of_two_processes_that_claim_an_order_the_first_on_the_log_sends() -> None:
    one, two = Exchanges("ingest-1"), Exchanges("ingest-2")
    claims = [each.ordered(CLOCK, NOON, live=True, near=True, known=True)[0] for each in (two, one)]
    assert claims[0].serial == claims[1].serial
    for each in (one, two):
        for event in claims:
            each.read(event, live=True)
    assert one.due(NOON, NOON).tries == ()
    assert len(two.due(NOON, NOON).tries) == 1


def test_a_process_that_only_hears_the_device_tells_it_for_the_one_that_sent() -> None:
    sender, hearer = Exchanges("ingest-1"), Exchanges("ingest-2")

    def log(events: list[ExchangeEvent]) -> None:
        for one in events:
            sender.read(one, live=True)
            hearer.read(one, live=True)

    log(sender.ordered(DUTY, NOON, live=True, near=True, known=True))
    (one,) = sender.due(NOON, NOON).tries
    log(sender.tried("d1", NOON, MQTT))
    log(hearer.heard("G000001", one.serial, after(1), MQTT, confirmed=True))
    assert sender.due(after(60), after(60)).tries == ()
    log(hearer.answered("G000001", Answer(after(70), MQTT, after(70))))
    assert len(sender) == len(hearer) == 0


def test_an_answer_that_another_process_hears_before_it_reads_of_the_check_is_one() -> None:
    line, other = NumberSequence(), Exchanges("ingest-2")
    line.order(DUTY)
    line.pass_time(5)
    assert other.answered("G000001", Answer(after(4.9), MQTT, after(4.9))) == []  # its clock is a little behind, too
    for event in line.log:
        other.read(event, live=True)
    line.report(list(other.due(after(5.5), after(5.5)).events))
    assert (line.end.step, line.end.seconds) == (ExchangeStep.ANSWERED, 0)


def test_an_answer_of_long_ago_is_none_to_the_check_of_another_process() -> None:
    line, other = NumberSequence(), Exchanges("ingest-2")
    other.answered("G000001", Answer(after(0), MQTT, after(0)))
    line.order(DUTY)
    line.pass_time(5)
    for event in line.log:
        other.read(event, live=True)
    assert other.due(after(6), after(6)).events == ()


@pytest.mark.parametrize("why", [ExchangeReason.BLIND, ExchangeReason.RESTARTED])
def test_a_silence_that_another_process_did_not_see_all_of_is_unknown(why: ExchangeReason) -> None:
    line, other = NumberSequence(), Exchanges("ingest-2")
    line.order(DUTY)
    line.pass_time(0)
    line.confirm(1)
    for event in line.log:
        other.read(event, live=why is ExchangeReason.BLIND)
    heard_little = (
        list(other.due(after(60), after(44)).events) if why is ExchangeReason.BLIND else other.resume(after(60))
    )
    line.report(heard_little)
    line.pass_until(305, start=60)
    assert (line.end.step, line.end.why) == (ExchangeStep.UNKNOWN, why)


def test_serial_numbers_of_a_gateway_count_up_and_wrap() -> None:
    line = NumberSequence()
    seen: list[int] = []
    for number in range(3):
        line.order(CLOCK._replace(command_id=f"c{number}"), number)
        line.pass_time(number)
        line.confirm(number + 0.5)
        seen.append(line.sent[-1][1].serial)
    assert [(later - sooner) % 65536 for sooner, later in pairwise(seen)] == [1, 1]
    wrapping = NumberSequence()
    wrapping.report([ExchangeEvent(CLOCK, ExchangeStep.BEGAN, NOON, "ingest-1", serial=65535)])
    wrapping.order(DUTY)
    wrapping.pass_time(0)
    assert [one.serial for _, one in wrapping.sent] == [65535, 0]


def test_a_confirm_of_another_serial_or_gateway_confirms_nothing() -> None:
    line = NumberSequence()
    line.order(CLOCK)
    line.pass_time(0)
    serial = line.sent[0][1].serial
    line.confirm(1, serial=(serial + 1) & 0xFFFF)
    line.report(line.exchanges.heard("G000002", serial, after(1), MQTT, confirmed=True))
    assert ExchangeStep.CONFIRMED not in line.steps()


def test_a_gateway_without_order_that_answers_or_confirms_tells_nothing() -> None:
    line = NumberSequence()
    line.answer(1)
    line.confirm(1, serial=0)
    assert line.log == []


def test_an_order_that_another_took_on_while_we_let_it_expire_goes_on() -> None:
    line = NumberSequence()
    line.order(CLOCK, near=False)
    (expired,) = line.exchanges.due(after(60), after(60)).events
    line.report([ExchangeEvent(CLOCK, ExchangeStep.BEGAN, after(59), "ingest-1", serial=7), expired])
    line.pass_time(60.5)
    assert line.steps()[-1] is ExchangeStep.SENT


def test_many_at_once_are_sent_bit_by_bit_and_none_is_forgotten_when_we_are_blind() -> None:
    line = NumberSequence()
    for number in range(500):
        line.order(DUTY._replace(command_id=f"d{number}", gateway_id=f"G{number}"))
    for _ in range(3):
        line.pass_time(1)
    assert len(line.sent) == 500
    for _, one in line.sent:
        line.report(line.exchanges.heard(one.order.gateway_id, one.serial, after(2), MQTT, confirmed=True))
    line.lag_s = 16
    line.pass_time(100)
    line.lag_s = 0
    for _ in range(3):
        line.pass_time(310)
    assert [event.why for event in line.log if event.ends] == [ExchangeReason.BLIND] * 500
