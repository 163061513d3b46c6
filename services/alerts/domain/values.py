"""The words of alerts: ids, kinds, and what a case, a step, a contact and a letter are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import NewType

UnitId = NewType("UnitId", str)
CaseId = NewType("CaseId", str)
NoticeId = NewType("NoticeId", str)
ContactId = NewType("ContactId", str)

Detail = dict[str, str | int | bool | list[str] | None]
"""Words, whole numbers and lists of words only: their JSON is the same whoever writes it, so it can be hashed."""
BodyCode = NewType("BodyCode", str)


class AlertsError(Exception):
    """Root of the errors that alerts itself raises."""


class Fenced(AlertsError):
    """Another process owns the partition now; nothing of this transaction may stand."""


class Conflict(AlertsError):
    """Another transaction was faster with the same case; do it again from what stands now."""


class StoreUnavailable(AlertsError):
    """The database did not answer; nothing was changed and the same call may be made again."""


class NoPack(AlertsError):
    """No policy pack is known, so nobody can say who is told; what came in waits."""


class CaseKind(StrEnum):
    """Kind of a case: the kind of its findings, or a common cause of many."""

    CONNECTION_LOST = "connection_lost"
    NEVER_CONNECTED = "never_connected"
    FIRE = "fire"
    FAULT = "fault"
    ISOLATION = "isolation"
    COMMON_CAUSE = "common_cause"
    UNREADABLE_ALARM = "unreadable_alarm"
    UNREGISTERED_ALARM = "unregistered_alarm"


URGENT = frozenset({CaseKind.FIRE, CaseKind.UNREADABLE_ALARM, CaseKind.UNREGISTERED_ALARM})
"""Kinds that are told at once by the fire lane, and whose first notice is never taken back."""
PASSING = URGENT - {CaseKind.FIRE}
"""Kinds that no signal ends: a person has to look, and the acknowledgement closes the case."""
UNREGISTERED = "?"
"""How the unit id of an unregistered gateway begins; alone it stands for all further ones. No identifier holds it."""


class Happening(StrEnum):
    """What an event says. FIRED and RESTORED come by the fire lane, the others from rules."""

    BEGAN = "began"
    CHANGED = "changed"
    ENDED = "ended"
    FIRED = "fired"
    RESTORED = "restored"


class Role(StrEnum):
    """Whom a step tells; the same words as the policy pack."""

    CENTRE = "centre"
    UNIT_CONTROL_ROOM = "unit_control_room"
    UNIT_MANAGER = "unit_manager"
    MAINTENANCE = "maintenance"
    GRID_OFFICER = "grid_officer"
    STREET = "street"
    BRIGADE = "brigade"
    DEPARTMENT = "department"


class Purpose(StrEnum):
    """A notice says that something is wrong; an all-clear that it is over."""

    NOTICE = "notice"
    ALL_CLEAR = "all_clear"


class Channel(StrEnum):
    """How a notice travels."""

    EMAIL = "email"
    WEBHOOK = "webhook"


class Reason(StrEnum):
    """Why a notice waits, is dead or was cancelled: one closed set for the row, the metric and the log."""

    TIMEOUT = "timeout"
    CONNECT = "connect"
    DNS = "dns"
    TLS = "tls"
    THROTTLED = "throttled"
    SERVER_ERROR = "server_error"
    AUTH = "auth"
    REJECTED = "rejected"
    RECIPIENT_REFUSED = "recipient_refused"
    GONE = "gone"
    REDIRECT = "redirect"
    ADDRESS_REFUSED = "address_refused"
    NO_SECRET = "no_secret"  # noqa: S105 - a reason, not a secret
    UNEXPECTED = "unexpected"
    CASE_CLOSED = "case_closed"
    ACKNOWLEDGED = "acknowledged"
    REOPENED = "reopened"
    HELD = "held_common_cause"


@dataclass(frozen=True, slots=True)
class Proof:
    """Where in the log the evidence stands."""

    topic: str
    partition: int
    offset: int
    signal_id: str | None = None


EVERY_COMPONENT = "*"
"""The address of an end that covers all components of its system (`schemas.gateway`)."""


@dataclass(frozen=True, slots=True)
class Place:
    """One component as its controller names it. `key` tells components of a unit apart."""

    address: str
    system: str = ""
    label: str = ""

    @property
    def key(self) -> str:
        return f"{self.system_key}{self.address}"

    @property
    def system_key(self) -> str:
        """How the keys of all components of its system begin."""
        return f"{self.system}|"


@dataclass(frozen=True, slots=True)
class Event:
    """A finding or a fire signal, as the case book sees it.

    `event_id` is the deduplication key across topics. `place` None means the whole unit. `text` is for people: what an
    alarm that is no plain fire says.
    """

    event_id: str
    happening: Happening
    unit_id: UnitId
    kind: CaseKind
    finding_id: str
    effective_at: datetime
    detected_at: datetime
    cause: str
    proof: Proof
    place: Place | None = None
    clause: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class LadderStep:
    """A rung, `after` the case's clock started; times are the pack's own, before any clock rate."""

    code: str
    after: timedelta
    tells: tuple[Role, ...]
    document: str
    name_zh: str
    name_en: str
    clause: str
    reply_working_days: int | None = None
    board_only: bool = False


@dataclass(frozen=True, slots=True)
class PackRules:
    """What a policy pack says about cases on one day. Waits are the pack's own, before any clock rate."""

    pack_id: str
    version: int
    ladders: dict[CaseKind, tuple[LadderStep, ...]]
    group_wait: timedelta
    reopen_within: timedelta
    common_by: tuple[str, ...]
    common_units: int
    common_window: timedelta
    common_hold: timedelta
    common_tells: tuple[Role, ...]
    common_clause: str
    expired: bool = False


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A unit as it stands on the day, with the route in force."""

    unit_id: UnitId
    name: str
    name_en: str = ""
    district: str = ""
    town: str = ""
    category: str = ""
    lead_department: str = ""
    copy_departments: tuple[str, ...] = ()
    route_clause: str = ""
    carriers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who can be told, with at least one address."""

    contact_id: ContactId
    body_code: BodyCode
    role: str
    lang: str
    email: str | None = None
    webhook_url: str | None = None
    webhook_secret_ref: str | None = None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who saw the case, when and how, and the last step taken by then."""

    at: datetime
    by: str
    via: str
    note: str
    step: str | None


@dataclass(frozen=True, slots=True)
class Case:
    """What alerts keeps open for a finding.

    `burning` holds the keys of components on fire (fire cases only), `alarms` how many were told of. `next_step_at`
    is real time: the clock rate is already in it. `ladder` is the snapshot taken at opening.

    Fire cases remember what ended them in received times, for what either lane brings too late: `ended` the ends that
    came by the fire lane, by the key of what they cover, `restored_at` the newest of these; `over_at` the newest end
    that rules told.
    """

    case_id: CaseId
    kind: CaseKind
    unit: UnitFacts
    finding_id: str
    effective_at: datetime
    detected_at: datetime
    opened_at: datetime
    last_sighting_at: datetime
    pack_id: str
    pack_version: int
    clause: str
    proof: Proof
    ladder: tuple[LadderStep, ...]
    is_open: bool = True
    closed_at: datetime | None = None
    close_reason: str | None = None
    cause_key: str | None = None
    common_case_id: CaseId | None = None
    sightings: int = 1
    drops: int = 1
    step: str | None = None
    next_step: str | None = None
    next_step_at: datetime | None = None
    held_until: datetime | None = None
    acknowledged: Acknowledgement | None = None
    reply_due_at: datetime | None = None
    burning: frozenset[str] = field(default_factory=frozenset)
    alarms: int = 0
    ended: Mapping[str, datetime] = field(default_factory=dict)
    restored_at: datetime | None = None
    over_at: datetime | None = None
    revision: int = 1

    @property
    def is_fire(self) -> bool:
        return self.kind is CaseKind.FIRE

    @property
    def ended_at(self) -> datetime | None:
        """When the end that closed the case was received, as far as that is known; None while it is open."""
        if self.closed_at is None:
            return None
        ends = [end for end in (self.restored_at, self.over_at) if end is not None]
        return min(self.closed_at, max(ends)) if ends else self.closed_at

    @property
    def is_urgent(self) -> bool:
        return self.kind in URGENT

    @property
    def is_common(self) -> bool:
        return self.kind is CaseKind.COMMON_CAUSE


@dataclass(frozen=True, slots=True)
class StepTaken:
    """A rung that was climbed: who was told, or why nobody."""

    case_id: CaseId
    step: str
    due_at: datetime
    taken_at: datetime
    document: str
    clause: str
    told: tuple[str, ...]
    nobody: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where one copy goes. `secret_ref` names the webhook's signing secret, never holds it."""

    contact_id: ContactId
    body_code: BodyCode
    channel: Channel
    address: str
    secret_ref: str | None
    lang: str


@dataclass(frozen=True, slots=True)
class About:
    """What a notice tells of, kept so that it can be written anew when its case is over before it has left."""

    proof: Proof
    place: Place | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One document to one address. `fire` jumps every queue. `first`, of a fire or a component, is never taken back."""

    notice_id: NoticeId
    case_id: CaseId
    step: str
    purpose: Purpose
    to: Address
    template: str
    subject: str
    body: str
    clause: str
    created_at: datetime
    caused_at: datetime
    about: About
    fire: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that happened to a case."""

    at: datetime
    actor: str
    action: str
    case_id: CaseId | None
    detail: Detail


def _digest(size: int, *parts: str) -> str:
    digest = blake2b(digest_size=size)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.hexdigest()


def case_id_of(finding_id: str) -> CaseId:
    """Return the id of the case that this finding opens: the same in every process and every replay."""
    return CaseId("C" + _digest(8, "case", finding_id))


def notice_id_of(case_id: CaseId, step: str, purpose: Purpose, drop: int, to: Address) -> NoticeId:
    """Return the id of one copy; taking the same step again gives the same id, so no second copy can be made.

    An all-clear belongs to one `drop` of the case; a notice to its step alone.
    """
    which = str(drop) if purpose is Purpose.ALL_CLEAR else ""
    return NoticeId(_digest(16, "notice", case_id, step, purpose, which, to.contact_id, to.channel, to.address))
