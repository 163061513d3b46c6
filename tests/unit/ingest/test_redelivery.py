"""A mark of a delivery is believed only where the broker itself can have set it."""

from services.ingest.domain.redelivery import Redelivery

KEPT, NEW = True, False
MARKED, PLAIN = True, False


def marks(session: bool, *deliveries: tuple[bool, int]) -> list[bool]:
    redelivery = Redelivery()
    return [redelivery.is_marked(mark, mid, session) for mark, mid in deliveries]


def test_what_a_kept_session_begins_with_was_delivered_before_until_the_first_that_is_new() -> None:
    assert marks(KEPT, (MARKED, 7), (MARKED, 8), (PLAIN, 9), (MARKED, 10)) == [True, True, False, False]


def test_a_new_session_has_nothing_to_deliver_again() -> None:
    """What a device sent again while its broker stood still comes marked from a broker that passes marks on."""
    assert marks(NEW, (MARKED, 1), (PLAIN, 2), (MARKED, 3)) == [False] * 3


def test_a_message_that_no_session_keeps_says_nothing_of_those_that_are_kept() -> None:
    assert marks(KEPT, (PLAIN, 0), (MARKED, 7)) == [False, True]
