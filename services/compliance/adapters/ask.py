"""The ask as it comes (JSON), read strictly. Whatever does not fit is `bad_ask`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from schemas.base import Wire
from schemas.inputs import InputError
from services.compliance.domain.population import DIMENSIONS
from services.kernel import calendar

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:\d{2})")


def _instant(text: str) -> str:
    to_micros(text)
    return text


def to_micros(text: str) -> int:
    """Return an RFC 3339 instant, or a bare date as its 00:00 in Asia/Shanghai, in microseconds.

    Raises ValueError, also for one outside the years 2 to 9998, at whose ends there is no day before or after.
    """
    if _DATE.fullmatch(text):
        at = calendar.midnight(calendar.day_number(datetime.fromisoformat(text).replace(tzinfo=UTC).date()))
    elif _INSTANT.fullmatch(text):
        at = calendar.micros(datetime.fromisoformat(text.upper()))
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
    slice: dict[Name, Name] = Field(default={})
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


class WireAsk(Wire):
    known_at: Instant | None = None
    figures: tuple[WireFigure, ...] = ()
    intervals: tuple[WireIntervals, ...] = ()
    blocking: tuple[WireOfTarget, ...] = ()
    forecast: tuple[WireOfTarget, ...] = ()
    revisions: tuple[WireRevision, ...] = ()


@dataclass(frozen=True, slots=True)
class WindowAsk:
    """Intervals of `units`, all where None, within [start, end)."""

    units: tuple[str, ...] | None
    start: int
    end: int


def read_ask(raw: bytes) -> WireAsk:
    """Raises InputError `bad_ask`."""
    try:
        ask = WireAsk.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError("bad_ask", f"{where}: {first['msg']}") from error
    for each in (*ask.figures, *(revision.figure for revision in ask.revisions)):
        _check_figure(each)
    return ask


def _check_figure(figure: WireFigure) -> None:
    if unknown := set(figure.slice) - set(DIMENSIONS):
        raise InputError("bad_ask", f"slice by {min(unknown)[:64]}")
    if (figure.from_ is None) != (figure.to is None):
        raise InputError("bad_ask", "from and to go together")
    if figure.from_ is not None and (figure.at is not None or figure.span is not None):
        raise InputError("bad_ask", "either from and to, or at")
    if figure.from_ is not None and figure.to is not None:
        _in_order(figure.from_, figure.to)


def window(asked: WireIntervals) -> WindowAsk:
    """Raises InputError `bad_ask` when `from` is not before `to`."""
    return WindowAsk(asked.units, *_in_order(asked.from_, asked.to))


def _in_order(start: str, end: str) -> tuple[int, int]:
    begun, ended = to_micros(start), to_micros(end)
    if begun >= ended:
        raise InputError("bad_ask", "from is not before to")
    return begun, ended
