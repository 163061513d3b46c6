"""Whom a case is about, and what is known of that subject on the day."""

from dataclasses import dataclass
from enum import StrEnum

UNREGISTERED = "?"
"""How the id of an unregistered gateway's unit begins; alone it stands for all further ones. No identifier holds it."""


class SubjectKind(StrEnum):
    """A unit; a body (town, department, station); what many units lost together; FireNet itself."""

    UNIT = "unit"
    BODY = "body"
    COMMON_CAUSE = "common_cause"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a finding or case is about. A subject has at most one open case of a kind."""

    kind: SubjectKind
    id: str

    @property
    def unit_id(self) -> str | None:
        """Return the unit's id, None for whatever is no unit."""
        return self.id if self.kind is SubjectKind.UNIT else None


def body_code(subject: Subject) -> str:
    """Return the code of a body, without the district before it where several share an installation."""
    return subject.id.rpartition("/")[2]


def unit_subject(unit_id: str) -> Subject:
    return Subject(SubjectKind.UNIT, unit_id)


def common_cause_subject(district: str, cause: str) -> Subject:
    """Return the subject of a cause as in `carrier:cmcc`: one that fails in two districts is one of each."""
    return Subject(SubjectKind.COMMON_CAUSE, f"{district}/{cause}")


@dataclass(frozen=True, slots=True)
class SubjectFacts:
    """A subject as it stands on the day, with the route in force.

    A body that is a street is its own `town`, any other but a district its own `lead_department`: who answers for the
    case, and sees it, is found alike for units and bodies.
    """

    subject: Subject
    name: str
    name_en: str = ""
    district: str = ""
    town: str = ""
    category: str = ""
    lead_department: str = ""
    copy_departments: tuple[str, ...] = ()
    route_clause: str = ""
    carriers: tuple[str, ...] = ()
