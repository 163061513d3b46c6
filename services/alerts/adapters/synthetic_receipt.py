"""The receiver of synthetic alarms: a webhook of our own, which believes nobody but by the signature."""

import hmac
import re

from fastapi import APIRouter, HTTPException, Request

from services.alerts.adapters.webhook import sign
from services.alerts.domain.synthetic import Stage
from services.alerts.ports import SyntheticRuns
from services.runtime.clock import Clock

PATH = "/synthetic-alarm/receipt"
MAX_BYTES = 16 * 1024
LATE_S = 300
_ID = re.compile(r"synthetic-([0-9a-f]{16})", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{10}", re.ASCII)


class OneKey:
    """See webhook.SigningKeys: the same key whatever is asked for."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def keys(self, ref: str) -> list[bytes]:
        return [self._key]


def receipt_routes(runs: SyntheticRuns, key: bytes, clock: Clock) -> APIRouter:
    """Return the route. It is outside what needs the token: the signature over id, time and body is the proof."""
    router = APIRouter()

    @router.post(PATH, include_in_schema=False)
    async def receipt(request: Request) -> dict[str, str]:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BYTES:
                raise HTTPException(413, "too long")
        message_id, timestamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        found = _ID.fullmatch(message_id)
        if found is None or _TIMESTAMP.fullmatch(timestamp) is None:
            raise HTTPException(401, "unauthorized")
        expected = sign([key], message_id, int(timestamp), bytes(body))
        given = request.headers.get("webhook-signature", "")
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise HTTPException(401, "unauthorized")
        now = clock.now()
        if abs(now.timestamp() - int(timestamp)) > LATE_S:
            raise HTTPException(401, "unauthorized")
        await runs.passed(found[1], Stage.RECEIPT, now)
        return {"status": "received"}

    return router
