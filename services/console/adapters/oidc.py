"""`IdentityProvider` with OpenID Connect: authorization code with PKCE, discovery, and tokens proven by joserfc.

Nothing that the provider says is followed inside our network, no redirect is followed at all, and every answer is
bounded in size and time.
"""

import asyncio
import base64
import hashlib
import json
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.console.domain.errors import ProviderRefused, ProviderUnavailable
from services.console.domain.identity import Answer, Asked, Identity, is_subject
from services.runtime.clock import Clock
from services.runtime.logging import get_logger
from services.runtime.vetted_http import AddressRefused, NameUnknown, Networks, VettedTransport

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
"""Signatures with a key pair only: neither `none`, nor one that our own secret could have made."""
MAX_ANSWER = 256 * 1024
KEEP_S = 3600.0
AGAIN_S = 10.0
"""A token with an unknown key has the keys read anew, but no stranger makes us ask more often than this."""
LEEWAY_S = 60
LONGEST_AGE_S = 600


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """No `secret`: a public client. `back` is where the provider sends browsers to, `out` where after the sign-out.

    Both are registered there.
    """

    issuer: str
    client_id: str
    secret: str
    back: str
    out: str
    deadline_s: float = 10.0
    inside: Networks = ()
    ca: Path | None = None
    allow_local: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    at: float
    value: Any


class OidcProvider:
    """One provider, whose description and keys are kept for an hour."""

    def __init__(self, options: ProviderOptions, clock: Clock, carrier: httpx.AsyncBaseTransport | None = None) -> None:
        self._options = options
        self._clock = clock
        vetted = VettedTransport(
            carrier or _carrier(options.ca),
            allow_local=options.allow_local,
            inside=options.inside,
            deadline_s=options.deadline_s,
        )
        self._http = httpx.AsyncClient(
            transport=vetted, trust_env=False, follow_redirects=False, timeout=options.deadline_s
        )
        self._description: _Kept | None = None
        self._keys: _Kept | None = None
        self._one = asyncio.Lock()

    @property
    def issuer(self) -> str:
        return self._options.issuer

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self) -> Asked:
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._options.client_id,
            "redirect_uri": self._options.back,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = _address(await self._described(), "authorization_endpoint")
        return Asked(f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(query)}", state, nonce, verifier)

    async def who(self, asked: Asked, answer: Answer) -> Identity:
        described = await self._described()
        if answer.issuer not in (None, self._options.issuer):
            raise _refused("another issuer answered")
        token = await self._token(described, asked, answer.code)
        claims = await self._claims(described, token)
        return Identity(self._options.issuer, self._subject(claims, asked.nonce))

    async def leave(self) -> str | None:
        described = await self._described()
        if "end_session_endpoint" not in described:
            return None
        where = _address(described, "end_session_endpoint")
        query = {"client_id": self._options.client_id, "post_logout_redirect_uri": self._options.out}
        return f"{where}{'&' if urlsplit(where).query else '?'}{urlencode(query)}"

    async def _token(self, described: Mapping[str, Any], asked: Asked, code: str) -> str:
        options = self._options
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": options.back,
            "code_verifier": asked.verifier,
            "client_id": options.client_id,
        }
        auth = None
        if options.secret:
            if "client_secret_basic" in described.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
                # RFC 6749, 2.3.1: both are form-encoded before they become a user and a password
                auth = httpx.BasicAuth(quote(options.client_id, safe=""), quote(options.secret, safe=""))
            else:
                form["client_secret"] = options.secret
        status, body = await self._fetch("POST", _address(described, "token_endpoint"), data=form, auth=auth)
        if status >= 500:
            raise _unavailable(f"the token endpoint answered {status}")
        token = body.get("id_token") if status == 200 else None
        if not isinstance(token, str):
            error = body.get("error")  # invalid_grant: the code was used before, is over, or was another's
            raise _refused(f"no token, status {status}", error=error if isinstance(error, str) else "")
        return token

    async def _claims(self, described: Mapping[str, Any], token: str) -> Mapping[str, Any]:
        found = _proven(token, await self._key_set(described, fresh=False))
        if not isinstance(found, Mapping):
            found = _proven(token, await self._key_set(described, fresh=True))
        if not isinstance(found, Mapping):
            raise _refused("the token is not proven", error=found)
        return found

    def _subject(self, claims: Mapping[str, Any], nonce: str) -> str:
        """Return the subject of a token that is for us, of this provider, of now and of this question."""
        now, ours = self._clock.now().timestamp(), self._options.client_id
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expires, issued, subject = _seconds(claims.get("exp")), _seconds(claims.get("iat")), claims.get("sub")
        given = claims.get("nonce")
        for wrong, holds in (
            ("issuer", claims.get("iss") == self._options.issuer),
            ("audience", ours in audiences),
            ("authorized party", claims.get("azp", ours) == ours and (len(audiences) == 1 or "azp" in claims)),
            ("expiry", now < expires + LEEWAY_S),
            ("time of issue", -LEEWAY_S <= now - issued <= LONGEST_AGE_S),
            ("nonce", isinstance(given, str) and secrets.compare_digest(given.encode(), nonce.encode())),
            ("subject", isinstance(subject, str) and is_subject(subject)),
        ):
            if not holds:
                raise _refused(f"the token has a wrong {wrong}")
        assert isinstance(subject, str)
        return subject

    async def _described(self) -> Mapping[str, Any]:
        async with self._one:
            if self._description is None or self._clock.monotonic() - self._description.at > KEEP_S:
                where = f"{self._options.issuer.rstrip('/')}/.well-known/openid-configuration"
                status, body = await self._fetch("GET", where)
                if status != 200:
                    raise _unavailable(f"its description answered {status}")
                if body.get("issuer") != self._options.issuer:
                    raise _refused("its description is another issuer's")
                self._description = _Kept(self._clock.monotonic(), body)
            described: Mapping[str, Any] = self._description.value
            return described

    async def _key_set(self, described: Mapping[str, Any], *, fresh: bool) -> KeySet:
        """Return the provider's keys; `fresh`: read anew, since a token has a key that we do not know."""
        async with self._one:
            age = float("inf") if self._keys is None else self._clock.monotonic() - self._keys.at
            if age > (AGAIN_S if fresh else KEEP_S):
                status, body = await self._fetch("GET", _address(described, "jwks_uri"))
                if status != 200:
                    raise _unavailable(f"its keys answered {status}")
                try:
                    keys = KeySet.import_key_set(body)  # type: ignore[arg-type]  # whatever it is, joserfc looks
                except (JoseError, ValueError, TypeError, KeyError) as error:
                    raise _refused("its keys cannot be read", error=type(error).__name__) from error
                self._keys = _Kept(self._clock.monotonic(), keys)
            assert self._keys is not None
            known: KeySet = self._keys.value
            return known

    async def _fetch(
        self, method: str, url: str, *, data: Mapping[str, str] | None = None, auth: httpx.Auth | None = None
    ) -> tuple[int, Mapping[str, Any]]:
        """Return status and JSON object of an answer, an empty one where there is none."""
        body = b""
        try:
            async with (
                asyncio.timeout(self._options.deadline_s),
                self._http.stream(
                    method,
                    url,
                    data=data,
                    auth=auth or httpx.USE_CLIENT_DEFAULT,
                    headers={"accept": "application/json"},
                ) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise _refused("an answer is too large")
        except (httpx.HTTPError, httpx.InvalidURL, AddressRefused, NameUnknown, OSError) as error:
            raise _unavailable(type(error).__name__) from error
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        return answer.status_code, found if isinstance(found, dict) else {}


def _carrier(ca: Path | None) -> httpx.AsyncBaseTransport:
    """Return what carries requests and keeps no connection, as VettedTransport asks."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except (OSError, ssl.SSLError) as error:  # passwords go on working: no reason not to start
            get_logger().error("provider_ca_unreadable", error=type(error).__name__)
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def _address(described: Mapping[str, Any], name: str) -> str:
    where = described.get(name)
    if not isinstance(where, str) or urlsplit(where).scheme not in ("https", "http"):
        raise _refused(f"its description has no {name}")
    return where


def _proven(token: str, keys: KeySet) -> Mapping[str, Any] | str:
    """Return the claims of a token that one of the keys signed, else what is wrong with it."""
    try:
        return dict(jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims)
    except (JoseError, ValueError, TypeError) as error:
        return type(error).__name__


def _seconds(value: object) -> float:
    """Return an instant of a token, one that never fits where it says none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")


def _refused(reason: str, error: str = "") -> ProviderRefused:
    get_logger().warning("provider_refused", reason=reason, error=error[:80])
    return ProviderRefused(reason)


def _unavailable(reason: str) -> ProviderUnavailable:
    get_logger().warning("provider_unavailable", reason=reason)
    return ProviderUnavailable(reason)
