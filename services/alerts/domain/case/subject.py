"""Whom a case is about."""

from dataclasses import dataclass

from services.alerts.domain.ids import UnitId

UNREGISTERED = "?"
"""How the unit id of an unregistered gateway begins; alone it stands for all further ones. No identifier holds it."""


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
