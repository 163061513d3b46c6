"""Working days of mainland China, adjusted days (调休) included, from the `holidays` package."""

from datetime import date
from importlib.metadata import version

import holidays
from holidays.countries.china import ChinaStaticHolidays


class ChinaCalendar:
    """See ports.WorkingCalendar. Years after `confirmed_until` are projected without adjusted days.

    The State Council announces each year's arrangement in the autumn before; the package follows it.
    """

    def __init__(self, confirmed_until: int | None = None) -> None:
        self._calendar = holidays.country_holidays("CN", language="zh_CN")
        self._confirmed_until = last_arranged_year() if confirmed_until is None else confirmed_until
        self._version = f"CN {self._confirmed_until} holidays-{version('holidays')}"

    @property
    def version(self) -> str:
        """Changes with every year that is arranged, and with every release of the package."""
        return self._version

    def is_working(self, day: date) -> bool:
        return bool(self._calendar.is_working_day(day))

    def confirmed(self, year: int) -> bool:
        return year <= self._confirmed_until


def last_arranged_year() -> int:
    """Return the last year for which the package knows adjusted days: arrangements always have some."""
    return max(ChinaStaticHolidays.special_public_holidays, default=0)
