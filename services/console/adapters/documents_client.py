"""`DocumentsService` on the HTTP API of documents."""

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.adapters.service_api import ServiceApi, reason_of
from services.console.domain.documents import File, InboxPage, MailPage, RawForm
from services.console.domain.errors import BadLink, ConsoleError, DocumentRefused, DocumentsUnavailable, NotFound
from services.console.domain.report import Sheet

PDF_S = 20.0
"""For a report that is set as PDF, behind letters that are set just then."""


class HttpDocuments:
    """Ids are checked by the routes; they are quoted all the same."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._api = ServiceApi(client, base_url, token, deadline_s, DocumentsUnavailable, _refusal)

    async def inbox(self, party: str | None, page: InboxPage) -> Any:
        query = {"only": page.only, "offset": str(page.offset), "limit": str(page.limit)}
        return (await self._api.ask("GET", "/documents", params=_for(party) | query)).json()

    async def one(self, party: str | None, document_id: str) -> Any:
        return (await self._api.ask("GET", _at(document_id), params=_for(party))).json()

    async def file(self, party: str | None, document_id: str, digest: str) -> File:
        return _file(await self._api.ask("GET", _at(document_id, "files", digest), params=_for(party)))

    async def replies(self, party: str | None, case_id: str) -> Any:
        return (await self._api.ask("GET", f"/cases/{quote(case_id, safe='')}/replies", params=_for(party))).json()

    async def sign(self, party: str, account: str, document_id: str, name: str) -> Any:
        params = _for(party) | {"account": account}
        return (await self._api.ask("POST", _at(document_id, "sign"), params=params, json={"name": name})).json()

    async def submit(self, party: str, account: str, document_id: str, form: RawForm) -> Any:
        params = _for(party) | {"account": account}
        return (await self._api.ask("POST", _at(document_id, "submissions"), params=params, form=form)).json()

    async def decide(self, account: str, document_id: str, submission_id: str, verdict: str, reasons: str) -> Any:
        where = _at(document_id, "submissions", submission_id, "decision")
        body = {"verdict": verdict, "reasons": reasons}
        return (await self._api.ask("POST", where, params={"account": account}, json=body)).json()

    async def revoke(self, account: str, document_id: str, contact_id: str) -> Any:
        where = _at(document_id, "links", contact_id, "revoke")
        return (await self._api.ask("POST", where, params={"account": account}, json={})).json()

    async def mails(self, page: MailPage) -> Any:
        query = {"everything": str(page.everything).lower(), "offset": str(page.offset), "limit": str(page.limit)}
        return (await self._api.ask("GET", "/mails", params=query)).json()

    async def mail(self, mail_id: str) -> Any:
        return (await self._api.ask("GET", _mail(mail_id))).json()

    async def mail_file(self, mail_id: str, place: int) -> File:
        return _file(await self._api.ask("GET", _mail(mail_id, "files", str(place))))

    async def join_mail(self, account: str, mail_id: str, document: str, seen: int) -> Any:
        return await self._act_on_mail(account, mail_id, "join", {"document": document, "seen": seen})

    async def take_mail(self, account: str, mail_id: str, party: str, document_id: str) -> Any:
        return await self._act_on_mail(account, mail_id, "take", {"party": party, "document_id": document_id})

    async def refuse_mail(self, account: str, mail_id: str, reason: str, seen: int) -> Any:
        return await self._act_on_mail(account, mail_id, "refuse", {"reason": reason, "seen": seen})

    async def _act_on_mail(self, account: str, mail_id: str, act: str, body: dict[str, str | int]) -> Any:
        return (await self._api.ask("POST", _mail(mail_id, act), params={"account": account}, json=body)).json()

    async def of_link(self, link: str) -> Any:
        return (await self._linked("GET", "/link", link)).json()

    async def file_of_link(self, link: str, digest: str) -> File:
        return _file(await self._linked("GET", f"/link/files/{quote(digest, safe='')}", link))

    async def sign_by_link(self, link: str, name: str) -> Any:
        return (await self._linked("POST", "/link/sign", link, json={"name": name})).json()

    async def submit_by_link(self, link: str, form: RawForm) -> Any:
        return (await self._linked("POST", "/link/submissions", link, form=form)).json()

    async def pdf(self, sheet: Sheet) -> bytes:
        """Implement ports.ReportPrinter. What has no answer for want of a font or time is DocumentsUnavailable."""
        said = asdict(sheet) | {"made_at": sheet.made_at.isoformat()}
        return (await self._api.ask("POST", "/reports/pdf", json=said, at_least_s=PDF_S)).content

    async def draft(self, request: bytes) -> str:
        """Implement ports.CircularPrinter."""
        answer = await self._api.ask("POST", "/circulars", form=RawForm("application/json", request))
        return str(answer.json()["document_id"])

    async def _linked(self, method: str, path: str, link: str, **asked: Any) -> httpx.Response:
        try:
            return await self._api.ask(method, path, headers={"X-Link": link}, **asked)
        except NotFound as error:
            raise BadLink from error


def _refusal(answer: httpx.Response) -> ConsoleError | None:
    if answer.status_code == httpx.codes.NOT_FOUND:
        return NotFound()
    return DocumentRefused(reason_of(answer)) if answer.status_code in (409, 413, 422) else None


def _for(party: str | None) -> dict[str, str]:
    return {} if party is None else {"party": party}


def _at(document_id: str, *further: str) -> str:
    return "/documents/" + "/".join(quote(one, safe="") for one in (document_id, *further))


def _mail(mail_id: str, *further: str) -> str:
    return "/mails/" + "/".join(quote(one, safe="") for one in (mail_id, *further))


def _file(answer: httpx.Response) -> File:
    name = bytes.fromhex(answer.headers.get("x-file-name", "")).decode("utf-8", "replace")
    return File(name, answer.headers.get("content-type", "application/octet-stream"), answer.content)
