"""Pages behind a signed link: one document, for whoever got it by mail and has no account.

A GET shows, and nothing else: mail scanners follow every link. A POST acts. The link is the only proof there is, so no
cookie is asked for or set, and what opens nothing has one answer, whatever the reason.
"""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from starlette.responses import RedirectResponse, Response

from services.console.adapters.web.documents import (
    MAX_NAME,
    Digest,
    PaperLanguage,
    Uploads,
    attachment,
    paper_of,
)
from services.console.adapters.web.guard import check_origin
from services.console.adapters.web.pages import Pages
from services.console.adapters.web.texts import LANGUAGES
from services.console.domain.errors import BadLink, DocumentRefused
from services.console.ports.accounts import Throttle
from services.console.ports.documents import DocumentsService
from services.kernel.words import Language

LinkPath = Annotated[str, Path(max_length=400)]


class LinkPages:
    """The handlers."""

    def __init__(
        self,
        *,
        pages: Pages,
        documents: DocumentsService,
        uploads: Uploads,
        throttle: Throttle,
        client_of: Callable[[Request], str],
    ) -> None:
        self._pages = pages
        self._documents = documents
        self._uploads = uploads
        self._throttle = throttle
        self._client_of = client_of

    async def show(self, request: Request, link: LinkPath) -> Response:
        return self._page(request, link, await self._opened(request, link))

    async def paper(self, request: Request, link: LinkPath, lang: PaperLanguage = Language.ZH) -> Response:
        return paper_of(await self._opened(request, link), lang)

    async def file(self, request: Request, link: LinkPath, digest: Digest) -> Response:
        await self._opened(request, link)
        return attachment(await self._documents.file_of_link(link, digest))

    async def sign(
        self, request: Request, link: LinkPath, name: Annotated[str, Form(max_length=MAX_NAME)] = ""
    ) -> Response:
        check_origin(request)
        document = await self._opened(request, link)
        try:
            await self._documents.sign_by_link(link, name)
        except DocumentRefused as error:
            return self._page(request, link, document, error)
        return _back(request, link)

    async def submit(self, request: Request, link: LinkPath) -> Response:
        check_origin(request)
        document = await self._opened(request, link)  # before a byte of the form is read
        try:
            async with self._uploads.form_of(request) as form:
                await self._documents.submit_by_link(link, form)
        except DocumentRefused as error:
            return self._page(request, link, document, error)
        return _back(request, link)

    async def _opened(self, request: Request, link: str) -> Any:
        """Return the document. Raises BadLink, TooBusy, DocumentsUnavailable."""
        self._throttle.count(self._client_of(request))
        if not link.isascii() or not link.isprintable():
            raise BadLink
        return await self._documents.of_link(link)

    def _page(self, request: Request, link: str, document: Any, error: DocumentRefused | None = None) -> Response:
        status = 200 if error is None else 409
        problem = "" if error is None else error.code
        texts = {one["language"]: _without_case(one["text"]) for one in document["texts"]}
        return self._pages.render(
            request, "link.html", status, link=link, document=document, texts=texts, problem=problem
        )


def _back(request: Request, link: str) -> Response:
    """Send the reader to the page as it is now, in the language that it was read in: no cookie keeps it."""
    lang = request.query_params.get("lang")
    return RedirectResponse(f"/d/{link}" + (f"?lang={lang}" if lang in LANGUAGES else ""), status_code=303)


def _without_case(text: str) -> str:
    """Return the text without the line that leads readers with an account to the case: this one has none."""
    return "\n".join(line for line in text.splitlines() if "/?case=" not in line)


def link_routes(pages: LinkPages) -> APIRouter:
    router = APIRouter(prefix="/d/{link}", include_in_schema=False)
    router.add_api_route("", pages.show, methods=["GET"])
    router.add_api_route("/paper", pages.paper, methods=["GET"])
    router.add_api_route("/files/{digest}", pages.file, methods=["GET"])
    router.add_api_route("/sign", pages.sign, methods=["POST"])
    router.add_api_route("/submissions", pages.submit, methods=["POST"])
    return router
