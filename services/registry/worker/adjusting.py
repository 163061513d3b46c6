"""Requests to count time otherwise, and the decisions of other people about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from services.kernel.calendar import CHINA
from services.kernel.effective import in_force
from services.kernel.words import AdjustmentKind, AdjustmentState
from services.registry.domain import adjustments
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest
from services.registry.domain.approval import Person
from services.registry.domain.audit import broken_at, entry
from services.registry.domain.entities import Kind, Unit, Version, of_type
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused
from services.registry.domain.policy import policy_on
from services.registry.ports import Register, Store
from services.registry.worker.importing import instant, load_policies, today_in_shanghai
from services.runtime.clock import Clock

MAX_WAITING = 1000
"""So many requests at once nobody works off; somebody's script has run wild."""
LISTED = 500


@dataclass(frozen=True, slots=True)
class InForce:
    """What lets a unit off right now: an adjustment, or the exempt days of its row (`adjustment_id` None)."""

    unit_id: str
    name: str
    what: AdjustmentKind
    since: datetime
    until: datetime
    reason: str
    adjustment_id: str | None = None
    system: str | None = None
    address: str | None = None
    trouble: str | None = None


Change = Callable[[Adjustment, datetime], Adjustment]


class AdjustmentService:
    """Each call is one transaction, and nobody else changes the register meanwhile.

    Each may raise AdjustmentRefused or StoreUnavailable; then nothing is changed. What is approved still has to be
    published.
    """

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def request(self, asked: AdjustmentRequest, by: Person) -> Adjustment:
        """Write down what somebody asks for; it is no fact before other people have approved it."""
        async with self._store.transaction() as register:
            now = await instant(register, self._clock)
            asked = adjustments.checked(asked, by, now)
            waiting = await register.adjustments.listed(AdjustmentState.REQUESTED, None, MAX_WAITING)
            if len(waiting) >= MAX_WAITING:
                raise AdjustmentRefused(AdjustmentRefusal.TOO_MANY, f"{MAX_WAITING} requests wait for a decision")
            needed = await self._approvals_needed(register, asked, now)
            year = today_in_shanghai(now).year
            number = await register.adjustments.count(year) + 1
            held = Adjustment(f"A{year}-{number:06d}", asked, by.account, now, needed)
            await register.adjustments.put(held)
            await register.adjustments.audit(entry("request", held, by, now))
            return held

    async def approve(self, adjustment_id: str, by: Person) -> Adjustment:
        """Approve it; with the last approval it is a fact of the register, known from now on."""
        return await self._change("approve", adjustment_id, by, lambda held, now: adjustments.approve(held, by, now))

    async def reject(self, adjustment_id: str, by: Person, note: str) -> Adjustment:
        return await self._change(
            "reject", adjustment_id, by, lambda held, now: adjustments.reject(held, by, now, note)
        )

    async def withdraw(self, adjustment_id: str, by: Person, note: str = "") -> Adjustment:
        return await self._change(
            "withdraw", adjustment_id, by, lambda held, now: adjustments.withdraw(held, by, now, note)
        )

    async def end(self, adjustment_id: str, by: Person, note: str = "") -> Adjustment:
        """Cut an approved one short: a further version of the fact."""
        return await self._change("end", adjustment_id, by, lambda held, now: adjustments.end(held, by, now, note))

    async def show(self, adjustment_id: str) -> Adjustment:
        async with self._store.transaction() as register:
            return await _held(register, adjustment_id)

    async def listed(self, state: AdjustmentState | None = None, unit_id: str | None = None) -> Sequence[Adjustment]:
        """Return the newest `LISTED`, the newest first."""
        async with self._store.transaction() as register:
            return await register.adjustments.listed(state, unit_id, LISTED)

    async def in_force(self) -> Sequence[InForce]:
        """Return everything that is on test, in maintenance or exempt right now, by unit."""
        now = self._clock.now()
        today = today_in_shanghai(now)
        async with self._store.transaction() as register:
            units = of_type(await register.current(Kind.UNIT, today), Unit)
            held = await register.adjustments.in_force(now)
        names = {version.facts.unit_id: version.facts.name for version in units}
        found = [_of_adjustment(each, names.get(each.request.unit_id, "")) for each in held]
        found += [by_row for version in units if (by_row := _by_row(version.facts, now)) is not None]
        return sorted(found, key=lambda each: (each.unit_id, each.since, each.adjustment_id or ""))

    async def audit_broken_at(self) -> tuple[int, int | None]:
        """Return how many entries the audit has, and at which its chain does not hold, None when it does."""
        async with self._store.transaction() as register:
            links = await register.adjustments.audited()
        return len(links), broken_at(links)

    async def _change(self, action: str, adjustment_id: str, by: Person, change: Change) -> Adjustment:
        async with self._store.transaction() as register:
            now = await instant(register, self._clock)
            held = change(await _held(register, adjustment_id), now)
            await register.adjustments.put(held)
            await register.adjustments.audit(entry(action, held, by, now))
            if held.state in (AdjustmentState.APPROVED, AdjustmentState.ENDED):
                first = today_in_shanghai(held.request.starts_at)
                await register.add(Kind.ADJUSTMENT, [Version(adjustments.approved(held), first, now)], None)
            return held

    async def _approvals_needed(self, register: Register, asked: AdjustmentRequest, now: datetime) -> int:
        """Ask the pack of the unit's district, today. Where there is none, nobody has said that one is enough."""
        history = (await register.histories(Kind.UNIT, [asked.unit_id])).get(asked.unit_id)
        if history is None:
            raise AdjustmentRefused(AdjustmentRefusal.UNKNOWN_UNIT, f"{asked.unit_id} is not in the register")
        today = today_in_shanghai(now)
        units = of_type(history.versions, Unit)
        unit = (in_force(units, today) or units[0]).facts
        policy = policy_on(await load_policies(register), unit.district, today)

        def single_approval(kind: AdjustmentKind) -> timedelta | None:
            if kind is AdjustmentKind.CORRECTION:
                return None
            return timedelta(0) if policy is None else policy.single_approval[kind]

        return adjustments.approvals_needed(asked, single_approval)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)


async def _held(register: Register, adjustment_id: str) -> Adjustment:
    held = await register.adjustments.get(adjustment_id)
    if held is None:
        raise AdjustmentRefused(AdjustmentRefusal.UNKNOWN_ADJUSTMENT, f"there is no adjustment {adjustment_id}")
    return held


def _of_adjustment(held: Adjustment, name: str) -> InForce:
    asked = held.request
    trouble = None if asked.trouble is None else asked.trouble.value
    return InForce(
        asked.unit_id, name, asked.what, asked.starts_at, asked.ends_at, asked.reason, held.adjustment_id,
        asked.system, asked.address, trouble,
    )  # fmt: skip


def _by_row(unit: Unit, now: datetime) -> InForce | None:
    if unit.exempt_from is None or unit.exempt_until is None:
        return None
    since, until = _midnight(unit.exempt_from), _midnight(unit.exempt_until + timedelta(days=1))
    if not since <= now < until:
        return None
    return InForce(unit.unit_id, unit.name, AdjustmentKind.EXEMPTION, since, until, unit.exempt_reason or "")
