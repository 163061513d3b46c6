"""The port that providers of text messages and calls push their delivery reports to.

Nothing else answers there, so an operator can open it to a provider and open nothing more. Whoever does not know the
key learns nothing, not even which channels there are; unless he keeps so many bodies waiting that others are told so.
"""

import asyncio
import hmac
import re
from collections.abc import Mapping
from typing import Protocol

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from services.alerts.adapters.webhook import sign
from services.alerts.domain.delivery.delivery_reports import (
    REPORT_PROFILES,
    Admission,
    ReadReports,
    ReportOutcome,
    reports_of,
)
from services.alerts.domain.delivery.telephony import Gateway
from services.alerts.domain.errors import Conflict, StoreUnavailable
from services.alerts.metrics import AlertsMetrics
from services.kernel.words import Channel
from services.runtime.clock import Clock

MAX_BYTES = 256 * 1024
BODY_S = 10.0
"""So long a body may take to come."""
SIDE_BY_SIDE = 2
"""Bodies that are worked off at the same time, of all providers; whoever comes beyond `WAITING` is to come again."""
WAITING = 32
"""Of each channel: where reports are signed strangers wait too, and must not keep the other's provider out."""
LATE_S = 300
"""So old, or so far ahead, a signed push may be: one that somebody kept is not taken again."""
_MESSAGE_ID = re.compile(r"[!-~]{1,256}", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{10}", re.ASCII)


class Intake(Protocol):
    """See worker.delivery_reports.DeliveryReportIntake."""

    async def take(self, channel: Channel, read: ReadReports) -> bool: ...


class DeliveryReportPort:
    """`gateways` are the accounts whose reports may be pushed."""

    def __init__(
        self, *, gateways: Mapping[Channel, Gateway], intake: Intake, metrics: AlertsMetrics, clock: Clock
    ) -> None:
        self._gateways = {channel: one for channel, one in gateways.items() if one.reports.key}
        self._intake = intake
        self._metrics = metrics
        self._clock = clock
        self._free = asyncio.Semaphore(SIDE_BY_SIDE)
        self._waiting = dict.fromkeys(Channel, 0)

    def app(self) -> Starlette:
        app = Starlette()
        app.add_route("/delivery-reports/{channel}", self._pushed, methods=["POST"])
        app.add_route("/delivery-reports/{channel}/{key}", self._pushed, methods=["POST"])
        return app

    async def _pushed(self, request: Request) -> Response:
        channel = next((one for one in self._gateways if one == request.path_params["channel"]), None)
        gateway = None if channel is None else self._gateways[channel]
        if channel is None or gateway is None:
            return self._refused(ReportOutcome.FORGED, 404)
        profile = REPORT_PROFILES[channel, gateway.provider]
        in_url = profile.admission is Admission.KEY_IN_URL
        key = request.path_params.get("key", "")
        if (in_url and not _same(key, gateway.reports.key)) or (not in_url and (key or not self._is_near(request))):
            return self._refused(ReportOutcome.FORGED, 404)
        if self._waiting[channel] >= WAITING:
            return self._refused(ReportOutcome.TOO_MANY, 429)
        self._waiting[channel] += 1
        try:
            body = await _body(request)
            if body is None:
                return self._refused(ReportOutcome.TOO_LARGE, 413 if in_url else 404)
            if not in_url and not _is_signed(request, gateway.reports.key, body):
                return self._refused(ReportOutcome.FORGED, 404)
            async with self._free:
                all_taken = await self._intake.take(channel, reports_of(profile, body, gateway.reports.acknowledge_key))
        except (TimeoutError, ClientDisconnect):
            return self._refused(ReportOutcome.UNREADABLE, 408 if in_url else 404)
        except (StoreUnavailable, Conflict):
            all_taken = False
        finally:
            self._waiting[channel] -= 1
        # what was taken before is not taken twice, so a provider may bring everything again
        return JSONResponse(dict(profile.taken)) if all_taken else JSONResponse(dict(profile.again), 503)

    def _is_near(self, request: Request) -> bool:
        timestamp = request.headers.get("webhook-timestamp", "")
        if _TIMESTAMP.fullmatch(timestamp) is None:
            return False
        return abs(self._clock.now().timestamp() - int(timestamp)) <= LATE_S

    def _refused(self, fate: ReportOutcome, status: int) -> Response:
        self._metrics.delivery_reports.labels("none", fate).inc()
        return Response(status_code=status)


async def _body(request: Request) -> bytes | None:
    """Return the body, None when it is too long. Raises TimeoutError, ClientDisconnect."""
    body = bytearray()
    async with asyncio.timeout(BODY_S):
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BYTES:
                return None
    return bytes(body)


def _is_signed(request: Request, key: str, body: bytes) -> bool:
    message_id, timestamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if _MESSAGE_ID.fullmatch(message_id) is None:
        return False
    expected = sign([key.encode()], message_id, int(timestamp), body)
    return _same(request.headers.get("webhook-signature", ""), expected)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
