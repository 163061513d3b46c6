"""`firenet.findings.v1`: what compliance found about a body (district, town, department)."""

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Event, PackRef, ShortText, Wire
from services.kernel.words import FindingKind, Period, Phase


class BodySubject(Wire):
    """Whom the finding is about: the code of a district, town or department, with its district before a slash where
    several districts share an installation."""

    kind: Literal["body"] = "body"
    id: str = Field(min_length=1, max_length=130)


class Missed(Wire):
    """The close that says so: its figure on `firenet.figures.v1`, what it came to and what was to be reached."""

    figure_id: str
    metric: ShortText
    scope: str = Field(max_length=400)
    period_kind: Period
    period_from: AwareDatetime
    period_to: AwareDatetime
    revision: int = Field(ge=1)
    value: str | None
    low: str | None
    high: str | None
    verdict: ShortText
    target: ShortText
    due: ShortText


class BodyFindingData(Wire):
    """A body misses a target at the close of a period that counts: that began, changed or ended.

    `not_competent`: its year closed with that grade for certain. The close is that of the score then: `metric` is
    `evaluation`, `scope` the scheme, `value` and `target` are points of 100.

    It began with the first target missed and ended when none was missed any more; `missed` counts them. `effective_at`
    is the end of the period of `close`; `detected_at` is the instant as known at which it was published.
    """

    finding_id: str = Field(min_length=1, max_length=64)
    subject: BodySubject
    kind: Literal[FindingKind.BELOW_TARGET, FindingKind.NOT_COMPETENT] = FindingKind.BELOW_TARGET
    phase: Phase
    effective_at: AwareDatetime
    detected_at: AwareDatetime
    missed: int = Field(ge=0)
    close: Missed
    clause: ShortText
    pack: PackRef


class BodyFinding(Event[BodyFindingData]):
    """source `/compliance`, subject = body id = record key, id derived from finding_id, phase and the close."""

    type: Literal["cn.firenet.body-finding.v1"] = "cn.firenet.body-finding.v1"
