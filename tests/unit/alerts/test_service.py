"""The service on memory and a fake clock: whole stories, and random ones that must keep the promises."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.ladder import following
from services.alerts.domain.escalation.pack_rules import WITHOUT_PACK
from services.alerts.ports import Ready
from services.kernel.words import Purpose
from tests.fakes.alerts_store import states
from tests.unit.alerts.build import clocks, event
from tests.unit.alerts.harness import Harness

OFFICER = Who("officer", None, "console")


async def test_story_of_a_lost_connection() -> None:
    harness = Harness()
    await harness.take(event())
    await harness.work()
    assert not harness.carrier.sent, "the first notice is held back"
    await harness.pass_time(30)
    assert sorted(harness.recipients("H0")) == ["centre", "room-U1"]
    await harness.pass_time(24 * 3600)
    assert harness.recipients("H2") == ["street"]
    assert harness.recipients("H3") == []
    assert sorted(harness.recipients("H4")) == ["health", "street"]
    case = next(iter(harness.store.tables.cases.values()))
    assert case.reply_due_at is not None
    await harness.take(event(Happening.ENDED))
    await harness.work()
    assert sorted(harness.recipients("CLEAR")) == ["centre", "health", "room-U1", "street"]


async def test_a_district_without_a_pack_still_has_its_alarms_told_and_is_counted() -> None:
    harness = Harness()
    harness.directory.pack = WITHOUT_PACK
    await harness.take(event(cause="d1"))
    await harness.take(event(Happening.FIRED, cause="s1", kind=CaseKind.FIRE))
    await harness.finished()
    await harness.pass_time(24 * 3600)
    assert (sorted(harness.recipients("F0")), harness.recipients("N0")) == (["centre", "room-U1"], ["centre"])
    assert {case.pack_id for case in harness.store.tables.cases.values()} == {"none"}
    assert harness.registry.get_sample_value("firenet_alerts_cases_without_pack_total") == 2


async def test_unit_that_is_back_before_the_first_notice_bothers_nobody() -> None:
    harness = Harness()
    await harness.take(event())
    harness.clock.forward(20)
    await harness.take(event(Happening.ENDED))
    await harness.pass_time(3600)
    assert not harness.carrier.sent


async def test_flapping_is_one_case_with_one_notice_per_step() -> None:
    harness = Harness()
    for drop in range(10):
        seconds = drop * 360
        await harness.take(event(cause=f"d{drop}", seconds=seconds))
        await harness.pass_time(180, every=60)
        await harness.take(event(Happening.ENDED, cause=f"d{drop}", seconds=seconds + 180))
        await harness.pass_time(180, every=60)
    (case,) = harness.store.tables.cases.values()
    assert case.sightings.drops == 10
    assert Counter(harness.recipients("H0")) == {"centre": 1, "room-U1": 1}
    assert Counter(harness.recipients("CLEAR")) == {"centre": 1, "room-U1": 1}


async def test_finding_whose_case_went_on_under_another_comes_too_late() -> None:
    harness = Harness()
    for cause, seconds in (("d1", 0), ("d2", 60)):
        await harness.take(event(cause=cause, seconds=seconds))
        await harness.take(event(Happening.ENDED, cause=cause, seconds=seconds + 30))
    late = 30 * 24 * 3600
    await harness.take(event(Happening.CHANGED, cause="d1", seconds=late))
    await harness.take(event(cause="d3", seconds=late))
    assert [case.is_open for case in harness.store.tables.cases.values()] == [False, True]


async def test_repeated_records_have_no_second_effect() -> None:
    harness = Harness()
    await harness.take(event(), event())
    await harness.take(event())
    await harness.pass_time(60, every=30)
    assert len(harness.store.tables.cases) == 1
    assert sorted(harness.recipients("H0")) == ["centre", "room-U1"]


async def test_fire_is_told_at_once_and_each_further_point_to_the_centre() -> None:
    harness = Harness()
    fire = CaseKind.FIRE
    await harness.take(event(Happening.FIRED, kind=fire, point="1"), topic="alarms")
    await harness.deliver()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U1"]
    await harness.take(event(kind=fire, point="1"))  # the finding of the same signal
    await harness.take(event(Happening.FIRED, kind=fire, cause="d2", point="2"), topic="alarms")
    await harness.deliver()
    assert harness.recipients("F0.p2") == ["centre"]
    await harness.take(event(Happening.RESTORED, kind=fire, cause="d3"), topic="alarms")
    await harness.deliver()
    assert sorted(harness.recipients("CLEAR")) == ["centre", "room-U1"]
    assert all(row.state == "accepted" for row in harness.store.tables.notices.values())


async def test_second_fire_of_the_day_is_told_again() -> None:
    harness = Harness()
    for cause in ("s1", "s2"):
        await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause=cause), topic="alarms")
        await harness.deliver()
        await harness.take(event(Happening.RESTORED, kind=CaseKind.FIRE, cause=f"{cause}-end"), topic="alarms")
        await harness.pass_time(60)
    assert Counter(harness.recipients("F0")) == {"centre": 2, "room-U1": 2}


async def test_end_and_next_fire_in_one_batch_are_both_told() -> None:
    harness = Harness()
    fire = CaseKind.FIRE
    await harness.take(event(Happening.FIRED, kind=fire, cause="s1", point="1"), topic="alarms")
    await harness.finished()
    over = event(Happening.RESTORED, kind=fire, cause="s1-end", point="1", seconds=1)
    again = event(Happening.FIRED, kind=fire, cause="s2", point="1", seconds=2)
    await harness.take(over, again, topic="alarms")
    await harness.deliver()
    assert Counter(harness.recipients("F0")) == {"centre": 2, "room-U1": 2}
    assert Counter(harness.recipients("CLEAR")) == {"centre": 1, "room-U1": 1}
    assert [case.is_open for case in harness.store.tables.cases.values()] == [False, True]


async def test_fire_lane_that_comes_late_does_not_end_the_fire_that_burns_now() -> None:
    harness = Harness()
    fire = CaseKind.FIRE
    for happening, cause, seconds in (
        (Happening.BEGAN, "s1", 0),
        (Happening.ENDED, "s1", 1),
        (Happening.BEGAN, "s2", 2),
    ):
        await harness.take(event(happening, kind=fire, cause=cause, point="1", seconds=seconds))
    stories = ((Happening.FIRED, "s1", 0), (Happening.RESTORED, "s1-end", 1), (Happening.FIRED, "s2", 2))
    for happening, cause, seconds in stories:
        await harness.take(event(happening, kind=fire, cause=cause, point="1", seconds=seconds), topic="alarms")
    await harness.deliver()
    assert [case.is_open for case in harness.store.tables.cases.values()] == [False, True]
    await harness.take(event(Happening.RESTORED, kind=fire, cause="s2-end", point="1", seconds=3), topic="alarms")
    assert not any(case.is_open for case in harness.store.tables.cases.values())


async def test_acknowledging_takes_back_what_waits_and_leaves_the_clock() -> None:
    harness = Harness()
    harness.carrier.answers = [Outcome(Reason.TIMEOUT), Outcome(Reason.TIMEOUT)]
    await harness.take(event())
    harness.clock.forward(30)
    await harness.work()
    (case_id,) = harness.store.tables.cases
    harness.clock.forward(0.1)
    assert await harness.acknowledgements.acknowledge(case_id, OFFICER, "seen") is Reply.DONE
    assert await harness.acknowledgements.acknowledge(case_id, OFFICER, "seen") is Reply.ALREADY
    await harness.pass_time(24 * 3600)
    assert len(harness.recipients("H0")) == 2, "no further attempt after the acknowledgement"
    assert states(harness.store)["H0"] == ["cancelled", "cancelled"]
    assert sorted(harness.recipients("H4")) == ["health", "street"]


async def test_acknowledging_at_the_very_instant_of_a_step_does_not_take_back_the_next() -> None:
    harness = Harness()
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s1", point="1"), topic="alarms")
    (case_id,) = harness.store.tables.cases
    assert await harness.acknowledgements.acknowledge(case_id, OFFICER, "seen") is Reply.DONE
    harness.clock.forward(-0.5)  # the clock of the machine with the fire lane is that much behind
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s2", point="2"), topic="alarms")
    await harness.pass_time(2, every=1)
    assert harness.recipients("F0.p2") == ["centre"]


async def test_all_clear_that_waits_is_taken_back_when_the_unit_drops_again() -> None:
    harness = Harness()
    await harness.take(event())
    harness.clock.forward(30)
    await harness.work()
    harness.carrier.answers = [Outcome(Reason.TIMEOUT), Outcome(Reason.TIMEOUT)]
    await harness.take(event(Happening.ENDED, seconds=60))
    await harness.deliver()
    await harness.take(event(cause="d2", seconds=61))
    await harness.pass_time(600, every=60)
    assert states(harness.store)["CLEAR"] == ["cancelled", "cancelled"]
    await harness.take(event(Happening.ENDED, cause="d2", seconds=700))
    await harness.deliver()
    assert sorted(harness.recipients("CLEAR"))[-2:] == ["room-U1", "room-U1"]


async def test_many_losses_become_one_notice_and_are_followed_up_after_the_hold() -> None:
    units = [f"U{number}" for number in range(5)]
    harness = Harness(*units)
    await harness.take(*[event(of=name, seconds=number) for number, name in enumerate(units)])
    await harness.pass_time(1500, every=30)
    assert [ready.to.contact_id for _, ready in harness.carrier.sent] == ["centre"]
    await harness.take(*[event(Happening.ENDED, of=name, seconds=1500) for name in units[:4]])
    await harness.pass_time(900, every=30)
    assert sorted(harness.recipients("H0")) == ["centre", "room-U4"]
    await harness.take(event(Happening.ENDED, of="U4", seconds=2400))
    await harness.pass_time(60, every=30)
    assert Counter(harness.recipients("CLEAR")) == {"centre": 2, "room-U4": 1}  # of U4's case and of the common one
    assert not any(case.is_open for case in harness.store.tables.cases.values())


async def test_case_that_is_due_without_a_step_is_put_right() -> None:
    harness = Harness()
    await harness.take(event())
    ((case_id, case),) = harness.store.tables.cases.items()
    harness.store.tables.cases[case_id] = replace(case, step="H4", clocks=clocks(step=("H9", 0)))
    await harness.work()
    assert harness.store.tables.cases[case_id].next_step_at is None


async def test_fire_of_a_member_is_never_held() -> None:
    units = [f"U{number}" for number in range(5)]
    harness = Harness(*units)
    await harness.take(*[event(of=name, seconds=number) for number, name in enumerate(units)])
    await harness.work()
    await harness.take(event(Happening.FIRED, of="U2", kind=CaseKind.FIRE, cause="s"), topic="alarms")
    await harness.deliver()
    assert sorted(harness.recipients("F0")) == ["centre", "room-U2"]


async def test_crash_between_send_and_record_repeats_once_with_the_same_id() -> None:
    harness = Harness()
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE), topic="alarms")
    before = harness.store.tables.copied()
    await harness.deliver()
    for row in before.notices.values():  # what a kill leaves: taken, sent, never recorded
        row.state, row.attempts = "sending", 1
        row.next_attempt_at = harness.clock.now() + timedelta(seconds=60)
    harness.store.tables = before
    harness.restart()
    await harness.pass_time(120, every=30)
    copies = Counter(ready.notice_id for _, ready in harness.carrier.sent)
    assert set(copies.values()) == {2}


UNITS = ("U0", "U1", "U2", "U3")
KINDS = (CaseKind.CONNECTION_LOST, CaseKind.FAULT, CaseKind.FIRE)
MOVES = st.one_of(
    st.tuples(st.just("begin"), st.sampled_from(UNITS), st.sampled_from(KINDS)),
    st.tuples(st.just("end"), st.sampled_from(UNITS), st.sampled_from(KINDS)),
    st.tuples(st.just("wait"), st.sampled_from([1, 40, 600, 4000, 30000]), st.none()),
    st.tuples(st.just("ack"), st.integers(0, 9), st.none()),
    st.tuples(st.just("crash"), st.none(), st.none()),
    st.tuples(st.just("fail"), st.sampled_from([Reason.TIMEOUT, Reason.GONE, Reason.THROTTLED]), st.none()),
)


class Story:
    """Random moves on a harness, and what must hold after each."""

    def __init__(self) -> None:
        self.harness = Harness(*UNITS)
        self.open: dict[tuple[str, CaseKind], str] = {}
        self.number = 0
        self.broken: list[str] = []
        self.harness.carrier.watch = self.watch

    async def play(self, move: tuple[object, ...]) -> None:
        what, first, second = move
        if what != "crash":
            await self.harness.finished()  # a move of people or units takes longer than a send
        if what in ("begin", "end"):
            assert isinstance(first, str)
            assert isinstance(second, CaseKind)
            await self._say(first, second, begin=what == "begin")
        elif what == "wait":
            assert isinstance(first, int)
            self.harness.clock.forward(first)
            await self.harness.work()
        elif what == "ack":
            assert isinstance(first, int)
            await self._acknowledge(first)
        elif what == "crash":
            self.harness.kill()
        else:
            assert isinstance(first, Reason)
            self.harness.carrier.answers.append(Outcome(first))
        self.check()

    async def _say(self, name: str, kind: CaseKind, *, begin: bool) -> None:
        self.number += 1
        seconds = self.harness.clock.monotonic()
        key = (name, kind)
        cause = self.open.pop(key, None) if not begin else self.open.get(key)
        if begin:
            cause = self.open.setdefault(key, f"c{self.number}")
            happening = Happening.FIRED if kind is CaseKind.FIRE else Happening.BEGAN
        else:
            happening = Happening.RESTORED if kind is CaseKind.FIRE else Happening.ENDED
        point = f"{self.number % 3}" if kind is CaseKind.FIRE and begin else None
        said = event(happening, of=name, kind=kind, cause=cause or "never", seconds=seconds, point=point)
        await self.harness.take(said, topic="alarms" if kind is CaseKind.FIRE else "findings")

    async def _acknowledge(self, which: int) -> None:
        ids = sorted(self.harness.store.tables.cases)
        if ids:
            await self.harness.acknowledgements.acknowledge(ids[which % len(ids)], OFFICER, "")

    def check(self) -> None:
        tables = self.harness.store.tables
        opened = Counter((case.subject, case.kind) for case in tables.cases.values() if case.is_open)
        assert not [key for key, count in opened.items() if count > 1], "one open case per unit and kind"
        for case in tables.cases.values():
            assert not case.is_open or case.next_step_at or following(case) is None, "an open case has a next step"
            assert case.is_open or case.next_step_at is None, "a closed case has none"
        for row in tables.notices.values():
            if row.notice.purpose is Purpose.NOTICE:
                assert (row.notice.case_id, row.notice.step) in tables.steps, "every notice has a step behind it"
            if row.notice.first:
                assert row.state != "cancelled", "a first notice is never taken back"
        assert tables.audit or not tables.cases, "what happened is written down"
        recipients = Counter(
            (row.notice.case_id, row.notice.step, row.notice.to)
            for row in tables.notices.values()
            if row.notice.purpose is Purpose.NOTICE
        )
        assert not [key for key, count in recipients.items() if count > 1], "a step is told once"

    def watch(self, ready: Ready) -> None:
        """Look at the case at the very moment of sending."""
        case = self.harness.store.tables.cases[ready.case_id]
        row = self.harness.store.tables.notices[ready.notice_id]
        if ready.purpose is Purpose.ALL_CLEAR:
            if case.is_open:
                self.broken.append("an all-clear of an open case")
            return
        if row.notice.first:
            if case.is_open == ready.subject.endswith("over"):
                self.broken.append("a first notice that is wrong about the end")
            return
        if not case.is_open:
            self.broken.append("a notice of a closed case")
        if case.acknowledged is not None and row.notice.created_at <= case.acknowledged.at:
            self.broken.append("a notice of an acknowledged step")


@pytest.mark.thorough
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(MOVES, min_size=1, max_size=40))
def test_promises_hold_in_every_story(moves: list[tuple[object, ...]]) -> None:
    async def run() -> None:
        story = Story()
        for move in moves:
            await story.play(move)
        for _ in range(6):
            story.harness.clock.forward(5 * 3600)
            await story.harness.work()
            story.check()
        assert not story.broken

    asyncio.run(run())
