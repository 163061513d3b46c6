"""The comparison of what a pack would have said with what is published, without a log."""

from dataclasses import replace

import pytest

from services.compliance.domain.period import Window, window_of
from services.compliance.domain.policy import CommonCause, Policies, Policy, Profile
from services.compliance.domain.publishing import Key
from services.compliance.domain.registry import UnitRow
from services.compliance.domain.visibility import Visibility
from services.compliance.domain.what_if import (
    LISTED,
    Change,
    Membership,
    NotAnswered,
    Said,
    Supposed,
    Unanswered,
    answer,
    heartbeats_before,
    require_whole,
    scopes_of,
)
from services.kernel.calendar import DAY, midnight
from services.kernel.scope import Scope
from services.kernel.words import Period

HOUR = 3_600_000_000
FIRST = 20_000
WINDOW = window_of(Period.DAY, FIRST)


def policy(district: str = "d", **changes: object) -> Policy:
    made = Policy(
        district, "p", 1, 0, 40_000, HOUR, HOUR, {"S1": Scope((frozenset({"key_unit"}),), False, "c")}, (),
        {"P": Profile(HOUR, 4 * HOUR, 2)}, "P", CommonCause((), 1, HOUR), published=("S1",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def supposed(pack: Policy, *others: Policy, watermark: int = WINDOW.end + 2 * HOUR, gone: int = 0) -> Supposed:
    visibility = Visibility(watermark, watermark, [], [])
    now = Policies([policy(), *others])
    return Supposed(now, Policies([pack, *others]), visibility, "d", WINDOW.start, gone, "")


def said(value: str | None = "50.0", verdict: str = "compliant", numerator: int = 1) -> Said:
    return {
        "numerator": numerator, "denominator": 2, "unknown": 0, "exempt": 0, "value": value, "low": value,
        "high": value, "verdict": verdict,
    }  # fmt: skip


def key(scope: str = "S1", slice_kind: str = "district", slice_id: str = "d") -> Key:
    return Key("access_rate", scope, slice_kind, slice_id, WINDOW)


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        (said("50.0"), said("100.0"), "+50.0"),
        (said("100.0"), said("99.9"), "-0.1"),
        (said("7.5"), said("7.5"), "+0.0"),
        (said(None), said("7.5"), None),
        (None, said(), None),
        (said(), None, None),
    ],
)
def test_a_row_has_both_and_their_difference(before: Said | None, after: Said | None, difference: str | None) -> None:
    published = {} if before is None else {key(): before}
    computed = {} if after is None else {key(): after}

    (row,) = answer(published, computed, (), supposed(policy()))["rows"]

    assert (row["before"], row["after"], row["difference"]) == (before, after, difference)


def test_figures_of_other_slices_and_districts_are_left_out() -> None:
    others = {key(slice_kind="town", slice_id="T1"): said(), key(slice_id="e"): said()}
    assert answer({key(): said(), **others}, others, (), supposed(policy()))["rows"] == [
        {"metric": "access_rate", "scope": "S1", "before": said(), "after": None, "difference": None}
    ]


def test_units_are_named_up_to_a_bound_and_counted() -> None:
    many = [f"U{number}" for number in range(LISTED + 5)]
    (told,) = answer({}, {}, [Change("S1", many, ()), Change("S2", (), ())], supposed(policy()))["scopes"]
    assert (len(told["enters"]), told["enters_total"], told["leaves_total"]) == (LISTED, LISTED + 5, 0)


def row(*facts: str, district: str = "d", retired_on: int | None = None) -> UnitRow:
    dimensions = {"district": district, "town": "T1", "department": "", "category": "C"}
    return UnitRow(0, 0, frozenset(facts), dimensions, retired_on=retired_on)


def test_who_enters_and_who_leaves_a_scope_by_the_row_of_the_last_day() -> None:
    other = policy("e")
    pack = policy(scopes={"S1": Scope((frozenset({"crowded_place"}),), False, "c")}, published=("S1", "S2"))
    asked = supposed(pack, other)
    found = Membership(asked, FIRST, scopes_of(WINDOW, asked))
    for unit_id, of in {
        "stays": row("key_unit", "crowded_place"),
        "leaves": row("key_unit"),
        "enters": row("crowded_place"),
        "neither": row(),
        "retired": row("key_unit", retired_on=FIRST),
        "elsewhere": row("key_unit", district="e"),
    }.items():
        found.take(unit_id, [of])

    assert found.changes() == [Change("S1", ["enters"], ["leaves"]), Change("S2", (), ())]


def test_a_union_of_scopes_is_left_only_by_who_is_in_none_of_them() -> None:
    both = {
        "S1": Scope((frozenset({"key_unit"}),), False, "c"),
        "S2": Scope((frozenset({"crowded_place"}),), False, "c"),
    }
    asked = supposed(policy(scopes={"S2": both["S2"]}, published=("S1+S2",)))
    found = Membership(asked, FIRST, ["S1+S2"])
    found.take("stays", [row("key_unit", "crowded_place")])
    found.take("leaves", [row("key_unit")])
    assert found.changes() == [Change("S1+S2", (), ["leaves"])]


@pytest.mark.parametrize(
    ("asked", "window", "kept_day", "why"),
    [
        (supposed(policy(), watermark=WINDOW.end), WINDOW, 0, Unanswered.NOT_CLOSED),
        (supposed(policy()), WINDOW, FIRST + 1, Unanswered.FACTS_GONE),
        (supposed(policy(), gone=WINDOW.start + 1), WINDOW, 0, Unanswered.FACTS_GONE),
        (supposed(policy()), window_of(Period.DAY, FIRST - 1), 0, Unanswered.FACTS_GONE),
    ],
)
def test_what_is_not_closed_or_gone_is_refused(asked: Supposed, window: Window, kept_day: int, why: Unanswered) -> None:
    require_whole(supposed(policy()), WINDOW, FIRST)
    with pytest.raises(NotAnswered) as refused:
        require_whole(asked, window, kept_day)
    assert refused.value.why is why


def test_heartbeats_are_read_for_as_long_as_a_silence_may_be_open() -> None:
    slow = policy(profiles={"P": Profile(HOUR, 4 * HOUR, 2), "N": Profile(DAY, 2 * DAY, 1)})
    assert midnight(heartbeats_before(policy(), WINDOW)) >= WINDOW.end + 6 * HOUR
    assert midnight(heartbeats_before(slow, WINDOW)) >= WINDOW.end + 3 * DAY
