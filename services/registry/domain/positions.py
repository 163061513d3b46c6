"""Longitude and latitude as people and their tools write them: degrees with a point, nothing to be guessed."""

import re

from services.kernel.position import EAST, NORTH, SOUTH, WEST
from services.registry.domain.cells import BadCell, half_width
from services.registry.domain.words import Said

_DEGREES = re.compile(r"(\d{1,3}(?:\.\d{1,15})?)\s*°?", re.ASCII)
PLACES = 6
"""Decimal places that are kept: a tenth of a metre."""


def longitude(text: str) -> float:
    """Return degrees east, as 119.296531. Raises BadCell."""
    return _degrees(text, WEST, EAST, Said("degrees east, such as 119.296531", "东经度数，例如 119.296531"))


def latitude(text: str) -> float:
    """Return degrees north, as 26.074508. Raises BadCell."""
    return _degrees(text, SOUTH, NORTH, Said("degrees north, such as 26.074508", "北纬度数，例如 26.074508"))


def _degrees(text: str, least: float, most: float, example: Said) -> float:
    """What lies outside China is refused: latitude and longitude in each other's column, or a place never filled in."""
    match = _DEGREES.fullmatch(half_width(text).strip())
    if match is None:
        raise BadCell(example)
    degrees = round(float(match.group(1)), PLACES)
    if not least <= degrees <= most:
        raise BadCell(Said(f"{example}, from {least:g} to {most:g}", f"{example.zh}，介于 {least:g} 和 {most:g} 之间"))
    return degrees
