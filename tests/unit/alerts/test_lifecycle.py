"""Cases: opened, joined, reopened, closed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.domain.case.case import Grouping, case_id_of
from services.alerts.domain.case.event import Component, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import Action, Known, close, decide
from tests.unit.alerts.build import RULES, at, case, event, terms

FIRE = CaseKind.FIRE


def test_first_finding_opens_a_case_and_holds_its_first_step_back() -> None:
    decision = decide(Known(), event(), terms(), at(5))
    assert decision.action is Action.OPENED
    assert decision.case is not None
    assert decision.case.next_step == "H0"
    assert decision.case.next_step_at == at(5 + 30)
    assert decision.case.case_id == case_id_of(event().finding_id)


def test_waits_of_the_pack_are_divided_by_the_clock_rate() -> None:
    decision = decide(Known(), event(), terms(rate=60), at(0))
    assert decision.case is not None
    assert decision.case.next_step_at == at(0.5)


def test_fire_is_never_held_back() -> None:
    decision = decide(Known(), event(Happening.FIRED, kind=FIRE), terms(), at(0))
    assert decision.case is not None
    assert decision.case.next_step_at == at(0)


def test_kind_without_ladder_still_tells_the_centre() -> None:
    decision = decide(Known(), event(), terms(ladders={}), at(0))
    assert decision.case is not None
    assert [step.code for step in decision.case.ladder] == ["N0"]


def test_ladder_is_a_snapshot() -> None:
    opened = case()
    later = decide(Known(open=opened), event(Happening.CHANGED), terms(ladders={}), at(9)).case
    assert later is not None
    assert later.ladder == opened.ladder


def test_finding_of_rules_joins_the_case_of_the_fire_lane() -> None:
    burning = case(FIRE)
    decision = decide(Known(open=burning, same=burning), event(kind=FIRE), terms(), at(1))
    assert decision.action is Action.SIGHTED


def test_finding_that_comes_after_its_fire_was_over_changes_nothing() -> None:
    over = close(case(FIRE), "restored", at(3))
    assert decide(Known(same=over, last_closed=over), event(kind=FIRE), terms(), at(4)).action is Action.IGNORED


def test_lagging_finding_does_not_touch_the_next_fire() -> None:
    over = close(case(FIRE), "restored", at(3))
    burning = case(FIRE, finding_id="U1-fire-d2", case_id=case_id_of("U1-fire-d2"))
    for happening in (Happening.BEGAN, Happening.ENDED):
        decision = decide(Known(open=burning, same=over), event(happening, kind=FIRE), terms(), at(4))
        assert decision.action in (Action.IGNORED, Action.RECORDED)
        assert decision.case is not None
        assert decision.action is Action.IGNORED or decision.case.case_id == over.case_id


@pytest.mark.parametrize(("point", "action"), [("1", Action.SIGHTED), ("2", Action.COMPONENT_ADDED)])
def test_only_a_new_point_is_news(point: str, action: Action) -> None:
    opened = decide(Known(), event(Happening.FIRED, kind=FIRE, point="1"), terms(), at(0)).case
    decision = decide(Known(open=opened), event(Happening.FIRED, kind=FIRE, point=point, seconds=1), terms(), at(1))
    assert decision.action is action


def test_fire_ends_with_its_last_point() -> None:
    opened = decide(Known(), event(Happening.FIRED, kind=FIRE, point="1"), terms(), at(0)).case
    both = decide(Known(open=opened), event(Happening.FIRED, kind=FIRE, point="2"), terms(), at(1)).case
    one = decide(Known(open=both), event(Happening.RESTORED, kind=FIRE, point="1"), terms(), at(2))
    assert one.action is Action.COMPONENT_ENDED
    last = decide(Known(open=one.case), event(Happening.RESTORED, kind=FIRE, point="2"), terms(), at(3))
    assert last.action is Action.CLOSED


def test_restore_without_a_point_ends_all() -> None:
    opened = decide(Known(), event(Happening.FIRED, kind=FIRE, point="1"), terms(), at(0)).case
    assert decide(Known(open=opened), event(Happening.RESTORED, kind=FIRE), terms(), at(1)).action is Action.CLOSED


def test_the_end_of_a_whole_system_ends_its_points_and_no_others() -> None:
    fires = [
        replace(event(Happening.FIRED, kind=FIRE), component=Component(*component))
        for component in (("1", "1.0"), ("2", "12.0"))
    ]
    burning = None
    for fire in fires:
        burning = decide(Known(open=burning), fire, terms(), at(0)).case
    ends = [
        replace(event(Happening.RESTORED, kind=FIRE), component=Component("*", system)) for system in ("1.0", "12.0")
    ]
    first = decide(Known(open=burning), ends[0], terms(), at(1))
    assert first.case is not None
    assert (first.action, first.case.fire.burning) == (Action.COMPONENT_ENDED, frozenset({"12.0|2"}))
    assert decide(Known(open=first.case), ends[1], terms(), at(2)).action is Action.CLOSED


def test_restore_of_an_unknown_point_leaves_the_fire_open() -> None:
    opened = decide(Known(), event(Happening.FIRED, kind=FIRE, point="1"), terms(), at(0)).case
    decision = decide(Known(open=opened), event(Happening.RESTORED, kind=FIRE, point="9"), terms(), at(1))
    assert decision.action is Action.RECORDED
    assert decision.case is not None
    assert decision.case.is_open


def test_end_of_another_finding_does_not_close() -> None:
    opened = case()
    assert decide(Known(open=opened), event(Happening.ENDED, cause="d9"), terms(), at(9)).action is Action.IGNORED
    assert decide(Known(open=opened), event(Happening.ENDED), terms(), at(9)).action is Action.CLOSED


def test_drop_within_the_packs_time_reopens_the_case_and_repeats_no_step() -> None:
    over = close(case(step="H1"), "signal", at(600))
    decision = decide(Known(last_closed=over), event(cause="d2", seconds=900), terms(), at(901))
    assert decision.action is Action.REOPENED
    assert decision.case is not None
    assert (decision.case.case_id, decision.case.sightings.drops, decision.case.next_step) == (over.case_id, 2, "H2")
    assert decision.case.next_step_at == at(900) + timedelta(hours=4)


def test_boundary_of_reopening_is_inside() -> None:
    over = close(case(), "signal", at(0))
    edge = RULES.reopen_within.total_seconds()
    within = decide(Known(last_closed=over), event(cause="d2", seconds=edge), terms(), at(edge))
    beyond = decide(Known(last_closed=over), event(cause="d2", seconds=edge + 1), terms(), at(edge + 1))
    assert (within.action, beyond.action) == (Action.REOPENED, Action.OPENED)


def test_fire_never_reopens_an_old_fire() -> None:
    over = close(case(FIRE, step="F0"), "restored", at(10))
    again = event(Happening.FIRED, kind=FIRE, cause="d2", seconds=20)
    assert decide(Known(last_closed=over), again, terms(), at(20)).action is Action.OPENED


def test_reopening_asks_for_a_new_acknowledgement_and_leaves_the_common_cause() -> None:
    over = replace(close(case(step="H0"), "signal", at(10)), grouping=Grouping(common_case_id=case_id_of("x")))
    decision = decide(Known(last_closed=over), event(cause="d2", seconds=20), terms(), at(20))
    assert decision.case is not None
    assert decision.case.acknowledged is None
    assert decision.case.grouping.common_case_id is None
