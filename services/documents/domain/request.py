"""What somebody wants put on paper: facts only, the wording is ours."""

from dataclasses import dataclass
from datetime import date, datetime

from services.kernel.words import EvaluationList, FindingKind, Grade, Instrument, Language, ListingLevel, ScoreGap


@dataclass(frozen=True, slots=True)
class Named:
    """A name in both languages."""

    zh: str
    en: str = ""

    def in_language(self, language: Language) -> str:
        """Return the name in this language, the Chinese one where there is no other."""
        return self.zh if language is Language.ZH else self.en or self.zh


@dataclass(frozen=True, slots=True)
class Listed:
    """A listed supervision (挂牌督办) that is closed (销案): see `schemas.document`."""

    level: ListingLevel
    number: str
    on: date
    deadline: date
    evidence: int
    inspector: str
    rechecked_on: date
    approved_on: date
    cured_at: datetime | None


@dataclass(frozen=True, slots=True)
class Issuer:
    """The body that issues, by its code in the register."""

    code: str
    name: Named


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit as the register had it; what is not known is empty or None."""

    unit_id: str
    name: Named
    address: str = ""
    category: Named | None = None
    town: Named | None = None
    responsible: str = ""
    telephone: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """A device in trouble, as its controller names it, and since when, where that is known."""

    address: str
    system: str = ""
    label: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong since when; `occurrence` counts from 1 within the case.

    `component` is the one that it was first reported of, `components` are all of them where they are known.
    """

    kind: FindingKind
    since: datetime
    detected_at: datetime
    occurrence: int = 1
    component: Component | None = None
    components: tuple[Component, ...] = ()

    @property
    def listed(self) -> tuple[Component, ...]:
        """All components that are known to be in trouble."""
        return self.components or ((self.component,) if self.component else ())


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was done before: whom a document, or a short text without a number, told."""

    at: datetime
    to: tuple[Named, ...]
    number: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A part of a score: percent of a figure, and the points that it gave; "" where there are none, or not yet."""

    what: Named
    rate_low: str
    rate_high: str
    low: str
    high: str
    gap: ScoreGap | None
    is_left_out: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """A body in a circular. Points and figures are written as compliance writes them: nothing is computed here."""

    body: Named
    measured: tuple[Measured, ...]
    low: str
    high: str
    grade: Grade | None
    worst: Grade | None
    best: Grade | None
    is_provisional: bool
    list: EvaluationList | None
    place: int | None
    gaps: tuple[ScoreGap, ...]
    rule_years: int
    revision: int


@dataclass(frozen=True, slots=True)
class Circular:
    period: Named
    measure: Named
    standings: tuple[Standing, ...]

    def on(self, name: str) -> tuple[Standing, ...]:
        """Return who is on the green list or the red one; what is provisional is on none, whatever was asked for."""
        return tuple(one for one in self.standings if one.list == name and not one.is_provisional)

    @property
    def provisional(self) -> tuple[Standing, ...]:
        return tuple(one for one in self.standings if one.is_provisional)


@dataclass(frozen=True, slots=True)
class Ground:
    """A fact of a body's history, and the number of the document that says so."""

    on: date
    fact: Named
    number: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    at: datetime
    place: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What a request rests on: clauses as the pack cites them, the pack, and where in the log the evidence stands."""

    clause: str
    pack: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A contact that the document is sent to, for which party, and whether as an addressee."""

    contact_id: str
    party: str
    is_addressee: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One document that is wanted. `source` and `request_id` together name it for ever.

    `subject` is the unit or body that it is about, and the key of all its records. `facts` is the request as it came,
    JSON, to be kept with the document.
    """

    source: str
    request_id: str
    case_id: str
    instrument: Instrument
    issuer: Issuer
    addressee: Named
    copies: tuple[Named, ...]
    unit: Unit | None
    trouble: Trouble | None
    due_at: datetime | None
    languages: tuple[Language, ...]
    link: str
    requested_at: datetime
    basis: Basis
    facts: str
    subject: str
    earlier: tuple[Earlier, ...] = ()
    circular: Circular | None = None
    about: Named | None = None
    grounds: tuple[Ground, ...] = ()
    meeting: Meeting | None = None
    listed: Listed | None = None
    recipients: tuple[Sent, ...] = ()
    receipt_due_at: datetime | None = None
    reply_due_at: datetime | None = None
    provisional_years: tuple[int, ...] = ()
    """Of dates that were counted in working days which were not arranged yet: they may come to be others."""

    @property
    def latest_fact_at(self) -> datetime | None:
        """The newest instant that the document tells of: it cannot be dated before that."""
        known = [one.at for one in self.earlier]
        if self.trouble is not None:
            known += [self.trouble.since, self.trouble.detected_at]
        if self.circular is not None:
            known.append(self.requested_at)  # the scores that stood then
        return max(known, default=None)
