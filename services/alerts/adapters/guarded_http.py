"""HTTP to receivers that the register names, guarded against addresses inside our own network.

An operator may name networks inside it where receivers are: a monitoring centre is often reached by a private line.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx

from services.alerts.adapters.secrets import NoSecret
from services.alerts.domain.delivery.attempts import Outcome
from services.alerts.domain.delivery.reasons import Reason
from services.runtime.vetted_http import AddressRefused, NameUnknown, Networks, vetted_address

RESPONSE_BYTES = 16 * 1024
"""So much of an answer is read and thrown away, that the connection can be used again; a longer one is cut off."""
REST_OF_ANSWER_S = 1.0
"""So long we read on behind an answer's status, which alone counts."""
LOOKUPS = 64
"""Names that one lane asks for at the same time, more than it has notices under way by HTTP; a dead name server
holds its threads, nobody else's."""


@dataclass(frozen=True, slots=True)
class Request:
    """A JSON body for `url`, and headers beside those that every request has."""

    url: httpx.URL
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class GuardedClient:
    """Posts to a vetted address. Never follows a redirect, never waits longer than `deadline_s` for an answer.

    `client` keeps connections open and takes one of them by address alone. So it serves one name of each address: a
    second name there goes by `apart`, which keeps none, or the certificate of the first would vouch for it.
    """

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        apart: httpx.AsyncClient,
        allow_local: bool,
        inside: Networks = (),
        deadline_s: float,
    ) -> None:
        self._client = client
        self._apart = apart
        self._names: dict[tuple[str, int | None], str] = {}
        self._allow_local = allow_local
        self._inside = inside
        self._deadline_s = deadline_s
        self._threads = ThreadPoolExecutor(max_workers=LOOKUPS, thread_name_prefix="receiver-names")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def exchange(
        self,
        request: Callable[[], Request],
        judge: Callable[[httpx.Response], Awaitable[Outcome]],
    ) -> Outcome:
        """Send what `request` makes and return what `judge` reads from the answer; every failure has its reason.

        `request` may raise NoSecret. The answer's status has come within the deadline; its body may still be under way.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                response = await self._post(request())
            async with _left(response):
                return await judge(response)
        except NoSecret as error:
            return Outcome(Reason.NO_SECRET, str(error))
        except AddressRefused as error:
            return Outcome(Reason.ADDRESS_REFUSED, str(error))
        except NameUnknown as error:
            return Outcome(Reason.DNS, str(error))
        except (TimeoutError, httpx.TimeoutException) as error:
            return Outcome(Reason.TIMEOUT, type(error).__name__)
        except httpx.InvalidURL:
            return Outcome(Reason.ADDRESS_REFUSED, "not a URL")
        except (httpx.HTTPError, OSError) as error:
            return Outcome(Reason.TLS if _is_tls(error) else Reason.CONNECT, type(error).__name__)

    async def _post(self, request: Request) -> httpx.Response:
        url = request.url
        address = await vetted_address(
            url,
            allow_local=self._allow_local,
            inside=self._inside,
            deadline_s=self._deadline_s,
            threads=self._threads,
        )
        first = self._names.setdefault((address, url.port), url.host)
        client = self._client if first == url.host else self._apart
        return await client.send(
            client.build_request(
                "POST",
                url.copy_with(host=address),
                content=request.body,
                headers={
                    "host": url.netloc.decode("ascii"),
                    "content-type": "application/json; charset=utf-8",
                    "user-agent": "FireNet-alerts/1",
                    **request.headers,
                },
                extensions={"sni_hostname": url.host},  # the certificate must be the name's, not the address's
            ),
            stream=True,
            follow_redirects=False,
        )


@asynccontextmanager
async def _left(response: httpx.Response) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await _leave(response)


async def _leave(response: httpx.Response) -> None:
    """Read what follows the status, as far as it comes soon; whatever happens here, the status stands."""
    with contextlib.suppress(httpx.HTTPError, OSError):  # a TimeoutError is an OSError
        try:
            async with asyncio.timeout(REST_OF_ANSWER_S):
                await _drain(response)
        finally:
            await response.aclose()


async def _drain(response: httpx.Response) -> None:
    if not response.is_stream_consumed:
        await body_of(response)


async def body_of(response: httpx.Response) -> bytes:
    """Return the answer's body, once, as far as it is worth reading: a longer one is cut off behind RESPONSE_BYTES."""
    read = bytearray()
    async for piece in response.aiter_bytes():
        read += piece
        if len(read) > RESPONSE_BYTES:
            break
    return bytes(read[:RESPONSE_BYTES])


def outcome_of(status: int, retry_after: str | None, now: datetime) -> Outcome:
    """Return what a status means: 2xx accepted, 410 never again, 429 and 503 wait as told, other 4xx refused."""
    wait = _wait_of(retry_after, now)
    detail = f"http {status}"
    if 200 <= status < 300:
        return Outcome(None, detail)
    if 300 <= status < 400:
        return Outcome(Reason.REDIRECT, detail)
    if status in (408, 425, 429):
        return Outcome(Reason.THROTTLED, detail, wait)
    if status in (401, 403, 407):
        return Outcome(Reason.AUTH, detail, wait)
    if status == 410:
        return Outcome(Reason.GONE, detail)
    if 400 <= status < 500:
        return Outcome(Reason.REJECTED, detail)
    return Outcome(Reason.SERVER_ERROR, detail, wait)


def _wait_of(header: str | None, now: datetime) -> timedelta | None:
    """Return the wait of a Retry-After header, seconds or a date; nonsense is no wait."""
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return timedelta(seconds=min(int(header.strip()[:9]), 86400))
    try:
        until = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(timedelta(0), min(until - now, timedelta(days=1)))


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def receivers_tls(ca: Path | None) -> ssl.SSLContext:
    """Return what connections to receivers are checked by: the public authorities and those of `ca`. Raises OSError."""
    trusted = httpx.create_ssl_context(trust_env=False)
    if ca is not None:
        trusted.load_verify_locations(ca)
    return trusted


def receiver_client(
    *, connections: int, deadline_s: float, keep: bool = True, ca: Path | None = None
) -> httpx.AsyncClient:
    """Return a client that trusts nothing from the environment; `keep` connections open for the next notice.

    `ca` is a PEM file of authorities that are trusted beside the public ones. The client keeps no cookies: they would
    go to every name of an address, and more with each answer.
    """
    return httpx.AsyncClient(
        verify=receivers_tls(ca),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(deadline_s, connect=min(5.0, deadline_s)),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections if keep else 0),
    )
