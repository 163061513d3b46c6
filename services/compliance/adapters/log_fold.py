"""The archived log, folded step by step: what compliance closes periods from (ADR 40).

A step is everything recorded within one cell of a grid over the log's own time. It is taken once all of it is archived,
and depends on nothing but the log, so it is the same after a restart, on another machine and in a replay.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from schemas import codec, strict_yaml
from schemas import facts as wire
from schemas.establishing import Establishing, LogLine, is_believable, is_passed_over
from schemas.pack import Pack
from schemas.registry import PackRecord, RegistryData
from schemas.topics import EXCHANGES, LISTINGS, REGISTRY, SIGNALS
from services.compliance.adapters import archive_lines
from services.compliance.adapters.archive_lines import Line
from services.compliance.adapters.archive_reader import ArchiveReader, BadArchive
from services.compliance.adapters.facts import Facts
from services.compliance.adapters.packs import policies
from services.compliance.domain.period import Window, window_of
from services.compliance.domain.policy import Policies
from services.compliance.domain.visibility import Span, Visibility, VisibilityFold
from services.compliance.domain.what_if import NotAnswered, Supposed, Unanswered
from services.compliance.ports import Place, Step, Unavailable, WhatIf
from services.kernel.calendar import date_of, day_number, day_of
from services.kernel.ticks import TickRead, TickState

CODECS: dict[str, codec.Codec[Any]] = {
    SIGNALS: codec.signals,
    EXCHANGES: codec.exchanges,
    REGISTRY: codec.registry,
    LISTINGS: codec.listings,
}
MS = 1000
FORM = 3
"""Of what is kept of a unit: after a start with what an older one made, every unit is computed again."""


class ArchiveFold:
    """Implements ports.LogFold. `tell` hears of gaps in the archive and of how many records were no events."""

    def __init__(self, root: Path, places: Iterable[Place], *, step_s: int, tell: Callable[..., Any]) -> None:
        """`places`: every partition of the signals; before all of them are archived nothing is whole."""
        self._places = frozenset(places)
        self._root = root
        self._step_ms = step_s * 1000
        self._tell = tell
        self.restore(None)

    def restore(self, state: str | None) -> None:
        """Go on from `state`; ids of the last two steps are read again from the archive when the next one is taken."""
        said: dict[str, Any] = {} if state is None else json.loads(state)
        self._end_ms: int = said.get("end_ms", 0)
        self._offsets = {Place(topic, number): offset for topic, number, offset in said.get("offsets", ())}
        self._pack_offsets = {Place(topic, number): offset for topic, number, offset in said.get("pack_offsets", ())}
        self._topic_ids: dict[str, str] = said.get("topic_ids", {})
        self._floor_ms: int = said.get("floor_ms", 0)
        self._is_of_before = state is not None and said.get("form") != FORM
        self._pack_records: dict[str, str] = said.get("packs", {})
        self._packs = _packs(self._pack_records.values())
        self._policies = policies(self._packs) if self._packs else None
        self._seen = _visibility_fold(said.get("visibility"))
        self._seen_before: int | None = said.get("seen_before")
        self._establishing: Establishing | None = None
        self._ticks = _tick_state(said.get("ticks"))

    @property
    def policies(self) -> Policies | None:
        return self._policies

    @property
    def visibility(self) -> Visibility:
        assert self._policies is not None, "a step was taken"
        return self._seen.visibility(self._policies, (self._end_ms - 1) * MS)

    @property
    def is_of_before(self) -> bool:
        """Whether the units stand as another version computed them: the next step has all of them computed."""
        return self._is_of_before

    @property
    def catches_up(self) -> bool:
        return self._end_ms < self._floor_ms

    @property
    def first_seen(self) -> int | None:
        return self._seen.first

    @property
    def gone_before(self) -> int:
        first = self._seen.first
        return first if first is not None and self._seen_before is not None and first > self._seen_before else 0

    def next_step(self) -> Step | None:
        try:
            return self._next_step()
        except (BadArchive, OSError) as error:
            raise Unavailable(f"archive: {error}") from error

    def _next_step(self) -> Step | None:
        reader = self._reader()
        end_ms = None if reader is None else self._next_end(reader)
        if reader is None or end_ms is None:
            return None
        before = self._policies
        self._read_packs(reader, end_ms)
        if self._policies is None:
            self._wait_for_packs(reader)
            self._read_packs(reader, end_ms)
        if self._policies is None:
            return None
        anew = before is not None and self._sees_otherwise(before)
        if anew:
            self._begin_anew(end_ms)
            end_ms = self._next_end(reader)
            if end_ms is None:
                return None
        past = None if before is None else self._seen.visibility(before, (self._end_ms - 1) * MS)
        step = self._fold(reader, end_ms, anew=anew, all_units=before is not self._policies or self._is_of_before)
        self._is_of_before = False
        return step if past is None or not self._past_changed(past) else replace(step, all_units=True)

    def _reader(self) -> ArchiveReader | None:
        try:
            reader = ArchiveReader(self._root, lambda what: self._tell("figures_log_gap", what=what))
        except BadArchive:
            return None  # nothing is archived yet
        if not reader.has_all_of(self._places):
            return None
        self._follow_topics(reader.topic_ids())
        return reader

    def _follow_topics(self, now: Mapping[str, str]) -> None:
        """Read a topic that was made anew, in an archive that was begun anew, from its beginning: what we have read of
        the one before has numbers that mean other records now.
        """
        for topic, topic_id in now.items():
            if self._topic_ids.get(topic, topic_id) != topic_id:
                self._tell("figures_topic_made_anew", topic=topic)
                self._offsets = {place: offset for place, offset in self._offsets.items() if place.topic != topic}
                self._pack_offsets = {
                    place: offset for place, offset in self._pack_offsets.items() if place.topic != topic
                }
        self._topic_ids = {**self._topic_ids, **now}

    def _next_end(self, reader: ArchiveReader) -> int | None:
        """Return the end of the next cell of the grid that holds anything, None while it is not archived whole."""
        whole = reader.whole_until()
        first = next(reader.lines_from(self._offsets, whole), None)
        if first is None:
            return None
        end_ms = self._end_of_cell(first)
        return end_ms if archive_lines.instant(end_ms).encode() <= whole else None

    def _read_packs(self, reader: ArchiveReader, end_ms: int) -> None:
        """Take in the packs recorded before `end_ms`: who rules a step is known before its first line is read."""
        until = archive_lines.instant(max(end_ms, self._floor_ms)).encode()
        found = dict(self._pack_records)
        for line in reader.registry(until, self._pack_offsets):
            self._pack_offsets[Place(line.topic, line.partition)] = line.offset + 1
            event = _event(line)
            if event is not None and isinstance(event.data.record, PackRecord):
                found[event.data.record.id] = event.data.model_dump_json()
        if found != self._pack_records:
            self._pack_records = found
            self._packs = _packs(found.values())
            self._policies = policies(self._packs)
            if self._establishing is not None:
                self._establishing.ruled_by(self._packs)

    def _wait_for_packs(self, reader: ArchiveReader) -> None:
        """Let the first pack rule from the beginning on, as it does on the command line."""
        for line in reader.registry(reader.whole_until(), self._pack_offsets):
            event = _event(line)
            if event is not None and isinstance(event.data.record, PackRecord):
                self._floor_ms = self._end_of_cell(line)
                return

    def _end_of_cell(self, line: Line) -> int:
        return archive_lines.recorded_ms(line) // self._step_ms * self._step_ms + self._step_ms

    def _sees_otherwise(self, before: Policies) -> bool:
        """Whether another pack rules on when we were blind: what was folded of the ticks cannot be mended then."""
        now, seen = self._policies, self._seen
        if now is None or now is before or seen.first is None or seen.watermark is None:
            return False
        if now.shortest_blind_after() < seen.limit:
            return True
        days = range(day_of(seen.first), day_of(seen.watermark) + 1)
        return any(now.blind_after(day) != before.blind_after(day) for day in days)

    def _begin_anew(self, end_ms: int) -> None:
        self._tell("figures_fold_anew", until=archive_lines.instant(end_ms))
        if self._seen.first is not None:
            self._seen_before = min(self._seen.first, self._seen_before or self._seen.first)
        self._end_ms, self._offsets, self._floor_ms = 0, {}, end_ms
        self._establishing, self._ticks, self._seen = None, None, _visibility_fold(None)

    def _fold(self, reader: ArchiveReader, end_ms: int, *, anew: bool, all_units: bool) -> Step:
        assert self._policies is not None, "packs are read"
        establishing = self._establish(reader)
        if self._seen.watermark is None:
            self._seen.limit = self._policies.shortest_blind_after()
        late_from = 0 if self._seen.watermark is None else self._seen.watermark
        taken = _Taken()
        log = (line for line in self._lines(reader, end_ms) if not is_passed_over(line.event))
        for fact in establishing.facts(log):
            taken.take(fact)
        for _, tick in taken.facts.ticks:
            self._seen.take(tick)
        establishing.age()
        self._end_ms = end_ms
        return taken.step((end_ms - 1) * MS, late_from, self._state(establishing), anew=anew, all_units=all_units)

    def _establish(self, reader: ArchiveReader) -> Establishing:
        """Return the fold; the first time, with the ids of the two steps before this one."""
        if self._establishing is None:
            self._establishing = Establishing(self._packs)
            if self._end_ms:
                for back in (2, 1):
                    start, end = self._end_ms - back * self._step_ms, self._end_ms - (back - 1) * self._step_ms
                    lines = reader.lines(
                        archive_lines.instant(max(0, start)).encode(), archive_lines.instant(end).encode()
                    )
                    self._establishing.remember(line for each in lines if (line := log_line(each)) is not None)
                    self._establishing.age()
            if self._ticks is not None:
                self._establishing.ticks.restore(self._ticks)
        return self._establishing

    def _lines(self, reader: ArchiveReader, end_ms: int) -> Iterator[LogLine]:
        skipped = 0
        for each in reader.lines_from(self._offsets, archive_lines.instant(end_ms).encode()):
            self._offsets[Place(each.topic, each.partition)] = each.offset + 1
            line = log_line(each)
            if line is None:
                skipped += 1
            else:
                yield line
        if skipped:
            self._tell("figures_records_skipped", records=skipped)

    def _past_changed(self, before: Visibility) -> bool:
        """Whether this step told of an earlier time that we did or did not look: an older tick that came late."""
        now, until = self.visibility, before.watermark
        return until is not None and _clipped(before, until) != _clipped(now, until)

    def _state(self, establishing: Establishing) -> str:
        seen, ticks = self._seen, establishing.ticks.state()
        return json.dumps(
            {
                "form": FORM,
                "end_ms": self._end_ms,
                "offsets": [(*place, offset) for place, offset in sorted(self._offsets.items())],
                "pack_offsets": [(*place, offset) for place, offset in sorted(self._pack_offsets.items())],
                "topic_ids": self._topic_ids,
                "floor_ms": self._floor_ms,
                "packs": self._pack_records,
                "seen_before": self._seen_before,
                "visibility": [
                    seen.limit, seen.watermark, seen.first, seen.last, seen.gaps, seen.ahead, seen.impaired,
                    seen.impaired_from,
                ],
                "ticks": ticks,
            },
            separators=(",", ":"),
        )  # fmt: skip


class _Taken:
    """Facts of one step in the words of the domain, with what is stored of them."""

    def __init__(self) -> None:
        self.facts = Facts()
        self._signals: list[str] = []
        self._records: list[tuple[str, str, str]] = []

    def take(self, fact: wire.Fact) -> None:
        self.facts.take(fact)
        match fact:
            case wire.SignalFact():
                self._signals.append(wire.facts.encode(fact).decode())
            case wire.RecordFact():
                self._records.append((fact.data.record.kind, fact.data.record.id, fact.data.model_dump_json()))
            case _:
                pass

    def step(self, known_at: int, late_from: int, state: str, *, anew: bool, all_units: bool) -> Step:
        facts = self.facts
        return Step(
            known_at=known_at,
            late_from=late_from,
            state=state,
            heartbeats={pair: list(times) for pair, (times, _) in facts.heartbeats.items()},
            replaced=[(pair, received) for _, pair, received in facts.replaced],
            signals=[(signal, raw) for (_, signal), raw in zip(facts.signals, self._signals, strict=True)],
            checks=[check for _, check in facts.checks],
            records=self._records,
            listings=[act for _, act in facts.listings],
            anew=anew,
            all_units=all_units,
        )


def log_line(line: Line) -> LogLine | None:
    """Return a line of the archive as one of a log; None for what is no event, which rules leaves out too."""
    event = _event(line)
    if event is None:
        return None
    recorded_at = archive_lines.recorded_at(line)
    found = LogLine.model_construct(
        recorded_at=recorded_at, topic=line.topic, partition=0, offset=line.offset, event=event
    )
    return found if is_believable(found) else None


def _event(line: Line) -> Any:
    if line.rest is None:
        return None
    try:
        return CODECS[line.topic].decode(line.rest[:-1])
    except codec.BadRecord:
        return None


def _packs(records: Iterable[str], known_before: datetime | None = None) -> list[Pack]:
    """Return the packs of registry records, of each version what was recorded last (ADR 25)."""
    found: dict[tuple[str, str, int], Pack] = {}
    for raw in records:
        record = RegistryData.model_validate_json(raw, extra="ignore").record
        assert isinstance(record, PackRecord), "only packs are kept here"
        versions = sorted(record.versions, key=lambda each: each.recorded_at)
        for version in versions:
            if known_before is not None and version is not versions[0] and version.recorded_at >= known_before:
                break
            pack = version.pack
            first = max(version.valid_from, pack.valid_from)
            if first <= pack.valid_to:
                found[pack.district, pack.pack_id, pack.version] = pack.model_copy(update={"valid_from": first})
    return list(found.values())


def _clipped(visibility: Visibility, until: int) -> tuple[list[Span], list[Span]]:
    blind, impaired = (
        [Span(span.start, min(span.end, until)) for span in spans if span.start < until]
        for spans in (visibility.blind, visibility.impaired)
    )
    return blind, impaired


def packs_known(reader: ArchiveReader, end: bytes) -> list[Pack]:
    """Return the packs recorded before an instant; before the first of all, that one. Raises BadArchive."""
    found: dict[str, str] = {}
    for line in reader.registry(reader.whole_until()):
        event = _event(line)
        if event is not None and isinstance(event.data.record, PackRecord):
            if found and line.recorded_at >= end:
                break
            found[event.data.record.id] = event.data.model_dump_json()
    return _packs(found.values(), datetime.fromisoformat(end.decode()))


def supposed(state: str, pack: Pack, first: date, last: date) -> Supposed:
    """Return what is known at a state of the fold, with `pack` in place of all of its district, as if it held then.

    Raises NotAnswered. Where the pack calls another gap blind, only the archive could say what was seen.
    """
    said: dict[str, Any] = json.loads(state)
    packs, seen = _packs(said.get("packs", {}).values()), _visibility_fold(said.get("visibility"))
    others = [each for each in packs if each.district != pack.district]
    if len(others) == len(packs):
        raise NotAnswered(Unanswered.OTHER_DISTRICT)
    if seen.first is None or seen.watermark is None or said["end_ms"] < said.get("floor_ms", 0):
        raise NotAnswered(Unanswered.NOT_CLOSED)
    held = {"valid_from": min(pack.valid_from, first), "valid_to": max(pack.valid_to, last)}
    now, changed = policies(packs), policies([*others, pack.model_copy(update=held)])
    days = range(day_of(seen.first), day_of(seen.watermark) + 1)
    if changed.shortest_blind_after() < seen.limit or any(
        changed.blind_after(day) != now.blind_after(day) for day in days
    ):
        raise NotAnswered(Unanswered.BLIND_DIFFERS)
    before = said.get("seen_before")
    return Supposed(
        now,
        changed,
        seen.visibility(changed, (said["end_ms"] - 1) * MS),
        pack.district,
        seen.first,
        seen.first if before is not None and seen.first > before else 0,
        json.dumps(said["packs"], sort_keys=True),
    )


def suppose(state: str, asked: WhatIf) -> tuple[Supposed, Window]:
    """Return the same by a question. Raises NotAnswered."""
    window = window_of(asked.kind, day_number(asked.day))
    pack = Pack.model_validate(strict_yaml.read(asked.pack))  # the registry wrote it
    return supposed(state, pack, date_of(day_of(window.start)), date_of(day_of(window.end - 1))), window


def _visibility_fold(said: Sequence[Any] | None) -> VisibilityFold:
    if said is None:
        return VisibilityFold(0)
    limit, watermark, first, last, gaps, ahead, impaired, impaired_from, *_ = said
    return VisibilityFold(
        limit, watermark, first, last, [Span(*gap) for gap in gaps], ahead, [Span(*span) for span in impaired],
        impaired_from,
    )  # fmt: skip


def _tick_state(said: Sequence[Any] | None) -> TickState | None:
    if said is None:
        return None
    width = len(TickRead._fields)
    instances = {name: (TickRead(*newest[:width]), proven) for name, (newest, proven, *_) in said[0].items()}
    return TickState(instances, *said[1 : len(TickState._fields)])
