"""Something that happened to a case, as it is written down."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from services.alerts.domain.ids import CaseId

Detail = dict[str, str | int | bool | list[str] | None]
"""Words, whole numbers and lists of words only: their JSON is the same whoever writes it, so it can be hashed."""


def text_hash(subject: str, body: str) -> str:
    """Return sha256 of a notice's text: who was told what can be shown, without the text in the chain."""
    return sha256(f"{subject}\n{body}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that happened to a case."""

    at: datetime
    actor: str
    action: str
    case_id: CaseId | None
    detail: Detail
