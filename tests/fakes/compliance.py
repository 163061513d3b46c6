"""The log and the clock of compliance in memory, for tests."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.compliance.adapters.score_rows import score_text
from services.compliance.domain.grades import Graded, GradeFinding, grade_findings, years_of
from services.compliance.domain.listings import ListedAct
from services.compliance.domain.period import Window
from services.compliance.domain.scores import Cited, Entry, Score, Subject
from services.compliance.ports import Bounds, LogRecord, Place, Trouble, Unavailable, Waits
from services.kernel.words import Phase

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


@dataclass
class MemoryLog:
    """Implements ports.LogSource: `records` is what Kafka holds of each place, from the offset `first` on.

    Nothing comes of what is `withheld`, as long as it is.
    """

    records: dict[Place, list[LogRecord]] = field(default_factory=dict)
    first: dict[Place, int] = field(default_factory=dict)
    noted: dict[Place, int] = field(default_factory=dict)
    withheld: set[Place] = field(default_factory=set)
    topic_id: str | None = None
    down: bool = False
    opened: int = 0
    at_once: int = 3
    fetches: int = 0
    _next: dict[Place, int] = field(default_factory=dict)

    def put(self, place: Place, value: bytes | None, timestamp_ms: int) -> None:
        held = self.records.setdefault(place, [])
        offset = held[-1].offset + 1 if held else self.first.get(place, 0)
        held.append(LogRecord(offset, timestamp_ms, b"key", value))

    async def open(self) -> Mapping[Place, Bounds]:
        if self.down:
            raise Waits(Trouble.KAFKA, "down")
        self.opened += 1
        return {
            place: Bounds(self.first.get(place, 0), self._end(place), self.noted.get(place), self.topic_id)
            for place in self.records
        }

    def seek(self, positions: Mapping[Place, int]) -> None:
        self._next = dict(positions)

    async def fetch(self, places: Collection[Place] = ()) -> Mapping[Place, Sequence[LogRecord]]:
        await asyncio.sleep(0)
        self.fetches += 1
        if self.down:
            raise Waits(Trouble.KAFKA, "down")
        found = {}
        for place, held in self.records.items():
            if place in self.withheld or (places and place not in places):
                continue
            batch = [record for record in held if record.offset >= self._next[place]][: self.at_once]
            if batch:
                found[place] = batch
                self._next[place] = batch[-1].offset + 1
        return found

    async def newest(self, places: Collection[Place]) -> Mapping[Place, int]:
        return {place: self._end(place) for place in places}

    def ends(self) -> Mapping[Place, int]:
        return {place: self._end(place) for place in self.records}

    async def note(self, positions: Mapping[Place, int]) -> None:
        self.noted.update(positions)

    async def close(self) -> None:
        self._next = {}

    def _end(self, place: Place) -> int:
        return self.records[place][-1].offset + 1 if self.records[place] else self.first.get(place, 0)


class MemoryScores:
    """Implements ports.ScoreStore. `saved`: what was handed over each time, `found`: what was told of grades."""

    def __init__(self) -> None:
        self.held: list[Cited] = []
        self.made: list[Entry] = []
        self.acts: list[ListedAct] = []
        self.saved: list[Sequence[Score]] = []
        self.found: list[GradeFinding] = []
        self.away = False
        self._standing: dict[tuple[Subject, Window], tuple[int, str | None]] = {}
        self._told: dict[Subject, Graded] = {}

    async def entered(self) -> object:
        return len(self.made), len(self.acts)

    async def figures(self, dimensions: Collection[str]) -> Sequence[Cited]:
        assert dimensions
        return self.held

    async def entries(self) -> Sequence[Entry]:
        return self.made

    async def listings(self) -> Sequence[ListedAct]:
        return self.acts

    async def save(self, scores: Sequence[Score]) -> int:
        if self.away:
            raise Unavailable("database")
        self.saved.append(scores)
        says: dict[tuple[Subject, Window], str | None] = {(one.subject, one.window): score_text(one) for one in scores}
        changed = 0
        for of, said in (dict.fromkeys(self._standing) | says).items():
            revision, before = self._standing.get(of, (0, None))
            if said != before or not revision:
                self._standing[of] = revision + 1, said
                changed += 1
        revisions = {(one.subject, one.window): self._standing[one.subject, one.window][0] for one in scores}
        for one in grade_findings(self._told, years_of(scores, revisions)):
            is_open = one.phase is not Phase.ENDED
            self._told[one.subject] = Graded(one.finding_id, one.window.start, one.revision, is_open)
            self.found.append(one)
        return changed
