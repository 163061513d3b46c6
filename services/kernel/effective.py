"""Which version of something dated holds on a day: valid time and known time."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Protocol, TypeVar, overload


class ByDate(Protocol):
    """Valid from the start of a day (Asia/Shanghai) until the next version."""

    @property
    def valid_from(self) -> date: ...


class ByNumber(Protocol):
    """The same, its day the whole number of `calendar`."""

    @property
    def valid_from(self) -> int: ...


class Recorded(ByDate, Protocol):
    """Known since an instant in microseconds."""

    @property
    def recorded_at(self) -> int: ...


class Sortable(Protocol):
    """Days of one kind and instants of one kind."""

    @property
    def valid_from(self) -> Any: ...
    @property
    def recorded_at(self) -> Any: ...


D = TypeVar("D", bound=ByDate)
N = TypeVar("N", bound=ByNumber)
R = TypeVar("R", bound=Recorded)
S = TypeVar("S", bound=Sortable)


def ordered(versions: Iterable[S]) -> list[S]:
    """Return versions in the order in which `in_force` wants them and the registry's topic has them."""
    return sorted(versions, key=lambda version: (version.valid_from, version.recorded_at))


@overload
def in_force(versions: Sequence[D], day: date) -> D | None: ...
@overload
def in_force(versions: Sequence[N], day: int) -> N | None: ...
@overload
def in_force(versions: Sequence[R], day: date, known_at: int) -> R | None: ...
def in_force(versions: Sequence[Any], day: Any, known_at: Any = None) -> Any:
    """Return the version that holds on `day` by what was known at `known_at` (left out: by all there is).

    Of the versions that have begun and were known, the one with the greatest (valid_from, recorded_at): a correction
    dated back before a later version reaches only up to it (R1). None before the first.

    Shape:  `versions` of one entity in the order of (valid_from, recorded_at); see `ordered`.

    Everybody who asks this asks it here. What differs between them is what they ask with:
    registry, alerts and the view `registry.in_force` take all that is known today; compliance has cut its rows at the
    `known_at` of the ask when it read them, and counts days as numbers; rules asks at one instant for both times,
    the watermark, because what it has not passed may still lack a record (`facts.holding`). ingest keeps no
    `recorded_at`: an answer of the day is remembered there, so that a heartbeat does not come here at all.
    """
    for version in reversed(versions):
        if version.valid_from <= day and (known_at is None or version.recorded_at <= known_at):
            return version
    return None
