"""`DocumentsService` on the HTTP API of documents."""

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from services.console.domain.documents import File, InboxPage, MailPage, RawForm
from services.console.domain.errors import BadLink, DocumentRefused, DocumentsUnavailable, NotFound
from services.console.domain.report import Sheet
from services.runtime.logging import get_logger

UPLOAD_S = 30.0
"""For a form with files, which documents writes into its database."""
PDF_S = 20.0
"""For a report that is set as PDF, behind letters that are set just then."""


class HttpDocuments:
    """One attempt with a deadline. Ids are checked by the routes; they are quoted all the same."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, token: SecretStr, deadline_s: float) -> None:
        self._client = client
        self._base_url = f"{base_url.rstrip('/')}/v1"
        self._token = token
        self._deadline_s = deadline_s

    async def inbox(self, party: str | None, page: InboxPage) -> Any:
        query = {"only": page.only, "offset": str(page.offset), "limit": str(page.limit)}
        return (await self._ask("GET", "/documents", params=_for(party) | query)).json()

    async def one(self, party: str | None, document_id: str) -> Any:
        return (await self._ask("GET", _at(document_id), params=_for(party))).json()

    async def file(self, party: str | None, document_id: str, digest: str) -> File:
        return _file(await self._ask("GET", _at(document_id, "files", digest), params=_for(party)))

    async def replies(self, party: str | None, case_id: str) -> Any:
        return (await self._ask("GET", f"/cases/{quote(case_id, safe='')}/replies", params=_for(party))).json()

    async def sign(self, party: str, account: str, document_id: str, name: str) -> Any:
        params = _for(party) | {"account": account}
        return (await self._ask("POST", _at(document_id, "sign"), params=params, json={"name": name})).json()

    async def submit(self, party: str, account: str, document_id: str, form: RawForm) -> Any:
        params = _for(party) | {"account": account}
        return (await self._ask("POST", _at(document_id, "submissions"), params=params, form=form)).json()

    async def decide(self, account: str, document_id: str, submission_id: str, verdict: str, reasons: str) -> Any:
        where = _at(document_id, "submissions", submission_id, "decision")
        body = {"verdict": verdict, "reasons": reasons}
        return (await self._ask("POST", where, params={"account": account}, json=body)).json()

    async def revoke(self, account: str, document_id: str, contact_id: str) -> Any:
        where = _at(document_id, "links", contact_id, "revoke")
        return (await self._ask("POST", where, params={"account": account}, json={})).json()

    async def mails(self, page: MailPage) -> Any:
        query = {"everything": str(page.everything).lower(), "offset": str(page.offset), "limit": str(page.limit)}
        return (await self._ask("GET", "/mails", params=query)).json()

    async def mail(self, mail_id: str) -> Any:
        return (await self._ask("GET", _mail(mail_id))).json()

    async def mail_file(self, mail_id: str, place: int) -> File:
        return _file(await self._ask("GET", _mail(mail_id, "files", str(place))))

    async def join_mail(self, account: str, mail_id: str, document: str, seen: int) -> Any:
        return await self._act_on_mail(account, mail_id, "join", {"document": document, "seen": seen})

    async def take_mail(self, account: str, mail_id: str, party: str, document_id: str) -> Any:
        return await self._act_on_mail(account, mail_id, "take", {"party": party, "document_id": document_id})

    async def refuse_mail(self, account: str, mail_id: str, reason: str, seen: int) -> Any:
        return await self._act_on_mail(account, mail_id, "refuse", {"reason": reason, "seen": seen})

    async def _act_on_mail(self, account: str, mail_id: str, act: str, body: dict[str, str | int]) -> Any:
        return (await self._ask("POST", _mail(mail_id, act), params={"account": account}, json=body)).json()

    async def of_link(self, link: str) -> Any:
        return (await self._ask("GET", "/link", link=link)).json()

    async def file_of_link(self, link: str, digest: str) -> File:
        return _file(await self._ask("GET", f"/link/files/{quote(digest, safe='')}", link=link))

    async def sign_by_link(self, link: str, name: str) -> Any:
        return (await self._ask("POST", "/link/sign", link=link, json={"name": name})).json()

    async def submit_by_link(self, link: str, form: RawForm) -> Any:
        return (await self._ask("POST", "/link/submissions", link=link, form=form)).json()

    async def pdf(self, sheet: Sheet) -> bytes:
        """Implement ports.ReportPrinter. What has no answer for want of a font or time is DocumentsUnavailable."""
        said = asdict(sheet) | {"made_at": sheet.made_at.isoformat()}
        return (await self._ask("POST", "/reports/pdf", json=said, seconds=PDF_S)).content

    async def draft(self, request: bytes) -> str:
        """Implement ports.CircularPrinter."""
        answer = await self._ask("POST", "/circulars", form=RawForm("application/json", request))
        return str(answer.json()["document_id"])

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        json: dict[str, Any] | None = None,
        form: RawForm | None = None,
        link: str | None = None,
        seconds: float = 0.0,
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._token.get_secret_value()}"}
        headers |= {} if link is None else {"X-Link": link}
        headers |= {} if form is None else {"Content-Type": form.content_type}
        try:
            answer = await self._client.request(
                method,
                f"{self._base_url}{path}",
                params=params,
                json=json,
                content=None if form is None else form.content,
                headers=headers,
                timeout=max(seconds, self._deadline_s) if form is None else max(UPLOAD_S, self._deadline_s),
            )
        except httpx.HTTPError as error:
            # never the address: that of a link would be one
            get_logger().warning("documents_call_failed", method=method, reason=type(error).__name__)
            raise DocumentsUnavailable(type(error).__name__) from error
        if answer.is_success:
            return answer
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound if link is None else BadLink
        if answer.status_code in (409, 413, 422):
            raise DocumentRefused(_reason(answer))
        get_logger().warning("documents_call_failed", method=method, reason=f"http_{answer.status_code}")
        raise DocumentsUnavailable(f"HTTP {answer.status_code}")


def _for(party: str | None) -> dict[str, str]:
    return {} if party is None else {"party": party}


def _at(document_id: str, *further: str) -> str:
    return "/documents/" + "/".join(quote(one, safe="") for one in (document_id, *further))


def _mail(mail_id: str, *further: str) -> str:
    return "/mails/" + "/".join(quote(one, safe="") for one in (mail_id, *further))


def _file(answer: httpx.Response) -> File:
    name = bytes.fromhex(answer.headers.get("x-file-name", "")).decode("utf-8", "replace")
    return File(name, answer.headers.get("content-type", "application/octet-stream"), answer.content)


def _reason(answer: httpx.Response) -> str:
    try:
        reason = answer.json().get("reason", "")
    except (ValueError, AttributeError):
        reason = ""
    return reason if isinstance(reason, str) else ""
