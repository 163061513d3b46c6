"""`AdjustmentOrders` on the HTTP API of the registry."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretStr

from services.console.domain.adjustments import Decision, NewAdjustment
from services.console.domain.errors import (
    AdjustmentOver,
    BadAdjustment,
    ChangedSince,
    ConsoleError,
    NoChange,
    NotAllowed,
    NotFound,
    NotWaiting,
    RegistryUnavailable,
    SamePerson,
    TooBusy,
)
from services.console.domain.evaluation import NewPoints
from services.console.domain.register import ProposalDecision
from services.console.domain.viewer import Viewer
from services.runtime.logging import get_logger

REFUSALS: dict[str, type[ConsoleError]] = {
    "unknown_unit": NotFound,
    "unknown_adjustment": NotFound,
    "not_allowed": NotAllowed,
    "same_person": SamePerson,
    "not_waiting": NotWaiting,
    "over": AdjustmentOver,
    "too_many": TooBusy,
    "unknown_proposal": NotFound,
    "unknown_pack": NotFound,
    "unknown_entity": NotFound,
    "no_change": NoChange,
    "changed_since": ChangedSince,
}


class HttpAdjustmentOrders:
    """One attempt with a deadline: a click that failed says so, and the reader looks whether it came through."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._deadline_s = deadline_s

    async def request(self, asked: NewAdjustment, viewer: Viewer) -> str:
        body = {name: _plain(value) for name, value in asdict(asked).items() if value is not None}
        return str((await self._post("/v1/adjustments", viewer, body))["adjustment_id"])

    async def enter(self, asked: NewPoints, viewer: Viewer) -> str:
        body = asdict(asked) | {"month": asked.month.isoformat()}
        return str((await self._post("/v1/scores", viewer, body))["entry_id"])

    async def decide_points(self, decision: ProposalDecision, entry_id: str, viewer: Viewer, note: str) -> str:
        path = f"/v1/scores/{entry_id}/{decision.value}"
        return str((await self._post(path, viewer, {"note": note}))["state"])

    async def decide(self, decision: Decision, adjustment_id: str, viewer: Viewer, note: str) -> str:
        path = f"/v1/adjustments/{adjustment_id}/{decision.value}"
        return str((await self._post(path, viewer, {"note": note}))["state"])

    async def _post(self, path: str, viewer: Viewer, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._client.post(
                f"{self._base_url}{path}",
                json={"account": viewer.username, "role": viewer.role.value, "via": "console", **body},
                headers={"Authorization": f"Bearer {self._token.get_secret_value()}"},
                timeout=self._deadline_s,
            )
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            get_logger().warning("adjustment_not_ordered", reason=type(error).__name__)
            raise RegistryUnavailable(type(error).__name__) from error
        if answer.is_success and isinstance(told, dict):
            return told
        code = told.get("code") if isinstance(told, dict) else None
        if code == "bad_request":
            raise BadAdjustment(str(told.get("detail", "")))
        if code in REFUSALS:
            raise REFUSALS[code]
        get_logger().warning("adjustment_not_ordered", reason=f"http_{answer.status_code}")
        raise RegistryUnavailable(f"HTTP {answer.status_code}")


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
