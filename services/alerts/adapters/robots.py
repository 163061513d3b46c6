"""Robots of group chats: a message as text, accepted only when the provider's own code says so."""

import asyncio
import json

import httpx

from services.alerts.adapters.guarded_http import GuardedClient, Request, body_of, outcome_of
from services.alerts.adapters.secrets import NoSecret, SecretFiles
from services.alerts.domain.delivery import robots
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.ports import Ready
from services.runtime.clock import Clock


class RobotChannel:
    """See ports.DeliveryChannel. Where a robot is and what signs for it stands in a file, by the name in the register.

    `deadline_s` is how long the answer's body may take behind its status.
    """

    def __init__(self, *, client: GuardedClient, secrets: SecretFiles, clock: Clock, deadline_s: float) -> None:
        self._client = client
        self._secrets = secrets
        self._clock = clock
        self._deadline_s = deadline_s

    async def send(self, notice: Ready) -> Outcome:
        try:
            provider, name = robots.provider_of(notice.to.address)
        except ValueError:
            return Outcome(Reason.ADDRESS_REFUSED, "no provider of robots")
        profile = robots.PROFILES[provider]
        return await self._client.exchange(
            lambda: self._request(profile, name, notice), lambda response: self._judged(profile, response)
        )

    def _request(self, profile: robots.RobotProfile, name: str, notice: Ready) -> Request:
        address, *secrets = self._secrets.lines(name)
        now, secret = self._clock.now(), secrets[0] if secrets else None
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise NoSecret("the first line is no address") from error
        body = robots.body_of(profile, secret, f"{notice.subject}\n{notice.body}", now)
        return Request(
            url.copy_merge_params(robots.query_of(profile, secret, now)), json.dumps(body, ensure_ascii=False).encode()
        )

    async def _judged(self, profile: robots.RobotProfile, response: httpx.Response) -> Outcome:
        by_status = outcome_of(response.status_code, response.headers.get("retry-after"), self._clock.now())
        if by_status.reason is not None:
            return by_status
        async with asyncio.timeout(self._deadline_s):
            answer = await body_of(response)
        try:
            return robots.judged(profile, json.loads(answer))
        except ValueError:
            return Outcome(Reason.SERVER_ERROR, "the answer is no JSON")
