"""Modules, styles and texts of the pages, from memory: forty of them are a first view, and none of them changes."""

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

FOREVER = b"public, max-age=31536000, immutable"
"""The path names the content, so browsers keep it."""
TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".json": "application/json"}
MIN = 500
"""Bytes; below, packing saves nothing."""

RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class _Asset:
    """`packed` None: it would not be smaller."""

    plain: bytes
    packed: bytes | None
    headers: RawHeaders
    packed_headers: RawHeaders


def _asset(path: Path, tag: bytes) -> _Asset:
    plain = path.read_bytes()
    packed = gzip.compress(plain, 9, mtime=0) if len(plain) >= MIN else plain
    media = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    shared = [
        (b"content-type", media.encode()),
        (b"cache-control", FOREVER),
        (b"etag", tag),
        (b"vary", b"Accept-Encoding"),
    ]

    def headers(body: bytes, *more: tuple[bytes, bytes]) -> RawHeaders:
        return [*shared, (b"content-length", str(len(body)).encode()), *more]

    smaller = len(packed) < len(plain)
    return _Asset(plain, packed if smaller else None, headers(plain), headers(packed, (b"content-encoding", b"gzip")))


@cache
def _files(folder: Path, build: str) -> Mapping[str, _Asset]:
    """Return the files of a build by their paths; a second site of the process has them as they were read first."""
    tag = f'"{build}"'.encode()
    return {
        f"/static/{build}/{path.relative_to(folder).as_posix()}": _asset(path, tag)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Assets:
    """ASGI layer before the application: answers GET and HEAD of a file of this build, and leaves all else to it.

    Read and packed once, at start. Nothing but what lay in the folder then can be asked for.
    """

    def __init__(self, folder: Path, build: str, app: ASGIApp) -> None:
        self.app = app
        self._tag = f'"{build}"'.encode()
        self._files = _files(folder, build)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asset = self._files.get(scope["path"]) if scope["type"] == "http" else None
        if asset is None or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        packed = asset.packed if "gzip" in asked.get("accept-encoding", "") else None
        headers = asset.headers if packed is None else asset.packed_headers
        body, status = asset.plain if packed is None else packed, 200
        if asked.get("if-none-match", "").encode() == self._tag:
            headers, body, status = [one for one in headers if one[0] != b"content-length"], b"", 304
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
