"""Signed webhooks after the Standard Webhooks specification."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Protocol

import httpx

from services.alerts.adapters.guarded_http import GuardedClient, Request, outcome_of
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.ports import Ready
from services.runtime.clock import Clock


class SigningKeys(Protocol):
    def keys(self, ref: str) -> list[bytes]:
        """Return the signing keys, newest first. Raises NoSecret."""
        ...


def sign(keys: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` header: one v1 signature per key, so that a receiver may change keys."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode() for key in keys)


class WebhookChannel:
    """See ports.DeliveryChannel."""

    def __init__(self, *, client: GuardedClient, secrets: SigningKeys, clock: Clock) -> None:
        self._client = client
        self._secrets = secrets
        self._clock = clock

    async def send(self, notice: Ready) -> Outcome:
        return await self._client.exchange(lambda: self._request(notice), self._judged)

    def _request(self, notice: Ready) -> Request:
        body = notice.body.encode()
        timestamp = int(self._clock.now().timestamp())
        keys = self._secrets.keys(notice.to.secret_ref or "")
        return Request(
            httpx.URL(notice.to.address),
            body,
            {
                "webhook-id": notice.notice_id,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign(keys, notice.notice_id, timestamp, body),
            },
        )

    async def _judged(self, response: httpx.Response) -> Outcome:
        return outcome_of(response.status_code, response.headers.get("retry-after"), self._clock.now())
