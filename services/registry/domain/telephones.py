"""Telephone numbers as they are dialled in China, in one form: the area code and an extension set apart by a dash."""

import re

from services.registry.domain.cells import BadCell, half_width
from services.registry.domain.words import Said

_COUNTRY = re.compile(r"^(?:\+86|0086)(?=[1-9])")
_MOBILE = re.compile(r"1[3-9]\d{9}")
_SERVICE = re.compile(r"([48]00)-?(\d{3})-?(\d{4})")
_LANDLINE = re.compile(r"(0(?:10|2[0-57-9]|[3-9]\d\d))-?([2-8]\d{6,7})(?:-?[-转x](\d{1,6}))?")
_GAPS = re.compile(r"[\s()·.]+")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−", "-"))

EXPECTED = Said(
    "a telephone number of China as it is dialled from anywhere: 13800138000, 0591-87654321, 0591-87654321转801"
    " or 400-123-4567",
    "可从外地直拨的电话号码，例如 13800138000、0591-87654321、0591-87654321转801 或 400-123-4567",
)
WITHOUT_AREA = Said("a landline with its area code, such as 0591-87654321", "带区号的固定电话，例如 0591-87654321")


def is_mobile(number: str) -> bool:
    """Say whether a number in our form is a mobile's: text messages go to no other."""
    return _MOBILE.fullmatch(number) is not None


def has_extension(number: str) -> bool:
    """Say whether a number in our form ends in an extension, which no machine dials."""
    return number.startswith("0") and number.count("-") > 1


def telephone(text: str) -> str:
    """Return the number as `13800138000`, `0591-87654321`, `0591-87654321-801` or `400-123-4567`. Raises BadCell.

    +86 and 0086 are read over, and a mobile's spaces and dashes. A landline without its area code is refused: nobody
    outside could dial it, and a spreadsheet that took the number for one has lost the first 0.
    """
    plain = half_width(text).translate(_DASHES).lower().replace("ext", "x").strip()
    international = plain.replace(" ", "").startswith(("+86", "0086"))
    packed = _COUNTRY.sub("", _GAPS.sub("", plain).replace("-", "", 1) if international else _GAPS.sub("", plain))
    if _MOBILE.fullmatch(packed.replace("-", "")):
        return packed.replace("-", "")
    service = _SERVICE.fullmatch(packed)
    if service:
        return "-".join(service.groups())
    landline = _LANDLINE.fullmatch(packed if not international or packed.startswith("0") else f"0{packed}")
    if landline:
        return "-".join(part for part in landline.groups() if part)
    raise BadCell(WITHOUT_AREA if re.fullmatch(r"[2-9]\d{6,10}", packed.replace("-", "")) else EXPECTED)
