"""Connection and health of one unit over all time, as known at one instant (R18, R19, R24)."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

from services.compliance.domain.adjustments import NONE, Adjustments
from services.compliance.domain.connection import Link, Piece
from services.compliance.domain.health import QUIET, Condition, Health, Trouble
from services.compliance.domain.registry import GatewayRow, UnitRow
from services.compliance.domain.visibility import Span
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force
from services.kernel.words import Connection

CONNECTED = (Link.ONLINE, Link.LATE)
_CAUSES = ("blind", "impaired", "unproven")


class State(NamedTuple):
    connection: Connection
    partly: bool
    cause: str
    attribution: str | None


class StateInterval(NamedTuple):
    start: int
    end: int
    state: State


class HealthInterval(NamedTuple):
    start: int
    end: int
    health: str


class Stretch(NamedTuple):
    """[start, end), over which the connection stays the same. `lost`: the gateway that an offline one goes back to."""

    start: int
    end: int
    connection: Connection
    cause: str
    partly: bool = False
    lost: tuple[str, Piece] | None = None


@dataclass(frozen=True)
class GatewayTrack:
    """One (gateway, unit) pair: its runs, what was seen of it, and its troubles. `pieces` are in order of time.

    `heartbeats`: when each that counts for the completeness of data was received, in order (R30); `proofs`: when each
    sign of life was, blind time left out (R10).
    """

    gateway_id: str
    rows: Sequence[GatewayRow]
    runs: Sequence[Span]
    pieces: Sequence[Piece]
    first_proof: int | None
    condition: Condition
    heartbeats: Sequence[int] = field(default=())
    proofs: Sequence[int] = field(default=())

    @cached_property
    def _starts(self) -> list[int]:
        return [piece.start for piece in self.pieces]

    @cached_property
    def turns(self) -> Sequence[int]:
        """Return all turning points, in order, each once."""
        return sorted(set(self.turning_points()))

    def piece_at(self, at: int) -> Piece | None:
        """Return the piece in a run of the pair, None outside of them."""
        index = bisect_right(self._starts, at) - 1
        return self.pieces[index] if index >= 0 and at < self.pieces[index].end else None

    def trouble_at(self, at: int) -> Trouble:
        index = bisect_right(self.condition.changes, at, key=lambda change: change.at) - 1
        return self.condition.changes[index].trouble if index >= 0 else QUIET

    def points_at(self, at: int) -> int:
        """Return how many points are known: the registered ones, or those seen if they are more (R25)."""
        row = in_force(self.rows, day_of(at))
        return max(row.points if row is not None else 0, bisect_right(self.condition.seen, at))

    def turning_points(self) -> Iterator[int]:
        """Yield the instants at which connection, troubles or points may change."""
        for piece in self.pieces:
            yield from (piece.start, piece.end)
        yield from (change.at for change in self.condition.changes)
        yield from self.condition.seen
        yield from (midnight(day) for row in self.rows for day in row.turning_days())


@dataclass(frozen=True)
class Timeline:
    """A unit that has a row, up to `end`, the first instant of which nothing is said.

    `attributed` says whose an offline piece of a gateway is; it is asked late, for losses of others matter.
    `adjustments`: where they have the unit counted otherwise than it was measured, the stretch says so by its cause.
    """

    unit_id: str
    rows: Sequence[UnitRow]
    tracks: Sequence[GatewayTrack]
    end: int
    attributed: Callable[[str, str, Piece], str]
    adjustments: Adjustments = NONE

    @cached_property
    def stretches(self) -> Sequence[Stretch]:
        """Return all, in order of time, from the unit's first row on."""
        points = {midnight(day) for row in self.rows for day in row.turning_days()}
        for track in self.tracks:
            points |= {at for piece in track.pieces for at in (piece.start, piece.end)}
            points |= set() if track.first_proof is None else {track.first_proof}
        points.update(self.adjustments.edges())
        first = midnight(self.rows[0].valid_from)
        found: list[Stretch] = []
        for start, end in pairwise(_between(first, points, self.end)):
            now = self._stretch(start, end)
            if found and found[-1][2:] == now[2:]:
                now = now._replace(start=found.pop().start)
            found.append(now)
        return found

    @cached_property
    def _starts(self) -> list[int]:
        return [stretch.start for stretch in self.stretches]

    def within(self, start: int, end: int) -> Iterator[Stretch]:
        """Yield the stretches of [start, end), cut to it; none of an empty one."""
        if start >= end:
            return
        for index in range(max(0, bisect_right(self._starts, start) - 1), len(self.stretches)):
            stretch = self.stretches[index]
            if stretch.start >= end:
                return
            if start < stretch.end:
                yield stretch._replace(start=max(start, stretch.start), end=min(end, stretch.end))

    def connection_at(self, at: int) -> Stretch | None:
        """Return the stretch of an instant up to the horizon, None while there is no row."""
        return next(self.within(at, at + 1), None)

    def _stretch(self, start: int, end: int) -> Stretch:
        row, day = in_force(self.rows, day_of(start)), day_of(start)
        if row is None or row.retired(day):
            return Stretch(start, end, Connection.RETIRED, "registry")
        corrected = self.adjustments.corrected(start)
        if corrected is not None:
            return Stretch(start, end, corrected, "correction")
        if row.exempt(day):
            return Stretch(start, end, Connection.EXEMPT, "registry")
        excuse = self.adjustments.excuse(start)
        if excuse is not None:
            return Stretch(start, end, Connection.EXEMPT, excuse)
        if not row.commissioned(day):
            heard = any(track.first_proof is not None and track.first_proof <= start for track in self.tracks)
            return Stretch(start, end, Connection.COMMISSIONING if heard else Connection.NEVER, "registry")
        pieces = [(track.gateway_id, piece) for track in self.tracks if (piece := track.piece_at(start)) is not None]
        return _of_gateways(start, end, pieces)

    def connection(self, start: int, end: int) -> list[StateInterval]:
        """Return the states within [start, end), neighbours that are equal in all fields as one."""
        found: list[StateInterval] = []
        for stretch in self.within(start, end):
            state = self._state(stretch)
            begun = found.pop().start if found and found[-1].state == state else stretch.start
            found.append(StateInterval(begun, stretch.end, state))
        return found

    def _state(self, stretch: Stretch) -> State:
        attribution = None
        if stretch.connection is Connection.OFFLINE:
            lost = stretch.lost
            attribution = "unit" if lost is None else self.attributed(lost[0], self.unit_id, lost[1])
        elif stretch.connection is Connection.UNKNOWN:
            attribution = "self"
        return State(stretch.connection, stretch.partly, stretch.cause, attribution)

    def healths(self, start: int, end: int) -> list[HealthInterval]:
        """Return the healths within [start, end), equal neighbours as one."""
        first = max(start, midnight(self.rows[0].valid_from))
        points = {midnight(day) for row in self.rows for day in row.turning_days()}
        points.update(at for track in self.tracks for at in track.turning_points())
        found: list[HealthInterval] = []
        for begun, ended in pairwise(_between(first, points, min(end, self.end))):
            health = self._health_at(begun)
            if found and found[-1].health == health:
                begun = found.pop().start
            found.append(HealthInterval(begun, ended, health))
        return found

    def _health_at(self, at: int) -> str:
        row = in_force(self.rows, day_of(at))
        if row is None or row.retired(day_of(at)):
            return "unknown"
        present = [(track, piece) for track in self.tracks if (piece := track.piece_at(at)) is not None]
        gravest = max((track.trouble_at(at).health for track, _ in present), default=Health.NONE)
        if gravest is not Health.NONE:
            return gravest.name.lower()
        return "normal" if present and all(piece.link in CONNECTED for _, piece in present) else "unknown"


def _of_gateways(start: int, end: int, pieces: Sequence[tuple[str, Piece]]) -> Stretch:
    if not pieces:
        return Stretch(start, end, Connection.OFFLINE, "registry")
    lost = [(gateway_id, piece) for gateway_id, piece in pieces if piece.link is Link.OFFLINE]
    if lost:
        first = min(lost, key=lambda each: (each[1].anchor, each[0]))
        partly = any(piece.link in CONNECTED for _, piece in pieces)
        return Stretch(start, end, Connection.OFFLINE, first[1].cause, partly, first)
    unknown = [piece.cause for _, piece in pieces if piece.link is Link.UNKNOWN]
    if unknown:
        return Stretch(start, end, Connection.UNKNOWN, min(unknown, key=_CAUSES.index))
    late = [piece.cause for _, piece in pieces if piece.link is Link.LATE]
    if late:
        return Stretch(start, end, Connection.LATE, "link_down" if "link_down" in late else "late")
    return Stretch(start, end, Connection.ONLINE, "signal")


def _between(start: int, points: Iterable[int], end: int) -> list[int]:
    """Return `start`, the points between and `end`, each once, in order; nothing where `start` is not before `end`."""
    return [start, *sorted({at for at in points if start < at < end}), end] if start < end else []
