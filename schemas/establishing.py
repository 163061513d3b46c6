"""What a log establishes: the one fold behind `rules facts` and behind the figures that compliance publishes.

It knows no clock and no place: lines of one log in, in order, facts out.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from schemas import facts as wire
from schemas.base import ShortText, Wire
from schemas.exchange import Exchange
from schemas.listing import ListingActed
from schemas.pack import Pack
from schemas.registry import AdjustmentRecord, GatewayRecord, RegistryEvent, UnitRecord
from schemas.signal import Signal, Tick, TickState
from services.kernel import calendar
from services.kernel.earliest import Earliest, Pair
from services.kernel.policy import DatedPack, Packs
from services.kernel.ticks import TickFold, TickRead
from services.kernel.words import ControlKind, Flag, SignalKind

FIRST_YEAR, LAST_YEAR = 2, 9998
"""In the first and the last that there is, an instant may have no day before or after it."""
MAX_WAITING = 20_000
"""Heartbeats that wait to be told together: enough for long lines, few enough to forget about."""
_TELLING = frozenset({Flag.RETAINED, Flag.REPLAYED, Flag.REPEATED})
"""Flags that make another thing of a heartbeat (R10, R11, R30)."""


class LogLine(Wire):
    recorded_at: AwareDatetime
    topic: ShortText
    partition: Literal[0]
    offset: int = Field(ge=0)
    event: Annotated[Signal | Tick | RegistryEvent | Exchange | ListingActed, Field(discriminator="type")]


class Establishing:
    """Takes each event for what it is, once."""

    def __init__(self, packs: list[Pack]) -> None:
        self._packs = Packs(_dated(pack) for pack in packs)
        self.ticks = TickFold(self._blind_after)
        self._once: set[tuple[str, str]] = set()
        """Source and id of ticks and steps of checks: a second copy changes nothing."""
        self._once_before: set[tuple[str, str]] = set()
        self._earliest = Earliest()
        self._heartbeats: dict[Pair, tuple[list[int], list[int]]] = {}
        self._waiting = 0

    def ruled_by(self, packs: list[Pack]) -> None:
        """Go on by these packs."""
        self._packs = Packs(_dated(pack) for pack in packs)

    def age(self) -> None:
        """Forget the ids of what was read before the last call of this. Who never calls it keeps all."""
        self._once_before, self._once = self._once, set()
        self._earliest.age()

    def remember(self, log: Iterable[LogLine]) -> None:
        """Take note of the ids of lines that were told by an earlier process."""
        for line in log:
            match line.event:
                case Tick() | Exchange():
                    self._again(line.event)
                case Signal():
                    for _ in self._signal(line, line.event):
                        pass  # said already
                case RegistryEvent() | ListingActed():
                    pass
        self._heartbeats, self._waiting = {}, 0

    def facts(self, log: Iterable[LogLine]) -> Iterator[wire.Fact]:
        for line in log:
            yield from self._facts(line)
            if self._waiting >= MAX_WAITING:
                yield from self._flushed()
        yield from self._flushed()

    def _facts(self, line: LogLine) -> Iterator[wire.Fact]:
        match line.event:
            case Tick():
                if not self._again(line.event):
                    yield self._tick(line, line.event)
            case Signal():
                yield from self._signal(line, line.event)
            case RegistryEvent():
                yield wire.RecordFact(recorded_at=line.recorded_at, data=line.event.data)
            case ListingActed():
                yield wire.ListingFact(recorded_at=line.recorded_at, at=line.event.time, data=line.event.data)
            case Exchange():
                if line.event.data.what is ControlKind.DUTY_CHECK and not self._again(line.event):
                    yield _check(line, line.event)

    def _tick(self, line: LogLine, event: Tick) -> wire.TickFact:
        data = event.data
        proven = calendar.micros(data.proven_until)
        leaving = data.state is TickState.LEAVING
        seen = self.ticks.tick(
            TickRead(data.instance, calendar.micros(event.time), data.epoch, data.number, leaving, proven)
        )
        return wire.TickFact(
            recorded_at=line.recorded_at,
            seen=data.proven_until,
            watermark=calendar.moment(seen.watermark),
            impaired_from=None if seen.impaired_from is None else calendar.moment(seen.impaired_from),
            impaired_to=None if seen.impaired_to is None else calendar.moment(seen.impaired_to),
        )

    def _again(self, event: Tick | Exchange) -> bool:
        key = (event.source, event.id)
        known = key in self._once or key in self._once_before
        self._once.add(key)
        return known

    def _signal(self, line: LogLine, event: Signal) -> Iterator[wire.Fact]:
        data, received = event.data, calendar.micros(event.time)
        pair, plain = (data.gateway_id, data.unit_id), _is_plain(event)
        taken = self._earliest.take(event.source, event.id, received, pair, plain=plain)
        if taken.replaces is not None:
            (gateway_id, unit_id), before = taken.replaces
            yield wire.ReplacedFact(
                recorded_at=line.recorded_at, gateway_id=gateway_id, unit_id=unit_id, received=before
            )
        if not taken.counts:
            return
        if plain and not taken.keyed:
            self._heartbeat(pair, received, calendar.micros(line.recorded_at))
        else:
            yield _signal(line, event)

    def _heartbeat(self, pair: Pair, received: int, recorded: int) -> None:
        times = self._heartbeats.setdefault(pair, ([], []))
        times[0].append(received)
        times[1].append(recorded)
        self._waiting += 1

    def _flushed(self) -> Iterator[wire.HeartbeatsFact]:
        for (gateway_id, unit_id), (received, recorded) in self._heartbeats.items():
            yield wire.HeartbeatsFact(
                gateway_id=gateway_id, unit_id=unit_id, received=tuple(received), recorded=tuple(recorded)
            )
        self._heartbeats, self._waiting = {}, 0

    def _blind_after(self, at: int) -> int:
        """Return microseconds, from the packs that hold on the day of `at` (R2): the shortest of any district."""
        return calendar.whole_micros(min(pack.blind_after_s for pack in self._packs.of_all(calendar.day_of(at))))


def _is_plain(event: Signal) -> bool:
    """Tell whether a signal is a sign of life and says nothing else."""
    data = event.data
    return data.kind is SignalKind.HEARTBEAT and data.point is None and not _TELLING.intersection(data.flags)


def _signal(line: LogLine, event: Signal) -> wire.SignalFact:
    data = event.data
    return wire.SignalFact(
        recorded_at=line.recorded_at,
        source=event.source,
        id=event.id,
        time=event.time,
        gateway_id=data.gateway_id,
        unit_id=data.unit_id,
        kind=data.kind,
        flags=data.flags,
        seq=data.seq,
        occurred_at=data.occurred_at,
        first_received_at=data.first_received_at,
        point=data.point,
        restores=data.restores,
    )


def _check(line: LogLine, event: Exchange) -> wire.CheckFact:
    data = event.data
    return wire.CheckFact(
        recorded_at=line.recorded_at,
        command_id=data.command_id,
        gateway_id=data.gateway_id,
        ordered_at=data.ordered_at,
        step=data.step,
    )


def _dated(pack: Pack) -> DatedPack[Pack]:
    first, last = calendar.day_number(pack.valid_from), calendar.day_number(pack.valid_to)
    return DatedPack(pack.district, pack.pack_id, pack.version, first, last, pack)


def is_passed_over(event: Signal | Tick | RegistryEvent | Exchange | ListingActed) -> bool:
    """Whether it is a pack, a contact or a department: the packs that rule are those that were handed in."""
    ruling = UnitRecord | GatewayRecord | AdjustmentRecord
    return isinstance(event, RegistryEvent) and not isinstance(event.data.record, ruling)


def is_believable(line: LogLine) -> bool:
    """Whether each instant of a line has a day before and after it."""
    event = line.event
    proven = (event.data.proven_until,) if isinstance(event, Tick) else ()
    return all(FIRST_YEAR <= when.year <= LAST_YEAR for when in (line.recorded_at, event.time, *proven))
