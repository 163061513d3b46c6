"""A number in the register can be dialled from anywhere, or is refused with what would be one."""

import pytest

from services.registry.domain.cells import BadCell
from services.registry.domain.telephones import EXPECTED, WITHOUT_AREA, telephone


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("13800138000", "13800138000"),
        ("138 0013 8000", "13800138000"),
        ("138-0013-8000", "13800138000"),
        ("+86 13800138000", "13800138000"),
        ("008613800138000", "13800138000"),
        ("１３８００１３８０００", "13800138000"),
        ("0591-87654321", "0591-87654321"),
        ("059187654321", "0591-87654321"),
        ("（0591）87654321", "0591-87654321"),
        ("0591 8765 4321", "0591-87654321"),
        ("+86-591-87654321", "0591-87654321"),
        ("0591—87654321转801", "0591-87654321-801"),
        ("0591-87654321 ext 801", "0591-87654321-801"),
        ("010-62345678", "010-62345678"),
        ("0935-2345678", "0935-2345678"),
        ("4001234567", "400-123-4567"),
    ],
)
def test_a_number_is_kept_in_one_form(text: str, number: str) -> None:
    assert telephone(text) == number
    assert telephone(number) == number


@pytest.mark.parametrize("text", ["87654321", "8765-4321", "59187654321"])
def test_a_landline_without_its_area_code_is_refused_as_such(text: str) -> None:
    with pytest.raises(BadCell) as refused:
        telephone(text)
    assert refused.value.expected == WITHOUT_AREA


@pytest.mark.parametrize(
    "text",
    ["119", "1380013800", "138001380000", "12800138000", "010-1234567", "0591-8765432a", "=1+1", "值班室",
     "13800138000;13900139000", "javascript:alert(1)", "0591-87654321-12345678", "1.38E+10"],
)  # fmt: skip
def test_what_nobody_can_dial_is_refused(text: str) -> None:
    with pytest.raises(BadCell) as refused:
        telephone(text)
    assert refused.value.expected == EXPECTED
