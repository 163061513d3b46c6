"""Builders for cases of bodies: closes of periods as findings tell of them, and the organisation ladder in short."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from services.alerts.domain.case.closes import Close
from services.alerts.domain.case.event import Event, Happening, Proof
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.subject import Subject, SubjectFacts, SubjectKind
from services.alerts.domain.delivery.documents import Named, Particulars
from services.alerts.domain.escalation.steps import LadderStep
from services.alerts.domain.escalation.triggers import OnCondition, Overdue, PeriodClose, Trigger
from services.kernel.calendar import date_of, midnight, moment, period_days
from services.kernel.words import CaseCondition, ClockKind, Period, Recipient, StepExit
from tests.fakes.alerts import FakeDirectory
from tests.unit.alerts.build import RULES, contact, step
from tests.unit.alerts.harness import Harness

BODY, COMMITTEE, GOVERNMENT = Recipient.BODY, Recipient.COMMITTEE, Recipient.GOVERNMENT
TOWN = Subject(SubjectKind.BODY, "T1")
DAY_S = 86400.0


def rung(code: str, trigger: Trigger, *tells: Recipient, document: str = "DIGEST", **more: Any) -> LadderStep:
    return replace(step(code, 0, *tells, trigger=trigger, **more), document=document)


O0 = rung("O0", PeriodClose(Period.DAY), BODY)
O1 = rung("O1", PeriodClose(Period.MONTH), BODY, COMMITTEE, document="I6", reply_working_days=10)
O1R = rung(
    "O1R", Overdue(ClockKind.REPLY), BODY, document="REMINDER", exits=(StepExit.CASE_CLOSED, StepExit.REPLIED)
)  # fmt: skip
O2 = rung("O2", PeriodClose(Period.QUARTER), BODY, GOVERNMENT, document="I6")
O4 = rung("O4", PeriodClose(Period.YEAR), COMMITTEE, document="I8")
O6 = rung("O6", OnCondition(CaseCondition.TWO_YEARS_RUNNING), COMMITTEE, GOVERNMENT, document="I9")
ORGANISATION = (O0, O1, O1R, O2, O4, O6)


class DistrictDirectory(FakeDirectory):
    """Knows bodies too: each is a street."""

    def __init__(self, *units: str) -> None:
        super().__init__(units or ("U1",))
        self.all = (*self.all, contact("committee", "committee"), contact("government", "government"))

    def facts(self, subject: Subject, now: datetime) -> SubjectFacts:
        if subject.kind is SubjectKind.BODY:
            return SubjectFacts(subject, name="示范街道", town=subject.id)
        return super().facts(subject, now)

    def particulars(self, facts: SubjectFacts, *said: Any) -> Particulars | None:
        found = super().particulars(facts, *said)
        if found is None:
            return None
        return replace(
            found, bodies={"T1": Named("示范街道"), "committee": Named("委员会"), "government": Named("政府")}
        )


def district(ladder: tuple[LadderStep, ...] = ORGANISATION, **rules: Any) -> Harness:
    """Return a harness with cases of bodies."""
    harness = Harness()
    harness.directory = DistrictDirectory()
    harness.directory.pack = replace(
        RULES, group_wait=RULES.group_wait * 0, ladders={**RULES.ladders, CaseKind.BELOW_TARGET: ladder}, **rules
    )
    harness.restart()
    return harness


def close(period: Period, day: date, *, missed: bool = True, revision: int = 1, metric: str = "access_rate") -> Close:
    """Return the close of the period that holds `day`."""
    first, after = period_days(period, day)
    return Close(
        period, moment(midnight(first)), moment(midnight(after)), metric, "S1", "99.0", "1", revision, is_missed=missed
    )


def told(
    phase: Happening, said: Close, now: datetime, *, subject: Subject = TOWN, finding: str = "f1", count: int = 0
) -> Event:
    """Return the finding about a body that tells of a close."""
    name = f"{finding}-{phase}-{said.period}-{said.begins:%F}-{said.metric}-{said.revision}-{count}"
    return Event(
        event_id=f"/compliance#{subject.id}-{name}",
        happening=phase,
        subject=subject,
        kind=CaseKind.BELOW_TARGET,
        finding_id=f"{subject.id}-{finding}",
        effective_at=said.ends,
        detected_at=now,
        cause="figure",
        proof=Proof("firenet.findings.v1", 0, 1),
        clause="000",
        close=said,
    )


def on(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 4, tzinfo=UTC)


def next_day(day: date) -> date:
    return date_of(period_days(Period.DAY, day)[1])
