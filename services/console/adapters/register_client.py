"""`RegisterOrders` on the HTTP API of the registry."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.adapters.registry_client import REFUSALS
from services.console.domain.errors import BadAdjustment, ConsoleError, FaultyFile, RegistryUnavailable
from services.console.domain.register import HandedIn, ProposalDecision, Taken
from services.console.domain.viewer import Viewer
from services.kernel.words import EntityKind, Language
from services.runtime.logging import get_logger

FILE_DEADLINE_S = 120.0
"""A file of twenty thousand rows is read, tried and undone in that time, on a busy machine too."""
MEDIA = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


class HttpRegisterOrders:
    """One attempt with a deadline, as for adjustments."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._deadline_s = deadline_s

    async def form(self, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]:
        asked = "" if entity_id is None else f"?id={quote(entity_id, safe='')}"
        return _object(await self._ask("GET", f"/v1/forms/{kind.value}{asked}"))

    async def preview(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        return await self._tried("/v1/proposals/preview", viewer, _handed(handed))

    async def preview_of(self, proposal_id: str, viewer: Viewer) -> Mapping[str, Any]:
        return await self._tried(f"/v1/proposals/{proposal_id}/preview", viewer, {})

    async def propose(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        return _object(await self._ask("POST", "/v1/proposals", viewer, _handed(handed), FILE_DEADLINE_S))

    async def decide(self, decision: ProposalDecision, proposal_id: str, viewer: Viewer, note: str) -> str:
        path = f"/v1/proposals/{proposal_id}/{decision.value}"
        return str(_object(await self._ask("POST", path, viewer, {"note": note}, FILE_DEADLINE_S))["state"])

    async def file(self, proposal_id: str) -> bytes:
        return (await self._ask("GET", f"/v1/proposals/{proposal_id}/file")).content

    async def export(self, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language) -> Taken:
        path = f"/v1/export/{kind.value}?form={form}&lang={language.value}"
        answer = await self._ask("GET", path, deadline_s=FILE_DEADLINE_S)
        return Taken(f"{kind.value}s.{form}", MEDIA[form], answer.content)

    async def pack(self, pack_id: str, version: int) -> Taken:
        answer = await self._ask("GET", f"/v1/packs/{quote(pack_id, safe='')}/{version}")
        return Taken(f"{pack_id}-{version}.yaml", "application/yaml", answer.content)

    async def checked_pack(self, content: str, viewer: Viewer) -> str:
        answer = _object(await self._ask("POST", "/v1/packs/check", viewer, {"content": content}, FILE_DEADLINE_S))
        return str(answer["pack"])

    async def pack_changes(self, pack_id: str, version: int, former: int) -> Mapping[str, Any]:
        return _object(await self._ask("GET", f"/v1/packs/{quote(pack_id, safe='')}/{version}/since/{former}"))

    async def _tried(self, path: str, viewer: Viewer, body: dict[str, Any]) -> Mapping[str, Any]:
        """Return the preview; of a file that the register would not take, its report alone."""
        try:
            return _object(await self._ask("POST", path, viewer, body, FILE_DEADLINE_S))
        except FaultyFile as faulty:
            return {"report": faulty.report}

    async def _ask(
        self,
        method: str,
        path: str,
        viewer: Viewer | None = None,
        body: dict[str, Any] | None = None,
        deadline_s: float | None = None,
    ) -> httpx.Response:
        who = {} if viewer is None else {"account": viewer.username, "role": viewer.role.value, "via": "console"}
        try:
            answer = await self._client.request(
                method,
                f"{self._base_url}{path}",
                json=None if body is None else {**who, **body},
                headers={"Authorization": f"Bearer {self._token.get_secret_value()}"},
                timeout=deadline_s or self._deadline_s,
            )
        except httpx.HTTPError as error:
            get_logger().warning("register_not_ordered", reason=type(error).__name__)
            raise RegistryUnavailable(type(error).__name__) from error
        if answer.is_success:
            return answer
        raise _refusal(answer)


def _refusal(answer: httpx.Response) -> ConsoleError:
    try:
        told = answer.json()
    except ValueError:
        told = None
    code = told.get("code") if isinstance(told, dict) else None
    if code == "faulty":
        return FaultyFile(told["report"])
    if code == "bad_request":
        return BadAdjustment(str(told.get("detail", "")))
    if code in REFUSALS:
        return REFUSALS[code]()
    get_logger().warning("register_not_ordered", reason=f"http_{answer.status_code}")
    return RegistryUnavailable(f"HTTP {answer.status_code}")


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError as error:
        raise RegistryUnavailable("no JSON") from error
    if not isinstance(told, dict):
        raise RegistryUnavailable("no JSON object")
    return told


def _handed(handed: HandedIn) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": handed.kind.value, "reason": handed.reason, "meant": handed.meant}
    if handed.row is not None:
        body["row"] = dict(handed.row)
    else:
        body |= {"content": handed.content, "file_name": handed.file_name}
    if handed.valid_from is not None:
        body["valid_from"] = handed.valid_from.isoformat()
    return body
