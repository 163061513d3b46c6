"""A report to be printed: what the console has worded, as a value. Nothing of it is looked up or computed here."""

from dataclasses import dataclass
from datetime import datetime

from services.kernel.words import Language


@dataclass(frozen=True, slots=True)
class ReportTable:
    """Every row has a cell for each column; `numeric`: the columns that stand to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReportSection:
    heading: str
    notes: tuple[str, ...]
    table: ReportTable | None


@dataclass(frozen=True, slots=True)
class Report:
    """`provisional`: its period is not closed, which every page says. `made_at` is the time stamp of the file."""

    language: Language
    title: str
    provisional: bool
    made_at: datetime
    head: tuple[tuple[str, str], ...]
    sections: tuple[ReportSection, ...]
    foot: tuple[str, ...]
