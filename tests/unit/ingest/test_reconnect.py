"""A broker that is back is found soon; one that refuses is not pestered."""

from services.ingest.domain.reconnect import (
    AWAY_CAP_S,
    FIRST_WAIT_S,
    FRESH_TRIES,
    REFUSED_CAP_S,
    AttemptEnd,
    ReconnectBackoff,
)


def waits(end: AttemptEnd, count: int) -> list[float]:
    told = ReconnectBackoff()
    return [told.after(end) for _ in range(count)]


def test_a_connection_that_lived_for_milliseconds_is_tried_again_at_once() -> None:
    assert set(waits(AttemptEnd.CUT_SHORT, FRESH_TRIES)) == {FIRST_WAIT_S}
    assert waits(AttemptEnd.CUT_SHORT, FRESH_TRIES + 1)[-1] == AWAY_CAP_S, "but not for ever"


def test_an_outage_before_it_does_not_make_the_wait_longer() -> None:
    told = ReconnectBackoff()
    for _ in range(50):
        told.after(AttemptEnd.UNREACHABLE)
    assert told.after(AttemptEnd.CUT_SHORT) == FIRST_WAIT_S


def test_a_broker_that_is_away_is_asked_every_second_at_least() -> None:
    found = waits(AttemptEnd.UNREACHABLE, 30)
    assert found == sorted(found)
    assert found[-1] == AWAY_CAP_S


def test_a_broker_that_refuses_is_asked_less_often() -> None:
    assert waits(AttemptEnd.REFUSED, 30)[-1] == REFUSED_CAP_S


def test_a_connection_that_served_starts_anew() -> None:
    told = ReconnectBackoff()
    for _ in range(20):
        told.after(AttemptEnd.REFUSED)
    assert told.after(AttemptEnd.SUBSCRIBED) == 2 * FIRST_WAIT_S
    assert told.after(AttemptEnd.REFUSED) == 2 * FIRST_WAIT_S
