"""A position in the register is a place in China, or is refused with what would be one."""

import pytest

from services.registry.domain.cells import BadCell
from services.registry.domain.entities import Kind
from services.registry.domain.positions import latitude, longitude
from tests.unit.registry.test_rows import UNIT, columns_refused


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("119.296531", 119.296531),
        ("119.2965314159", 119.296531),
        ("１１９．３", 119.3),
        ("119.3°", 119.3),
        ("119", 119.0),
    ],
)
def test_degrees_are_kept_to_a_tenth_of_a_metre(text: str, degrees: float) -> None:
    assert longitude(text) == degrees


@pytest.mark.parametrize(
    "text",
    [
        "26.07",
        "0",
        "-119.3",
        "1e2",
        "nan",
        "inf",
        "119,3",
        "119°17'47\"E",
        "=119.3",
        "119.3.1",
        "1" * 400,
        "180.5",
        "东经119",
    ],
)
def test_what_is_no_longitude_in_china_is_refused(text: str) -> None:
    with pytest.raises(BadCell) as refused:
        longitude(text)
    assert "119.296531" in refused.value.expected.zh


def test_the_columns_in_each_others_place_are_refused() -> None:
    with pytest.raises(BadCell):
        latitude("119.296531")


def test_half_a_position_is_none() -> None:
    assert columns_refused(Kind.UNIT, UNIT | {"longitude": "119.3", "latitude": "26.1"}) == set()
    assert columns_refused(Kind.UNIT, UNIT | {"longitude": "119.3"}) == {"latitude"}
    assert columns_refused(Kind.UNIT, UNIT | {"latitude": "26.1"}) == {"longitude"}
    assert columns_refused(Kind.UNIT, UNIT | {"longitude": "119.3", "latitude": "x"}) == {"latitude"}
