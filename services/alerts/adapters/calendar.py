"""Working days of mainland China, adjusted days (调休) included, from the `holidays` package."""

import re
from datetime import date
from importlib.metadata import version

import holidays
from holidays.countries.china import ChinaStaticHolidays

VERSION = re.compile(r"CN (\d+) holidays-(\d+(?:\.\d+)*)")


class ChinaCalendar:
    """See ports.WorkingCalendar. Years after `confirmed_until` are projected without adjusted days.

    The State Council announces each year's arrangement in the autumn before; the package follows it.
    """

    def __init__(self, confirmed_until: int | None = None, release: str | None = None) -> None:
        self._calendar = holidays.country_holidays("CN", language="zh_CN")
        self._confirmed_until = last_arranged_year() if confirmed_until is None else confirmed_until
        self._version = f"CN {self._confirmed_until} holidays-{release or version('holidays')}"

    @property
    def version(self) -> str:
        """Changes with every year that is arranged, and with every release of the package."""
        return self._version

    def is_working(self, day: date) -> bool:
        return bool(self._calendar.is_working_day(day))

    def supersedes(self, version: str) -> bool:
        return _order(self._version) > _order(version)

    def confirmed(self, year: int) -> bool:
        return year <= self._confirmed_until


def is_arranged(version: str, year: int) -> bool:
    """Tell whether the holidays of a year were known to this version; to one that is not of this calendar none were."""
    return year <= next(iter(_order(version)), 0)


def _order(version: str) -> tuple[int, ...]:
    """Return what versions are ordered by; before all others come those that are not of this calendar."""
    found = VERSION.fullmatch(version)
    return () if found is None else (int(found[1]), *map(int, found[2].split(".")))


def last_arranged_year() -> int:
    """Return the last year for which the package knows adjusted days: arrangements always have some."""
    return max(ChinaStaticHolidays.special_public_holidays, default=0)
