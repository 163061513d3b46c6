"""Effective dates: what holds from when to when, and which new versions an import makes."""

from collections.abc import Callable, Sequence
from datetime import date, datetime

from services.kernel.effective import in_force, ordered
from services.registry.domain.entities import F, Routing, Version

RouteOf = Callable[[F, date], Routing | None]


def periods(versions: Sequence[Version[F]]) -> list[tuple[date, date, F]]:
    """Return what holds from which day to which (exclusive; the last for ever) by our latest knowledge."""
    facts = _facts_by_day(versions)
    ends = [day for day, _ in facts[1:]] + [date.max]
    return [(day, end, value) for (day, value), end in zip(facts, ends, strict=True)]


def plan(
    existing: Sequence[Version[F]],
    change: tuple[date, F] | None,
    route_of: RouteOf[F],
    route_days: Sequence[date],
    recorded_at: datetime,
) -> list[Version[F]]:
    """Return the versions to add so that `change` holds from its day and every day has the route of its policy.

    A change reaches up to the next change of facts that the register already holds (one dated into the future stays),
    and through all days on which only the route differs (`route_days`: days on which the policy changes). Nothing
    that already holds is written again, so a repeated import adds nothing.
    """
    facts = _facts_by_day(existing)
    if change is not None:
        facts = _put(facts, *change)
    if not facts:
        return []
    first = facts[0][0]
    days = {day for day, _ in facts} | {version.valid_from for version in existing} | set(route_days)
    known = ordered(existing)
    added: list[Version[F]] = []
    for day in sorted(day for day in days if day >= first):
        wanted = _on(facts, day)
        route = route_of(wanted, day)
        now_holding = in_force(ordered([*known, *added]), day)
        if now_holding is None or now_holding.facts != wanted or now_holding.route != route:
            added.append(Version(wanted, day, recorded_at, route))
    return added


def _facts_by_day(existing: Sequence[Version[F]]) -> list[tuple[date, F]]:
    """Reduce versions to the days on which the facts themselves change."""
    latest = {version.valid_from: version.facts for version in ordered(existing)}
    facts: list[tuple[date, F]] = []
    for day, value in sorted(latest.items(), key=lambda item: item[0]):
        if not facts or facts[-1][1] != value:
            facts.append((day, value))
    return facts


def _put(facts: Sequence[tuple[date, F]], day: date, value: F) -> list[tuple[date, F]]:
    return sorted([*(each for each in facts if each[0] != day), (day, value)], key=lambda item: item[0])


def _on(facts: Sequence[tuple[date, F]], day: date) -> F:
    return [value for began, value in facts if began <= day][-1]
