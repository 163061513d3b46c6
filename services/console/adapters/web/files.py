"""Documents of a case as files, for whoever may see the case: to be looked at and printed."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from services.console.adapters.web.api import Api, CaseId
from services.console.adapters.web.guard import session_of
from services.console.ports.district import ReadModel
from services.kernel.words import FileKind, Language

MEDIA_TYPES = {
    FileKind.PDF: "application/pdf",
    FileKind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
DocumentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


class FilesApi:
    """The handler. The slice is the session's, as everywhere."""

    def __init__(self, read: ReadModel) -> None:
        self._read = read

    async def file(
        self, request: Request, case_id: CaseId, document_id: DocumentId, language: Language, kind: FileKind
    ) -> Response:
        content = await self._read.document_file(session_of(request).viewer.slice, case_id, document_id, language, kind)
        return printed(document_id, language, kind, content)


def printed(document_id: str, language: Language, kind: FileKind, content: bytes) -> Response:
    """Return a page of the browser for what is printed, a file for what is written on."""
    how = "inline" if kind is FileKind.PDF else "attachment"
    name = quote(f"{document_id}.{language}.{kind}")
    headers = {"Content-Disposition": f"{how}; filename*=UTF-8''{name}"}
    return Response(content, media_type=MEDIA_TYPES[kind], headers=headers)


def file_routes(api: Api, read: ReadModel) -> APIRouter:
    """Return the route; it asks for a session first."""
    router = APIRouter(prefix="/api/v1/cases", dependencies=[Depends(api.signed_in)])
    router.add_api_route("/{case_id}/documents/{document_id}/{language}.{kind}", FilesApi(read).file, methods=["GET"])
    return router
