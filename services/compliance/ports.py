"""What compliance needs: the log to read and where it is archived; what is kept of it, and where figures go."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, Protocol

from services.compliance.domain.attribution import Lost
from services.compliance.domain.bodies import Assessment, Standing
from services.compliance.domain.checks import CheckStep
from services.compliance.domain.figure import Figure
from services.compliance.domain.health import Fault
from services.compliance.domain.interruptions import Interruption, StandingOutage
from services.compliance.domain.knowledge import Cut
from services.compliance.domain.listings import ListedAct
from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policies
from services.compliance.domain.publishing import Key
from services.compliance.domain.registry import Registry
from services.compliance.domain.revision import Value
from services.compliance.domain.scores import Cited, Entry, Score
from services.compliance.domain.signals import Pair, SignalFact
from services.compliance.domain.tally import UnitHistory
from services.compliance.domain.unit_day import Carry, UnitDay
from services.compliance.domain.visibility import Visibility
from services.compliance.domain.what_if import Unanswered
from services.kernel.words import Period


class StopSignal(Protocol):
    """What ends a loop; `wait_for` says whether it was told within so many seconds."""

    def is_set(self) -> bool: ...

    async def wait_for(self, seconds: float) -> bool: ...


class Place(NamedTuple):
    """One partition of one topic: records in order of arrival."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One record as Kafka has it. `timestamp_ms` is the producer's clock (CreateTime), so it may step back."""

    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class Bounds(NamedTuple):
    """What Kafka holds of a place: offsets [first, end), and the offset up to which it remembers that we archived.

    `topic_id` is Kafka's id of the topic, another one when it is made anew; None where nobody can say.
    """

    first: int
    end: int
    noted: int | None
    topic_id: str | None = None


class Appended(NamedTuple):
    """What became of a batch: lines written, their bytes before compression, anomalies among them."""

    records: int
    line_bytes: int
    undecodable: int
    clamped: int


class Trouble(StrEnum):
    """Why nothing is archived now. What Kafka has waits there."""

    FULL = "full"
    READ_ONLY = "read_only"
    MISSING = "missing"
    HELD = "held"
    AHEAD = "ahead"
    FAILED = "failed"
    KAFKA = "kafka"


class Waits(Exception):
    """Archiving cannot go on for now; nothing is lost by waiting."""

    def __init__(self, trouble: Trouble, detail: str) -> None:
        super().__init__(f"{trouble}: {detail}")
        self.trouble = trouble
        self.detail = detail


class LogSource(Protocol):
    """The topics to archive, all partitions of them. Every method but `close` may raise Waits(KAFKA)."""

    async def open(self) -> Mapping[Place, Bounds]:
        """Connect and return what there is."""
        ...

    def seek(self, positions: Mapping[Place, int]) -> None:
        """Read on from these offsets."""
        ...

    async def fetch(self, places: Collection[Place] = ()) -> Mapping[Place, Sequence[LogRecord]]:
        """Return what has come, of these places or of all, in order per place; empty after a short while without.

        Bounded in memory.
        """
        ...

    async def newest(self, places: Collection[Place]) -> Mapping[Place, int]:
        """Ask Kafka where these places end now."""
        ...

    def ends(self) -> Mapping[Place, int]:
        """Return where each place ended when Kafka last said so."""
        ...

    async def note(self, positions: Mapping[Place, int]) -> None:
        """Have Kafka remember up to where the archive is whole: by it a folder that is gone is known from a new one."""
        ...

    async def close(self) -> None: ...


class Archive(Protocol):
    """Complete files only count. Every method but `close` may raise Waits; all block, none is called beside another."""

    def open(self, noted: Mapping[Place, int | None]) -> Mapping[Place, int | None]:
        """Take the archive for this process and return the offset after the last archived one, None for none.

        What a process that was killed left unfinished is removed: Kafka has it. Raises Waits(MISSING) when Kafka was
        told of more than nothing of a place and nothing of it is here.
        """
        ...

    def belongs_to(self, topic_ids: Mapping[str, str]) -> None:
        """Compare Kafka's ids of the topics with those that the files are of, and keep those of which there are none.

        Raises Waits(AHEAD) for a topic that was made anew: its offsets begin again, and are not those of the files.
        """
        ...

    def append(self, place: Place, first: int, records: Sequence[LogRecord]) -> Appended:
        """Write records. `first` is the offset that was asked for: Kafka may have had nothing from it to the first's.

        What is written is safe after `finish` only.
        """
        ...

    def due(self) -> bool:
        """Whether a file has reached its size or age."""
        ...

    def finish(self) -> Mapping[Place, int]:
        """Make all unfinished files whole, on the disk; return the offset after the last of each."""
        ...

    def drop_before(self, day: date, topics: Collection[str]) -> int:
        """Remove files of these topics of days before `day`, never the last of a place. Return how many."""
        ...

    def free_bytes(self) -> int: ...

    def close(self, finish: bool) -> Mapping[Place, int]:
        """Finish what can be finished, if `finish`; remove the rest, let the archive go. Never raises."""
        ...


class Unavailable(Exception):
    """Database, Kafka or archive cannot be used now; another try may do."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of the log established: everything recorded up to `known_at` (microseconds) and not before.

    `late_from`: how far the watermark had come before; what was received earlier comes late. `state`: of the fold after
    it, opaque. `anew`: the log is read again from the beginning of the archive, and what that does not tell any more
    stays. `all_units`: packs or the visibility of the past changed.
    """

    known_at: int
    late_from: int
    state: str
    heartbeats: Mapping[Pair, Sequence[int]] = field(default_factory=dict)
    replaced: Sequence[tuple[Pair, int]] = ()
    signals: Sequence[tuple[SignalFact, str]] = ()
    checks: Sequence[CheckStep] = ()
    records: Sequence[tuple[str, str, str]] = ()
    listings: Sequence[ListedAct] = ()
    anew: bool = False
    all_units: bool = False


class LogFold(Protocol):
    """The archived log, step by step on a grid of its own time, so that a step depends on nothing but the log.

    All block; none is called beside another. Raises Unavailable.
    """

    @property
    def policies(self) -> Policies | None:
        """The packs known at the last step; None before the first."""
        ...

    @property
    def visibility(self) -> Visibility:
        """Who looked when, as known at the last step."""
        ...

    @property
    def is_of_before(self) -> bool:
        """Whether the units stand as another version computed them: the next step has all of them computed."""
        ...

    @property
    def catches_up(self) -> bool:
        """Whether the log is folded anew up to where it was before: what it says meanwhile was said already."""
        ...

    @property
    def first_seen(self) -> int | None:
        """The first seen point of all."""
        ...

    @property
    def gone_before(self) -> int:
        """Before when the log was read once and is not archived any more; 0 where nothing is gone."""
        ...

    def restore(self, state: str | None) -> None:
        """Go on from a state; None: from the beginning of the archive."""
        ...

    def next_step(self) -> Step | None:
        """Return the next step, None while it is not archived whole or no pack is known."""
        ...


class Position(NamedTuple):
    """How far everything is: read, computed, published. `closed`: the watermark of that publication."""

    known_at: int
    computed_at: int
    published_at: int
    closed: int | None
    state: str
    kept_day: int = 0
    """Days before it are final: what they were computed from may be gone."""


class Dirt(NamedTuple):
    """Days whose parts changed, days that begin otherwise, and the day from which all may be otherwise."""

    within: frozenset[int] = frozenset()
    beginning: frozenset[int] = frozenset()
    onwards: int | None = None
    lost: frozenset[int] = frozenset()
    """Days on which an outage begins, or a gateway was lost, otherwise than before."""


class UnitFacts(NamedTuple):
    """Everything kept of some units, from where their carries allow."""

    signals: Sequence[SignalFact]
    heartbeats: Mapping[Pair, Sequence[int]]
    checks: Sequence[CheckStep]
    carries: Mapping[str, Carry]


class UnitResult(NamedTuple):
    """What a unit came to; `days` from `first` on, everything of the unit from there."""

    unit_id: str
    first: int
    days: Sequence[UnitDay]
    faults: Sequence[Fault]
    checks: Sequence[tuple[int, str | None]]
    carry: Carry | None
    interruptions: Sequence[Interruption] = ()
    losses: Sequence[Lost] = ()


class FinalUnit(NamedTuple):
    """A unit of which some days are final: from where each gateway is computed, and which signals may go.

    `silent`: source and id of signals that stay without beginning or ending anything.
    """

    unit_id: str
    cuts: Mapping[Pair, Cut]
    gone: Sequence[tuple[str, str]]
    silent: Sequence[tuple[str, str]]


class Published(NamedTuple):
    """A revision that stands: its number and what the next one is compared with."""

    revision: int
    figure: Mapping[str, Value]


class NewFigure(NamedTuple):
    """A revision to be published."""

    key: Key
    revision: int
    figure: Figure
    difference: Mapping[str, tuple[Value, Value]]


class FactStore(Protocol):
    """What is kept of the log beside the archive, and what was published. Raises Unavailable."""

    async def position(self) -> Position | None: ...

    async def take(self, step: Step) -> None:
        """Keep what a step established and its state, in one transaction, with which units and days it concerns."""
        ...

    async def registry(self, known_at: int) -> Registry: ...

    async def unit_facts(
        self, unit_ids: Sequence[str], gateways: Collection[Pair], kept_day: int, *, before: int | None = None
    ) -> UnitFacts:
        """Return what is needed from the carries on, where a unit has none from its cuts before `kept_day` on.

        With `before` from those cuts in any case, and heartbeats of days before it only.
        """
        ...

    async def unclosed_from(self) -> datetime | None:
        """Return from when on periods are not closed yet, None before anything is published."""
        ...

    async def move_kept(self, before: int, day: int) -> None:
        """Make all days before `day` final; it was `before`."""
        ...

    async def forget(self, final: Sequence[FinalUnit], day: int, reach: int) -> Mapping[str, int]:
        """Keep the cuts of these units; drop their heartbeats of days before their cuts, and their days before `day`.

        With them the signals that are named, and the outages that ended before `day`. Losses stay `reach` longer, and
        as long as an outage that is kept may share their cause. In one transaction, and only what `move_kept` made
        final. Returns how many rows went, by table.
        """
        ...

    async def forget_checks(self, day: int) -> int:
        """Drop the steps of checks that were ordered before `day`; return how many."""
        ...

    async def save_units(self, results: Sequence[UnitResult]) -> None:
        """Put results in place of what there is, and note the days that changed. Again: nothing changes."""
        ...

    async def computed(self, known_at: int) -> None:
        """Every unit is computed as known then."""
        ...

    async def dirt(self) -> Dirt: ...

    def histories(self, registry: Registry, first: int, last: int) -> AsyncIterator[UnitHistory]:
        """Yield every unit with its days from `first` to `last`."""
        ...

    async def open_faults(self) -> Sequence[int]:
        """Return when each fault that is open now began."""
        ...

    async def published(self, window: Window) -> Mapping[Key, Published]:
        """Return the revisions that stand for a period."""
        ...

    async def standing(self) -> Sequence[Standing]: ...

    async def losses(self, start: int, end: int, policies: Policies) -> Sequence[Lost]:
        """Return what was lost within [start, end), with what the pack of each day calls a common cause."""
        ...

    async def interruptions(self, start: int, end: int, reach: int) -> Sequence[Interruption]:
        """Return those that begin within [start, end), and those of gateways lost at most `reach` before or after."""
        ...

    async def standing_outages(self, start: int, end: int, also: Sequence[Interruption]) -> Sequence[StandingOutage]:
        """Return what is published of outages that begin within [start, end), or where one of these does."""
        ...

    async def publish(
        self,
        position: Position,
        closed: int | None,
        figures: Sequence[NewFigure],
        assessment: Assessment,
        outages: Sequence[StandingOutage] = (),
        *,
        keep_dirt: bool = False,
        all_outages: bool = True,
    ) -> None:
        """Store revisions and findings with what is to be sent of them, in one transaction; the dirt is worked off.

        `outages`: the new revisions of outages, which nobody is sent. `all_outages`: with them all up to `closed` are
        published. With `keep_dirt` they never are.
        """
        ...


class ScoreStore(Protocol):
    """What scores are made from, and what was published of them. Raises Unavailable."""

    async def entered(self) -> object:
        """Return what is another whenever points were entered, a listing acted on, or a new word may be published."""
        ...

    async def figures(self, dimensions: Collection[str]) -> Sequence[Cited]:
        """Return the figures of months that stand, of slices by these dimensions."""
        ...

    async def entries(self) -> Sequence[Entry]:
        """Return all entries, in the order in which they were made."""
        ...

    async def listings(self) -> Sequence[ListedAct]:
        """Return all that the log told of listings."""
        ...

    async def save(self, scores: Sequence[Score]) -> int:
        """Store a revision of each that is not as it stands; return how many. Again: nothing changes.

        They are all that there are: what stands and is not among them is withdrawn, by a revision too.
        """
        ...


class Outbox(Protocol):
    """What waits to be sent. Raises Unavailable."""

    async def send(self) -> int:
        """Send what waits, in order, and return how many. A crash in between repeats some, with the same ids."""
        ...


class TakenWhatIf(NamedTuple):
    """A question that this process works on; `attempt` tells it from one that took it for lost later."""

    what_if_id: int
    attempt: int


class WhatIf(NamedTuple):
    """What the pack in `pack` (YAML) would have said of the period of a kind that holds `day`."""

    kind: Period
    day: date
    pack: str


class WhatIfStore(Protocol):
    """Questions about packs that do not hold, and what came of them. Raises Unavailable."""

    async def take(self, now: datetime) -> TakenWhatIf | None:
        """Take the oldest that nobody works on, one that is lost before a new one; it is ours for LEASE."""
        ...

    async def question(self, taken: TakenWhatIf) -> WhatIf | None:
        """Return what was asked, None where it was forgotten meanwhile."""
        ...

    async def keep(self, taken: TakenWhatIf, now: datetime) -> bool:
        """Keep it for another LEASE; False: it is another's, and nothing may be said of it any more."""
        ...

    async def answered(self, taken: TakenWhatIf, answer: Mapping[str, object], now: datetime) -> None: ...

    async def failed(self, taken: TakenWhatIf, why: Unanswered, now: datetime) -> None: ...

    async def forget(self, now: datetime) -> int:
        """Drop answers whose questions are older than KEPT or gone; return how many."""
        ...
