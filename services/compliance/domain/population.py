"""Who is in a scope at an instant; unions and slices (figures.md 2 and 6)."""

from collections.abc import Iterator, Mapping

from services.compliance.domain.errors import Refused
from services.compliance.domain.policy import Policies, Scope
from services.compliance.domain.registry import UnitRow
from services.compliance.domain.timeline import Timeline
from services.compliance.domain.world import World
from services.kernel.calendar import day_of
from services.kernel.effective import in_force
from services.kernel.words import Dimension

DIMENSIONS: tuple[str, ...] = tuple(Dimension)


def scope_names(text: str, policies: Policies) -> list[str]:
    """Return the scopes that `text` joins. Raises Refused `unknown_scope` for one that is in no pack."""
    names = text.split("+")
    for name in names:
        if not policies.names_scope(name):
            raise Refused("unknown_scope", name)
    return names


def members(
    world: World, scopes: list[str], at: int, part: Mapping[str, str], unit: str | None = None
) -> Iterator[Timeline]:
    """Yield the units that are in one of `scopes` of their district's pack at `at` and in the slice, each once."""
    day = day_of(at)
    for unit_id in world.unit_ids if unit is None else [unit]:
        row = in_force(world.registry.units[unit_id], day)
        pack = None if row is None else world.policies.on(row.district, day)
        if row is None or pack is None:
            continue
        wanted = (pack.scopes[name] for name in scopes if name in pack.scopes)
        if not any(_is_member(row, scope, day) for scope in wanted):
            continue
        if all(row.dimensions[name] == value for name, value in part.items()):
            yield world.timeline(unit_id)


def _is_member(row: UnitRow, scope: Scope, day: int) -> bool:
    if row.retired(day) or not all(group & row.facts for group in scope.groups):
        return False
    return not scope.from_acceptance or (row.accepted_on is not None and row.accepted_on <= day)
