"""`ListingsService` on the HTTP API of alerts."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.adapters.service_api import ServiceApi, reason_of
from services.console.domain.documents import File, RawForm
from services.console.domain.errors import AlertsUnavailable, ConsoleError, ListingRefused, NotFound
from services.console.domain.listings import ListingOrder, ListingPage
from services.console.domain.viewer import Viewer


class HttpListings:
    """`body_code` None sees all listings."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._api = ServiceApi(client, base_url, token, deadline_s, AlertsUnavailable, _refusal)

    async def page(self, body_code: str | None, page: ListingPage) -> Any:
        query: dict[str, Any] = {"limit": page.limit, "offset": page.offset, "overdue": str(page.overdue).lower()}
        query["state"] = [str(one) for one in page.states]
        wanted = {"body_code": body_code, "town": page.town, "department": page.department, "case_id": page.case_id}
        query |= {name: value for name, value in wanted.items() if value is not None}
        return (await self._api.ask("GET", "/listings", params=query)).json()

    async def one(self, body_code: str | None, listing_id: str) -> Any:
        return (await self._api.ask("GET", _at(listing_id), params=_for(body_code))).json()

    async def file(self, body_code: str | None, listing_id: str, digest: str) -> File:
        answer = await self._api.ask("GET", f"{_at(listing_id)}/files/{quote(digest, safe='')}", params=_for(body_code))
        name = bytes.fromhex(answer.headers.get("x-file-name", "")).decode("utf-8", "replace")
        return File(name, answer.headers.get("content-type", "application/octet-stream"), answer.content)

    async def propose(self, viewer: Viewer, case_id: str, reason: str) -> Any:
        body = _by(viewer) | {"reason": reason}
        return (await self._api.ask("POST", f"/cases/{quote(case_id, safe='')}/listings", json=body)).json()

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
        return (await self._api.ask("POST", f"{_at(listing_id)}/acts", json=body)).json()

    async def hand_in(self, viewer: Viewer, listing_id: str, revision: int, form: RawForm) -> Any:
        params = {"listing_id": listing_id, "account": viewer.username, "revision": str(revision)}
        return (
            await self._api.ask("POST", "/listings/evidence", params=params | _for(viewer.slice.department), form=form)
        ).json()

    async def hand_on(self, viewer: Viewer, listing_id: str, revision: int, files: Sequence[File], source: str) -> Any:
        params = {"listing_id": listing_id, "account": viewer.username, "revision": str(revision), "source": source}
        parts = [("files", (one.name, one.content, one.media_type)) for one in files]
        form = httpx.Request("POST", "http://form", files=parts)  # httpx writes the form, as a browser would
        raw = RawForm(form.headers["content-type"], form.read())
        return (
            await self._api.ask("POST", "/listings/evidence", params=params | _for(viewer.slice.department), form=raw)
        ).json()


def _refusal(answer: httpx.Response) -> ConsoleError | None:
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotFound()
    return ListingRefused(reason_of(answer)) if answer.status_code in (409, 413, 422) else None


def _at(listing_id: str) -> str:
    return f"/listings/{quote(listing_id, safe='')}"


def _for(body_code: str | None) -> dict[str, str]:
    return {} if body_code is None else {"body_code": body_code}


def _by(viewer: Viewer) -> dict[str, Any]:
    return {"account": viewer.username, "body_code": viewer.slice.department, "via": "console"}
