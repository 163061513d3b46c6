"""Texts for robots: never longer than the provider takes, never with half a character or half a link."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.domain.delivery.budgets import MINUTE, Budget
from services.alerts.domain.delivery.destinations import Destinations, Due
from services.alerts.domain.delivery.robots import PROFILES, shortened
from services.alerts.domain.ids import NoticeId
from services.kernel.words import Channel, RobotProvider

LINK = "https://firenet.example/?case=C0123456789abcdef"
NOW = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def test_every_provider_has_a_profile() -> None:
    assert set(PROFILES) == set(RobotProvider)


@given(st.text(), st.text(), st.integers(min_value=100, max_value=400))
def test_shortened_is_short_and_keeps_the_link_whole(before: str, after: str, most: int) -> None:
    text = f"{before}\n{LINK}\n{after}"
    short = shortened(text, most)
    assert len(short.encode()) <= most
    assert LINK in short
    assert short == text or len(text.encode()) > most


def due(number: int, address: str) -> Due:
    return Due(NoticeId(f"{number:032x}"), Channel.ROBOT, address)


def test_an_address_gets_no_more_in_a_minute_than_it_takes() -> None:
    places = Destinations(
        slots=9, per_address=9, per_channel={}, budget=lambda address: Budget(2, MINUTE) if address == "robot" else None
    )
    waiting = [due(number, "robot") for number in range(3)] + [due(3, "other")]
    assert [one.notice_id[-1] for one in places.choose(waiting, NOW)] == ["0", "1", "3"]
    for one in waiting[:2]:
        places.finished(one, failed=False, now=NOW)
    assert places.busy_addresses(NOW + timedelta(seconds=59)) == ["robot"]
    assert places.choose([waiting[2]], NOW + timedelta(seconds=59)) == []
    assert places.choose([waiting[2]], NOW + timedelta(seconds=60)) == [waiting[2]]


def test_what_was_not_sent_after_all_takes_nothing_of_the_minute() -> None:
    places = Destinations(slots=9, per_address=9, per_channel={}, budget=lambda address: Budget(1, MINUTE))
    first, second = due(0, "robot"), due(1, "robot")
    places.choose([first], NOW)
    places.finished(first, failed=None, now=NOW)
    assert places.choose([second], NOW) == [second]
