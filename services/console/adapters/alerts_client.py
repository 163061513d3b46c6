"""`CaseCommands` on the HTTP API of alerts."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.domain.errors import AlertsUnavailable, Conflict, NotFound
from services.console.domain.viewer import Viewer
from services.kernel.words import Verification
from services.runtime.logging import get_logger


class HttpCaseCommands:
    """One attempt with a deadline: a click that failed says so, and the reader clicks again."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._deadline_s = deadline_s

    async def acknowledge(self, case_id: str, viewer: Viewer, note: str) -> None:
        await self._post(_path(case_id, "acknowledge"), viewer, note=note)

    async def acknowledge_all(self, case_ids: Sequence[str], viewer: Viewer, note: str) -> Mapping[str, str]:
        answer = await self._post("/v1/cases/acknowledge", viewer, case_ids=list(case_ids), note=note)
        replies = answer.json().get("replies", {})
        return {str(case_id): str(reply) for case_id, reply in replies.items()}

    async def own(self, case_id: str, viewer: Viewer) -> None:
        await self._post(_path(case_id, "own"), viewer)

    async def release(self, case_id: str, viewer: Viewer) -> None:
        await self._post(_path(case_id, "release"), viewer)

    async def comment(self, case_id: str, viewer: Viewer, text: str) -> None:
        await self._post(_path(case_id, "comments"), viewer, text=text)

    async def verify(self, case_id: str, viewer: Viewer, finding: Verification, note: str) -> None:
        await self._post(_path(case_id, "verify"), viewer, finding=finding.value, note=note)

    async def shelve(self, case_id: str, viewer: Viewer, minutes: int, note: str) -> None:
        await self._post(_path(case_id, "shelve"), viewer, minutes=minutes, note=note)

    async def unshelve(self, case_id: str, viewer: Viewer) -> None:
        await self._post(_path(case_id, "unshelve"), viewer)

    async def escalate(self, case_id: str, viewer: Viewer, step: str, note: str) -> None:
        await self._post(_path(case_id, "escalate"), viewer, step=step, note=note)

    async def merge(self, case_id: str, viewer: Viewer, into: str) -> None:
        await self._post(_path(case_id, "merge"), viewer, into=into)

    async def grave_result(self, viewer: Viewer, body_id: str, text: str, *, begins: bool) -> None:
        await self._post("/v1/grave-results", viewer, body_id=body_id, text=text, begins=begins)

    async def sign_off(self, viewer: Viewer) -> None:
        await self._post("/v1/owners/release", viewer)

    async def _post(self, path: str, viewer: Viewer, **more: Any) -> httpx.Response:
        """Return the answer of a success. Raises NotFound, Conflict, AlertsUnavailable."""
        body = {"account": viewer.username, "body_code": viewer.department, "via": "console"} | more
        try:
            answer = await self._client.post(
                self._base_url + path,
                json=body,
                headers={"Authorization": f"Bearer {self._token.get_secret_value()}"},
                timeout=self._deadline_s,
            )
        except httpx.HTTPError as error:
            get_logger().warning("case_order_failed", path=path, reason=type(error).__name__)
            raise AlertsUnavailable(type(error).__name__) from error
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound
        if answer.status_code == httpx.codes.CONFLICT:
            raise Conflict
        get_logger().warning("case_order_failed", path=path, reason=f"http_{answer.status_code}")
        raise AlertsUnavailable(f"HTTP {answer.status_code}")


def _path(case_id: str, act: str) -> str:
    return f"/v1/cases/{quote(case_id, safe='')}/{act}"
