"""The ask as it comes (JSON), read strictly. Whatever does not fit is `bad_ask`."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from schemas.base import Wire
from schemas.codec import first_problem
from schemas.evaluation import WHOLE
from schemas.inputs import InputError
from services.compliance.domain import period
from services.compliance.domain.blocking import TargetAsk
from services.compliance.domain.evaluation import formula_of
from services.compliance.domain.figure import FigureAsk
from services.compliance.domain.period import Window
from services.compliance.domain.population import DIMENSIONS
from services.compliance.domain.scores import Entry
from services.kernel import calendar
from services.kernel.words import Period

MAX_DAYS = 3700
"""Ten years of months: each figure of each is computed from the log."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(\.\d{1,6})?\d*([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _instant(text: str) -> str:
    to_micros(text)
    return text


def to_micros(text: str) -> int:
    """Return an RFC 3339 instant, or a bare date as its 00:00 in Asia/Shanghai, in microseconds.

    Raises ValueError, also for one outside the years 2 to 9998, at whose ends there is no day before or after.
    """
    if _DATE.fullmatch(text):
        at = calendar.midnight(calendar.day_number(datetime.fromisoformat(text).replace(tzinfo=UTC).date()))
    elif instant := _INSTANT.fullmatch(text):
        at = calendar.micros(datetime.fromisoformat("".join(part or "" for part in instant.groups()).upper()))
    else:
        raise ValueError("an RFC 3339 instant or a date")
    if not _FIRST <= at < _LAST:
        raise ValueError("a year from 2 to 9998")
    return at


_FIRST = calendar.micros(datetime(2, 1, 1, tzinfo=UTC))
_LAST = calendar.micros(datetime(9999, 1, 1, tzinfo=UTC))

Instant = Annotated[str, StringConstraints(max_length=40, strict=True), AfterValidator(_instant)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=400, strict=True)]


class WireFigure(Wire):
    """One figure asked for. Which fields go with a metric is for its formula to say."""

    metric: Name
    scope: Name
    at: Instant | None = None
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None
    span: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[dm]$", strict=True)] | None = None
    unit: Name | None = None
    slice: dict[Name, Name] | None = None
    limit_s: Annotated[int, Field(ge=0, strict=True)] | Annotated[float, Field(ge=0, strict=True)] | None = None
    availability: Annotated[str, StringConstraints(pattern=r"^(0(\.[0-9]{1,12})?|1(\.0{1,12})?)$")] | None = None


class WireIntervals(Wire):
    units: tuple[Name, ...] | None = None
    from_: Instant = Field(alias="from")
    to: Instant


class WireOfTarget(Wire):
    target: Name
    at: Instant | None = None
    from_: Instant | None = Field(default=None, alias="from")


class WireRevision(Wire):
    figure: WireFigure
    published_at: tuple[Instant, ...]


class WireOutages(Wire):
    """The outages of a scope within a window."""

    scope: Name
    from_: Instant = Field(alias="from")
    to: Instant
    slice: dict[Name, Name] | None = None
    unit: Name | None = None


class WireOutagesAsk(Wire):
    known_at: Instant | None = None
    adjusted: bool = True
    outages: tuple[WireOutages, ...] = ()


class WireAsk(Wire):
    """`adjusted` false asks for what was measured, as if no adjustment had ever been approved."""

    known_at: Instant | None = None
    adjusted: bool = True
    figures: tuple[WireFigure, ...] = ()
    intervals: tuple[WireIntervals, ...] = ()
    blocking: tuple[WireOfTarget, ...] = ()
    forecast: tuple[WireOfTarget, ...] = ()
    revisions: tuple[WireRevision, ...] = ()


class WireEntry(Wire):
    """Points that somebody entered, as `python -m services.registry score list` prints them."""

    entry_id: Name
    scheme_id: Name
    body_id: Name
    criterion_id: Name
    month: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-01$", strict=True)]
    points: Annotated[str, StringConstraints(pattern=r"^\d{1,3}(\.\d)?$", strict=True)] | None
    most: int = Field(ge=1, le=WHOLE)
    reason: Name = "-"
    account: Name = "-"
    district: Name
    recorded_at: Instant = "1970-01-01"


class WireEvaluateAsk(Wire):
    """Scores of the months that lie within [from, to), and of the quarters and years that end with one of them."""

    known_at: Instant | None = None
    adjusted: bool = True
    from_: Instant = Field(alias="from")
    to: Instant
    entries: tuple[WireEntry, ...] = ()


AskT = TypeVar("AskT", bound=Wire)


@dataclass(frozen=True, slots=True)
class IntervalsAsk:
    """Intervals of `units`, all where None, within [start, end)."""

    units: tuple[str, ...] | None
    start: int
    end: int


def read_ask(raw: bytes) -> WireAsk:
    """Raises InputError `bad_ask`."""
    return _read(WireAsk, raw)


def read_outages_ask(raw: bytes) -> WireOutagesAsk:
    """Raises InputError `bad_ask`."""
    return _read(WireOutagesAsk, raw)


def read_evaluate_ask(raw: bytes) -> WireEvaluateAsk:
    """Raises InputError `bad_ask`."""
    return _read(WireEvaluateAsk, raw)


def asked_months(asked: WireEvaluateAsk) -> list[Window]:
    """Return the months that lie within the span. Raises InputError `bad_ask`."""
    start, end = _in_order(asked.from_, asked.to)
    first, last = calendar.day_of(start), calendar.day_of(end - 1)
    if last - first > MAX_DAYS:
        raise InputError("bad_ask", f"more than {MAX_DAYS} days")
    return [
        each for each in period.windows_between(Period.MONTH, first, last) if start <= each.start and each.end <= end
    ]


def asked_entries(asked: WireEvaluateAsk, known_at: int | None) -> list[Entry]:
    """Return the entries that were known, in the order in which they were made. Raises InputError `bad_ask`."""
    held = [(to_micros(each.recorded_at), each.entry_id, each) for each in asked.entries]
    return [_entry(each) for at, _, each in sorted(held, key=lambda one: one[:2]) if known_at is None or at <= known_at]


def _entry(said: WireEntry) -> Entry:
    try:
        month = calendar.day_number(date.fromisoformat(said.month))
    except ValueError as error:
        raise InputError("bad_ask", f"month {said.month}") from error
    points = None if said.points is None else Fraction(said.points)
    return Entry(
        said.entry_id, said.district, said.scheme_id, said.body_id, said.criterion_id, month, points, said.most,
        said.account, said.reason,
    )  # fmt: skip


def _read(model: type[AskT], raw: bytes) -> AskT:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise InputError("bad_ask", first_problem(error)) from error


def _check_slice(asked: dict[str, str] | None) -> dict[str, str]:
    if unknown := set(asked or ()) - set(DIMENSIONS):
        raise InputError("bad_ask", f"slice by {min(unknown)[:64]}")
    return asked or {}


def outages_window(asked: WireOutages) -> tuple[int, int]:
    """Raises InputError `bad_ask` when `from` is not before `to` or the slice is by something else."""
    _check_slice(asked.slice)
    return _in_order(asked.from_, asked.to)


def figure_ask(asked: WireFigure, horizon: int) -> FigureAsk:
    """Return what is asked, `at` the horizon where nothing is said.

    Raises Refused `unknown_metric` and InputError `bad_ask`.
    """
    formula = formula_of(asked.metric)
    part = _check_slice(asked.slice)
    if "unit" in formula.needs and asked.unit is None:
        raise InputError("bad_ask", f"{asked.metric} needs unit")
    for name, given in (("limit_s", asked.limit_s), ("availability", asked.availability)):
        if (name in formula.needs) != (given is not None):
            raise InputError("bad_ask", f"{asked.metric} {'needs' if given is None else 'knows no'} {name}")
    start, end = _at(asked, horizon) if formula.instant else _window(asked, horizon)
    return FigureAsk(
        asked.metric,
        asked.scope,
        part,
        asked.unit,
        start,
        end,
        0 if asked.limit_s is None else calendar.whole_micros(asked.limit_s),
        Fraction(0) if asked.availability is None else Fraction(asked.availability),
    )


def _at(asked: WireFigure, horizon: int) -> tuple[int, int]:
    if any(each is not None for each in (asked.from_, asked.to, asked.span)):
        raise InputError("bad_ask", f"{asked.metric} is asked for at an instant")
    at = horizon if asked.at is None else to_micros(asked.at)
    return at, at


def _window(asked: WireFigure, horizon: int) -> tuple[int, int]:
    if asked.span is not None:
        if asked.from_ is not None or asked.to is not None:
            raise InputError("bad_ask", "either from and to, or span and at")
        return _span(asked.span, horizon if asked.at is None else to_micros(asked.at))
    if asked.at is not None or asked.from_ is None or asked.to is None:
        raise InputError("bad_ask", f"{asked.metric} is asked for with from and to, or with span and at")
    return _in_order(asked.from_, asked.to)


def _span(text: str, end: int) -> tuple[int, int]:
    count = int(text[:-1])
    try:
        start = period.days_before(end, count) if text[-1] == "d" else period.months_before(end, count)
    except ValueError:
        start = _FIRST - 1
    if start < _FIRST:
        raise InputError("bad_ask", f"{text} before the year 2")
    return start, end


def intervals_ask(asked: WireIntervals) -> IntervalsAsk:
    """Raises InputError `bad_ask` when `from` is not before `to`."""
    return IntervalsAsk(asked.units, *_in_order(asked.from_, asked.to))


def target_ask(asked: WireOfTarget) -> TargetAsk:
    """Raises InputError `bad_ask` when `from` is not before `at`."""
    if asked.from_ is not None and asked.at is not None:
        _in_order(asked.from_, asked.at)
    return TargetAsk(
        asked.target,
        None if asked.at is None else to_micros(asked.at),
        None if asked.from_ is None else to_micros(asked.from_),
    )


def _in_order(start: str, end: str) -> tuple[int, int]:
    begun, ended = to_micros(start), to_micros(end)
    if begun >= ended:
        raise InputError("bad_ask", "from is not before to")
    return begun, ended
