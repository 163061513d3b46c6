"""The life of a listing (挂牌督办): no way round evidence, re-check and approval, and a next step in every state."""

from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerts.domain.listing.listing import (
    ENDED,
    MAX_ACTS,
    MAX_EVIDENCE,
    NEXT,
    Listing,
    NotPossible,
    after,
    end_of,
    hindrance,
)
from services.kernel.calendar import CHINA
from services.kernel.words import ListingAct, ListingState
from tests.unit.alerts.build import T0
from tests.unit.alerts.listings import ACTS, APPROVE, FILE, HAND_IN, LIST, PASS, TODAY, done, every_day, new, said

PEOPLE = ("a", "b", "c")


def test_every_state_has_a_next_step_or_is_the_end() -> None:
    assert set(NEXT) == set(ListingState)
    assert {state for state in ListingState if not NEXT[state]} == ENDED
    reached, wave = {ListingState.PROPOSED}, {ListingState.PROPOSED}
    while wave := {to for state in wave for to in NEXT[state].values()} - reached:
        reached |= wave
    assert reached == set(ListingState), "each is reached"
    for state in set(ListingState) - ENDED:
        assert any(_leads_to_an_end(to, {state}) for to in NEXT[state].values()), state


def _leads_to_an_end(state: ListingState, seen: set[ListingState]) -> bool:
    if state in ENDED:
        return True
    return any(_leads_to_an_end(to, seen | {state}) for to in NEXT[state].values() if to not in seen)


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE), st.integers(0, 3)), max_size=60))
def test_nothing_is_closed_without_evidence_re_check_and_approval_by_another(
    story: list[tuple[ListingAct, str, int]],
) -> None:
    """Whoever tries whatever in whatever order: the acts that counted since the last setback tell the whole way."""
    listing, way, now = new(), [], T0
    for act, by, days in story:
        now += timedelta(days=days)
        before = listing
        try:
            listing = after(listing, act, by, said(now), now, every_day)
        except NotPossible:
            assert listing == before
            continue
        assert listing.revision == before.revision + 1
        assert listing.state is NEXT[before.state][act]
        way.append((act, by))
        if act in (ListingAct.FAIL_RECHECK, ListingAct.REFUSE_CLOSURE):
            assert (listing.evidence, listing.recheck) == (0, None), "evidence is handed in anew"
            way = [one for one in way if one[0] is ListingAct.LIST]
    if listing.state is ListingState.CLOSED:
        acts = [act for act, _ in way]
        places = [acts.index(act) for act in (LIST[0], HAND_IN[0], PASS[0], APPROVE[0])]
        assert places == sorted(places)
        people = dict(way)
        assert people[ListingAct.PASS_RECHECK] != people[ListingAct.APPROVE_CLOSURE]
        assert listing.recheck is not None
        assert listing.approved_by == people[ListingAct.APPROVE_CLOSURE]
    assert listing.is_active is (listing.state not in ENDED) is (listing.ended_at is None)


@given(
    st.lists(st.tuples(st.sampled_from(ACTS), st.sampled_from(PEOPLE), st.integers(0, 40)), max_size=40),
    st.sampled_from(ACTS),
    st.sampled_from(PEOPLE),
    st.integers(0, 40),
)
def test_what_is_not_hindered_is_accepted_and_what_is_hindered_never(
    story: list[tuple[ListingAct, str, int]], act: ListingAct, by: str, days: int
) -> None:
    """What the page offers is what the server accepts, in every state that any story leads to."""
    listing, now = new(), T0
    for done_act, who, later in story:
        now += timedelta(days=later)
        with suppress(NotPossible):
            listing = after(listing, done_act, who, said(now, days=later + 1), now, every_day)
    now += timedelta(days=days)
    reason, anybody = hindrance(listing, act, by, now), hindrance(listing, act, None, now)
    until = max(listing.deadline or TODAY, now.astimezone(CHINA).date()) + timedelta(days=1)
    whole = said(now, until=until)
    if reason is None:
        assert after(listing, act, by, whole, now, every_day).revision == listing.revision + 1
        assert anybody is None
    else:
        with pytest.raises(NotPossible, match=f"^{reason}$"):
            after(listing, act, by, whole, now, every_day)
        assert anybody == reason or reason == "same_person"


def test_the_way_to_closure() -> None:
    listed = done(new(), LIST)
    assert (listed.state, listed.deadline) == (ListingState.LISTED, TODAY + timedelta(days=30))
    assert listed.is_in_force
    closed = done(listed, HAND_IN, PASS, APPROVE)
    assert (closed.state, closed.approved_by, closed.ended_at) == (ListingState.CLOSED, "c", T0)


def refused(listing: Listing, act: ListingAct, by: str = "a", **more: object) -> str:
    with pytest.raises(NotPossible) as error:
        after(listing, act, by, said(**more), T0, every_day)  # type: ignore[arg-type] # names of its fields
    return error.value.reason


def test_who_re_checked_neither_approves_nor_refuses_the_closure() -> None:
    checked = done(new(), LIST, HAND_IN, PASS)
    assert refused(checked, ListingAct.APPROVE_CLOSURE, "b") == "same_person"
    assert refused(checked, ListingAct.REFUSE_CLOSURE, "b") == "same_person"


def test_a_re_check_that_failed_goes_back_and_wants_new_evidence() -> None:
    back = done(new(), LIST, HAND_IN, (ListingAct.FAIL_RECHECK, "b"))
    assert (back.state, back.evidence, back.files) == (ListingState.LISTED, 0, 1)
    assert refused(back, ListingAct.PASS_RECHECK) == "not_now"


def test_an_extension_is_asked_for_and_granted_by_two_people() -> None:
    listed = done(new(), LIST)
    asked = done(listed, (ListingAct.ASK_EXTENSION, "clerk"), days=60)
    assert asked.deadline == listed.deadline, "asking moves nothing"
    assert refused(asked, ListingAct.ASK_EXTENSION, days=90) == "extension_undecided"
    assert refused(asked, ListingAct.GRANT_EXTENSION, "clerk") == "same_person"
    granted = done(asked, (ListingAct.GRANT_EXTENSION, "a"))
    assert (granted.deadline, granted.extension) == (TODAY + timedelta(days=60), None)
    assert granted.due_at is not None
    assert listed.due_at is not None
    assert granted.due_at > listed.due_at
    kept = done(asked, (ListingAct.REFUSE_EXTENSION, "a"))
    assert (kept.deadline, kept.due_at) == (listed.deadline, listed.due_at)


def test_no_closure_is_approved_while_an_extension_that_was_asked_for_in_time_is_undecided() -> None:
    """It would count as late, and nobody could decide any more: an omission of the office, held against the body."""
    asked = done(done(new(), LIST), (ListingAct.ASK_EXTENSION, "clerk"), days=40)
    after_all = T0 + timedelta(days=60)
    checked = done(asked, HAND_IN, PASS, at=after_all)
    with pytest.raises(NotPossible, match="extension_undecided"):
        done(checked, APPROVE, at=after_all)
    granted = done(checked, (ListingAct.GRANT_EXTENSION, "a"), at=after_all)  # of a day that is over by now
    assert (granted.state, granted.deadline) == (ListingState.APPROVAL, asked.extension and asked.extension.until)
    for decided in (granted, done(checked, (ListingAct.REFUSE_EXTENSION, "a"), at=after_all)):
        assert done(decided, APPROVE, at=after_all).state is ListingState.CLOSED
    with pytest.raises(NotPossible, match="deadline_past"):
        done(asked, (ListingAct.GRANT_EXTENSION, "a"), at=after_all)


def test_an_extension_that_was_asked_for_too_late_keeps_no_closure_back() -> None:
    listed, later = done(new(), LIST), T0 + timedelta(days=40)
    asked = done(listed, (ListingAct.ASK_EXTENSION, "clerk"), HAND_IN, PASS, at=later)
    assert asked.extension is not None
    assert done(asked, APPROVE, at=later).state is ListingState.CLOSED


@pytest.mark.parametrize(
    ("act", "more", "reason"),
    [
        (ListingAct.LIST, {"level": None}, "level_missing"),
        (ListingAct.LIST, {"number": ""}, "number_missing"),
        (ListingAct.LIST, {"on": None}, "date_missing"),
        (ListingAct.LIST, {"on": TODAY + timedelta(days=1)}, "date_wrong"),
        (ListingAct.LIST, {"on": TODAY - timedelta(days=1)}, "date_wrong"),
        (ListingAct.LIST, {"until": None}, "deadline_missing"),
        (ListingAct.LIST, {"until": TODAY}, "deadline_past"),
        (ListingAct.LIST, {"until": TODAY + timedelta(days=2000)}, "deadline_far"),
        (ListingAct.DECLINE, {"text": ""}, "reasons_missing"),
        (ListingAct.WITHDRAW, {"text": ""}, "reasons_missing"),
        (ListingAct.HAND_IN, {}, "not_now"),
    ],
)
def test_what_is_missing_or_wrong_of_a_proposal_is_refused(act: ListingAct, more: dict[str, Any], reason: str) -> None:
    assert refused(new(), act, **more) == reason


def test_what_is_missing_or_wrong_later_is_refused() -> None:
    listed = done(new(), LIST)
    assert refused(listed, ListingAct.HAND_IN, files=()) == "evidence_missing"
    assert refused(replace(listed, files=MAX_EVIDENCE), ListingAct.HAND_IN) == "full"
    handed_in = done(listed, HAND_IN)
    assert refused(handed_in, ListingAct.PASS_RECHECK, inspector="") == "inspector_missing"
    assert refused(handed_in, ListingAct.PASS_RECHECK, on=TODAY + timedelta(days=1)) == "date_wrong"
    assert refused(handed_in, ListingAct.FAIL_RECHECK, text="") == "reasons_missing"
    assert refused(replace(listed, revision=MAX_ACTS), ListingAct.HAND_IN) == "full"
    assert FILE.size > 0


def test_a_deadline_ends_with_the_working_day() -> None:
    def is_working(day: date) -> bool:
        return day.weekday() < 5

    friday, saturday = date(2026, 11, 27), date(2026, 11, 28)
    assert end_of(friday, is_working).isoformat() == "2026-11-28T00:00:00+08:00"
    assert end_of(saturday, is_working).isoformat() == "2026-12-01T00:00:00+08:00", "the end of Monday"
    with pytest.raises(ValueError, match="no working day"):
        end_of(friday, lambda day: False)


def test_overdue_is_what_is_in_force_and_late() -> None:
    listed = done(new(), LIST)
    assert listed.due_at is not None
    assert not listed.is_overdue(listed.due_at - timedelta(seconds=1))
    assert listed.is_overdue(listed.due_at)
    assert not done(listed, HAND_IN, PASS, APPROVE).is_overdue(listed.due_at)
