"""Duty times as people write them, and back out again."""

import pytest

from services.registry.adapters.files import LocalFiles
from services.registry.domain.cells import BadCell
from services.registry.domain.duty_times import EXPECTED, duty_times_text
from services.registry.domain.entities import Contact, Kind
from services.registry.domain.errors import RowError
from services.registry.domain.rows import read_row
from tests.unit.registry.test_rows import CONTACT

ONE_FORM = "Mo-Fr 08:30-17:30; Sa,Su 09:00-12:00"


@pytest.mark.parametrize(
    "text",
    [
        ONE_FORM,
        "mo - fr 8:30 - 17:30;SA, su 9:00–12:00;",
        "周一至周五 08:30-17:30；周六、周日 09:00-12:00",
        "星期一到星期五8：30～17：30；周六，周天9：00—12：00",
    ],
)
def test_what_people_write_becomes_the_one_form(text: str) -> None:
    assert duty_times_text(text) == ONE_FORM


def test_every_day_and_the_night() -> None:
    assert duty_times_text("每天 20:00-8:00") == "Mo-Su 20:00-08:00"


@pytest.mark.parametrize("text", ["工作日", "PH 08:00-12:00", "Mo 25:00-26:00", "周一", "Mo-Fr 08:00-17:00 " * 20])
def test_anything_else_is_told_at_its_row_and_column(text: str) -> None:
    with pytest.raises(BadCell):
        duty_times_text(text)
    (error,) = read_row(Kind.CONTACT, 7, CONTACT | {"duty_times": text}, LocalFiles())[1]
    assert isinstance(error, RowError)
    assert (error.row, error.column, error.expected) == (7, "duty_times", EXPECTED)


def test_a_contact_without_is_always_on_duty() -> None:
    facts = read_row(Kind.CONTACT, 7, CONTACT, LocalFiles())[0].facts
    assert isinstance(facts, Contact)
    assert facts.duty_times is None
