"""Derived ids stand in logs and tables: what they are made of never changes."""

from hypothesis import given
from hypothesis import strategies as st

from services.kernel import ids

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(texts, min_size=1), st.lists(texts, min_size=1))
def test_other_parts_give_another_id(parts: list[str], others: list[str]) -> None:
    assert (ids.derive(*parts) == ids.derive(*others)) is (parts == others)
    assert len(ids.derive(*parts)) == ids.SIGNAL_DIGITS


def test_where_a_part_ends_is_in_the_id() -> None:
    assert ids.derive("ab", "c") != ids.derive("a", "bc") != ids.derive("abc")


@given(texts)
def test_text_and_its_bytes_are_the_same_part(text: str) -> None:
    assert ids.derive(text) == ids.derive(text.encode())


def test_the_id_of_a_finding_is_what_it_always_was() -> None:
    assert ids.finding_id("U1", "fire", "s") == "c2bf15c1ede34fd3eee71c20aedf4631"
