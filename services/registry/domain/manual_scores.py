"""Points that a person enters for a criterion of an evaluation (人工评分), with account and reason.

Nothing is ever changed: for the same criterion, body and month the entry that was approved last takes the place of
the earlier, and one without points takes it back. An entry counts once a second person approved it (`approval`). What
the points do to a score compliance says.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from services.kernel.words import AdjustmentState, Role
from services.registry.domain.approval import (
    Person,
    bad,
    check_decides,
    check_withdraws,
    checked_person,
    optional,
    refused,
    text,
)
from services.registry.domain.audit import AuditEntry
from services.registry.domain.errors import AdjustmentRefusal
from services.registry.domain.policy import Policy

TENTH = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class NewScore:
    """`month`: any day of it. `points` None takes back what was entered."""

    scheme_id: str
    body_id: str
    criterion_id: str
    month: date
    points: Decimal | None
    reason: str


@dataclass(frozen=True, slots=True)
class ScoreDecision:
    """How it ended: approved or rejected by a second person, or withdrawn by who entered it."""

    state: AdjustmentState
    account: str
    note: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ManualScore:
    """What somebody entered; `month` is the first day of it. `most`: of how many points, by the pack that held then.

    It counts from its approval on; `decision` None: it waits for one.
    """

    entry_id: str
    district: str
    asked: NewScore
    most: int
    account: str
    recorded_at: datetime
    decision: ScoreDecision | None = None

    @property
    def id(self) -> str:
        return self.entry_id

    @property
    def requested_by(self) -> str:
        return self.account

    @property
    def approvals_needed(self) -> int:
        return 1

    @property
    def approvals(self) -> tuple[str, ...]:
        decided = self.decision
        return () if decided is None or decided.state is not AdjustmentState.APPROVED else (decided.account,)

    @property
    def state(self) -> AdjustmentState:
        return AdjustmentState.REQUESTED if self.decision is None else self.decision.state


def checked(
    asked: NewScore, by: Person, policy: Policy | None, known: Collection[str], today: date
) -> tuple[NewScore, int]:
    """Return what is entered, its month as the first day, and of how many points. Raises AdjustmentRefused.

    `policy`: of the body's district on the last day of the month. `known`: the bodies of the register.
    """
    checked_person(by)
    if by.role is not Role.BRIGADE:
        raise refused(AdjustmentRefusal.NOT_ALLOWED, "an account of the brigade enters points")
    month = asked.month.replace(day=1)
    if month > today:
        raise bad("month: one that has begun")
    evaluation = None if policy is None else policy.evaluations.get(asked.scheme_id)
    if policy is None or evaluation is None:
        raise refused(AdjustmentRefusal.UNKNOWN_PACK, f"no policy pack has an evaluation {asked.scheme_id} for then")
    most = evaluation.manual.get(asked.criterion_id)
    if most is None:
        raise bad(f"criterion: one that a person enters: {', '.join(sorted(evaluation.manual)) or 'there is none'}")
    body = asked.body_id.rpartition("/")[2]
    if body not in (evaluation.bodies or known):
        raise refused(AdjustmentRefusal.UNKNOWN_ENTITY, f"{asked.body_id} is no body that is scored")
    points = asked.points
    if points is not None and not (points.is_finite() and 0 <= points <= most and points % TENTH == 0):
        raise bad(f"points: 0 to {most}, with one decimal at most")
    reason = text("reason", asked.reason)
    return NewScore(asked.scheme_id, asked.body_id, asked.criterion_id, month, points, reason), most


def decided(held: ManualScore, state: AdjustmentState, by: Person, now: datetime, note: str) -> ManualScore:
    """Return it with the decision of `by`. Raises AdjustmentRefused for who may not, and for what does not wait."""
    if state is AdjustmentState.WITHDRAWN:
        check_withdraws(held, by)
    else:
        check_decides(held, by)
    needs_note = state is AdjustmentState.REJECTED
    said = text("note", note) if needs_note else optional("note", note) or ""
    return replace(held, decision=ScoreDecision(state, by.account, said, now))


def entry(held: ManualScore, by: Person) -> AuditEntry:
    """Return what is written down of it in the audit: of the entry, or of what was decided about it."""
    asked, decision = held.asked, held.decision
    return AuditEntry(
        held.recorded_at if decision is None else decision.decided_at,
        by,
        "score" if decision is None else f"score_{decision.state.value}",
        held.entry_id,
        {
            "district": held.district,
            "scheme": asked.scheme_id,
            "body": asked.body_id,
            "criterion": asked.criterion_id,
            "month": asked.month.isoformat(),
            "points": None if asked.points is None else str(asked.points),
            "most": held.most,
            "reason": asked.reason,
            **({} if decision is None else {"note": decision.note}),
        },
    )
