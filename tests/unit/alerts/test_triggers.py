"""What makes a step of a ladder due, and what it is not taken any more for."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas import strict_yaml
from schemas.pack import Pack
from services.alerts.adapters.calendar import ChinaCalendar
from services.alerts.adapters.packs import rules_of
from services.alerts.adapters.rows import step_json, step_of_json
from services.alerts.domain.case.case import Acknowledgement, Case
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.who import Who
from services.alerts.domain.escalation.deadlines import WEEKDAYS, working_time_end
from services.alerts.domain.escalation.ladder import Pace, awaited, climb, clock_from, following, past_exits
from services.alerts.domain.escalation.pack_rules import PackRules
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import Elapsed, OnEvent, Trigger, WorkingDays, WorkingTime
from services.kernel.calendar import CHINA
from services.kernel.words import CaseEvent, Recipient, StepExit, WorkingCalendarName
from tests.unit.alerts.build import FIRE_LADDER, RULES, T0, at, case, clocks, event, step
from tests.unit.alerts.harness import Harness
from tests.unit.registry.builders import PACK_FILE

CN = WorkingCalendarName.CN
SEEN = Acknowledgement(at(1), "officer", "console", "", "H0")
UNTIL_SEEN = (StepExit.CASE_CLOSED, StepExit.ACKNOWLEDGED)
CENTRE = (Recipient.CENTRE,)


def china(day: int, hour: int = 0, month: int = 10) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=CHINA)


def waiting(trigger: Trigger, detected_at: datetime, pace: Pace) -> Case:
    """A case whose first step is taken, and whose second has this trigger."""
    ladder = (step("H0", 0, *CENTRE), step("H1", 0, *CENTRE, trigger=trigger))
    return climb(replace(case(), ladder=ladder, detected_at=detected_at), ladder[0], detected_at, pace)


@pytest.mark.parametrize(
    ("trigger", "due_at"),
    [
        (Elapsed(timedelta(hours=4)), china(1, 2)),
        (WorkingDays(3, CN), china(11)),  # 8 and 9 October, and Saturday the 10th, worked for the holiday
        (WorkingTime(timedelta(hours=4), CN), china(8, 2)),
        (WorkingTime(timedelta(hours=2), CN), china(1)),
    ],
    ids=["elapsed", "working days", "working time over the holiday", "working time to its last second"],
)
def test_step_falls_due_by_its_trigger(trigger: Trigger, due_at: datetime) -> None:
    one = waiting(trigger, china(30, 22, month=9), Pace(1, ChinaCalendar()))
    assert one.next_step == "H1"
    assert one.next_step_at == due_at


def test_only_what_working_days_were_asked_for_names_their_version() -> None:
    calendar = ChinaCalendar()
    found = [
        waiting(trigger, T0, Pace(1, calendar)).clocks.step for trigger in (Elapsed(timedelta(0)), WorkingDays(1, CN))
    ]
    assert [clock and clock.calendar_version for clock in found] == [None, calendar.version]
    assert ChinaCalendar(2027).version != ChinaCalendar(2026).version


def test_a_faster_clock_shortens_working_time_too() -> None:
    one, fast = (waiting(WorkingDays(2, CN), T0, Pace(rate, ChinaCalendar())).next_step_at for rate in (1, 100))
    assert one is not None
    assert fast == T0 + (one - T0) / 100


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        (china(9, 12), 12, china(10)),  # Friday noon: the rest of the day
        (china(9, 12), 13, china(12, 1)),  # and an hour of Monday
        (china(10, 5), 1, china(12, 1)),  # begun on a Saturday: nothing of it counts
        (china(5, 0), 24 * 6, china(13)),
    ],
)
def test_working_time_passes_on_working_days_only(start: datetime, hours: float, end: datetime) -> None:
    assert working_time_end(start.astimezone(UTC), timedelta(hours=hours), WEEKDAYS.is_working) == end


def test_a_calendar_without_working_days_is_refused() -> None:
    def never(day: date) -> bool:
        return False

    with pytest.raises(ValueError, match="no working day"):
        working_time_end(T0, timedelta(hours=1), never)


def test_step_that_waits_for_an_event_has_no_clock_and_takes_no_other_event() -> None:
    one = waiting(OnEvent(CaseEvent.REOPENED), T0, Pace())
    assert (one.next_step, following(one)) == (None, one.ladder[1])
    assert awaited(one, CaseEvent.REOPENED) is one.ladder[1]
    assert [awaited(one, other) for other in ("sighted", "opened", CaseEvent.COMPONENT_ADDED)] == [None] * 3
    assert awaited(climb(one, one.ladder[1], at(9), Pace()), CaseEvent.REOPENED) is None


async def test_step_is_taken_once_when_its_event_comes() -> None:
    ladder = (step("H0", 0, *CENTRE), step("H1", 0, *CENTRE, trigger=OnEvent(CaseEvent.REOPENED)))
    harness = Harness(ladders={**RULES.ladders, CaseKind.CONNECTION_LOST: ladder})
    await harness.take(event())
    await harness.pass_time(7200)
    assert Counter(harness.recipients("H1")) == {}
    for drop in (1, 2):
        seconds = drop * 7200
        await harness.take(event(Happening.ENDED, cause=f"d{drop}", seconds=seconds))
        await harness.take(event(cause=f"d{drop + 1}", seconds=seconds + 60))
        await harness.pass_time(60, every=30)
    assert Counter(harness.recipients("H1")) == {"centre": 1}


async def test_further_component_on_fire_takes_the_step_that_waits_for_it() -> None:
    ladder = (*FIRE_LADDER, step("F1", 0, Recipient.BRIGADE, trigger=OnEvent(CaseEvent.COMPONENT_ADDED)))
    harness = Harness(ladders={**RULES.ladders, CaseKind.FIRE: ladder})
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, point="1"), topic="alarms")
    await harness.work()
    assert harness.recipients("F1") == []
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="d2", point="2"), topic="alarms")
    await harness.work()
    assert (harness.recipients("F0.p2"), harness.recipients("F1")) == (["centre"], ["brigade"])


def exits(*of_steps: Sequence[StepExit]) -> tuple[LadderStep, ...]:
    return tuple(step(f"H{n}", n, *CENTRE, exits=tuple(each)) for n, each in enumerate(of_steps))


def test_acknowledged_case_passes_over_the_steps_that_name_it_as_their_exit() -> None:
    plain = (StepExit.CASE_CLOSED,)
    one = replace(case(), ladder=exits(plain, UNTIL_SEEN, plain, UNTIL_SEEN))
    one = climb(one, one.ladder[0], at(0), Pace())
    assert one.next_step == "H1"
    seen = past_exits(replace(one, acknowledged=SEEN), at(2), Pace())
    assert (seen.next_step, seen.next_step_at) == ("H2", at(2 * 3600))
    assert climb(seen, one.ladder[2], at(2 * 3600), Pace()).clocks == clocks()
    assert past_exits(one, at(2), Pace()) is one


def test_exit_that_ends_takes_the_step_back_in() -> None:
    one = replace(case(), ladder=exits((StepExit.CASE_CLOSED,), UNTIL_SEEN), step="H0", acknowledged=SEEN)
    assert clock_from(one, at(2), timedelta(0), Pace()).next_step is None
    assert clock_from(replace(one, acknowledged=None), at(2), timedelta(0), Pace()).next_step == "H1"


async def test_acknowledging_stops_no_step_of_the_sample_ladder() -> None:
    """As ever: reminders stop, the clock goes on (rule 3 of the ladder)."""
    harness = Harness()
    await harness.take(event())
    await harness.pass_time(60, every=30)
    ((case_id, _),) = harness.store.tables.cases.items()
    before = harness.store.tables.cases[case_id].clocks
    await harness.acknowledgements.acknowledge(case_id, Who("officer", None, "console"), "")
    assert harness.store.tables.cases[case_id].clocks == before
    await harness.pass_time(25 * 3600)
    assert Counter(harness.recipients("H4")) == {"health": 1, "street": 1}


async def test_acknowledging_stops_the_steps_that_say_so() -> None:
    ladder = exits((StepExit.CASE_CLOSED,), UNTIL_SEEN, (StepExit.CASE_CLOSED,))
    harness = Harness(ladders={**RULES.ladders, CaseKind.CONNECTION_LOST: ladder})
    await harness.take(event())
    await harness.pass_time(60, every=30)
    ((case_id, _),) = harness.store.tables.cases.items()
    await harness.acknowledgements.acknowledge(case_id, Who("officer", None, "console"), "")
    assert harness.store.tables.cases[case_id].next_step == "H2"
    await harness.pass_time(4 * 3600)
    assert (harness.recipients("H1"), harness.recipients("H2")) == ([], ["centre"])


async def test_step_whose_exit_came_unseen_is_not_taken_when_it_falls_due() -> None:
    """As when the version before took the acknowledgement: it knows no exits."""
    ladder = exits((StepExit.CASE_CLOSED,), UNTIL_SEEN)
    harness = Harness(ladders={**RULES.ladders, CaseKind.CONNECTION_LOST: ladder})
    await harness.take(event())
    await harness.pass_time(60, every=30)
    ((case_id, one),) = harness.store.tables.cases.items()
    harness.store.tables.cases[case_id] = replace(one, acknowledged=SEEN)
    await harness.pass_time(2 * 3600)
    assert harness.recipients("H1") == []
    assert harness.store.tables.cases[case_id].clocks == clocks()


TRIGGERS = [
    Elapsed(timedelta(hours=1)),
    WorkingDays(3, CN),
    WorkingTime(timedelta(hours=8), CN),
    OnEvent(CaseEvent.COMPONENT_ENDED),
]


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda trigger: type(trigger).__name__)
def test_step_comes_back_from_a_snapshot_as_it_was(trigger: Trigger) -> None:
    one = step("H1", 0, *CENTRE, trigger=trigger, exits=UNTIL_SEEN, reply_working_days=3)
    assert step_of_json(json.loads(json.dumps(step_json(one)))) == one


def test_ladder_of_a_case_that_was_opened_before_there_were_triggers_still_parses() -> None:
    stored = (
        '{"code": "H4", "after_s": 86400.0, "tells": ["department", "street"], "document": "I4", "name_zh": "抄告",'
        ' "name_en": "Copy-notice", "reply_working_days": 3, "board_only": false, "clause": "002 三"}'
    )
    found = step_of_json(json.loads(stored))
    assert (found.trigger, found.exits) == (Elapsed(timedelta(days=1)), (StepExit.CASE_CLOSED,))


def test_a_recipient_of_the_next_version_stops_no_ladder() -> None:
    stored = step_json(step("H0", 0, *CENTRE))
    found = step_of_json({**stored, "tells": [*stored["tells"], "of_the_next_version"]})
    assert found.tells == CENTRE


def sample_rules(old: str = "", new: str = "") -> PackRules:
    text = PACK_FILE.read_text(encoding="utf-8")
    assert old in text
    return rules_of(Pack.model_validate(strict_yaml.read(text.replace(old, new, 1))), expired=False)


@pytest.mark.parametrize(
    ("written", "trigger"),
    [
        ("after_s: 3600", TRIGGERS[0]),
        ("trigger: {elapsed: {after_s: 3600}}", TRIGGERS[0]),
        ("trigger: {working_time: {working_days: 3, calendar: CN}}", TRIGGERS[1]),
        ("trigger: {working_time: {working_s: 28800, calendar: CN}}", TRIGGERS[2]),
    ],
)
def test_pack_says_what_makes_a_step_due(written: str, trigger: Trigger) -> None:
    rules = sample_rules("after_s: 3600", f"{written}, exit: [case_closed, acknowledged]")
    found = rules.ladders[CaseKind.FAULT][1]
    assert (found.trigger, found.exits) == (trigger, UNTIL_SEEN)


def test_pack_lets_the_last_step_wait_for_an_event() -> None:
    rules = sample_rules(
        "{code: H8, trigger: {period_close: {period: year}}", "{code: H8, trigger: {event: {kind: reopened}}"
    )
    assert rules.ladders[CaseKind.FAULT][-1].trigger == OnEvent(CaseEvent.REOPENED)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", list(CaseKind))
def test_of_the_sample_pack_only_what_asks_for_a_reply_has_an_exit_of_its_own(kind: CaseKind) -> None:
    own = {one.code for one in sample_rules().ladders.get(kind, ()) if one.exits != (StepExit.CASE_CLOSED,)}
    assert own <= {"H4R", "O1R"}
