"""What somebody wants put on paper: facts only, the wording is ours."""

from dataclasses import dataclass
from datetime import datetime

from services.kernel.words import FindingKind, Instrument, Language


@dataclass(frozen=True, slots=True)
class Named:
    """A name in both languages."""

    zh: str
    en: str = ""

    def in_language(self, language: Language) -> str:
        """Return the name in this language, the Chinese one where there is no other."""
        return self.zh if language is Language.ZH else self.en or self.zh


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


@dataclass(frozen=True, slots=True)
class Component:
    """The device that the trouble was first reported of, as its controller names it."""

    address: str
    system: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong since when; `occurrence` counts from 1 within the case."""

    kind: FindingKind
    since: datetime
    detected_at: datetime
    occurrence: int = 1
    component: Component | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A contact that the document is sent to, for which party, and whether as an addressee."""

    contact_id: str
    party: str
    is_addressee: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One document that is wanted. `source` and `request_id` together name it for ever.

    `facts` is the request as it came, JSON, to be kept with the document: clause, pack and evidence stand there.
    """

    source: str
    request_id: str
    case_id: str
    instrument: Instrument
    issuer: Issuer
    addressee: Named
    copies: tuple[Named, ...]
    unit: Unit
    trouble: Trouble
    due_at: datetime | None
    languages: tuple[Language, ...]
    link: str
    requested_at: datetime
    facts: str
    recipients: tuple[Sent, ...] = ()
    receipt_due_at: datetime | None = None
    reply_due_at: datetime | None = None
