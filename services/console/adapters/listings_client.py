"""`ListingsService` on the HTTP API of alerts."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.domain.documents import File, RawForm
from services.console.domain.errors import AlertsUnavailable, ListingRefused, NotFound
from services.console.domain.listings import ListingOrder, ListingPage
from services.console.domain.viewer import Viewer
from services.runtime.logging import get_logger

UPLOAD_S = 30.0


class HttpListings:
    """One attempt with a deadline. `body_code` None sees all listings."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._client = client
        self._base_url = f"{base_url.rstrip('/')}/v1"
        self._token = token
        self._deadline_s = deadline_s

    async def page(self, body_code: str | None, page: ListingPage) -> Any:
        query: dict[str, Any] = {"limit": page.limit, "offset": page.offset, "overdue": str(page.overdue).lower()}
        query["state"] = [str(one) for one in page.states]
        wanted = {"body_code": body_code, "town": page.town, "department": page.department, "case_id": page.case_id}
        query |= {name: value for name, value in wanted.items() if value is not None}
        return (await self._ask("GET", "/listings", params=query)).json()

    async def one(self, body_code: str | None, listing_id: str) -> Any:
        return (await self._ask("GET", _at(listing_id), params=_for(body_code))).json()

    async def file(self, body_code: str | None, listing_id: str, digest: str) -> File:
        answer = await self._ask("GET", f"{_at(listing_id)}/files/{quote(digest, safe='')}", params=_for(body_code))
        name = bytes.fromhex(answer.headers.get("x-file-name", "")).decode("utf-8", "replace")
        return File(name, answer.headers.get("content-type", "application/octet-stream"), answer.content)

    async def propose(self, viewer: Viewer, case_id: str, reason: str) -> Any:
        body = _by(viewer) | {"reason": reason}
        return (await self._ask("POST", f"/cases/{quote(case_id, safe='')}/listings", json=body)).json()

    async def act(self, viewer: Viewer, listing_id: str, order: ListingOrder) -> Any:
        body = _by(viewer) | {
            "act": order.act,
            "revision": order.revision,
            "text": order.text,
            "level": order.level,
            "number": order.number,
            "on": order.on.isoformat() if order.on else None,
            "until": order.until.isoformat() if order.until else None,
            "inspector": order.inspector,
        }
        return (await self._ask("POST", f"{_at(listing_id)}/acts", json=body)).json()

    async def hand_in(self, viewer: Viewer, listing_id: str, revision: int, form: RawForm) -> Any:
        params = {"listing_id": listing_id, "account": viewer.username, "revision": str(revision)}
        return (
            await self._ask("POST", "/listings/evidence", params=params | _for(viewer.slice.department), form=form)
        ).json()

    async def hand_on(self, viewer: Viewer, listing_id: str, revision: int, files: Sequence[File], source: str) -> Any:
        params = {"listing_id": listing_id, "account": viewer.username, "revision": str(revision), "source": source}
        parts = [("files", (one.name, one.content, one.media_type)) for one in files]
        form = httpx.Request("POST", "http://form", files=parts)  # httpx writes the form, as a browser would
        raw = RawForm(form.headers["content-type"], form.read())
        return (
            await self._ask("POST", "/listings/evidence", params=params | _for(viewer.slice.department), form=raw)
        ).json()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
        form: RawForm | None = None,
    ) -> httpx.Response:
        """Return the answer of a success. Raises NotFound, ListingRefused, AlertsUnavailable."""
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        headers |= {} if form is None else {"Content-Type": form.content_type}
        try:
            answer = await self._client.request(
                method,
                f"{self._base_url}{path}",
                params=params,
                json=json,
                content=None if form is None else form.content,
                headers=headers,
                timeout=self._deadline_s if form is None else max(UPLOAD_S, self._deadline_s),
            )
        except httpx.HTTPError as error:
            get_logger().warning("listing_call_failed", method=method, reason=type(error).__name__)
            raise AlertsUnavailable(type(error).__name__) from error
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound
        if answer.status_code in (409, 413, 422):
            raise ListingRefused(_reason(answer))
        get_logger().warning("listing_call_failed", method=method, reason=f"http_{answer.status_code}")
        raise AlertsUnavailable(f"HTTP {answer.status_code}")


def _at(listing_id: str) -> str:
    return f"/listings/{quote(listing_id, safe='')}"


def _for(body_code: str | None) -> dict[str, str]:
    return {} if body_code is None else {"body_code": body_code}


def _by(viewer: Viewer) -> dict[str, Any]:
    return {"account": viewer.username, "body_code": viewer.slice.department, "via": "console"}


def _reason(answer: httpx.Response) -> str:
    try:
        reason = answer.json().get("reason", "")
    except (ValueError, AttributeError):
        reason = ""
    return reason if isinstance(reason, str) else ""
