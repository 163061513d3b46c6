"""Declared area events: what begins meanwhile is opened and shown, and told when the event ends. A fire never waits."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.pack import AreaEvent as WireEvent
from services.alerts.adapters.case_explanation import explained
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.escalation.deadlines import WEEKDAYS, reply_due, working_time_end
from services.alerts.domain.escalation.guarded import AreaEvent, GuardedTime, elapsed_end
from services.kernel.calendar import CHINA
from services.kernel.words import AlarmState
from tests.unit.alerts.build import T0, event
from tests.unit.alerts.harness import Harness

TYPHOON = GuardedTime("台风", "Typhoon", date(2026, 3, 4), date(2026, 3, 5), 0, "proposal")
NEXT_DAYS = replace(TYPHOON, first=date(2026, 3, 5), last=date(2026, 3, 7))
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
OVER = datetime(2026, 3, 6, tzinfo=CHINA)
KINDS = frozenset({CaseKind.CONNECTION_LOST, CaseKind.FAULT})


def declared(*towns: str, kinds: frozenset[CaseKind] = KINDS) -> Harness:
    return Harness("U1", area_events=(AreaEvent(TYPHOON, frozenset(towns), kinds),), group_wait=timedelta(0))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("towns", [("T1",), ()])
async def test_what_begins_meanwhile_is_open_and_told_when_the_event_ends(
    kind: CaseKind, towns: tuple[str, ...]
) -> None:
    here = declared(*towns)
    await here.take(event(kind=kind))
    (case,) = here.store.tables.cases.values()
    assert case.is_open
    await here.pass_time((OVER - T0 - HOUR).total_seconds(), every=3600)
    assert here.carrier.sent == []
    opened = next(entry for entry in here.store.tables.audit if entry.action == "case_opened")
    assert opened.detail["declared"] == "台风 2026-03-04 - 2026-03-05", "why nobody was told"
    await here.pass_time(2 * 3600)
    assert here.recipients("H0") != []
    lines = list(explained(case, AlarmState.UNACKNOWLEDGED, [], []))
    assert "  its clocks stand still from 2026-03-04 to 2026-03-05: 台风 Typhoon (proposal)" in lines


async def test_what_began_before_the_event_goes_on_climbing_through_it() -> None:
    here = Harness("U1", area_events=(AreaEvent(NEXT_DAYS, frozenset(), KINDS),), group_wait=timedelta(0))
    evening = (datetime(2026, 3, 5, tzinfo=CHINA) - T0 - HOUR / 2).total_seconds()
    here.clock.forward(evening)
    await here.take(event(seconds=evening))
    await here.pass_time(3 * 3600, every=600)
    (case,) = here.store.tables.cases.values()
    assert case.guarded == ()
    assert case.step != "H0"
    assert here.recipients("H1") != [], "an hour after the loss, as on any day"
    opened = next(entry for entry in here.store.tables.audit if entry.action == "case_opened")
    assert "declared" not in opened.detail


async def test_what_begins_in_the_first_and_in_the_last_minute_is_held_and_not_behind() -> None:
    everywhere = AreaEvent(TYPHOON, frozenset(), KINDS)
    minute = timedelta(minutes=1)
    for begins, held in (
        (local(4) - minute, False),
        (local(4), True),
        (OVER - minute, True),
        (OVER, False),
    ):
        assert everywhere.holds(CaseKind.FAULT, "T1", begins.astimezone(UTC)) is held, begins


async def test_the_ladder_goes_on_from_there_and_takes_no_two_steps_at_once() -> None:
    here = declared()
    await here.take(event())
    await here.pass_time((OVER - T0 + HOUR / 2).total_seconds(), every=1800)
    (case,) = here.store.tables.cases.values()
    assert case.step == "H0"
    assert case.next_step_at is not None
    assert case.next_step_at >= OVER + HOUR


async def test_what_is_over_before_the_event_ends_is_told_to_nobody() -> None:
    here = declared()
    await here.take(event(), event(Happening.ENDED, seconds=3600))
    await here.pass_time(4 * 86400, every=7200)
    assert here.carrier.sent == []


async def test_elsewhere_and_of_other_kinds_everything_is_told_as_ever() -> None:
    for here in (declared("T2"), declared(kinds=frozenset({CaseKind.ISOLATION}))):
        await here.take(event())
        await here.pass_time(1200)
        assert here.recipients("H0") != []


@pytest.mark.parametrize("kind", sorted(URGENT))
async def test_no_alarm_waits_whatever_is_declared(kind: CaseKind) -> None:
    here = declared(kinds=frozenset(CaseKind))
    began = Happening.FIRED if kind is CaseKind.FIRE else Happening.BEGAN
    await here.take(event(began, kind=kind, point="1"), topic="alarms")
    await here.pass_time(10)
    assert here.carrier.sent != []


async def test_what_begins_anew_in_an_event_that_was_declared_since_waits_too() -> None:
    here = declared()
    here.directory.pack = replace(here.directory.pack, area_events=())
    await here.take(event())
    await here.pass_time(1200)
    await here.take(event(Happening.ENDED, seconds=1500))
    before = len(here.carrier.sent)
    here.directory.pack = replace(here.directory.pack, area_events=declared().directory.pack.area_events)
    await here.take(event(cause="d2", seconds=1800))
    await here.work()
    told = [ready for _, ready in here.carrier.sent[before:] if ready.purpose == "notice"]
    assert told == []
    (case,) = here.store.tables.cases.values()
    assert case.next_step_at is not None
    assert case.next_step_at >= OVER


async def test_what_begins_anew_before_an_event_is_not_held_by_it() -> None:
    here = Harness("U1", area_events=(AreaEvent(NEXT_DAYS, frozenset(), KINDS),), group_wait=timedelta(0))
    await here.take(event(), event(Happening.ENDED, seconds=600))
    await here.take(event(cause="d2", seconds=1800))
    (case,) = here.store.tables.cases.values()
    assert case.is_open
    assert case.guarded == ()


def local(day: int, hour: float = 0) -> datetime:
    return datetime(2026, 3, day, tzinfo=CHINA) + timedelta(hours=hour)


def test_clocks_of_every_sort_stand_still() -> None:
    twice = GuardedTime("周", "week", date(2026, 3, 5), date(2026, 3, 7), 2, "proposal")
    assert elapsed_end(local(4, 16), timedelta(0), (TYPHOON,)) == OVER
    assert elapsed_end(local(3, 20), 8 * HOUR, (TYPHOON,)) == local(6, 4)
    assert elapsed_end(local(4, 16), 4 * HOUR, (TYPHOON, twice)) == local(6, 2), "the event holds where both do"
    assert working_time_end(local(4, 16), 4 * HOUR, WEEKDAYS.is_working, (TYPHOON,)) == local(6, 4)
    assert reply_due(local(3, 9), 2, WEEKDAYS.is_working, (TYPHOON,)) == local(10), "Friday and Monday"


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_longer_wait_never_ends_earlier(first: int, second: int) -> None:
    less, more = sorted((first, second))
    assert elapsed_end(T0, timedelta(seconds=less), (TYPHOON,)) <= elapsed_end(T0, timedelta(seconds=more), (TYPHOON,))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"last": date(2026, 3, 3)}, "last"),
        ({"last": date(2026, 3, 18)}, "less than 14 days"),
        ({"kinds": ("fire",)}, "nothing holds back fire"),
        ({"kinds": ()}, "kinds"),
    ],
)
def test_a_pack_that_declares_too_much_is_refused(changes: dict[str, object], said: str) -> None:
    plain = {
        "name_zh": "台风",
        "name_en": "Typhoon",
        "first": date(2026, 3, 4),
        "last": date(2026, 3, 5),
        "clause": "x",
    }
    assert WireEvent.model_validate(plain).kinds == ("connection_lost", "fault")
    with pytest.raises(ValidationError, match=said):
        WireEvent.model_validate(plain | changes)
