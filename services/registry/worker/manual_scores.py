"""People enter points for an evaluation, others approve them; each act stands in the audit."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.kernel.calendar import date_of, day_number, period_days
from services.kernel.words import AdjustmentState, Period
from services.registry.domain.approval import Person, refused
from services.registry.domain.entities import Kind
from services.registry.domain.errors import AdjustmentRefusal
from services.registry.domain.manual_scores import ManualScore, NewScore, checked, decided, entry
from services.registry.domain.policy import Policies
from services.registry.ports import Register, Store
from services.registry.worker.importing import instant, load_policies, today_in_shanghai
from services.runtime.clock import Clock

MAX_WAITING = 1000
"""So many entries at once nobody decides about; somebody's script has run wild."""


class ManualScoreService:
    """Each call is one transaction. Raises AdjustmentRefused, StoreUnavailable; then nothing is changed."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def enter(self, asked: NewScore, by: Person) -> ManualScore:
        async with self._store.transaction() as register:
            now = await self._after_all(register)
            policies = await load_policies(register)
            district = _district(policies, asked.body_id)
            last_day = date_of(period_days(Period.MONTH, asked.month)[1]) - timedelta(days=1)
            found = policies.in_force(district, day_number(last_day))
            policy = None if found is None else found.content
            known = await register.ids(Kind.DEPARTMENT) | set(() if policy is None else policy.bodies)
            today = today_in_shanghai(now)
            asked, most = checked(asked, by, policy, known, today)
            if await register.scores.waiting() >= MAX_WAITING:
                raise refused(AdjustmentRefusal.TOO_MANY, f"{MAX_WAITING} entries wait for a decision")
            number = await register.scores.count(today.year) + 1
            held = ManualScore(f"S{today.year}-{number:06d}", district, asked, most, by.account, now)
            await register.scores.add(held)
            await register.adjustments.audit(entry(held, by))
            return held

    async def decide(self, entry_id: str, state: AdjustmentState, by: Person, note: str = "") -> ManualScore:
        """Approve or reject it as a second person, or withdraw what one entered oneself."""
        async with self._store.transaction() as register:
            held = await register.scores.get(entry_id)
            if held is None:
                raise refused(AdjustmentRefusal.UNKNOWN_ENTITY, f"there is no entry {entry_id}")
            held = decided(held, state, by, await self._after_all(register), note)
            await register.scores.decide(held)
            await register.adjustments.audit(entry(held, by))
            return held

    async def _after_all(self, register: Register) -> datetime:
        """Return now, but after all that was done: with a clock set back, what was taken back must not hold again."""
        now, last = await instant(register, self._clock), await register.scores.last()
        return now if last is None else max(now, last + timedelta(microseconds=1))

    async def listed(self, limit: int) -> Sequence[ManualScore]:
        """Return the newest, whatever became of them, the newest first."""
        async with self._store.transaction() as register:
            return await register.scores.listed(limit)


def _district(policies: Policies, body_id: str) -> str:
    """Return whose body it is. Where several districts share an installation the id begins with it."""
    districts = policies.districts()
    named, slash, _ = body_id.partition("/")
    if len(districts) == 1 and not slash:
        return districts[0]
    if len(districts) > 1 and slash and named in districts:
        return named
    raise refused(AdjustmentRefusal.UNKNOWN_ENTITY, f"{body_id} is a body of no district that has a policy pack")
