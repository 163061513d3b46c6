"""`firenet.findings.v1`: what rules established about a unit."""

from typing import Literal

from pydantic import AwareDatetime, Field

from schemas.base import Event, Evidence, Identifier, PackRef, ShortText, Wire
from schemas.gateway import Point
from services.kernel.words import FindingKind, Phase


class FindingData(Wire):
    """A problem of one unit began, changed or ended.

    `effective_at` is when it was so (for a lost connection: the last proof of life); `detected_at` is the watermark
    at which rules knew. `cause` names what made it so (`deadline`, `signal`, `registry`); `signal_id` the signal.
    `open_points` counts components in this trouble after the event, 0 when the whole unit is meant or it ended.
    """

    finding_id: str = Field(min_length=1, max_length=64)
    unit_id: Identifier
    kind: FindingKind
    phase: Phase
    effective_at: AwareDatetime
    detected_at: AwareDatetime
    cause: ShortText
    signal_id: str | None = None
    point: Point | None = None
    open_points: int = Field(default=0, ge=0)
    evidence: Evidence
    clause: ShortText
    pack: PackRef


class Finding(Event[FindingData]):
    """source `/rules`, subject = unit id = record key, id derived from finding_id, phase and its cause."""

    type: Literal["cn.firenet.finding.v1"] = "cn.firenet.finding.v1"
