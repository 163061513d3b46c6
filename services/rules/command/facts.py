"""`facts`: policy packs, registry and log in, what they establish out. No clock, no environment, no network."""

import argparse
from collections.abc import Iterator
from pathlib import Path
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
from services.rules.domain.visibility import TickRead, Visibility


class LogLine(Wire):
    recorded_at: AwareDatetime
    topic: ShortText
    partition: Literal[0]
    offset: int = Field(ge=0)
    event: Annotated[Signal | Tick | RegistryEvent | Exchange, Field(discriminator="type")]


STDIN = Path("/dev/stdin")
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
        told = [wire.facts.encode(fact) for fact in _Establishing(packs).facts(_read_log(options.log))]
    except InputError as error:
        out.write(error.line().encode())
        return EXIT_OF[error.code]
    out.writelines(line + b"\n" for line in told)
    out.write(wire.facts.encode(wire.EndFact(facts=len(told))) + b"\n")
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
                if not _is_passed_over(line.event):
                    yield line
    except OSError as error:
        raise InputError("bad_log", f"{path.name}: {error.strerror}") from error


def _is_passed_over(event: Signal | Tick | RegistryEvent | Exchange) -> bool:
    """Whether it is a pack, a contact or a department: the packs that rule are those that were handed in."""
    return isinstance(event, RegistryEvent) and not isinstance(event.data.record, UnitRecord | GatewayRecord)


class _Establishing:
    """Takes each event for what it is, once."""

    def __init__(self, packs: list[Pack]) -> None:
        self._packs = Packs(_dated(pack) for pack in packs)
        self._visibility = Visibility(self._blind_after)
        self._ticks: set[tuple[str, str]] = set()
        self._earliest: dict[tuple[str, str], int] = {}

    def facts(self, log: Iterator[LogLine]) -> Iterator[wire.Fact]:
        for line in log:
            fact = self._fact(line)
            if fact is not None:
                yield fact

    def _fact(self, line: LogLine) -> wire.Fact | None:
        match line.event:
            case Tick():
                return self._tick(line, line.event)
            case Signal():
                return self._signal(line, line.event)
            case RegistryEvent():
                return wire.RecordFact(recorded_at=line.recorded_at, data=line.event.data)
            case Exchange():
                return None  # no figure that is offered today asks for a duty check

    def _tick(self, line: LogLine, event: Tick) -> wire.TickFact | None:
        key = (event.source, event.id)
        if key in self._ticks:
            return None
        self._ticks.add(key)
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

    def _signal(self, line: LogLine, event: Signal) -> wire.SignalFact | None:
        key, received = (event.source, event.id), calendar.micros(event.time)
        earliest = self._earliest.get(key)
        if earliest is not None and earliest <= received:
            return None
        self._earliest[key] = received
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

    def _blind_after(self, at: int) -> int:
        """Return microseconds, from the packs that hold on the day of `at` (R2): the shortest of any district."""
        return calendar.whole_micros(min(pack.blind_after_s for pack in self._packs.of_all(calendar.day_of(at))))


def _dated(pack: Pack) -> DatedPack[Pack]:
    first, last = calendar.day_number(pack.valid_from), calendar.day_number(pack.valid_to)
    return DatedPack(pack.district, pack.pack_id, pack.version, first, last, pack)
