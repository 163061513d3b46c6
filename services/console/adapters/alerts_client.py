"""`CaseCommands` on the HTTP API of alerts."""

from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.domain.errors import AlertsUnavailable, Conflict, NotFound
from services.console.domain.viewer import Viewer
from services.runtime.logging import get_logger


class HttpCaseCommands:
    """One attempt with a deadline: a click that failed says so, and the reader clicks again."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._client = client
        self._base_url = base_url.rstrip("/")
        self._token = token
        self._deadline_s = deadline_s

    async def acknowledge(self, case_id: str, viewer: Viewer, note: str) -> None:
        body = {"account": viewer.username, "body_code": viewer.department, "note": note, "via": "console"}
        try:
            answer = await self._client.post(
                f"{self._base_url}/v1/cases/{quote(case_id, safe='')}/acknowledge",
                json=body,
                headers={"Authorization": f"Bearer {self._token.get_secret_value()}"},
                timeout=self._deadline_s,
            )
        except httpx.HTTPError as error:
            get_logger().warning("acknowledge_failed", case_id=case_id, reason=type(error).__name__)
            raise AlertsUnavailable(type(error).__name__) from error
        if answer.is_success:
            return
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound
        if answer.status_code == httpx.codes.CONFLICT:
            raise Conflict
        get_logger().warning("acknowledge_failed", case_id=case_id, reason=f"http_{answer.status_code}")
        raise AlertsUnavailable(f"HTTP {answer.status_code}")
