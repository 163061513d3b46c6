"""Findings about grades as rows and as events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from schemas import body_finding as wire
from schemas import codec
from schemas.base import PackRef
from schemas.topics import FINDINGS
from services.compliance.adapters.score_rows import score_json
from services.compliance.domain.grades import METRIC, Graded, GradeFinding
from services.compliance.domain.scores import Subject
from services.kernel.calendar import micros, moment
from services.kernel.ratio import Verdict, percent
from services.kernel.words import FindingKind, Grade, Phase


def graded_of(row: Sequence[Any]) -> tuple[Subject, Graded]:
    scheme_id, body_id, finding_id, year_from, revision, is_open = row
    return Subject(scheme_id, body_id), Graded(finding_id, micros(year_from), revision, is_open)


def graded_row(found: GradeFinding) -> tuple[Any, ...]:
    is_open = found.phase is not Phase.ENDED
    return (*found.subject, found.finding_id, moment(found.window.start), found.revision, is_open)


def grade_event(found: GradeFinding, pack: tuple[str, int], now: datetime) -> tuple[str, str, bytes]:
    """Return topic, key and value. `pack`: of the score, or of the one that is not made any more."""
    score, window = found.score, found.window
    said = score_json(score) if score is not None else {"low": None, "high": None}
    least = dict(score.scheme.bands).get(Grade.COMPETENT) if score is not None else None
    close = wire.Missed(
        figure_id=f"{METRIC}/{found.subject.scheme_id}/{found.subject.body_id}/{window.start}@{found.revision}",
        metric=METRIC,
        scope=found.subject.scheme_id,
        period_kind=window.kind,
        period_from=moment(window.start),
        period_to=moment(window.end),
        revision=found.revision,
        value=said["low"],
        low=said["low"],
        high=said["high"],
        verdict=Verdict.NON_COMPLIANT if found.is_missed else Verdict.COMPLIANT,
        target="" if least is None else percent(least),
        due="year",
    )
    data = wire.BodyFindingData(
        finding_id=found.finding_id,
        subject=wire.BodySubject(id=found.subject.body_id),
        kind=FindingKind.NOT_COMPETENT,
        phase=found.phase,
        effective_at=moment(window.end),
        detected_at=now,
        missed=0 if found.phase is Phase.ENDED else 1,
        close=close,
        clause=score.scheme.called.clause if score is not None else "evaluation",
        pack=PackRef(pack_id=pack[0], version=pack[1]),
    )
    body_id = found.subject.body_id
    event = wire.BodyFinding(id=found.event_id, source="/compliance", subject=body_id[:128], time=now, data=data)
    return FINDINGS, body_id, codec.findings.encode(event)
