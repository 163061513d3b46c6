"""Outages from day to day: what is computed anew is joined to what stays, and what is another is a revision."""

from services.compliance.domain.interruptions import (
    Interruption,
    PublishedOutage,
    StandingOutage,
    joined,
    revised,
)
from services.kernel.words import Connection


def lost(start: int, end: int | None, gateway: str = "G1", lost_at: int | None = 5) -> Interruption:
    return Interruption("U1", start, end, Connection.OFFLINE, "deadline", gateway, lost_at)


def test_what_goes_on_over_the_first_day_that_is_computed_is_one() -> None:
    assert joined([lost(1, 3), lost(5, None)], [lost(10, 12), lost(15, None)], 10) == [
        lost(1, 3), lost(5, 12), lost(15, None)
    ]  # fmt: skip


def test_what_ends_there_or_goes_back_to_another_loss_stays_apart() -> None:
    assert joined([lost(5, None)], [lost(11, 12)], 10) == [lost(5, 10), lost(11, 12)]
    other = lost(10, 12, "G2")
    assert joined([lost(5, None)], [other], 10) == [lost(5, 10), other]
    assert joined([lost(5, 30), lost(40, 50)], [], 10) == [lost(5, 10)]


def published(interruption: Interruption, whose: str = "unit", *, withdrawn: bool = False) -> PublishedOutage:
    return PublishedOutage(interruption, whose, withdrawn=withdrawn)


def test_an_outage_is_revised_when_anything_of_it_is_another_and_withdrawn_when_it_is_gone() -> None:
    standing = [
        StandingOutage(1, published(lost(5, None))),
        StandingOutage(2, published(lost(20, 30))),
        StandingOutage(1, published(lost(40, 50))),
    ]
    made = [published(lost(5, 9)), published(lost(20, 30), "carrier"), published(lost(60, None))]
    assert list(revised(made, standing, 0)) == [
        StandingOutage(2, made[0]),
        StandingOutage(3, made[1]),
        StandingOutage(1, made[2]),
        StandingOutage(2, published(lost(40, 50), withdrawn=True)),
    ]
    assert list(revised(made[:1], [StandingOutage(2, made[0])], 0)) == []


def test_what_was_withdrawn_may_come_back_and_is_not_withdrawn_again() -> None:
    gone = StandingOutage(2, published(lost(5, 9), withdrawn=True))
    assert list(revised([], [gone], 0)) == []
    assert list(revised([published(lost(5, 9))], [gone], 0)) == [StandingOutage(3, published(lost(5, 9)))]


def test_of_final_days_only_the_end_of_what_went_on_is_told() -> None:
    standing = [StandingOutage(1, published(lost(5, None), "carrier")), StandingOutage(1, published(lost(7, 8)))]
    made = [published(lost(5, 200), "unit"), published(lost(6, 7))]
    assert list(revised(made, standing, 100)) == [StandingOutage(2, published(lost(5, 200), "carrier"))]
