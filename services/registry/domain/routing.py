"""Who answers for a unit: trade by category, area by street, and a default for those that no clause names."""

from datetime import date

from services.kernel.words import ACCEPTANCE_ROUTE, Construction
from services.registry.domain.entities import Routing, Unit
from services.registry.domain.policy import Policy


def resolve(unit: Unit, policy: Policy, day: date) -> Routing:
    """Return the route of `unit` under `policy` for a version that begins on `day`.

    A category without a department (or unknown to the pack) goes to the unit's own street or town, the bodies of the
    default route are told, and it counts as unrouted. A new, renovated or extended building that is not connected yet
    is also told to whoever accepts buildings. Copies never repeat the lead or each other.
    """
    rule = policy.routes.get(unit.category)
    if rule is None:
        lead, routed, copies = unit.town, False, policy.default_copies
        clause = policy.default_clause
    elif rule.lead is not None:
        lead, routed, copies, clause = rule.lead, True, rule.copies, rule.clause
    elif rule.street_leads:
        lead, routed, copies, clause = unit.town, True, rule.copies, rule.clause
    else:
        lead, routed, copies, clause = unit.town, False, (*policy.default_copies, *rule.copies), rule.clause
    wanted = (*copies, *unit.also_told, *_acceptance_gate(unit, policy, day))
    return Routing(lead, tuple(code for code in dict.fromkeys(wanted) if code != lead), routed, clause)


def _acceptance_gate(unit: Unit, policy: Policy, day: date) -> tuple[str, ...]:
    """Scope S2 has no grace: construction hears of a new building until an end-to-end test has passed."""
    connected = unit.commissioned_on is not None and unit.commissioned_on <= day
    if unit.construction is Construction.EXISTING or connected:
        return ()
    return acceptance_gate(policy)


def acceptance_gate(policy: Policy) -> tuple[str, ...]:
    """Return the department that accepts buildings, nobody where the pack names none."""
    rule = policy.routes.get(ACCEPTANCE_ROUTE)
    return (rule.lead,) if rule is not None and rule.lead is not None else ()
