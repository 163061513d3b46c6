"""The log's share of refusals."""

from services.ingest.domain.values import Refused
from services.runtime.clock import Clock
from services.runtime.logging import get_logger

REFUSALS_LOGGED_PER_S = 5
"""Whoever sends rubbish sends much of it: all of it in the log would hide everything else there."""


class RefusalLogger:
    """Says why messages are refused, a few a second at most; the counters and the topic have them all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = 0
        self._logged = 0
        self._not_logged = 0

    def refused(self, refused: Refused) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            if self._not_logged:
                get_logger().warning("messages_refused_more", count=self._not_logged)
            self._second, self._logged, self._not_logged = second, 0, 0
        if self._logged >= REFUSALS_LOGGED_PER_S:
            self._not_logged += 1
            return
        self._logged += 1
        get_logger().warning(
            "message_refused",
            reason=refused.reason,
            detail=refused.detail,
            gateway_id=refused.gateway_id,
            bytes=len(refused.arrival.payload),
        )
