"""What does not run, for the banner of every page; also for who is not signed in: signing in needs the database."""

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from services.console.adapters.web.api import as_json
from services.console.domain.parts import PartRow, read_parts

MAX_BYTES = 64 * 1024


class PartsApi:
    """Reads the supervisor's file at each question. Without one, `watched` is false and nobody need ask again."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._last: tuple[PartRow, ...] = ()

    async def parts(self) -> Response:
        if self._file is None:
            return as_json({"watched": False, "parts": []})
        try:
            with self._file.open("rb") as file:
                text = file.read(MAX_BYTES).decode("utf-8", "replace")
        except OSError:
            text = ""
        found = read_parts(text)
        self._last = self._last if found is None else found
        return as_json({"watched": True, "parts": self._last})


def parts_routes(file: Path | None) -> APIRouter:
    router = APIRouter(prefix="/api/v1")
    router.add_api_route("/parts", PartsApi(file).parts, methods=["GET"])
    return router
