"""A signed link: one document, one recipient, a time; whatever is not exactly as it was made opens nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.links import MAX_LINK, Link, opened, sealed

KEY, FORMER, FOREIGN = b"k" * 32, b"f" * 32, b"x" * 32
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
LINK = Link("9b74c9897bac770ffc029102a200c5de", "c-room-U1", NOW + timedelta(days=30))
TEXT = sealed(LINK, KEY)


def test_a_link_says_what_it_was_made_for() -> None:
    assert opened(TEXT, [KEY], NOW) == LINK
    assert sealed(LINK, KEY) == TEXT, "a mail that is sent again has the same link"


def test_a_link_of_the_former_key_opens_while_that_is_known() -> None:
    assert opened(TEXT, [FORMER, KEY], NOW) == LINK
    assert opened(TEXT, [FORMER], NOW) is None
    assert opened(TEXT, [], NOW) is None


def test_a_link_opens_until_its_time_is_over_and_not_then() -> None:
    assert opened(TEXT, [KEY], LINK.until - timedelta(microseconds=1)) == LINK
    assert opened(TEXT, [KEY], LINK.until) is None


def test_the_proof_of_one_link_opens_no_other() -> None:
    proof = TEXT.partition(".")[2]
    other = sealed(Link(LINK.document_id, "c-room-U2", LINK.until), FOREIGN).partition(".")[0]
    assert opened(f"{other}.{proof}", [KEY], NOW) is None
    assert opened(sealed(LINK, FOREIGN), [KEY], NOW) is None


@pytest.mark.parametrize(
    "text", ["", ".", "a.b", TEXT + "A", TEXT + "=", TEXT.replace(".", ""), "é.é", "." * MAX_LINK * 2]
)
def test_what_is_no_link_opens_nothing(text: str) -> None:
    assert opened(text, [KEY], NOW) is None


@given(place=st.integers(0, len(TEXT) - 1), letter=st.sampled_from("ABCxyz019-_."))
def test_no_letter_of_a_link_may_be_another(place: int, letter: str) -> None:
    altered = TEXT[:place] + letter + TEXT[place + 1 :]
    assert opened(altered, [KEY], NOW) == (LINK if altered == TEXT else None)
