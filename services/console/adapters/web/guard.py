"""Security around every request: headers, bounds, cookies, origin and CSRF."""

import asyncio
import hashlib
import re
import secrets
from urllib.parse import urlsplit

from fastapi import Request, Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.domain.accounts import Session
from services.console.domain.errors import Forged, NotAllowed, OtherSession
from services.console.metrics import Metrics

MAX_BODY_BYTES = 16 * 1024
BODY_S = 10.0
MAX_UPLOAD_BYTES = 10 * 1024 * 1024 + 64 * 1024
"""Of a form with files, as documents takes it."""
MAX_REGISTER_BYTES = 5 * 1024 * 1024 + 512 * 1024
"""Of a file for the register: 4 MiB in base64, and the words around it."""
UPLOAD_S = 120.0
"""Ten megabytes over a line of a megabit."""
UPLOAD_PATHS = (
    (re.compile(r"/(?:d|api/v1/documents)/[^/]+/submissions"), MAX_UPLOAD_BYTES),
    (re.compile(r"/api/v1/listings/[^/]+/evidence"), MAX_UPLOAD_BYTES),
    (re.compile(r"/api/v1/registry/(?:preview|proposals|what-ifs)"), MAX_REGISTER_BYTES),
)
"""The routes behind them read a body only once they know who sends it, and a few at a time."""
CSRF_HEADER = "x-csrf-token"
SESSION_HEADER = "x-session"

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "manifest-src 'self'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"


class Guard:
    """ASGI layer: adds the headers, refuses bodies over 16 KiB (with files: 10 or 5.5 MiB), counts requests by outcome.

    A request that is cut off because the console stops is answered by `stopping`, not by the server's bare words.
    Plain ASGI, because Starlette's middleware base class would buffer the live stream.
    """

    def __init__(self, app: ASGIApp, stopping: ASGIApp, metrics: Metrics, https: bool) -> None:
        self.app = app
        self._stopping = stopping
        self._metrics = metrics
        self._headers = HEADERS | ({"Strict-Transport-Security": HSTS} if https else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = False

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(raw=message["headers"])
                for name, value in self._headers.items():
                    headers.setdefault(name, value)  # a handler may be stricter, as of what others handed in
                headers.setdefault("Cache-Control", "no-store")
                message["headers"] = headers.raw
                self._count(message["status"])
            await send(message)

        most, seconds = bounds_of(scope["path"])
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > 9 or int(length) > most:
            await _too_large(scope, receive, guarded_send)
            return
        try:
            await self.app(scope, _bounded(receive, most, seconds), guarded_send)
        except asyncio.CancelledError:
            if started:
                raise
            # The answer is the last thing that this task had to do: there is nothing left to cancel.
            await self._stopping(scope, receive, guarded_send)

    def _count(self, status: int) -> None:
        outcome = "ok" if status < 400 else "client_error" if status < 500 else "server_error"
        self._metrics.requests.labels(outcome).inc()


def bounds_of(path: str) -> tuple[int, float]:
    """Return how many bytes the body of a request to this path may have, and in how many seconds it has to come."""
    upload = next((most for pattern, most in UPLOAD_PATHS if pattern.fullmatch(path)), None)
    return (MAX_BODY_BYTES, BODY_S) if upload is None else (upload, UPLOAD_S)


_too_large = JSONResponse({"error": {"code": "too_large"}}, status_code=413)


def _bounded(receive: Receive, most: int, seconds: float) -> Receive:
    """Cut a chunked body that grows over the bound, and one that does not come: neither is waited for or kept."""
    received, whole = 0, False
    until = asyncio.get_running_loop().time() + seconds

    async def bounded() -> Message:
        nonlocal received, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if received > most:
                return {"type": "http.disconnect"}
        return message

    return bounded


class Cookies:
    """Names and flags of our cookies. With HTTPS they are Secure and bound to this very host (`__Host-`)."""

    def __init__(self, https: bool) -> None:
        self._https = https
        prefix = "__Host-" if https else ""
        self.session = f"{prefix}firenet_session"
        self.login = f"{prefix}firenet_login"
        self.provider = f"{prefix}firenet_provider"

    def set(self, response: Response, name: str, value: str, seconds: int) -> None:
        # Lax, not Strict: a link in a mail is followed from a page of another site, and must find the reader signed in.
        # Nothing is changed by a GET, and a POST of another site is refused by its origin and for want of the token.
        response.set_cookie(name, value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=self._https)

    def clear(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", httponly=True, samesite="lax", secure=self._https)


def session_of(request: Request) -> Session:
    session = request.state.session
    assert isinstance(session, Session)
    return session


def check_origin(request: Request) -> None:
    """Refuse a POST that another site caused. Raises Forged.

    Browsers send Origin (or at least Sec-Fetch-Site) with every POST; a client without either is no browser and has
    no cookies to abuse but those that it was given.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    if site not in ("same-origin", "none"):
        raise Forged(f"Sec-Fetch-Site: {site}")
    if origin is None:
        return
    if urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        raise Forged("Origin is another site")


def check_csrf(session: Session, given: str | None) -> None:
    """Raise Forged unless the session's own token came with the request, NotAllowed for a screen."""
    if session.viewer.is_screen:
        raise NotAllowed("a screen changes nothing")
    if given is None or not secrets.compare_digest(given.encode(), session.csrf.encode()):
        raise Forged("CSRF token")


def mark_of(session: Session) -> str:
    """Return a name of this sign-in that is no secret: tabs with the same one may share what they hear."""
    return hashlib.sha256(session.csrf.encode()).hexdigest()[:16]


def check_mark(session: Session, given: str | None) -> None:
    """Refuse a page that was made for another sign-in of the same browser. Raises OtherSession.

    Cookies are the browser's, not the tab's: after somebody else signed in, an older tab would show that slice under
    the name of the former account. A client that names no sign-in is no page of ours, and has one only.
    """
    if given is not None and given != mark_of(session):
        raise OtherSession
