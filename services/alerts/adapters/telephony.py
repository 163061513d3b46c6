"""Text messages and voice calls by HTTP: a notice's values in an approved template, judged by the provider's code."""

import asyncio
import json

import httpx

from services.alerts.adapters.guarded_http import GuardedClient, Request, body_of, outcome_of
from services.alerts.domain.delivery import telephony
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.ports import Ready
from services.runtime.clock import Clock


class TelephoneChannel:
    """See ports.DeliveryChannel. `deadline_s` is how long the answer's body may take behind its status."""

    def __init__(
        self, *, client: GuardedClient, gateway: telephony.Gateway | None, clock: Clock, deadline_s: float
    ) -> None:
        self._client = client
        self._gateway = gateway
        self._clock = clock
        self._deadline_s = deadline_s

    async def send(self, notice: Ready) -> Outcome:
        gateway = self._gateway
        if gateway is None:
            return Outcome(Reason.NOT_CONFIGURED, "no gateway is set")
        number = telephony.number_of(notice.to.address)
        try:
            said = json.loads(notice.body)
            message = telephony.message_of(gateway, said["sort"], said["values"], number, notice.notice_id)
        except telephony.NoTemplate as error:
            return Outcome(Reason.NOT_CONFIGURED, f"no template for {error}")
        outcome = await self._client.exchange(
            lambda: self._request(gateway, message, notice), lambda response: self._judged(gateway, response)
        )
        # the address is the gateway's, out of an operator's file: that it is mended does not come too late for a fire
        reason = Reason.NOT_CONFIGURED if outcome.reason is Reason.ADDRESS_REFUSED else outcome.reason
        detail = f"{outcome.detail}, {message.parts} parts"
        return Outcome(reason, detail, outcome.retry_after, outcome.message_id)

    def _request(self, gateway: telephony.Gateway, message: telephony.Message, notice: Ready) -> Request:
        now = self._clock.now()
        nonce = f"{notice.notice_id}-{notice.attempts}-{int(now.timestamp() * 1000)}"
        made = telephony.prepared(gateway, message, gateway.url, nonce, now)
        return Request(httpx.URL(gateway.url), made.body, {"content-type": made.media_type, **made.headers})

    async def _judged(self, gateway: telephony.Gateway, response: httpx.Response) -> Outcome:
        by_status = outcome_of(response.status_code, response.headers.get("retry-after"), self._clock.now())
        async with asyncio.timeout(self._deadline_s):
            answer = await body_of(response)
        try:
            by_code = telephony.judged(gateway.profile, json.loads(answer))
        except (ValueError, RecursionError):
            by_code = None
        # a code of refusal tells more than its status; a code of success counts only with a status of success
        if by_code is not None and (by_code.reason is not None or by_status.reason is None):
            return by_code
        return by_status if by_status.reason is not None else Outcome(Reason.SERVER_ERROR, "no code in the answer")
