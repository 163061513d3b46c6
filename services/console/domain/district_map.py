"""The map of the district: one mark per unit, or per community where there are many, each as its worst unit stands."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from services.kernel.words import Connection, Health

MAX_MARKS = 400
"""So many marks of units can be told apart on a screen, and reached in a list."""
MAX_OF_A_COMMUNITY = 2000
PARTLY = "partly"

Position = tuple[float, float]
"""Degrees east and north."""

WORST_FIRST = (
    Health.FIRE.value, Connection.OFFLINE.value, PARTLY, Connection.NEVER.value, Health.FAULT.value,
    Health.ISOLATED.value, Health.PARTLY_ISOLATED.value, Connection.UNKNOWN.value, Connection.LATE.value,
    Connection.COMMISSIONING.value, Connection.ONLINE.value, Connection.EXEMPT.value,
)  # fmt: skip
"""The shapes of marks. What we cannot see stands behind what we know to be wrong."""


@dataclass(frozen=True, slots=True)
class MapQuery:
    """Which part of the slice: a street, a community of it. None: all of it."""

    town: str | None = None
    community: str | None = None


@dataclass(frozen=True, slots=True)
class MapUnit:
    """One unit as of the read, as the map needs it."""

    unit_id: str
    name: str
    name_en: str
    town: str
    community: str
    connection: str
    health: str
    partly_connected: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """A unit, or a community when `unit_id` is None: how many of its units have which shape, and the worst of them.

    `at` None: the register has no position of it.
    """

    town: str
    community: str
    unit_id: str | None
    name: str
    name_en: str
    shapes: Mapping[str, int]
    worst: str
    at: Position | None


@dataclass(frozen=True, slots=True)
class DistrictMap:
    """`units` of which `placed` have a position; `left_out`: so many units have no mark, for there are too many."""

    units: int
    placed: int
    left_out: int
    shapes: Mapping[str, int]
    marks: Sequence[Mark]


def shape_of(unit: MapUnit) -> str:
    """Return what a unit's mark shows: a fire before all else, then what its links and its components say."""
    if unit.health == Health.FIRE:
        return Health.FIRE.value
    if unit.partly_connected:
        return PARTLY
    if unit.connection not in (Connection.ONLINE, Connection.EXEMPT):
        return unit.connection
    return unit.connection if unit.health in (Health.NORMAL, Health.UNKNOWN) else unit.health


def map_of(units: Sequence[MapUnit], positions: Mapping[str, Position], query: MapQuery) -> DistrictMap:
    """Return the map of these units, the worst mark first."""
    shapes = {unit.unit_id: shape_of(unit) for unit in units}
    most = MAX_OF_A_COMMUNITY if query.community is not None else MAX_MARKS
    if query.community is not None or len(units) <= most:
        marks = [_of_unit(unit, shapes[unit.unit_id], positions.get(unit.unit_id)) for unit in units]
    else:
        marks = list(_of_communities(units, shapes, positions))
    marks.sort(key=_pressing)
    shown = marks[:MAX_OF_A_COMMUNITY]
    return DistrictMap(
        units=len(units),
        placed=sum(unit.unit_id in positions for unit in units),
        left_out=sum(sum(mark.shapes.values()) for mark in marks[len(shown) :]),
        shapes=Counter(shapes.values()),
        marks=shown,
    )


def _of_unit(unit: MapUnit, shape: str, at: Position | None) -> Mark:
    return Mark(unit.town, unit.community, unit.unit_id, unit.name, unit.name_en, Counter([shape]), shape, at)


def _of_communities(
    units: Iterable[MapUnit], shapes: Mapping[str, str], positions: Mapping[str, Position]
) -> Iterable[Mark]:
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for unit in units:
        found[unit.town, unit.community].append(unit.unit_id)
    for (town, community), ids in found.items():
        counts = Counter(shapes[unit_id] for unit_id in ids)
        worst = min(counts, key=_place)
        yield Mark(town, community, None, community, "", counts, worst, _middle([positions.get(one) for one in ids]))


def _middle(found: Iterable[Position | None]) -> Position | None:
    known = [at for at in found if at is not None]
    return (fmean(at[0] for at in known), fmean(at[1] for at in known)) if known else None


def _place(shape: str) -> int:
    return WORST_FIRST.index(shape) if shape in WORST_FIRST else len(WORST_FIRST)


def _pressing(mark: Mark) -> tuple[int, int, str, str, str]:
    return _place(mark.worst), -mark.shapes[mark.worst], mark.town, mark.community, mark.unit_id or ""
