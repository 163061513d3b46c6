"""Ladder timing, recipients, common cause, delivery, deadlines, audit chain."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial

import pytest

from services.alerts.domain.audit.chain import GENESIS, chain, verify
from services.alerts.domain.audit.entry import AuditEntry
from services.alerts.domain.case.case import Acknowledgement, Grouping, case_id_of
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.subject import Subject, SubjectKind
from services.alerts.domain.delivery.attempts import (
    FIRE,
    NEVER_AGAIN,
    ORDINARY,
    PERMANENT,
    DeliveryState,
    Outcome,
    decide,
)
from services.alerts.domain.delivery.consent import may_send
from services.alerts.domain.delivery.destinations import Destinations, Due
from services.alerts.domain.delivery.notice import notice_id_of
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.deadlines import reply_due
from services.alerts.domain.escalation.ladder import Pace, climb, clock_from, is_due
from services.alerts.domain.ids import BodyCode, CaseId, NoticeId
from services.alerts.domain.noise.common_cause import Candidate, again, find_causes, open_common
from services.alerts.domain.routing.recipients import recipients_of_step
from services.alerts.lanes.delivery_workers import for_retries_of, per_channel_of
from services.kernel.words import Channel, Purpose, Recipient
from tests.unit.alerts.build import HAZARD, RULES, T0, Book, address, at, case, contact, step


def test_ladder_climbs_by_the_clock_of_the_detection() -> None:
    now, one = at(30), case()
    due = []
    while one.next_step_at is not None:
        now = max(now, one.next_step_at)
        assert is_due(one, now)
        due.append((one.next_step, now - T0))
        rung = next(rung for rung in one.ladder if rung.code == one.next_step)
        one = climb(one, rung, now, Pace())
    hours = [timedelta(seconds=30), *(timedelta(hours=n) for n in (1, 4, 8, 24))]
    assert due == list(zip(["H0", "H1", "H2", "H3", "H4"], hours, strict=True))


def test_acknowledging_does_not_stop_the_clock() -> None:
    one = case(acknowledged=Acknowledgement(at(1), "officer", "console", "", None))
    assert is_due(one, at(30))


def test_member_of_a_common_case_waits_and_a_fire_does_not() -> None:
    grouping = Grouping(None, CaseId("X"), held_until=at(1800))
    member, fire = replace(case(), grouping=grouping), replace(case(CaseKind.FIRE), grouping=grouping)
    assert clock_from(member, at(0), timedelta(0), Pace()).next_step_at == at(1800)
    assert clock_from(fire, at(0), timedelta(0), Pace()).next_step_at == at(0)


def test_step_tells_each_contact_once_and_names_whom_it_told() -> None:
    book = Book(contact("a", "centre"), contact("b", "U1", "control_room"), contact("x", "U2", "control_room"))
    recipients = recipients_of_step(book, case(), HAZARD[0], T0)
    assert [one.contact_id for one in recipients.addresses] == ["a", "b"]
    assert recipients.names == ("centre", "unit_control_room")
    assert recipients.missing == ("maintenance",)
    assert recipients.nobody is None


def test_department_line_and_area_line_are_both_told_without_repetition() -> None:
    book = Book(contact("h", "health"), contact("t", "T1"))
    recipients = recipients_of_step(book, case(), HAZARD[4], T0)
    assert [one.contact_id for one in recipients.addresses] == ["h", "t"]


def test_nobody_found_tells_the_centre_instead_and_says_why() -> None:
    recipients = recipients_of_step(Book(contact("a", "centre")), case(), HAZARD[1], T0)
    assert recipients.nobody == "no_contact:unit_manager,grid_officer"
    assert recipients.instead
    assert [one.contact_id for one in recipients.addresses] == ["a"]


def test_not_even_a_centre_is_written_down_as_well() -> None:
    recipients = recipients_of_step(Book(), case(), HAZARD[1], T0)
    assert not recipients.addresses
    assert recipients.nobody is not None
    assert recipients.nobody.endswith("no_contact:centre")


def test_board_entry_is_no_letter() -> None:
    assert recipients_of_step(Book(contact("b", "brigade")), case(), HAZARD[3], T0).nobody == "board_only"


def test_grid_officer_of_the_street_stands_in_for_the_units_own() -> None:
    recipients = recipients_of_step(Book(contact("g", "T1", "grid_officer")), case(), HAZARD[1], T0)
    assert [one.contact_id for one in recipients.addresses] == ["g"]


def test_contact_with_two_channels_gets_two_copies() -> None:
    both = contact("a", "centre", webhook_url="https://a.firenet-demo.cn", webhook_secret_ref="s")
    recipients = recipients_of_step(Book(both), case(), step("S", 0, Recipient.CENTRE), T0)
    assert {one.channel for one in recipients.addresses} == {Channel.EMAIL, Channel.WEBHOOK}


class WithAcceptance(Book):
    def bodies(self, kind: str, district: str) -> list[BodyCode]:
        return [BodyCode("construction")] if kind == "acceptance" else super().bodies(kind, district)


def test_a_building_accepted_without_connection_tells_who_accepts_buildings_first_and_its_department_later() -> None:
    book = WithAcceptance(contact("a", "centre"), contact("b", "construction"), contact("c", "health"))
    first = step("H0", 0, Recipient.CENTRE, Recipient.ACCEPTANCE)

    def told(kind: CaseKind, lead: str, *copies: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        one = case(kind)
        one = replace(one, facts=replace(one.facts, lead_department=lead, copy_departments=copies))
        recipients = recipients_of_step(book, one, first, T0)
        return recipients.names, recipients.missing

    assert told(CaseKind.NEVER_CONNECTED, "health", "construction") == (("centre", "construction"), ())
    assert told(CaseKind.NEVER_CONNECTED, "construction") == (("centre", "construction"), ()), "a building site"
    assert told(CaseKind.NEVER_CONNECTED, "health") == (("centre",), ()), "not new: nobody is missing"
    assert told(CaseKind.CONNECTION_LOST, "construction") == (("centre",), ()), "a department is never told first"


def losses(*rows: tuple[str, float, str, str]) -> list[Candidate]:
    return [Candidate(CaseId(name), at(seconds), (carrier,), town) for name, seconds, carrier, town in rows]


def test_too_few_or_too_slow_losses_are_no_common_cause() -> None:
    assert not find_causes(losses(("a", 0, "x", "1"), ("b", 1, "x", "2")), RULES, {}, frozenset())
    slow = losses(("a", 0, "x", "1"), ("b", 100, "x", "2"), ("c", 200, "x", "3"))
    assert not find_causes(slow, RULES, {}, frozenset())


def test_losses_of_one_carrier_within_the_window_are_one_cause() -> None:
    found = find_causes(
        losses(("a", 0, "x", "1"), ("b", 60, "x", "2"), ("c", 120, "x", "3"), ("old", -500, "x", "4")),
        RULES,
        {},
        frozenset(),
    )
    assert [(cause.key, set(cause.members)) for cause in found] == [("carrier:x", {"a", "b", "c"})]


def test_power_cut_in_a_town_is_not_blamed_on_everybodys_carrier() -> None:
    dark = losses(("a", 0, "x", "1"), ("b", 1, "x", "1"), ("c", 2, "x", "1"))
    found = find_causes(dark, RULES, {"carrier:x": 5000, "town:1": 3}, frozenset())
    assert [cause.key for cause in found] == ["town:1"]


def test_each_loss_belongs_to_one_cause_only() -> None:
    rows = [(f"a{n}", n, "x", str(n)) for n in range(4)] + [(f"b{n}", n, "y", "9") for n in range(3)]
    found = find_causes(losses(*rows), RULES, {}, frozenset())
    members = [member for cause in found for member in cause.members]
    assert sorted(members) == sorted(set(members))
    assert len(members) == 7


def test_single_loss_joins_a_cause_that_is_running() -> None:
    found = find_causes(losses(("z", 900, "x", "7")), RULES, {}, frozenset({"carrier:x"}))
    assert [cause.key for cause in found] == ["carrier:x"]


def test_common_case_is_told_once_per_wave_and_holds_anew() -> None:
    cause = find_causes(losses(*[(str(n), n, "x", str(n)) for n in range(3)]), RULES, {}, frozenset())[0]
    common = open_common(cause, case(), RULES, at(10), Pace())
    assert common.grouping.held_until == at(10 + 1800)
    assert (common.next_step, common.next_step_at) == ("C0", at(40))
    recipients = climb(common, common.ladder[0], at(40), Pace())
    assert again(recipients, cause, RULES, at(100), Pace()).next_step is None
    wave = again(recipients, cause, RULES, at(5000), Pace())
    assert (wave.sightings.drops, wave.next_step) == (2, "C0.2")


def test_common_case_is_about_its_cause_in_its_district_and_no_unit() -> None:
    cause = find_causes(losses(*[(str(n), n, "x", str(n)) for n in range(3)]), RULES, {}, frozenset())[0]
    one = case()
    member = replace(one, facts=replace(one.facts, district="gulou"))
    common = open_common(cause, member, RULES, at(10), Pace())
    assert common.subject == Subject(SubjectKind.COMMON_CAUSE, "gulou/carrier:x")
    assert common.subject.unit_id is None


@pytest.mark.parametrize("reason", sorted(PERMANENT))
def test_final_answers_are_not_tried_again(reason: Reason) -> None:
    assert decide(Outcome(reason), 1, ORDINARY, 0.5, T0).state is DeliveryState.DEAD


@pytest.mark.parametrize("reason", [Reason.REJECTED, Reason.REDIRECT])
def test_fire_is_tried_again_where_a_proxy_answers_for_what_is_away(reason: Reason) -> None:
    assert decide(Outcome(reason), 1, FIRE, 0.5, T0).state is DeliveryState.RETRY
    assert decide(Outcome(reason), FIRE.most, FIRE, 0.5, T0).state is DeliveryState.DEAD


@pytest.mark.parametrize("reason", sorted(NEVER_AGAIN))
def test_fire_does_not_go_where_nothing_is_ever_to_go(reason: Reason) -> None:
    assert decide(Outcome(reason), 1, FIRE, 0.5, T0).state is DeliveryState.DEAD


def test_waits_grow_are_capped_and_end() -> None:
    waits = [decide(Outcome(Reason.TIMEOUT), n, ORDINARY, 1.0, T0).next_attempt_at for n in range(1, ORDINARY.most)]
    seconds = [(wait - T0).total_seconds() for wait in waits if wait is not None]
    assert seconds[:3] == [2, 4, 8]
    assert max(seconds) == ORDINARY.longest_wait.total_seconds()
    assert decide(Outcome(Reason.TIMEOUT), ORDINARY.most, ORDINARY, 1.0, T0).state is DeliveryState.DEAD


def test_retry_after_is_obeyed_up_to_an_hour() -> None:
    throttled = decide(Outcome(Reason.THROTTLED, retry_after=timedelta(minutes=5)), 1, ORDINARY, 0, T0)
    assert throttled.next_attempt_at == T0 + timedelta(minutes=5)
    absurd = decide(Outcome(Reason.THROTTLED, retry_after=timedelta(days=9)), 1, ORDINARY, 0, T0)
    assert absurd.next_attempt_at == T0 + timedelta(hours=1)


def test_fire_does_not_wait_as_long_as_a_server_wishes() -> None:
    failed = decide(Outcome(Reason.SERVER_ERROR, retry_after=timedelta(hours=1)), 1, FIRE, 0, T0)
    assert failed.next_attempt_at == T0 + timedelta(seconds=30)


def test_last_question_before_sending() -> None:
    ask = partial(may_send, fire=False, now=at(50))
    open_one = case()
    assert ask(Purpose.NOTICE, at(30), open_one).stop is None
    assert ask(Purpose.NOTICE, at(30), close(open_one, "signal", at(20))).stop is Reason.CASE_CLOSED
    seen = replace(open_one, acknowledged=Acknowledgement(at(40), "o", "console", "", "H0"))
    assert ask(Purpose.NOTICE, at(30), seen).stop is Reason.ACKNOWLEDGED
    assert ask(Purpose.NOTICE, at(45), seen).stop is None
    waiting = ask(Purpose.NOTICE, at(30), replace(open_one, grouping=Grouping(held_until=at(99))))
    assert (waiting.stop, waiting.wait_until) == (Reason.HELD, at(99))
    assert ask(Purpose.ALL_CLEAR, at(30), open_one).stop is Reason.REOPENED
    assert ask(Purpose.ALL_CLEAR, at(30), close(open_one, "signal", at(20))).stop is None


def test_dead_destination_leaves_room_for_others_and_rests() -> None:
    places = Destinations(slots=4, per_address=2, per_channel={Channel.WEBHOOK: 4, Channel.EMAIL: 1})
    dead = [Due(NoticeId(str(n)), Channel.WEBHOOK, "dead") for n in range(9)]
    other = Due(NoticeId("x"), Channel.WEBHOOK, "other")
    started = places.choose([*dead, other], T0)
    assert [one.address for one in started] == ["dead", "dead", "other"]
    assert places.busy_addresses(T0) == ["dead"]
    for one in started[:2]:
        places.finished(one, failed=True, now=T0)
    assert places.busy_addresses(T0) == ["dead"]
    assert places.busy_addresses(T0 + places.rest + timedelta(seconds=1)) == []
    assert places.free == 3


def test_destination_that_keeps_failing_holds_one_slot() -> None:
    places = Destinations(slots=8, per_address=4, per_channel={}, rest=timedelta(0))
    dues = [Due(NoticeId(str(n)), Channel.WEBHOOK, "dead") for n in range(9)]
    for one in places.choose(dues, T0):
        places.finished(one, failed=True, now=T0)
    (only,) = places.choose(dues, at(1))
    places.finished(only, failed=False, now=at(1))
    assert len(places.choose(dues, at(2))) == 4


def test_retries_leave_room_for_first_attempts_of_their_channel() -> None:
    slots = {Channel.WEBHOOK: 4, Channel.EMAIL: 4}
    places = Destinations(slots=8, per_address=1, per_channel=slots, for_retries={Channel.WEBHOOK: 3, Channel.EMAIL: 3})
    retries = [Due(NoticeId(str(n)), Channel.WEBHOOK, f"a{n}", is_retry=True) for n in range(12)]
    begun = places.choose(retries, T0)
    assert len(begun) == 3
    assert (places.without_retries(), places.busy_channels()) == ([Channel.WEBHOOK], [])
    assert places.crowded(T0), "others of them wait for one to land"
    firsts = [Due(NoticeId(f"f{n}"), Channel.WEBHOOK, f"b{n}") for n in range(2)]
    assert len(places.choose(firsts, T0)) == 1
    places.finished(begun[0], failed=False, now=T0)
    assert places.without_retries() == []


@pytest.mark.parametrize("mail_connections", [1, 4, 64])
def test_each_channel_has_slots_whatever_mail_has(mail_connections: int) -> None:
    slots = per_channel_of(mail_connections)
    assert set(slots) == set(Channel)
    assert all(most > 0 for most in slots.values())
    assert all(0 < most <= slots[channel] for channel, most in for_retries_of(slots).items())


def test_full_channel_takes_nothing_more() -> None:
    places = Destinations(slots=4, per_address=2, per_channel={Channel.WEBHOOK: 4, Channel.EMAIL: 1})
    mails = [Due(NoticeId(str(n)), Channel.EMAIL, f"m{n}") for n in range(3)]
    assert len(places.choose(mails, T0)) == 1
    assert places.busy_channels() == [Channel.EMAIL]


def test_reply_is_due_at_the_end_of_the_last_working_day() -> None:
    holidays = {date(2026, 10, day) for day in range(1, 9)}
    adjusted = {date(2026, 10, 10)}

    def working(day: date) -> bool:
        return day in adjusted or (day.weekday() < 5 and day not in holidays)

    due = reply_due(datetime(2026, 9, 30, 10, tzinfo=UTC), 3, working)
    assert due.isoformat() == "2026-10-13T00:00:00+08:00"  # 9, 10 (made up for) and 12 October


def test_calendar_without_working_days_is_an_error() -> None:
    with pytest.raises(ValueError, match="no working day"):
        reply_due(T0, 1, lambda day: False)


def entries(count: int) -> list[AuditEntry]:
    return [AuditEntry(at(n), "alerts", "case_opened", CaseId(f"C{n}"), {"n": n, "who": ["甲"]}) for n in range(count)]


def test_chain_holds_and_goes_on_where_it_ended() -> None:
    first = chain(entries(3), 0, GENESIS)
    second = chain(entries(2), first[-1].seq, first[-1].hash)
    found = verify(second, verify(first))
    assert (found.entries, found.broken_at, found.last_hash) == (5, None, second[-1].hash)


@pytest.mark.parametrize("harm", ["change", "remove", "swap", "insert"])
def test_any_harm_to_the_chain_is_found(harm: str) -> None:
    links = chain(entries(5), 0, GENESIS)
    if harm == "change":
        links[2] = replace(links[2], entry=replace(links[2].entry, actor="somebody"))
    elif harm == "remove":
        del links[2]
    elif harm == "swap":
        links[2], links[3] = links[3], links[2]
    else:
        links.insert(2, chain(entries(1), 2, links[1].hash)[0])
    assert verify(links).broken_at is not None


def test_ids_depend_on_what_they_should() -> None:
    one = notice_id_of(case_id_of("a"), "H0", Purpose.NOTICE, 1, address())
    assert one == notice_id_of(case_id_of("a"), "H0", Purpose.NOTICE, 2, address())  # a step is told once per case
    assert one != notice_id_of(case_id_of("a"), "H1", Purpose.NOTICE, 1, address())
    clear = notice_id_of(case_id_of("a"), "CLEAR", Purpose.ALL_CLEAR, 1, address())
    assert clear != notice_id_of(case_id_of("a"), "CLEAR", Purpose.ALL_CLEAR, 2, address())  # an all-clear per drop
