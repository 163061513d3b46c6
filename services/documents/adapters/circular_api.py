"""Circulars about many bodies: the console says what the scores are, and has back which draft they became."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from schemas import codec
from services.documents.adapters.wire import request_of
from services.documents.domain.errors import NotIssuable
from services.documents.domain.reasons import RefusedBecause
from services.documents.ports import Circulars

PATH = "/circulars"
MAX_CIRCULAR_BYTES = 512 * 1024


class CircularApi:
    """The handler. The body is a request as it would stand on firenet.requests.v1; the same one has the same draft."""

    def __init__(self, circulars: Circulars) -> None:
        self._circulars = circulars

    async def draft(self, request: Request) -> Response:
        try:
            wanted = request_of(await request.body())
            if wanted.circular is None:
                # nothing is issued here: what gets a number of ours comes by the topic
                return JSONResponse({"reason": RefusedBecause.FACTS_MISSING}, 422)
            return JSONResponse({"document_id": await self._circulars.issue(wanted)})
        except codec.BadRecord:
            return JSONResponse({"reason": RefusedBecause.UNDECODABLE}, 422)
        except NotIssuable as error:
            return JSONResponse({"reason": error.reason}, 422)


def circular_routes(api: CircularApi) -> APIRouter:
    router = APIRouter(prefix="/v1")
    router.add_api_route(PATH, api.draft, methods=["POST"])
    return router
