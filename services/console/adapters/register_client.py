"""`RegisterOrders` on the HTTP API of the registry."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.adapters.registry_client import by, registry_refusal
from services.console.adapters.service_api import ServiceApi
from services.console.domain.errors import FaultyFile, RegistryUnavailable
from services.console.domain.register import HandedIn, ProposalDecision, Taken
from services.console.domain.viewer import Viewer
from services.kernel.words import EntityKind, Language

FILE_DEADLINE_S = 120.0
"""A file of twenty thousand rows is read, tried and undone in that time, on a busy machine too."""
MEDIA = {"csv": "text/csv", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


class HttpRegisterOrders:
    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._api = ServiceApi(client, base_url, token, deadline_s, RegistryUnavailable, registry_refusal)

    async def form(self, kind: EntityKind, entity_id: str | None) -> Mapping[str, Any]:
        asked = "" if entity_id is None else f"?id={quote(entity_id, safe='')}"
        return await self._api.ask_object("GET", f"/forms/{kind.value}{asked}")

    async def preview(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        return await self._tried("/proposals/preview", viewer, _handed(handed))

    async def preview_of(self, proposal_id: str, viewer: Viewer) -> Mapping[str, Any]:
        return await self._tried(f"/proposals/{proposal_id}/preview", viewer, {})

    async def propose(self, handed: HandedIn, viewer: Viewer) -> Mapping[str, Any]:
        return await self._order("/proposals", viewer, _handed(handed))

    async def decide(self, decision: ProposalDecision, proposal_id: str, viewer: Viewer, note: str) -> str:
        path = f"/proposals/{proposal_id}/{decision.value}"
        return str((await self._order(path, viewer, {"note": note}))["state"])

    async def file(self, proposal_id: str) -> bytes:
        return (await self._api.ask("GET", f"/proposals/{proposal_id}/file")).content

    async def export(self, kind: EntityKind, form: Literal["csv", "xlsx"], language: Language) -> Taken:
        path = f"/export/{kind.value}?form={form}&lang={language.value}"
        answer = await self._api.ask("GET", path, at_least_s=FILE_DEADLINE_S)
        return Taken(f"{kind.value}s.{form}", MEDIA[form], answer.content)

    async def pack(self, pack_id: str, version: int) -> Taken:
        answer = await self._api.ask("GET", f"/packs/{quote(pack_id, safe='')}/{version}")
        return Taken(f"{pack_id}-{version}.yaml", "application/yaml", answer.content)

    async def checked_pack(self, content: str, viewer: Viewer) -> str:
        return str((await self._order("/packs/check", viewer, {"content": content}))["pack"])

    async def pack_changes(self, pack_id: str, version: int, former: int) -> Mapping[str, Any]:
        return await self._api.ask_object("GET", f"/packs/{quote(pack_id, safe='')}/{version}/since/{former}")

    async def _tried(self, path: str, viewer: Viewer, body: dict[str, Any]) -> Mapping[str, Any]:
        """Return the preview; of a file that the register would not take, its report alone."""
        try:
            return await self._order(path, viewer, body)
        except FaultyFile as faulty:
            return {"report": faulty.report}

    async def _order(self, path: str, viewer: Viewer, body: dict[str, Any]) -> dict[str, Any]:
        return await self._api.ask_object("POST", path, json=by(viewer) | body, at_least_s=FILE_DEADLINE_S)


def _handed(handed: HandedIn) -> dict[str, Any]:
    body: dict[str, Any] = {"kind": handed.kind.value, "reason": handed.reason, "meant": handed.meant}
    if handed.row is not None:
        body["row"] = dict(handed.row)
    else:
        body |= {"content": handed.content, "file_name": handed.file_name}
    if handed.valid_from is not None:
        body["valid_from"] = handed.valid_from.isoformat()
    return body
