"""Cases as the console shows them: what is open, who was told, what comes next."""

from dataclasses import dataclass
from datetime import datetime

from services.kernel.words import AlarmState


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A rung of the ladder that was in force when the case was opened. `after_s` None: something else makes it due."""

    code: str
    name_zh: str
    name_en: str
    document: str
    clause: str
    tells: tuple[str, ...]
    after_s: float | None


@dataclass(frozen=True, slots=True)
class TakenStep:
    """A rung that was taken. `recipients`: body codes and unit roles; `nobody`: why there are none."""

    step: str
    due_at: datetime
    taken_at: datetime
    document: str
    clause: str
    recipients: tuple[str, ...]
    nobody: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notice to one recipient. No address: whoever may see the case need not see everybody's mailbox.

    `role`: of the contact, as the register has it today; "" where it has none. `proof`: the strongest that there is of
    it (kernel.words.Proof), since when and by what; None: nothing is proven.
    """

    notice_id: str
    step: str
    purpose: str
    body_code: str
    contact_id: str
    channel: str
    subject: str
    state: str
    attempts: int
    created_at: datetime
    ended_at: datetime | None
    reason: str | None
    role: str = ""
    proof: str | None = None
    proven_at: datetime | None = None
    proven_by: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A body signed for what the case told it up to `step` (签收); the case is taken by somebody else."""

    body_code: str
    step: str
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Who works on an open case until when: the account, and how people call it."""

    account: str
    name: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Shelved:
    """Who put an open case out of sight, and until when."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody wrote beside a case. `body_code`: the body of the account, "" of brigade and centre."""

    at: datetime
    by: str
    body_code: str
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What somebody found on looking: `finding` is a `Verification`. It answers no case and ends none.

    `cause`: an `AlarmCause`, None where nobody said one.
    """

    finding: str
    at: datetime
    by: str
    note: str
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Telephone:
    """A number by which a unit is called. `role`: `control_room`, `responsible`, or the role of a contact."""

    role: str
    name: str
    number: str


URGENT_KINDS = ("fire", "unreadable_alarm", "unregistered_alarm")
"""Kinds that burn, or may: on top of everything, the ones that certainly do first. A name of a gateway that is in no
register stands for the unit of the last one: "?" and what it calls itself."""


@dataclass(frozen=True, slots=True)
class CaseSignal:
    """One signal of a case. `salvaged`: read carefully where the strict reading failed; `notes` list what was dropped.

    `refusal_id`: where what came is kept raw.
    """

    received_at: datetime
    kind: str
    gateway_id: str
    address: str
    label: str
    text: str
    salvaged: bool
    notes: tuple[str, ...]
    refusal_id: str | None


@dataclass(frozen=True, slots=True)
class Component:
    """A component that raised the alarm of a case, as its controller names it. `burning`: no end of it came yet."""

    system: str
    address: str
    label: str
    since: datetime
    burning: bool


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case of the list. `deliveries` counts its notices by state.

    `acknowledged_*` say who took the case, `receipts` who signed for it, in the order in which they did.
    """

    case_id: str
    kind: str
    state: str
    unit_id: str | None
    unit_name: str
    unit_name_en: str
    town: str
    category: str
    lead_department: str
    copy_departments: tuple[str, ...]
    cause_key: str | None
    members: int
    effective_at: datetime
    detected_at: datetime
    opened_at: datetime
    closed_at: datetime | None
    drops: int
    step: str | None
    next_step: str | None
    next_step_at: datetime | None
    held_until: datetime | None
    reply_due_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_note: str | None
    acknowledged_step: str | None
    plan: tuple[PlannedStep, ...]
    taken: tuple[TakenStep, ...]
    deliveries: dict[str, int]
    address: str = ""
    receipts: tuple[Receipt, ...] = ()
    owner: Owner | None = None
    verified: Verified | None = None
    alarm_state: AlarmState = AlarmState.UNACKNOWLEDGED
    shelved: Shelved | None = None
    address_en: str = ""


@dataclass(frozen=True, slots=True)
class CaseList:
    """`open`, `unacknowledged` and `held` count all open cases of the slice, `rows` holds a page of what was asked for.

    `shelved`: those of the open ones that are out of the sight of brigade and centre; `returned`: closed ones that
    nobody has taken, up to 1000. `matching` counts what was asked for on all pages; `next` is the place where the next
    page begins.
    """

    open: int
    unacknowledged: int
    held: int
    rows: tuple[CaseRow, ...]
    matching: int = 0
    next: str | None = None
    shelved: int = 0
    returned: int = 0


@dataclass(frozen=True, slots=True)
class CaseDocument:
    """A document of a case and its files, each as `zh.pdf`; `number` is "" of a draft."""

    document_id: str
    number: str
    title: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """Everything a reader may know about one case, with the log position that proves it.

    `premises`: what the register says that its unit is, by the names of the fields that are true.
    """

    case: CaseRow
    deliveries: tuple[Delivery, ...]
    finding_id: str
    clause: str
    route_clause: str
    pack_id: str
    pack_version: int
    evidence: tuple[tuple[str, str], ...]
    close_reason: str | None
    acknowledged_via: str | None
    common_case_id: str | None
    sightings: int
    signals: tuple[CaseSignal, ...] = ()
    components: tuple[Component, ...] = ()
    documents: tuple[CaseDocument, ...] = ()
    comments: tuple[Comment, ...] = ()
    verifications: tuple[Verified, ...] = ()
    telephones: tuple[Telephone, ...] = ()
    premises: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fire:
    """A fire that has not ended, or an alarm that may be one (see `URGENT_KINDS`), or a fire that ended untaken.

    `case_id` None: known from the unit's state, its case is not open yet. `ended_at` None: it burns.
    """

    unit_id: str
    case_id: str | None
    name: str
    name_en: str
    address: str
    town: str
    since: datetime
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    kind: str = "fire"
    components: tuple[Component, ...] = ()
    ended_at: datetime | None = None
    telephones: tuple[Telephone, ...] = ()
    verified: Verified | None = None
    address_en: str = ""
