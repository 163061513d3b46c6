"""The synthetic alarm: which fire is none, what it passes on its way, and when the next is due.

A fire is synthetic only when both hold: it comes from the unit that is in no register (`services.kernel.synthetic`),
and its component bears a mark that alerts itself made with a key which no device has. Everything else is a fire,
whatever it calls itself: one from that unit without a mark, and one with a mark from a unit of the register.

    mark = run id . seconds since 1970 . first half of HMAC-SHA256
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from services.alerts.domain.case.event import Event, Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import unit_subject
from services.kernel.synthetic import SYNTHETIC

VALID = timedelta(hours=1)
"""So far from its making a mark is taken, by the time at which ingest received it: a copy of it is a fire tomorrow."""
_MARK = re.compile(r"([0-9a-f]{16})\.([0-9]{10})\.([0-9a-f]{32})", re.ASCII)


class Stage(StrEnum):
    """What a synthetic alarm passes, in this order, but for `rules`, which no fire waits for.

    `sent`: the broker has it. `received`: ingest has. `alarm`, `rules`: alerts read it from firenet.alarms.v1, and what
    rules found of it from firenet.findings.v1. `case`: decided and written. `notice`: the channel's receiver accepted
    it. `receipt`: the receiver, which is ours, says so itself.
    """

    SENT = "sent"
    RECEIVED = "received"
    ALARM = "alarm"
    RULES = "rules"
    CASE = "case"
    NOTICE = "notice"
    RECEIPT = "receipt"


class Why(StrEnum):
    """What started a run: its time had come, or somebody asked."""

    SCHEDULE = "schedule"
    COMMAND = "command"


class RunOutcome(StrEnum):
    """`late`: it passed everything, some of it after its deadline. `lost`: at its deadline something was missing."""

    ARRIVED = "arrived"
    LATE = "late"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Run:
    """One synthetic alarm. `slot` numbers the scheduled ones, so that several processes start each once."""

    run_id: str
    why: Why
    started_at: datetime
    due_at: datetime
    slot: int | None = None


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run; `took` is from its start to its last stage, `missing` what it never passed."""

    run: Run
    outcome: RunOutcome | None
    stages: dict[Stage, datetime] = field(default_factory=dict)
    detail: str = ""

    @property
    def missing(self) -> tuple[Stage, ...]:
        return tuple(stage for stage in Stage if stage not in self.stages)

    @property
    def took(self) -> timedelta:
        return max(self.stages.values(), default=self.run.started_at) - self.run.started_at


def key_of(token: str, use: str) -> bytes:
    """Return a key for one `use`, from the secret that all processes of alerts share."""
    return hmac.digest(token.encode(), f"firenet synthetic alarm 1 {use}".encode(), hashlib.sha256)


def mark_of(run: Run, key: bytes) -> str:
    """Return the mark, 60 characters: it stands where a component's address does, which has room for 64."""
    said = f"{run.run_id}.{int(run.started_at.timestamp()):010d}"
    return f"{said}.{_proof(said, key)}"


def run_id_of(event: Event, key: bytes) -> str | None:
    """Return the run whose synthetic alarm an event is, None for every other event."""
    if event.subject != unit_subject(SYNTHETIC) or event.kind is not CaseKind.FIRE:
        return None
    if event.happening not in (Happening.FIRED, Happening.BEGAN) or event.component is None or event.component.system:
        return None
    found = _MARK.fullmatch(event.component.address)
    if found is None or not hmac.compare_digest(_proof(f"{found[1]}.{found[2]}", key), found[3]):
        return None
    made_at = datetime.fromtimestamp(int(found[2]), UTC)
    return found[1] if abs(event.detected_at - made_at) <= VALID else None


def slot_of(now: datetime, every: timedelta) -> int:
    """Return the number of the span of `every` since 1970 that `now` is in; a day begins at 08:00 in China."""
    return int(now.timestamp() // every.total_seconds())


def _proof(said: str, key: bytes) -> str:
    return hmac.digest(key, said.encode(), hashlib.sha256).hex()[:32]
