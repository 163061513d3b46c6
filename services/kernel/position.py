"""Where a place in China can be, and the two coordinate systems in which it is given."""

import math

WEST, EAST = 73.0, 136.0
SOUTH, NORTH = 3.0, 54.0
"""Degrees; mainland, islands and the sea between them."""

_A = 6378245.0
"""Semi-major axis of the Krasovsky ellipsoid, metres: what GCJ-02 is computed with."""
_EE = 0.00669342162296594323
"""Its first eccentricity squared."""


def gcj02_of(longitude: float, latitude: float) -> tuple[float, float]:
    """Return the GCJ-02 position (longitude, latitude in degrees) of a WGS-84 one.

    Maps published in China are shifted by up to some 700 m against satellite positions; the series is the one that
    map makers publish for it, good to a few metres.
    """
    x, y = longitude - 105.0, latitude - 35.0
    waves = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + waves
    north += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    north += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + waves
    east += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    east += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    angle = math.radians(latitude)
    magic = 1.0 - _EE * math.sin(angle) ** 2
    metres_north = math.radians(1.0) * _A * (1.0 - _EE) / (magic * math.sqrt(magic))
    metres_east = math.radians(1.0) * _A / math.sqrt(magic) * math.cos(angle)
    return longitude + east / metres_east, latitude + north / metres_north


def wgs84_of(longitude: float, latitude: float) -> tuple[float, float]:
    """Return the WGS-84 position of a GCJ-02 one: what shifts to it, within a millimetre."""
    found = (longitude, latitude)
    for _ in range(5):
        shifted = gcj02_of(*found)
        found = (found[0] + longitude - shifted[0], found[1] + latitude - shifted[1])
    return found
