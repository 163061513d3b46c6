"""The place in a list of cases, initials of names, and who keeps them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from services.console.adapters.case_pages import search_parameters
from services.console.adapters.postgres_names import initials_of
from services.console.domain.case_list import BadPlace, CasePlace
from services.console.domain.errors import DataUnavailable
from services.console.worker.names import NameIndexer
from services.runtime.lifecycle import Stop

AT = datetime(2026, 11, 29, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("place", [CasePlace(11, AT, AT, "C1"), CasePlace(0, None, AT, "C~with~tildes")])
def test_a_place_is_read_as_it_was_written_to_the_microsecond(place: CasePlace) -> None:
    assert CasePlace.parse(str(place)) == place


@pytest.mark.parametrize(
    "text",
    ["", "~~~", "1~~2026-11-29T08:00:00~C1", "x~~2026-11-29T08:00:00+00:00~C1", "-1~~2026-11-29T08:00:00+00:00~C1",
     "1~yesterday~2026-11-29T08:00:00+00:00~C1", "1~~2026-11-29T08:00:00+00:00~C\x00", "1~~" + "9" * 400],
)  # fmt: skip
def test_what_names_no_place_is_refused(text: str) -> None:
    with pytest.raises(BadPlace):
        CasePlace.parse(text)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "initials"),
    [("东街第一医院", "djdyyy"), ("重庆路万象城3期（B座）", "cqlwxc3qbz"), ("Star Café 9", "starcaf9"), ("☆", "")],
)
def test_initials_are_those_of_the_pinyin_read_by_phrases(name: str, initials: str) -> None:
    assert initials_of(name) == initials


@pytest.mark.parametrize(
    ("text", "initials"), [("DJdy", "%djdy%"), ("d", None), ("东街", None), ("dj%", None), ("", None)]
)
def test_only_letters_and_digits_are_looked_for_as_initials(text: str, initials: str | None) -> None:
    assert search_parameters(text)["initials"] == initials


class Book:
    """Names without initials; `away` so many times."""

    def __init__(self, names: Sequence[str], away: int = 0) -> None:
        self.names, self.away = list(names), away
        self.kept: dict[str, str] = {}

    async def missing(self, limit: int) -> Sequence[str]:
        if self.away:
            self.away -= 1
            raise DataUnavailable("away")
        return [name for name in self.names if name not in self.kept][:limit]

    async def keep(self, initials: Mapping[str, str]) -> None:
        self.kept |= initials


async def test_names_get_initials_in_turns_until_none_is_left() -> None:
    book = Book([f"单位{number}" for number in range(450)])
    keeper = NameIndexer(book, lambda name: f"dw{name[2:]}")
    assert [await keeper.turn() for _ in range(4)] == [200, 200, 50, 0]
    assert book.kept["单位449"] == "dw449"


async def test_a_database_that_is_away_ends_nothing() -> None:
    book = Book(["单位"], away=1)
    keeper = NameIndexer(book, lambda name: "dw")

    class Patient(Stop):
        async def wait_for(self, seconds: float) -> bool:
            if book.kept:
                self.set()
            return self.is_set()

    stop = Patient()
    await keeper.run(stop)
    assert book.kept == {"单位": "dw"}
