"""Noise: who waits for whom, what comes together, what is told once; and that none of it touches a fire."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.pack import Pack
from services.alerts.adapters.letter_writer import NAME_CHARACTERS, TemplateWriter
from services.alerts.adapters.packs import rules_of
from services.alerts.domain.case.case import Grouping
from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.escalation.pack_rules import FlappingRules, GroupingRules
from services.alerts.domain.ids import CaseId, NoticeId
from services.alerts.domain.noise.common_cause import Candidate, Members, again, find_causes, open_common, released
from services.alerts.domain.noise.digest import (
    MAX_MEMBERS,
    DigestItem,
    GroupClocks,
    WaitingNotice,
    group,
    letter_of,
    may_group,
)
from services.kernel.words import Channel, Purpose, Recipient
from tests import quick_yaml
from tests.unit.alerts.build import RULES, address, at, case, event, step
from tests.unit.alerts.harness import Harness

PACK = Path(__file__).parents[3] / "deploy/packs/sample-2026.yaml"
OFFICER = Who("officer", None, "console")
GROUPING = GroupingRules(
    wait=timedelta(seconds=10),
    interval=timedelta(seconds=300),
    repeat=timedelta(hours=4),
    least=3,
    named=2,
)
MANY = [f"U{number}" for number in range(9)]
NEVER_COMMON = {"common_units": 10_000}


def waiting(count: int, due: float = 0) -> list[WaitingNotice]:
    return [WaitingNotice(NoticeId(f"N{number}"), address(), at(due), "") for number in range(count)]


def faults(*units: str, seconds: float = 0) -> list[Event]:
    return [event(of=name, kind=CaseKind.FAULT, seconds=seconds) for name in units]


def mails(harness: Harness, to: str) -> list[str]:
    """Return the subjects of the mails to a contact, in order."""
    return [ready.subject for _, ready in harness.carrier.sent if ready.to.contact_id == to]


def test_first_notice_to_a_quiet_address_waits_for_company() -> None:
    first = group(waiting(1), GroupClocks(), GROUPING, Pace(), at(0))
    assert (first.until, first.alone, first.digests) == (at(10), (), ())
    assert group(waiting(2, due=10), first.clocks, GROUPING, Pace(), at(10)).alone == ("N0", "N1")


def test_as_many_as_the_pack_says_make_a_digest_and_fewer_leave_alone() -> None:
    clocks = GroupClocks(wait_until=at(10))
    (digest,) = group(waiting(3, due=10), clocks, GROUPING, Pace(), at(10)).digests
    assert (digest.members, digest.named) == (("N0", "N1", "N2"), 2)
    assert group(waiting(2, due=10), clocks, GROUPING, Pace(), at(10)).digests == ()


def test_after_a_mail_the_next_one_waits_the_interval() -> None:
    left = group(waiting(1, due=10), GroupClocks(wait_until=at(10)), GROUPING, Pace(), at(10))
    assert left.clocks == GroupClocks(None, at(310))
    assert group(waiting(1, due=20), left.clocks, GROUPING, Pace(), at(20)).until == at(310)


def test_wait_of_notices_that_were_taken_back_is_not_the_next_ones() -> None:
    assert group(waiting(1, due=500), GroupClocks(wait_until=at(10)), GROUPING, Pace(), at(500)).until == at(510)


def test_clocks_of_digests_go_by_the_pace_of_supervision() -> None:
    pace = Pace(1440, supervision_rate=10)
    assert group(waiting(1), GroupClocks(), GROUPING, pace, at(0)).until == at(1)


def test_digest_has_no_more_members_than_one_transaction_bears() -> None:
    left = group(waiting(MAX_MEMBERS + 1, due=10), GroupClocks(wait_until=at(10)), GROUPING, Pace(), at(10))
    assert [len(one.members) for one in left.digests] == [MAX_MEMBERS, 1]


def test_neither_a_fire_nor_a_common_cause_nor_a_webhook_ever_comes_into_a_digest() -> None:
    common = case(kind=CaseKind.COMMON_CAUSE)
    assert may_group(case(), address(), GROUPING)
    assert not may_group(case(), address(), None)
    assert not may_group(common, address(), GROUPING)
    assert not may_group(case(), address(channel=Channel.WEBHOOK), GROUPING)
    for kind in (CaseKind.FIRE, CaseKind.UNREADABLE_ALARM, CaseKind.UNREGISTERED_ALARM):
        assert not may_group(case(kind), address(), GROUPING)


async def test_many_faults_are_one_mail_for_each_who_is_told_of_them() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY))
    await harness.pass_time(60, every=10)
    assert mails(harness, "centre") == ["DIGEST 9+0"]
    assert mails(harness, "room-U3") == ["H0 U3"], "who is told of one gets its own letter"
    rows = [row for row in harness.store.tables.notices.values() if row.notice.to.contact_id == "centre"]
    assert {row.state for row in rows} == {"accepted"}
    assert len({row.digest_id for row in rows}) == 1
    told = [entry.detail.get("digest") for entry in harness.store.tables.audit if entry.action == "notice_accepted"]
    assert told.count(rows[0].digest_id) == 9, "each case's evidence names the digest"


async def test_what_comes_later_comes_with_the_next_digest() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY[:4]))
    await harness.pass_time(60, every=10)
    await harness.take(*faults(*MANY[4:], seconds=60))
    await harness.pass_time(200, every=10)
    assert mails(harness, "centre") == ["DIGEST 4+0"]
    await harness.pass_time(200, every=10)
    assert mails(harness, "centre") == ["DIGEST 4+0", "DIGEST 5+0"]


async def test_digest_tells_nothing_of_a_case_that_was_closed_or_taken_meanwhile() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY))
    harness.clock.forward(30)
    await harness.ladder.turn()
    await harness.grouping.turn()
    await harness.take(event(Happening.ENDED, of="U0", kind=CaseKind.FAULT, seconds=31))
    harness.clock.forward(1)
    (taken,) = (one.case_id for one in harness.store.tables.cases.values() if one.subject.id == "U1")
    assert await harness.acknowledgements.acknowledge(taken, OFFICER, "") is Reply.DONE
    await harness.pass_time(30, every=10)
    assert mails(harness, "centre") == ["DIGEST 7+0"]


async def test_digest_that_failed_is_told_again_under_its_id_and_only_of_what_is_still_so() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY))
    harness.clock.forward(30)
    await harness.ladder.turn()
    await harness.grouping.turn()
    harness.clock.forward(10)
    harness.carrier.answers = [Outcome(Reason.TIMEOUT)] * 10
    await harness.deliver()
    await harness.take(event(Happening.ENDED, of="U0", kind=CaseKind.FAULT, seconds=45))
    await harness.pass_time(400, every=5)
    digests = [ready for _, ready in harness.carrier.sent if ready.members]
    assert [ready.subject for ready in digests[:2]] == ["DIGEST 9+0", "DIGEST 8+0"]
    assert len({ready.notice_id for ready in digests[:2]}) == 1
    cleared = [ready.subject for _, ready in harness.carrier.sent if ready.subject.startswith("CLEAR")]
    assert cleared, "who may have heard of it hears that it is over"


async def test_all_clears_come_together_too() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY))
    await harness.pass_time(400, every=10)
    await harness.take(*[event(Happening.ENDED, of=name, kind=CaseKind.FAULT, seconds=400) for name in MANY])
    await harness.pass_time(30, every=10)
    assert mails(harness, "centre") == ["DIGEST 9+0", "DIGEST 0+9"]


async def test_fire_among_many_faults_is_told_at_once_and_alone() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY))
    harness.clock.forward(30)
    await harness.ladder.turn()
    await harness.grouping.turn()
    await harness.take(event(Happening.FIRED, of="U4", kind=CaseKind.FIRE, cause="s", seconds=30), topic="alarms")
    await harness.finished()
    assert mails(harness, "centre") == ["F0 U4"]
    await harness.take(event(Happening.RESTORED, of="U4", kind=CaseKind.FIRE, cause="e", seconds=31), topic="alarms")
    await harness.deliver()
    assert mails(harness, "centre") == ["F0 U4", "CLEAR U4 over"], "its end waits for nobody either"


async def test_crash_while_a_digest_is_sent_repeats_it_once_with_the_same_id() -> None:
    harness = Harness(*MANY, grouping=GROUPING)
    await harness.take(*faults(*MANY))
    await harness.pass_time(30, every=10)
    harness.clock.forward(10)
    await harness.grouping.turn()
    worker = harness.delivery_workers[1]
    await worker.turn()
    harness.kill()  # claimed, perhaps sent, never recorded
    await harness.pass_time(120, every=10)
    copies = Counter(ready.notice_id for _, ready in harness.carrier.sent if ready.to.contact_id == "centre")
    assert max(copies.values()) <= 2
    assert {row.state for row in harness.store.tables.notices.values()} == {"accepted"}


# --- what a digest says


def items(count: int) -> list[DigestItem]:
    return [
        DigestItem(case(of=f"U{number}", seconds=number), NoticeId(f"N{number}"), "H0", Purpose.NOTICE, None)
        for number in range(count)
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_digest_is_bounded_whatever_it_tells_of(lang: str) -> None:
    long = [
        replace(one, case=replace(one.case, facts=replace(one.case.facts, name="长" * 500, name_en="n" * 500)))
        for one in items(2000)
    ]
    to = address(lang=lang)
    subject, body = TemplateWriter("https://console.firenet-demo.cn").write_digest(
        letter_of(to, long, 20), NoticeId("D")
    )
    assert "2000" in subject
    assert "1980" in body, "the others are counted"
    assert body.count("?case=") == 20
    assert "长" * NAME_CHARACTERS not in body
    assert len(body.encode()) < 16_000


def test_digest_names_what_began_last_first_and_what_is_over_behind() -> None:
    over = replace(items(1)[0], purpose=Purpose.ALL_CLEAR)
    letter = letter_of(address(), [over, *items(3)], 3)
    assert [one.case.subject.id for one in letter.named] == ["U2", "U1", "U0"]
    assert (letter.notices, letter.all_clears, letter.others) == (3, 1, 1)


# --- common causes


async def test_loss_tells_nobody_as_long_as_its_cause_may_show_itself() -> None:
    harness = Harness(*MANY, common_wait=timedelta(seconds=60), common_units=5)
    for number, name in enumerate(MANY):  # one heartbeat's interval apart, first to last
        await harness.take(event(of=name, seconds=number * 7))
        await harness.pass_time(7, every=1)
    await harness.pass_time(600, every=10)
    assert [ready.subject.split()[0] for _, ready in harness.carrier.sent] == ["C0"]


async def test_fault_does_not_wait_for_the_cause_of_a_loss() -> None:
    harness = Harness(common_wait=timedelta(seconds=60))
    await harness.take(*faults("U1"))
    await harness.pass_time(30, every=10)
    assert sorted(harness.recipients("H0")) == ["centre", "room-U1"]


async def test_members_that_are_still_out_when_the_cause_has_cleared_have_letters_of_their_own() -> None:
    harness = Harness(*MANY, common_units=5)
    await harness.take(*[event(of=name) for name in MANY])
    await harness.pass_time(60, every=10)
    await harness.take(*[event(Happening.ENDED, of=name, seconds=60) for name in MANY[:5]])
    await harness.pass_time(100, every=10)
    assert harness.recipients("H0") == [], "the others may come back within a window"
    await harness.take(*[event(Happening.ENDED, of=name, seconds=160) for name in MANY[5:8]])
    await harness.pass_time(60, every=10)
    assert sorted(harness.recipients("H0")) == ["centre", "room-U8"]
    assert [entry.action for entry in harness.store.tables.audit].count("common_case_released") == 1


async def test_members_wait_while_half_of_them_are_out() -> None:
    harness = Harness(*MANY, common_units=5)
    await harness.take(*[event(of=name) for name in MANY])
    await harness.pass_time(60, every=10)
    await harness.take(*[event(Happening.ENDED, of=name, seconds=60) for name in MANY[:4]])
    await harness.pass_time(1000, every=20)
    assert harness.recipients("H0") == []


async def test_an_outage_of_80_units_of_a_carrier_is_one_common_case_and_freezes_their_ladders() -> None:
    """H1 of each would be due after an hour; the hold is two."""
    units = [f"U{number:02}" for number in range(80)]
    harness = Harness(*units, common_by=("carrier",), common_units=10, common_hold=timedelta(hours=2))
    await harness.take(*[event(of=name) for name in units])
    await harness.pass_time(60, every=10)
    await harness.pass_time(1.9 * 3600, every=600)
    cases = harness.store.tables.cases.values()
    (common,) = (one for one in cases if one.is_common)
    assert common.grouping.cause_key == "carrier:cmcc"
    members = [one for one in cases if one.grouping.common_case_id == common.case_id]
    assert len(members) == 80
    assert {one.step for one in members} == {None}
    assert {code for case_id, code in harness.store.tables.steps if case_id != common.case_id} == set()


async def test_common_cause_that_stands_is_told_again_at_each_repeat_until_somebody_takes_it() -> None:
    harness = Harness(*MANY, common_units=5, grouping=replace(GROUPING, repeat=timedelta(minutes=5)))
    await harness.take(*[event(of=name) for name in MANY])
    await harness.pass_time(660, every=30)
    told = [ready.subject.split()[0] for _, ready in harness.carrier.sent]
    assert told == ["C0", "C0.r1", "C0.r2"]
    (common,) = (one.case_id for one in harness.store.tables.cases.values() if one.is_common)
    assert await harness.acknowledgements.acknowledge(common, OFFICER, "") is Reply.DONE
    await harness.pass_time(660, every=30)
    assert [ready.subject.split()[0] for _, ready in harness.carrier.sent] == told


def test_release_shortens_the_hold_once_and_a_new_drop_holds_anew() -> None:
    cause = find_causes([Candidate(CaseId(str(n)), at(n), ("x",), str(n)) for n in range(4)], RULES, {}, frozenset())[0]
    common = replace(open_common(cause, case(), RULES, at(10), Pace()), step="C0")
    assert released(common, Members(out=2, taken=4), RULES, at(20), Pace()) is None
    freed = released(common, Members(out=1, taken=4), RULES, at(20), Pace())
    assert freed is not None
    assert freed.grouping.held_until == at(140)
    assert released(freed, Members(out=1, taken=4), RULES, at(30), Pace()) is None
    assert again(freed, cause, RULES, at(5000), Pace()).grouping.held_until == at(6800)


def test_new_drop_is_told_before_what_was_left_of_the_last_ones_repeats() -> None:
    rules = replace(RULES, grouping=GROUPING)
    cause = find_causes([Candidate(CaseId(str(n)), at(n), ("x",), str(n)) for n in range(4)], rules, {}, frozenset())[0]
    common = replace(open_common(cause, case(), rules, at(10), Pace()), step="C0.r1", grouping=Grouping("carrier:x"))
    wave = again(common, cause, rules, at(9000), Pace())
    assert [one.code for one in wave.ladder[:4]] == ["C0", "C0.r1", "C0.2", "C0.2.r1"]
    assert wave.next_step == "C0.2"


def test_losses_of_a_district_that_nothing_smaller_explains_are_one_cause() -> None:
    scattered = [Candidate(CaseId(str(n)), at(n), (f"c{n}",), f"t{n}", "gulou") for n in range(8)]
    rules = replace(RULES, common_mass=8)
    (cause,) = find_causes(scattered, rules, {}, frozenset())
    assert (cause.key, len(cause.members)) == ("district:gulou", 8)
    assert find_causes(scattered[:7], rules, {}, frozenset()) == []
    assert find_causes(scattered[:1], rules, {}, frozenset({"district:gulou"}))[0].key == "district:gulou"


def test_closed_member_is_no_longer_held() -> None:
    assert close(replace(case(), grouping=Grouping(held_until=at(99))), "signal", at(1)).grouping.held_until is None


def test_steps_of_units_go_by_the_ladders_pace_and_what_waits_for_others_by_supervisions() -> None:
    pace = Pace(3600, supervision_rate=10)
    one = case()
    assert pace.real(timedelta(hours=1)) == timedelta(seconds=1)
    assert pace.observed(timedelta(seconds=60)) == timedelta(seconds=6)
    assert one.ladder[0] == replace(step("H0", 0), tells=one.ladder[0].tells)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("said", "window_s", "waits_s"),
    [(None, 120, 60), (None, 45, 45), (90, 120, 90), (90, 60, 60), (0, 120, 0)],
    ids=["the interval", "no longer than the window", "as said", "said too long", "said: not at all"],
)
def test_pack_says_how_long_a_cause_may_show_itself(said: float | None, window_s: float, waits_s: float) -> None:
    pack = Pack.model_validate(quick_yaml.read(PACK.read_text(encoding="utf-8")))
    assert pack.profiles[pack.default_profile].interval_s == 60
    cause = pack.common_cause.model_copy(update={"show_s": said, "window_s": window_s})
    rules = rules_of(pack.model_copy(update={"common_cause": cause}), expired=False)
    assert rules.common_wait == timedelta(seconds=waits_s)


def test_pack_without_grouping_and_flapping_is_as_before() -> None:
    pack = Pack.model_validate(quick_yaml.read(PACK.read_text(encoding="utf-8")))
    rules = rules_of(pack.model_copy(update={"grouping": None, "flapping": None}), expired=False)
    assert (rules.grouping, rules.flapping) == (None, None)


# --- flapping


FLAPS = FlappingRules(
    begins=3,
    window=timedelta(hours=1),
    quiet=timedelta(hours=2),
    tells=(Recipient.CENTRE,),
    clause="proposal",
)


async def flap(harness: Harness, times: int, kind: CaseKind = CaseKind.FAULT, every: float = 600) -> None:
    """Let the trouble begin and end, half of the time each."""
    for _ in range(times):
        seconds = harness.clock.monotonic()
        await harness.take(event(kind=kind, cause=f"d{seconds}", seconds=seconds))
        await harness.pass_time(every / 2, every=60)
        ended = event(Happening.ENDED, kind=kind, cause=f"d{seconds}", seconds=seconds + every / 2)
        await harness.take(ended)
        await harness.pass_time(every / 2, every=60)


async def test_what_flaps_is_told_once_and_is_one_case_until_it_is_quiet() -> None:
    harness = Harness(flapping=FLAPS)
    await flap(harness, 10)
    (case_,) = harness.store.tables.cases.values()
    assert (case_.is_open, case_.sightings.drops) == (True, 10)
    assert harness.recipients("FLAP") == ["centre"]
    assert Counter(harness.recipients("H0")) == {"centre": 1, "room-U1": 1}
    await harness.pass_time(2 * 3600 - 400, every=60)
    assert [one.is_open for one in harness.store.tables.cases.values()] == [True]
    await harness.pass_time(600, every=60)
    (case_,) = harness.store.tables.cases.values()
    assert case_.close_reason == "quiet"
    assert harness.recipients("CLEAR").count("centre") == 2, "of the end before it flapped, and of this one"


@pytest.mark.thorough
async def test_what_flaps_climbs_the_ladder_although_it_never_stays_out_for_long() -> None:
    harness = Harness(flapping=FLAPS)
    await flap(harness, 30)
    assert harness.recipients("H2") == ["street"]


async def test_no_step_is_taken_while_what_flapped_is_quiet() -> None:
    harness = Harness(flapping=FLAPS)
    await flap(harness, 4)
    before = len(harness.carrier.sent)
    await harness.pass_time(2 * 3600 - 400, every=60)
    assert len(harness.carrier.sent) == before


async def test_unit_that_leaves_the_register_is_closed_however_it_flapped() -> None:
    harness = Harness(flapping=FLAPS)
    await flap(harness, 3)
    seconds = harness.clock.monotonic()
    await harness.take(event(kind=CaseKind.FAULT, cause="d", seconds=seconds))
    ended = event(Happening.ENDED, kind=CaseKind.FAULT, cause="d", seconds=seconds + 1)
    await harness.take(replace(ended, cause="registry"))
    assert [one.close_reason for one in harness.store.tables.cases.values()] == ["registry"]


async def test_flapping_survives_a_restart() -> None:
    harness = Harness(flapping=FLAPS)
    await flap(harness, 4)
    harness.restart()
    await flap(harness, 2)
    assert len(harness.store.tables.cases) == 1
    assert harness.recipients("FLAP") == ["centre"]


async def test_line_that_flaps_and_is_up_is_no_loss_of_a_common_cause() -> None:
    harness = Harness(*MANY, flapping=FLAPS, common_units=3)
    await flap(harness, 4, CaseKind.CONNECTION_LOST)
    seconds = harness.clock.monotonic()
    await harness.take(*[event(of=name, seconds=seconds) for name in ("U2", "U3")])
    await harness.pass_time(60, every=10)
    assert not any(one.is_common for one in harness.store.tables.cases.values())


async def test_each_fire_is_told_however_often_it_comes() -> None:
    harness = Harness(flapping=FLAPS, grouping=GROUPING)
    for number in range(8):
        seconds = number * 60
        fire = CaseKind.FIRE
        await harness.take(event(Happening.FIRED, kind=fire, cause=f"s{number}", seconds=seconds), topic="alarms")
        await harness.finished()
        assert harness.recipients("F0").count("centre") == number + 1
        over = event(Happening.RESTORED, kind=fire, cause=f"e{number}", seconds=seconds + 30)
        await harness.take(over, topic="alarms")
        harness.clock.forward(60)


async def test_fire_on_the_same_loop_as_a_runaway_component_is_told_at_once() -> None:
    harness = Harness(flapping=FLAPS, grouping=GROUPING)
    await flap(harness, 6)
    fired = event(Happening.FIRED, kind=CaseKind.FIRE, cause="s", seconds=harness.clock.monotonic(), point="2-014")
    await harness.take(fired, topic="alarms")
    await harness.finished()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]


async def test_a_runaway_component_is_one_case_for_whoever_repairs_it_and_holds_no_fire_back() -> None:
    ladder = {CaseKind.RUNAWAY_COMPONENT: (step("R0", 0, Recipient.MAINTENANCE, Recipient.UNIT_CONTROL_ROOM),)}
    harness = Harness(group_wait=timedelta(0), ladders={**RULES.ladders, **ladder})
    await harness.take(event(kind=CaseKind.RUNAWAY_COMPONENT, point="1-002"))
    await harness.take(event(Happening.CHANGED, kind=CaseKind.RUNAWAY_COMPONENT, point="1-003"))
    await harness.work()
    assert harness.recipients("R0") == ["room-U1"]
    await harness.take(event(kind=CaseKind.FIRE, point="1-002"))
    await harness.work()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]
    await harness.take(event(Happening.ENDED, kind=CaseKind.RUNAWAY_COMPONENT))
    assert {case.kind for case in harness.store.tables.cases.values() if case.is_open} == {CaseKind.FIRE}
