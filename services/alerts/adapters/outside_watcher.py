"""The address outside that hears of us, and what the database tells of the way before it does.

The address is a secret: whoever has it can pretend that we live. It stands in no log, metric or message.
"""

import httpx
from pydantic import SecretStr

from services.alerts.adapters.guarded_http import GuardedClient, Request, outcome_of
from services.alerts.adapters.postgres_cases import transaction_on
from services.alerts.adapters.postgres_synthetic import PostgresSyntheticRuns
from services.alerts.adapters.statements import SQL
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.heartbeat import ChainSeen
from services.runtime.clock import Clock
from services.runtime.postgres import Pool


class HttpsWatcher:
    """See ports.OutsideWatcher. Guarded like every webhook; one attempt, the next comes soon."""

    def __init__(self, client: GuardedClient, url: SecretStr, clock: Clock) -> None:
        self._client = client
        self._url = url
        self._clock = clock

    async def tell(self) -> Outcome:
        return await self._client.exchange(self._request, self._judged)

    def _request(self) -> Request:
        return Request(httpx.URL(self._url.get_secret_value()), b"{}")

    async def _judged(self, response: httpx.Response) -> Outcome:
        return outcome_of(response.status_code, None, self._clock.now())


class PostgresChain:
    """See ports.Chain. That ticks come through is read where rules writes it: no topic of ours carries it further."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._runs = PostgresSyntheticRuns(pool)

    async def look(self) -> ChainSeen:
        async with transaction_on(self._pool) as connection:
            row = await (await connection.execute(SQL["chain_proven"])).fetchone()
            due = await (await connection.execute(SQL["chain_due"])).fetchone()
        return ChainSeen(
            proven_until=row[0] if row else None,
            oldest_due=due[0] if due else None,
            last=await self._runs.last(),
            last_arrived=await self._runs.last_arrived(),
        )
