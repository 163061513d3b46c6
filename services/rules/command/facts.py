"""`facts`: policy packs, registry and log in, what they establish out. No clock, no environment, no network."""

import argparse
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated, BinaryIO, Literal

from pydantic import AwareDatetime, Field

from schemas import facts as wire
from schemas.base import ShortText, Wire
from schemas.codec import BadRecord, Codec
from schemas.exchange import Exchange
from schemas.inputs import EXIT_OF, InputError, lines, read_packs, read_registry
from schemas.pack import Pack
from schemas.registry import GatewayRecord, RegistryEvent, UnitRecord
from schemas.signal import Signal, Tick, TickState
from services.kernel import calendar
from services.kernel.policy import DatedPack, Packs
from services.kernel.words import ControlKind, Flag, SignalKind
from services.rules.domain.earliest import Earliest, Pair
from services.rules.domain.time.visibility import TickRead, Visibility


class LogLine(Wire):
    recorded_at: AwareDatetime
    topic: ShortText
    partition: Literal[0]
    offset: int = Field(ge=0)
    event: Annotated[Signal | Tick | RegistryEvent | Exchange, Field(discriminator="type")]


STDIN = Path("/dev/stdin")
_FIRST_YEAR, _LAST_YEAR = 2, 9998
"""In the first and the last that there is, an instant may have no day before or after it."""
MAX_WAITING = 20_000
"""Heartbeats that wait to be told together: enough for long lines, few enough to forget about."""
MAX_IN_MEMORY = 64 * 1024 * 1024
"""Bytes of facts that wait in memory for the end of the log; the rest waits in a file. A half-read log tells none."""
_TELLING = frozenset({Flag.RETAINED, Flag.REPLAYED, Flag.REPEATED})
"""Flags that make another thing of a heartbeat (R10, R11, R30)."""
_LOG: Codec[LogLine] = Codec(LogLine)


def run(arguments: list[str], out: BinaryIO) -> int:
    """Write the facts, or the error in their place, to `out`. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.rules facts", description=__doc__)
    parser.add_argument("--pack", action="append", default=[], type=Path, help="policy pack (YAML), once or more")
    parser.add_argument("--registry", required=True, type=Path, help="registry events (JSON lines)")
    parser.add_argument("--log", required=True, type=Path, help="log of one partition (JSON lines); - is stdin")
    options = parser.parse_args(arguments)
    try:
        packs = read_packs(options.pack)
        read_registry(options.registry)
        with SpooledTemporaryFile(MAX_IN_MEMORY) as told:
            count = 0
            for fact in _Establishing(packs).facts(_read_log(options.log)):
                told.write(wire.facts.encode(fact) + b"\n")
                count += 1
            told.seek(0)
            shutil.copyfileobj(told, out)
    except InputError as error:
        out.write(error.line().encode("utf-8", "replace"))
        return EXIT_OF[error.code]
    out.write(wire.facts.encode(wire.EndFact(facts=count)) + b"\n")
    return 0


def _read_log(path: Path) -> Iterator[LogLine]:
    """Yield the lines. Raises InputError `bad_log` or `log_not_in_order`."""
    latest = None
    try:
        with STDIN.open("rb") if str(path) == "-" else path.open("rb") as stream:
            for number, raw in lines(stream, "bad_log"):
                try:
                    line = _LOG.decode(raw)
                except BadRecord as error:
                    raise InputError("bad_log", f"line {number}: {error.detail}") from error
                if latest is not None and line.recorded_at < latest:
                    raise InputError("log_not_in_order", f"line {number}")
                latest = line.recorded_at
                if any(not _FIRST_YEAR <= when.year <= _LAST_YEAR for when in _times(line)):
                    raise InputError("bad_log", f"line {number}: a year from {_FIRST_YEAR} to {_LAST_YEAR}")
                if not _is_passed_over(line.event):
                    yield line
    except OSError as error:
        raise InputError("bad_log", f"{path.name}: {error.strerror}") from error


def _times(line: LogLine) -> tuple[datetime, ...]:
    event = line.event
    proven = (event.data.proven_until,) if isinstance(event, Tick) else ()
    return (line.recorded_at, event.time, *proven)


def _is_passed_over(event: Signal | Tick | RegistryEvent | Exchange) -> bool:
    """Whether it is a pack, a contact or a department: the packs that rule are those that were handed in."""
    return isinstance(event, RegistryEvent) and not isinstance(event.data.record, UnitRecord | GatewayRecord)


class _Establishing:
    """Takes each event for what it is, once."""

    def __init__(self, packs: list[Pack]) -> None:
        self._packs = Packs(_dated(pack) for pack in packs)
        self._visibility = Visibility(self._blind_after)
        self._once: set[tuple[str, str]] = set()
        """Source and id of ticks and steps of checks: a second copy changes nothing."""
        self._earliest = Earliest()
        self._heartbeats: dict[Pair, tuple[list[int], list[int]]] = {}
        self._waiting = 0

    def facts(self, log: Iterator[LogLine]) -> Iterator[wire.Fact]:
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
            case Exchange():
                if line.event.data.what is ControlKind.DUTY_CHECK and not self._again(line.event):
                    yield _check(line, line.event)

    def _tick(self, line: LogLine, event: Tick) -> wire.TickFact:
        data = event.data
        proven = calendar.micros(data.proven_until)
        leaving = data.state is TickState.LEAVING
        seen = self._visibility.tick(
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
        known = key in self._once
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
