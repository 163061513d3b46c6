"""Something that happened to a case, as it is written down."""

from dataclasses import dataclass
from datetime import datetime

from services.alerts.domain.ids import CaseId

Detail = dict[str, str | int | bool | list[str] | None]
"""Words, whole numbers and lists of words only: their JSON is the same whoever writes it, so it can be hashed."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that happened to a case."""

    at: datetime
    actor: str
    action: str
    case_id: CaseId | None
    detail: Detail
