"""Asks a provider of text messages or calls what became of one message."""

import asyncio
import json
from datetime import datetime

import httpx

from services.alerts.adapters.guarded_http import GuardedClient, Request, body_of
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.delivery_reports import (
    QUERY_PROFILES,
    QueryProfile,
    ReadReports,
    SentMessage,
    answered_reports,
    query_of,
)
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.delivery.telephony import Gateway
from services.kernel.words import Channel
from services.runtime.clock import Clock
from services.runtime.logging import get_logger


class ProviderQuery:
    """See ports.ReportQuery. Its requests are guarded as those that send are."""

    def __init__(
        self, *, channel: Channel, gateway: Gateway, url: str, client: GuardedClient, clock: Clock, deadline_s: float
    ) -> None:
        self._channel = channel
        self._gateway = gateway
        self._profile: QueryProfile = QUERY_PROFILES[channel, gateway.provider]
        self._url = url
        self._client = client
        self._clock = clock
        self._deadline_s = deadline_s

    async def ask(self, message: SentMessage) -> ReadReports | None:
        read: ReadReports | None = None

        async def judged(response: httpx.Response) -> Outcome:
            nonlocal read
            async with asyncio.timeout(self._deadline_s):
                answer = await body_of(response)
            try:
                said = json.loads(answer)
            except (ValueError, RecursionError):
                return Outcome(Reason.SERVER_ERROR, "no JSON in the answer")
            if response.is_success:
                key = self._gateway.reports.acknowledge_key
                read = answered_reports(self._profile, said, message.message_id, key)
            return Outcome(None if read is not None else Reason.REJECTED, f"http {response.status_code}")

        outcome = await self._client.exchange(lambda: self._request(message, self._clock.now()), judged)
        if outcome.reason is not None:
            get_logger().warning("delivery_report_query_failed", channel=str(self._channel), reason=str(outcome.reason))
        return read

    def _request(self, message: SentMessage, now: datetime) -> Request:
        nonce = f"{message.message_id}-{int(now.timestamp() * 1000)}"
        made = query_of(self._gateway, self._profile, message, self._url, nonce, now)
        return Request(httpx.URL(self._url), made.body, {"content-type": made.media_type, **made.headers})
