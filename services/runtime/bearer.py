"""APIs between services: a shared token, and a bound on what is read before it is known who asks."""

import hmac
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from starlette.middleware.base import RequestResponseEndpoint

MAX_BODY_BYTES = 16 * 1024


def require_token(app: FastAPI, token: SecretStr, prefix: str = "/v1/", large: Mapping[str, int] | None = None) -> None:
    """Refuse whatever comes under `prefix` without the token, or with a body that is longer than MAX_BODY_BYTES.

    `large` are paths whose bodies may be longer, and how long. Whoever has no token learns nothing, not even what there
    is. An empty token lets nobody in.
    """
    secret = token.get_secret_value()
    expected = f"Bearer {secret}".encode()

    def refusal(request: Request) -> JSONResponse | None:
        given = request.headers.get("authorization", "").encode()
        if not secret or not hmac.compare_digest(given, expected):
            return JSONResponse({"detail": "unauthorized"}, 401, {"WWW-Authenticate": "Bearer"})
        length = request.headers.get("content-length", "0" if request.method == "GET" else "")
        most = (large or {}).get(request.url.path, MAX_BODY_BYTES)
        if not length.isdigit() or len(length) > 12 or int(length) > most:
            return JSONResponse({"detail": f"the body must say its length, at most {most // 1024} KiB"}, 413)
        return None

    @app.middleware("http")
    async def guard(request: Request, go_on: RequestResponseEndpoint) -> Response:
        refused = refusal(request) if request.url.path.startswith(prefix) else None
        return refused or await go_on(request)
