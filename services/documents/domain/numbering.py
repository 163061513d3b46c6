"""Numbers of documents (文号): one series per issuing body, mark and year, from 1, without a gap.

A number is taken in the transaction that writes its document, under the lock of its series' row: one that fails gives
its number back, and two that are issued at once wait for each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.kernel.calendar import CHINA


@dataclass(frozen=True, slots=True)
class Series:
    """`mark` is the issuer's code (机关代字) with the word of the kind of document, as in 消监告."""

    issuer: str
    mark: str
    year: int


@dataclass(frozen=True, slots=True)
class Number:
    """The `serial`-th document of its series."""

    series: Series
    serial: int

    @property
    def text(self) -> str:
        """The number as it is written: six-corner brackets, neither 第 nor leading zeros (GB/T 9704)."""
        return f"{self.series.mark}〔{self.series.year}〕{self.serial}号"


@dataclass(frozen=True, slots=True)
class ReportedNumber:
    """The number that a document had when it was told of, and when it was issued."""

    document_id: str
    number: Number
    issued_at: datetime


def series_of(issuer: str, word: str, issued_at: datetime, marks: Mapping[str, str]) -> Series:
    """Return the series of a document that `issuer` issues now; the year is that of China's calendar.

    A body without a mark of its own has its code for it, so that no two bodies write the same numbers.
    """
    return Series(issuer, f"{marks.get(issuer, issuer)}{word}", issued_at.astimezone(CHINA).year)
