"""What another pack would have said of a closed period, beside what is published of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from services.compliance.domain.period import Window
from services.compliance.domain.policy import Policies, Policy
from services.compliance.domain.publishing import Key
from services.compliance.domain.registry import UnitRow
from services.compliance.domain.revision import PUBLISHED, Value
from services.compliance.domain.visibility import Visibility
from services.kernel.calendar import day_of, midnight
from services.kernel.effective import in_force
from services.kernel.words import Dimension

LISTED = 200
"""So many units that enter or leave a scope are named, the others counted."""


LEASE, TAKEN_WITHIN, KEPT = timedelta(minutes=2), timedelta(days=1), timedelta(days=30)
"""How long a process that says nothing has a question; how old one may be that nobody took; how long it is kept."""
MAX_ATTEMPTS = 3


class Unanswered(StrEnum):
    """Why a question has no answer. Console has a sentence for each."""

    OTHER_DISTRICT = "other_district"
    """No pack of the register is of the district of this one."""
    BLIND_DIFFERS = "blind_differs"
    """When we were blind was folded by the packs that hold; by another length it can only be read from the archive."""
    NOT_CLOSED = "not_closed"
    FACTS_GONE = "facts_gone"
    FACTS_MOVED = "facts_moved"
    """Packs changed, or days became final, while it was worked on."""
    NOT_PUBLISHED = "not_published"
    TOO_LONG = "too_long"
    INTERRUPTED = "interrupted"
    INTERNAL = "internal"


class NotAnswered(Exception):
    """There is no answer; `why` says it."""

    def __init__(self, why: Unanswered) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class Supposed:
    """The packs known now, the same with one in place of all of its district, and who looked when by these."""

    now: Policies
    policies: Policies
    visibility: Visibility
    district: str
    first_seen: int
    gone_before: int
    packs_known: str
    """The same text for the same packs of the register."""

    def pack(self, window: Window) -> Policy:
        return self.policies.in_force(self.district, day_of(window.end - 1))

    def concerns(self, rows: Iterable[UnitRow]) -> bool:
        """Tell whether the pack judges a unit with these rows on any day."""
        judged = self.policies.judging(self.district)
        return any(self.policies.judging(row.district) == judged for row in rows)


def require_whole(supposed: Supposed, window: Window, kept_day: int) -> None:
    """Raises NotAnswered for a period that is not closed, or of which facts are gone."""
    watermark = supposed.visibility.watermark
    if watermark is None or any(end > watermark for end in supposed.now.closings(window.end)):
        raise NotAnswered(Unanswered.NOT_CLOSED)
    kept = max(midnight(kept_day) if kept_day else 0, supposed.gone_before)
    if window.start < kept or window.end <= supposed.first_seen:
        raise NotAnswered(Unanswered.FACTS_GONE)


def heartbeats_before(pack: Policy, window: Window) -> int:
    """Return before which day heartbeats may matter to a period: what follows shows whether a silence was a loss."""
    longest = max(profile.deadline + profile.stable * profile.interval for profile in pack.profiles.values())
    return day_of(window.end + longest) + 2


class Change(NamedTuple):
    """Units that the pack would count in a scope and the present one does not (`enters`), and the other way round."""

    scope: str
    enters: Sequence[str]
    leaves: Sequence[str]


@dataclass(slots=True)
class Membership:
    """Takes unit after unit: who is in which scope on a day by the one and by the other."""

    supposed: Supposed
    day: int
    scopes: Sequence[str]
    _enters: dict[str, list[str]] = field(default_factory=dict)
    _leaves: dict[str, list[str]] = field(default_factory=dict)

    def take(self, unit_id: str, rows: Sequence[UnitRow]) -> None:
        row = in_force(rows, self.day)
        if row is None or row.retired(self.day) or not self.supposed.concerns([row]):
            return
        before = _scopes(self.supposed.now.on(row.district, self.day), row, self.day)
        after = _scopes(self.supposed.policies.on(row.district, self.day), row, self.day)
        for scope in self.scopes:
            names = set(scope.split("+"))
            was, now = not names.isdisjoint(before), not names.isdisjoint(after)
            if was != now:
                (self._enters if now else self._leaves).setdefault(scope, []).append(unit_id)

    def changes(self) -> list[Change]:
        return [Change(scope, self._enters.get(scope, ()), self._leaves.get(scope, ())) for scope in self.scopes]


def scopes_of(window: Window, supposed: Supposed) -> list[str]:
    """Return the scopes whose figures either pack publishes."""
    day = day_of(window.end - 1)
    packs = (supposed.now.on(supposed.district, day), supposed.pack(window))
    return sorted({scope for pack in packs if pack is not None for scope in pack.published})


def _scopes(pack: Policy | None, row: UnitRow, day: int) -> set[str]:
    if pack is None:
        return set()
    return {name for name, scope in pack.scopes.items() if scope.holds(row.facts, accepted=row.accepted(day))}


Said = Mapping[str, Value]


def answer(
    published: Mapping[Key, Said], computed: Mapping[Key, Said], changes: Sequence[Change], supposed: Supposed
) -> dict[str, Any]:
    """Return the answer as it is stored: a row for each formula and scope of the district as a whole.

    `before` None: nothing is published of it; `after` None: the pack publishes nothing of it.
    """
    ours = sorted(key for key in {*published, *computed} if is_of(key, supposed.district))
    rows = [
        {
            "metric": key.metric,
            "scope": key.scope,
            "before": _said(published.get(key)),
            "after": _said(computed.get(key)),
            "difference": _difference(published.get(key), computed.get(key)),
        }
        for key in ours
    ]
    scopes = [
        {
            "scope": each.scope,
            "enters": list(each.enters[:LISTED]),
            "enters_total": len(each.enters),
            "leaves": list(each.leaves[:LISTED]),
            "leaves_total": len(each.leaves),
        }
        for each in changes
        if each.enters or each.leaves
    ]
    return {"district": supposed.district, "rows": rows, "scopes": scopes}


def is_of(key: Key, district: str) -> bool:
    """Tell whether a figure is of the district as a whole."""
    return key.slice_kind == Dimension.DISTRICT and key.slice_id == district


def _said(said: Said | None) -> dict[str, Value] | None:
    return None if said is None else {name: said[name] for name in PUBLISHED}


def _difference(before: Said | None, after: Said | None) -> str | None:
    """Return by how many points of a per cent the value would be another, None where either has none."""
    was, now = (None if said is None else said["value"] for said in (before, after))
    return None if was is None or now is None else f"{Decimal(now) - Decimal(was):+}"
