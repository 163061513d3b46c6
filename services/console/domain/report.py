"""A report: what a period came to for a district, street or department. What is published is shown as it stands.

The figures are those of compliance, with their revisions. The rest are facts of rules, alerts and documents as they
are stored, counted here or in the statement that reads them, and never mixed with a figure.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.console.domain.history import Publication, Subject
from services.kernel.calendar import date_of, day_number, midnight, moment, period_days
from services.kernel.ratio import Ratio
from services.kernel.words import Language, Period

LONGEST = 20
"""Units in the list of outages and in that of units below the target; how many more there are is said."""


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """A period of the calendar of Asia/Shanghai, `last` included. Whether it is over the store says."""

    subject: Subject
    kind: Period
    first: date
    last: date

    @property
    def begins_at(self) -> datetime:
        return moment(midnight(day_number(self.first)))

    @property
    def ends_at(self) -> datetime:
        return moment(midnight(day_number(self.last) + 1))


def period_of(kind: Period, day: date) -> tuple[date, date]:
    """Return first and last day of the period of a kind that holds a day."""
    first, after = period_days(kind, day)
    return date_of(first), date_of(after - 1)


class Attribution(StrEnum):
    """Whose an outage is, as compliance published it (R20). SELF: FireNet did not see."""

    UNIT = "unit"
    CARRIER = "carrier"
    AREA = "area"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the period. `publications` oldest first, never empty; the last one holds.

    `differences`: of each publication what is another than in the one before, as pairs of old and new, "" for what
    there was not.
    """

    scope: str
    metric: str
    publications: tuple[Publication, ...]
    differences: tuple[Mapping[str, tuple[str, str]], ...]
    clause: str | None
    due: str | None
    pack: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage of a unit as it stands, cut to the period. `published_at`: when the revision that stands was."""

    unit_id: str
    name: tuple[str, str]
    began: datetime
    ended: datetime
    attribution: Attribution
    published_at: datetime | None = None

    @property
    def lasted(self) -> timedelta:
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class UnitOutages:
    """All outages of one unit: how many, their sum, the longest, and by whose they are."""

    unit_id: str
    name: tuple[str, str]
    count: int
    total: timedelta
    longest: timedelta
    by: Mapping[Attribution, timedelta]


@dataclass(frozen=True, slots=True)
class UnitTime:
    """A unit's own part of the time-weighted rate: unit time in microseconds, summed over the days of the period."""

    unit_id: str
    name: tuple[str, str]
    ratio: Ratio

    @property
    def lost(self) -> int:
        """Return what is certainly lost: what is unknown is not."""
        return self.ratio.denominator - self.ratio.high_numerator


@dataclass(frozen=True, slots=True)
class Blocking:
    """Which units stand between a scope and its target.

    `units`: those with time certainly lost, the greatest loss first. `shortest`: how many of them, from the first on,
    would have to be cured. `exact`: their times add up to the published figure; else the register has changed since.
    """

    scope: str
    target: str
    units: tuple[UnitTime, ...]
    shortest: int
    exact: bool


@dataclass(frozen=True, slots=True)
class CaseCounts:
    """Cases opened in the period and what has become of them until now, by kind."""

    kind: str
    opened: int
    closed: int
    taken: int


@dataclass(frozen=True, slots=True)
class FireFindings:
    """Fires of the period by what the centre found and by its cause, None where nobody has said either yet.

    Both are words of alerts (`Verification`, `AlarmCause`), as the centre knows them: no finding of an investigation.
    """

    finding: str | None
    cause: str | None
    fires: int


@dataclass(frozen=True, slots=True)
class PaperCounts:
    """Documents issued in the period and what has become of them until now, by instrument."""

    instrument: str
    issued: int
    received: int
    replied: int
    accepted: int
    returned: int
    undecided: int
    appeals: int
    receipts_overdue: int
    replies_overdue: int


@dataclass(frozen=True, slots=True)
class Centre:
    """What is stored about the centre's own work. Durations are None where there was nothing to measure.

    `touched`, `acted`: fires that somebody has touched, and acted on; the longest time of each, and how many within a
    minute. `hours`: hours with a case; `flooded`: those with more than `FLOOD` cases; `busiest`: most in an hour.
    """

    fires: int
    touched: int
    acted: int
    touched_within: int
    acted_within: int
    slowest_touch: timedelta | None
    slowest_act: timedelta | None
    cases: int
    hours: int
    flooded: int
    busiest: int


FLOOD = 12
"""Alarms that one seat can work off in an hour, by a rule of thumb of the trade (docs/domain/letters.md, 4)."""
WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything of a report. What is None could not be had: see `withheld` for why, by the name of the field."""

    query: ReportQuery
    made_at: datetime
    seen_to: datetime | None
    """Up to when rules has seen everything; None: nobody looks."""
    figures: tuple[Figure, ...] = ()
    outages: tuple[Outage, ...] | None = None
    blocking: tuple[Blocking, ...] | None = None
    cases: tuple[CaseCounts, ...] | None = None
    findings: tuple[FireFindings, ...] = ()
    steps: tuple[tuple[str, int], ...] = ()
    papers: tuple[PaperCounts, ...] | None = None
    centre: Centre | None = None
    withheld: Mapping[str, "Withheld"] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        return bool(self.figures)

    @property
    def outages_since(self) -> int:
        """Return how many of the outages were published, or published otherwise, after the figures first were."""
        closed_at = min((each.publications[0].published_at for each in self.figures), default=None)
        if closed_at is None:
            return 0
        told = [each.published_at for each in self.outages or ()]
        return sum(at is not None and at > closed_at for at in told)

    @property
    def over(self) -> bool:
        return self.query.ends_at <= self.made_at

    @property
    def revision(self) -> int:
        """Return the highest revision of any figure; 0 while nothing is published."""
        return max((each.publications[-1].revision for each in self.figures), default=0)

    @property
    def published(self) -> int:
        """Return how many publications all figures have together: it grows with each revision of any of them."""
        return sum(len(each.publications) for each in self.figures)


class Withheld(StrEnum):
    """Why a part of a report is not there."""

    NOT_KEPT = "not_kept"
    """The period begins before what is surely still kept."""
    TOO_MANY = "too_many"
    NOT_SEEN = "not_seen"
    """Compliance has not come to it."""
    NOT_BEGUN = "not_begun"


@dataclass(frozen=True, slots=True)
class ListedPeriod:
    """A period of which a report can be asked for; `revision` 0: it is not closed."""

    kind: Period
    first: date
    last: date
    revision: int
    published_at: datetime | None


Cell = str | int


@dataclass(frozen=True, slots=True)
class Table:
    """Every row has a cell for each column; `numeric`: the columns that stand to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """`key` is the same in every language; `notes` stand before the table."""

    key: str
    heading: str
    notes: tuple[str, ...] = ()
    table: Table | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """A report in words of one language: page, PDF and XLSX are forms of it and add none.

    `state`: provisional, closed or revised. `head`: label and value; `foot`: how it is to be read.
    """

    language: Language
    title: str
    state: str
    made_at: datetime
    head: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    foot: tuple[str, ...]


def total_by(found: Iterable[Outage]) -> dict[Attribution, tuple[int, int, timedelta]]:
    """Return outages, units and time of each attribution, also of those that have none."""
    count: Counter[Attribution] = Counter()
    units: dict[Attribution, set[str]] = {each: set() for each in Attribution}
    time = dict.fromkeys(Attribution, timedelta())
    for outage in found:
        count[outage.attribution] += 1
        units[outage.attribution].add(outage.unit_id)
        time[outage.attribution] += outage.lasted
    return {each: (count[each], len(units[each]), time[each]) for each in Attribution}


def by_unit(found: Iterable[Outage]) -> list[UnitOutages]:
    """Return units by the sum of their outages, the longest first; what we did not see is in no sum of a unit."""
    of: dict[str, list[Outage]] = defaultdict(list)
    for outage in found:
        of[outage.unit_id].append(outage)
    made = []
    for unit_id, own in of.items():
        seen = [each for each in own if each.attribution is not Attribution.SELF]
        if seen:
            total = sum((each.lasted for each in seen), timedelta())
            by = {each: time for each, (_, _, time) in total_by(seen).items() if time}
            made.append(UnitOutages(unit_id, own[0].name, len(seen), total, max(each.lasted for each in seen), by))
    return sorted(made, key=lambda each: (-each.total, each.unit_id))


def blocking(scope: str, target: str, published: Ratio, missing: int, units: Iterable[UnitTime]) -> Blocking:
    """Say which units stand between a scope and its target, and how few would have to be cured.

    `published` is the figure that was judged, `missing` what it lacks of the target. Units of microseconds.
    """
    times = list(units)
    whole = sum((each.ratio for each in times), Ratio(0, 0))
    lost = sorted((each for each in times if each.lost > 0), key=lambda each: (-each.lost, each.unit_id))
    shortest = 0
    for each in lost:
        if missing <= 0:
            break
        missing -= each.lost
        shortest += 1
    return Blocking(scope, target, tuple(lost), shortest, whole == published)
