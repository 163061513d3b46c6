"""Duty times as people write them, in the one form of `kernel.duty_times`."""

import re

from services.kernel import duty_times
from services.registry.domain.cells import BadCell, half_width
from services.registry.domain.words import Said

EXPECTED = Said(
    f"days of the week and hours, such as Mo-Fr 08:30-17:30; Sa,Su 09:00-12:00, at most {duty_times.MAX_LENGTH}"
    " characters; 20:00-08:00 ends on the next day, a whole day is 00:00-24:00",
    f"星期和时段，例如 周一至周五 08:30-17:30；周六、周日 09:00-12:00，不超过 {duty_times.MAX_LENGTH} 个字符；"
    "20:00-08:00 到次日为止，全天写 00:00-24:00",
)
_CHINESE = {
    **{
        f"{week}{day}": name
        for week in ("星期", "周")
        for day, name in zip("一二三四五六日", duty_times.DAYS, strict=True)
    },
    "星期天": "Su",
    "周天": "Su",
    "每天": "Mo-Su",
    "每日": "Mo-Su",
    "至": "-",
    "到": "-",
    "、": ",",
}
_WORDS = re.compile("|".join(_CHINESE))
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−~～", "-"))


def duty_times_text(text: str) -> str:
    """Return duty times in their one form. Raises BadCell.

    Chinese names of days, full-width marks, hours of one digit and spaces around marks are read over.
    """
    plain = _WORDS.sub(lambda found: _CHINESE[found[0]], half_width(text).translate(_DASHES))
    plain = re.sub(r"\s*([,;:-])\s*", r"\1", plain.strip()).rstrip(";").replace(";", "; ")
    plain = re.sub(r"[A-Za-z]+", lambda found: found[0].capitalize(), plain)
    plain = re.sub(r"(?<=[a-z])\s*(?=[0-9])", " ", plain)
    plain = re.sub(r"(?<![0-9:])([0-9]):", r"0\1:", plain)
    try:
        duty_times.parse(plain)
    except ValueError as error:
        raise BadCell(EXPECTED) from error
    return plain
