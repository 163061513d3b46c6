"""What people do with a case beside answering it: work on it, write beside it, say whether the alarm was one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.domain.ids import CaseId
from services.kernel.words import AlarmCause, Verification

OWNED_FOR = timedelta(hours=8)
"""A shift. Whoever forgets to hand a case back keeps it from nobody for longer."""
SHELVED_AT_MOST = timedelta(hours=24)
"""Whatever is put out of sight comes back by itself."""
MAX_COMMENTS = 200
"""Of one case; likewise of verifications."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who works on a case. From `until` on nobody does, though the row may still be there."""

    case_id: CaseId
    account: str
    since: datetime
    until: datetime

    @staticmethod
    def of(case_id: CaseId, account: str, now: datetime) -> "Owner":
        return Owner(case_id, account, now, now + OWNED_FOR)


@dataclass(frozen=True, slots=True)
class Comment:
    """`number` counts the comments of the case from 1. `body_code`: "" of brigade and centre."""

    case_id: CaseId
    number: int
    at: datetime
    by: str
    body_code: str
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What somebody found on looking. The last one of a case holds. `cause` None: nobody said one."""

    case_id: CaseId
    number: int
    at: datetime
    by: str
    finding: Verification
    note: str
    cause: AlarmCause | None = None


@dataclass(frozen=True, slots=True)
class Shelved:
    """Somebody put an open case out of the sight of brigade and centre until then (ISA-18.2). It stops no clock."""

    case_id: CaseId
    account: str
    since: datetime
    until: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Work:
    """What is written down of a case: its owner now, how many of the others there are, until when it is shelved."""

    owner: Owner | None
    comments: int
    verifications: int
    shelved_until: datetime | None = None
