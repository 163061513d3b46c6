"""`AdjustmentOrders` on the HTTP API of the registry."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretStr

from services.console.adapters.service_api import ServiceApi, parsed
from services.console.domain.adjustments import Decision, NewAdjustment
from services.console.domain.errors import (
    AdjustmentOver,
    BadAdjustment,
    ChangedSince,
    ConsoleError,
    FaultyFile,
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
    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._api = ServiceApi(client, base_url, token, deadline_s, RegistryUnavailable, registry_refusal)

    async def request(self, asked: NewAdjustment, viewer: Viewer) -> str:
        body = {name: _plain(value) for name, value in asdict(asked).items() if value is not None}
        return str((await self._post("/adjustments", viewer, body))["adjustment_id"])

    async def enter(self, asked: NewPoints, viewer: Viewer) -> str:
        body = asdict(asked) | {"month": asked.month.isoformat()}
        return str((await self._post("/scores", viewer, body))["entry_id"])

    async def decide_points(self, decision: ProposalDecision, entry_id: str, viewer: Viewer, note: str) -> str:
        path = f"/scores/{entry_id}/{decision.value}"
        return str((await self._post(path, viewer, {"note": note}))["state"])

    async def decide(self, decision: Decision, adjustment_id: str, viewer: Viewer, note: str) -> str:
        path = f"/adjustments/{adjustment_id}/{decision.value}"
        return str((await self._post(path, viewer, {"note": note}))["state"])

    async def _post(self, path: str, viewer: Viewer, body: dict[str, Any]) -> dict[str, Any]:
        return await self._api.ask_object("POST", path, json=by(viewer) | body)


def by(viewer: Viewer) -> dict[str, Any]:
    """Return who orders, as the registry wants it said."""
    return {"account": viewer.username, "role": viewer.role.value, "via": "console"}


def registry_refusal(answer: httpx.Response) -> ConsoleError | None:
    """Return what the registry's `code` means to the console, None where it has no meaning."""
    told = parsed(answer)
    code = told.get("code") if isinstance(told, dict) else None
    if code == "faulty":
        return FaultyFile(told.get("report", {}))
    if code == "bad_request":
        return BadAdjustment(str(told.get("detail", "")))
    return REFUSALS[code]() if code in REFUSALS else None


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
