"""The history of a unit follows from its links and its duty, also across the day on which they were parted."""

from datetime import UTC, datetime, timedelta

from services.console.domain.passages import as_shown
from services.console.domain.units import Passage

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def passage(aspect: str, before: str, after: str, minute: int, detected: int | None = None) -> Passage:
    known = minute if detected is None else detected
    at = START + timedelta(minutes=minute), START + timedelta(minutes=known)
    return Passage(aspect, before, after, *at, "signal", "firenet.signals.v1/0/1")


def told(*stored: Passage, since: int = 0) -> list[tuple[str, str, str, int]]:
    shown = as_shown(stored, START + timedelta(minutes=since))
    return [
        (one.aspect, one.from_state, one.to_state, (one.effective_at - START) // timedelta(minutes=1)) for one in shown
    ]


LISTED = (passage("connection", "unlisted", "never_connected", 0), passage("duty", "unlisted", "due", 0))


def test_a_unit_that_is_due_is_shown_as_its_links_are() -> None:
    online = passage("connection", "never_connected", "online", 5)
    assert told(*LISTED, online, passage("health", "unknown", "normal", 5)) == [
        ("connection", "never_connected", "online", 5),
        ("health", "unknown", "normal", 5),
        ("connection", "unlisted", "never_connected", 0),
    ]


def test_what_the_links_do_under_an_exemption_is_not_shown_until_it_is_lifted() -> None:
    stored = (
        passage("connection", "never_connected", "online", 1),
        passage("duty", "due", "exempt", 10),
        passage("connection", "online", "offline", 8, detected=14),
        passage("duty", "exempt", "due", 20),
    )
    assert told(*LISTED, *stored, since=5) == [
        ("connection", "exempt", "offline", 20),
        ("connection", "online", "exempt", 10),
    ]


def test_a_unit_in_commissioning_is_shown_so_once_it_is_heard() -> None:
    stored = (
        passage("connection", "unlisted", "never_connected", 0),
        passage("duty", "unlisted", "commissioning", 0),
        passage("connection", "never_connected", "online", 3),
        passage("duty", "commissioning", "due", 9),
    )
    assert [(before, after) for _, before, after, _ in told(*stored, since=1)] == [
        ("commissioning", "online"),
        ("never_connected", "commissioning"),
    ]


def test_rows_from_before_duty_was_an_aspect_are_shown_as_they_are() -> None:
    before = (passage("connection", "late", "exempt", 2), passage("connection", "exempt", "online", 6))
    assert told(*before) == [("connection", "exempt", "online", 6), ("connection", "late", "exempt", 2)]
    upgraded = (
        passage("connection", "late", "exempt", 2),
        passage("duty", "unlisted", "exempt", 7),
        passage("connection", "unlisted", "online", 7),
        passage("duty", "exempt", "due", 9),
    )
    assert told(*upgraded) == [("connection", "exempt", "online", 9), ("connection", "late", "exempt", 2)]
