"""A case: what alerts keeps open for a finding."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.alerts.domain.case.clocks import Clocks
from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.event import Component, Proof
from services.alerts.domain.case.fire import FireState
from services.alerts.domain.case.kinds import URGENT, CaseKind
from services.alerts.domain.case.subject import Subject, SubjectFacts
from services.alerts.domain.escalation.guarded import GuardedTime
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.ids import BodyCode, CaseId, digest
from services.alerts.domain.noise.flapping import Flapping
from services.kernel.words import ClockKind


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who took the case (接警, 确认), when and how, and the last step taken by then."""

    at: datetime
    by: str
    via: str
    note: str
    step: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A body signed for what the case told it up to `step` (签收), "" before the first. The case stays as it is."""

    body_code: BodyCode
    step: str
    at: datetime
    by: str
    via: str
    note: str


@dataclass(frozen=True, slots=True)
class Closure:
    """When a case was closed, by the clock of alerts, and why."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Sightings:
    """How often the trouble was told of, how often it began anew within the case (1: once), and when it last was."""

    last_at: datetime
    count: int = 1
    drops: int = 1

    def again(self, at: datetime) -> "Sightings":
        """Return them with one more, of `at`; words may come out of order."""
        return replace(self, count=self.count + 1, last_at=max(self.last_at, at))


@dataclass(frozen=True, slots=True)
class Grouping:
    """How a case stands to a common cause.

    A common case names its cause by `cause_key`, a member its common case. No step of a member is taken before
    `held_until`; of a common case it says how long its members wait.
    """

    cause_key: str | None = None
    common_case_id: CaseId | None = None
    held_until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.held_until is not None and self.held_until > now


@dataclass(frozen=True, slots=True)
class Case:
    """What alerts keeps open for a finding.

    `ladder` is the snapshot taken at opening, `step` its last step that was taken. `component` opened it,
    None for the whole unit. `closure` None: open. `fire` says something in fire cases only. `receipts` come in the
    order in which they were given, at most one for a body and step. `closes` are what a body has missed so far. In
    `guarded` times its clocks run faster; like the ladder they are as the pack had them at opening. `lapse_delay`: so
    much later (real time) come steps that were held back by acknowledgements which lapsed. `cured_at`: the trouble of a
    case that is listed for supervision was over then, and has not begun anew; the case waits for the listing's closure.
    """

    case_id: CaseId
    kind: CaseKind
    facts: SubjectFacts
    finding_id: str
    effective_at: datetime
    detected_at: datetime
    opened_at: datetime
    sightings: Sightings
    pack_id: str
    pack_version: int
    clause: str
    proof: Proof
    ladder: tuple[LadderStep, ...]
    closure: Closure | None = None
    grouping: Grouping = field(default_factory=Grouping)
    step: str | None = None
    clocks: Clocks = field(default_factory=Clocks)
    acknowledged: Acknowledgement | None = None
    receipts: tuple[Receipt, ...] = ()
    fire: FireState = field(default_factory=FireState)
    component: Component | None = None
    flapping: Flapping = field(default_factory=Flapping)
    revision: int = 1
    closes: tuple[Close, ...] = ()
    guarded: tuple[GuardedTime, ...] = ()
    lapse_delay: timedelta = timedelta(0)
    cured_at: datetime | None = None

    @property
    def is_listed(self) -> bool:
        """Say whether it is listed for supervision (挂牌督办) and the listing is not closed (销案)."""
        return ClockKind.LISTING in self.clocks.running

    @property
    def is_fire(self) -> bool:
        return self.kind is CaseKind.FIRE

    @property
    def subject(self) -> Subject:
        return self.facts.subject

    @property
    def next_step(self) -> str | None:
        """The step that falls due `next_step_at`."""
        return self.clocks.step.step if self.clocks.step else None

    @property
    def next_step_at(self) -> datetime | None:
        """When the next step falls due; None when none follows, or the next waits for an event."""
        return self.clocks.step.due_at if self.clocks.step else None

    @property
    def reply_due_at(self) -> datetime | None:
        return self.clocks.reply.due_at if self.clocks.reply else None

    @property
    def is_open(self) -> bool:
        return self.closure is None

    @property
    def closed_at(self) -> datetime | None:
        return self.closure.at if self.closure else None

    @property
    def close_reason(self) -> str | None:
        return self.closure.reason if self.closure else None

    @property
    def ended_at(self) -> datetime | None:
        """When the end that closed the case was received, as far as that is known; None while it is open."""
        if self.closure is None:
            return None
        end = self.fire.newest_end
        return self.closure.at if end is None else min(self.closure.at, end)

    @property
    def is_urgent(self) -> bool:
        return self.kind in URGENT

    def signed_at(self, body_code: str) -> datetime | None:
        """Return when the body signed last since the trouble began, or began again; None when it did not."""
        return max((one.at for one in self._receipts_since_begin if one.body_code == body_code), default=None)

    @property
    def signers(self) -> frozenset[str]:
        """The bodies that have signed since the trouble began, or began again."""
        return frozenset(one.body_code for one in self._receipts_since_begin)

    @property
    def _receipts_since_begin(self) -> tuple[Receipt, ...]:
        return tuple(one for one in self.receipts if one.at >= self.detected_at)

    @property
    def is_common(self) -> bool:
        return self.kind is CaseKind.COMMON_CAUSE


def begun_last(cases: Iterable[Case], subject: Subject, kind: CaseKind, by: datetime) -> Case | None:
    """Return the case of the subject and kind whose first signal was received last, at the latest at `by`."""
    of_it = (case for case in cases if case.subject == subject and case.kind is kind and case.detected_at <= by)
    return max(of_it, key=lambda case: case.detected_at, default=None)


def case_id_of(finding_id: str) -> CaseId:
    """Return the id of the case that this finding opens: the same in every process and every replay."""
    return CaseId("C" + digest(8, "case", finding_id))
