"""Positions shift by the amount that map makers publish, and back again."""

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.position import EAST, NORTH, SOUTH, WEST, gcj02_of, wgs84_of

METRE = 1e-5
"""Of latitude, in degrees, about."""


def test_a_published_position_is_found() -> None:
    """Tiananmen, as two makers of maps convert it: 116.404, 39.915 becomes 116.41024, 39.91640."""
    longitude, latitude = gcj02_of(116.404, 39.915)
    assert abs(longitude - 116.41024449916938) < METRE
    assert abs(latitude - 39.91640428150164) < METRE


@given(st.floats(WEST, EAST), st.floats(SOUTH, NORTH))
def test_there_and_back_is_the_same_place(longitude: float, latitude: float) -> None:
    shifted = gcj02_of(longitude, latitude)
    assert shifted != (longitude, latitude)
    back = wgs84_of(*shifted)
    assert abs(back[0] - longitude) < METRE / 100
    assert abs(back[1] - latitude) < METRE / 100
