"""Connection and health of one unit over all time, as known at one instant (R18, R19, R24)."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from services.compliance.domain.connection import Link, Piece
from services.compliance.domain.health import Change, Health
from services.compliance.domain.registry import GatewayRow, UnitRow
from services.compliance.domain.sight import Span
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force

_CONNECTED = (Link.ONLINE, Link.LATE)
_CAUSES = ("blind", "impaired", "unproven")


class State(NamedTuple):
    connection: str
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


@dataclass(frozen=True, slots=True)
class GatewayTrack:
    """One (gateway, unit) pair: its runs, what was seen of it, and its troubles. `pieces` are in order of time."""

    gateway_id: str
    rows: Sequence[GatewayRow]
    runs: Sequence[Span]
    pieces: Sequence[Piece]
    first_proof: int | None
    health: Sequence[Change]
    starts: Sequence[int] = field(default=())

    def piece_at(self, at: int) -> Piece | None:
        index = bisect_right(self.starts, at) - 1
        return self.pieces[index] if index >= 0 and at < self.pieces[index].end else None

    def health_at(self, at: int) -> Health:
        index = bisect_right(self.health, at, key=lambda change: change.at) - 1
        return self.health[index].health if index >= 0 else Health.NONE


@dataclass(frozen=True, slots=True)
class Timeline:
    """`attributed` says whose an offline piece of a gateway is; it is asked late, for losses of others matter."""

    unit_id: str
    rows: Sequence[UnitRow]
    tracks: Sequence[GatewayTrack]
    attributed: Callable[[str, str, Piece], str]

    def row_at(self, at: int) -> UnitRow | None:
        return in_force(self.rows, day_of(at))

    def state_at(self, at: int) -> State | None:
        """Return the connection at an instant up to the horizon, None while there is no row."""
        row, day = self.row_at(at), day_of(at)
        if row is None:
            return None
        if row.retired(day):
            return State("retired", False, "registry", None)
        if row.exempt(day):
            return State("exempt", False, "registry", None)
        if not row.commissioned(day):
            heard = any(track.first_proof is not None and track.first_proof <= at for track in self.tracks)
            return State("commissioning" if heard else "never_connected", False, "registry", None)
        pieces = [(track.gateway_id, piece) for track in self.tracks if (piece := track.piece_at(at)) is not None]
        return self._of_gateways(pieces)

    def _of_gateways(self, pieces: Sequence[tuple[str, Piece]]) -> State:
        if not pieces:
            return State("offline", False, "registry", "unit")
        lost = [(piece.anchor, gateway_id, piece) for gateway_id, piece in pieces if piece.link is Link.OFFLINE]
        if lost:
            _, gateway_id, piece = min(lost, key=lambda each: each[:2])
            partly = any(piece.link in _CONNECTED for _, piece in pieces)
            return State("offline", partly, piece.cause, self.attributed(gateway_id, self.unit_id, piece))
        unknown = [piece.cause for _, piece in pieces if piece.link is Link.UNKNOWN]
        if unknown:
            return State("unknown", False, min(unknown, key=_CAUSES.index), "self")
        late = [piece.cause for _, piece in pieces if piece.link is Link.LATE]
        if late:
            return State("late", False, "link_down" if "link_down" in late else "late", None)
        return State("online", False, "signal", None)

    def health_at(self, at: int) -> str | None:
        """Return the health at an instant up to the horizon, None while there is no row."""
        row = self.row_at(at)
        if row is None:
            return None
        if row.retired(day_of(at)):
            return "unknown"
        present = [(track, piece) for track in self.tracks if (piece := track.piece_at(at)) is not None]
        gravest = max((track.health_at(at) for track, _ in present), default=Health.NONE)
        if gravest is not Health.NONE:
            return gravest.name.lower()
        return "normal" if present and all(piece.link in _CONNECTED for _, piece in present) else "unknown"

    def connection(self, start: int, end: int) -> list[StateInterval]:
        """Return the states within [start, end), neighbours that are equal in all fields as one."""
        found: list[StateInterval] = []
        for begun, ended in self._elements(start, end):
            state = self.state_at(begun)
            if state is None:
                continue
            if found and found[-1].end == begun and found[-1].state == state:
                begun = found.pop().start
            found.append(StateInterval(begun, ended, state))
        return found

    def healths(self, start: int, end: int) -> list[HealthInterval]:
        """Return the healths within [start, end), equal neighbours as one."""
        found: list[HealthInterval] = []
        for begun, ended in self._elements(start, end):
            health = self.health_at(begun)
            if health is None:
                continue
            if found and found[-1].end == begun and found[-1].health == health:
                begun = found.pop().start
            found.append(HealthInterval(begun, ended, health))
        return found

    def _elements(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield neighbouring stretches in which nothing of the unit changes."""
        if start >= end:
            return
        points = [start, *sorted({at for at in self._turning_points() if start < at < end}), end]
        yield from pairwise(points)

    def _turning_points(self) -> Iterable[int]:
        for row in self.rows:
            yield from (midnight(day) for day in row.turning_days())
        for track in self.tracks:
            if track.first_proof is not None:
                yield track.first_proof
            for piece in track.pieces:
                yield from (piece.start, piece.end)
            yield from (change.at for change in track.health)
