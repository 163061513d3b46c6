"""`CaseCommands` on the HTTP API of alerts."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.adapters.service_api import ServiceApi
from services.console.domain.errors import AlertsUnavailable, Conflict, ConsoleError, NotFound
from services.console.domain.viewer import Viewer
from services.kernel.words import AlarmCause, Verification


class HttpCaseCommands:
    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._api = ServiceApi(client, base_url, token, deadline_s, AlertsUnavailable, _refusal)

    async def acknowledge(self, case_id: str, viewer: Viewer, note: str) -> None:
        await self._post(_path(case_id, "acknowledge"), viewer, note=note)

    async def acknowledge_all(self, case_ids: Sequence[str], viewer: Viewer, note: str) -> Mapping[str, str]:
        answer = await self._post("/cases/acknowledge", viewer, case_ids=list(case_ids), note=note)
        replies = answer.json().get("replies", {})
        return {str(case_id): str(reply) for case_id, reply in replies.items()}

    async def own(self, case_id: str, viewer: Viewer) -> None:
        await self._post(_path(case_id, "own"), viewer)

    async def release(self, case_id: str, viewer: Viewer) -> None:
        await self._post(_path(case_id, "release"), viewer)

    async def comment(self, case_id: str, viewer: Viewer, text: str) -> None:
        await self._post(_path(case_id, "comments"), viewer, text=text)

    async def verify(
        self, case_id: str, viewer: Viewer, finding: Verification, note: str, cause: AlarmCause | None
    ) -> None:
        # alerts of the version before refuses a member that it does not know
        more = {} if cause is None else {"cause": cause.value}
        await self._post(_path(case_id, "verify"), viewer, finding=finding.value, note=note, **more)

    async def shelve(self, case_id: str, viewer: Viewer, minutes: int, note: str) -> None:
        await self._post(_path(case_id, "shelve"), viewer, minutes=minutes, note=note)

    async def unshelve(self, case_id: str, viewer: Viewer) -> None:
        await self._post(_path(case_id, "unshelve"), viewer)

    async def escalate(self, case_id: str, viewer: Viewer, step: str, note: str) -> None:
        await self._post(_path(case_id, "escalate"), viewer, step=step, note=note)

    async def merge(self, case_id: str, viewer: Viewer, into: str) -> None:
        await self._post(_path(case_id, "merge"), viewer, into=into)

    async def grave_result(self, viewer: Viewer, body_id: str, text: str, *, begins: bool) -> None:
        await self._post("/grave-results", viewer, body_id=body_id, text=text, begins=begins)

    async def sign_off(self, viewer: Viewer) -> None:
        await self._post("/owners/release", viewer)

    async def _post(self, path: str, viewer: Viewer, **more: Any) -> httpx.Response:
        """Return the answer of a success. Raises NotFound, Conflict, AlertsUnavailable."""
        body = {"account": viewer.username, "body_code": viewer.department, "via": "console"} | more
        return await self._api.ask("POST", path, json=body)


def _refusal(answer: httpx.Response) -> ConsoleError | None:
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotFound()
    return Conflict() if answer.status_code == httpx.codes.CONFLICT else None


def _path(case_id: str, act: str) -> str:
    return f"/cases/{quote(case_id, safe='')}/{act}"
