"""An OpenID Connect provider on this machine, which can be made to lie in each way that a test names."""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from starlette.responses import JSONResponse, RedirectResponse, Response

CLIENT, SECRET = "firenet", "the client's secret"
Claims = dict[str, Any]


@dataclass
class Provider:
    """Signs `subject` in without asking. `twist` changes the claims of a token, `made` the token itself."""

    issuer: str
    now: Callable[[], float]
    subject: str = "u-4711"
    keys: list[RSAKey] = field(default_factory=lambda: [new_key("k1")])
    twist: Callable[[Claims], object] = lambda claims: None
    made: Callable[[Claims], str] | None = None
    description: dict[str, Any] = field(default_factory=dict)
    down: bool = False
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    says_issuer: str | None = None

    def rotate(self) -> None:
        self.keys = [new_key(f"k{secrets.token_hex(4)}")]

    def routes(self) -> FastAPI:
        api = FastAPI()

        @api.get("/.well-known/openid-configuration")
        async def described() -> JSONResponse:
            self.asked.append("description")
            return self._answer(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "end_session_endpoint": f"{self.issuer}/leave",
                }
                | self.description
            )

        @api.get("/keys")
        async def keys() -> JSONResponse:
            self.asked.append("keys")
            return self._answer(KeySet(list(self.keys)).as_dict(private=False))

        @api.get("/authorize")
        async def authorize(request: Request) -> Response:
            asked = dict(request.query_params)
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            issuer = "" if self.says_issuer is None else f"&iss={self.says_issuer}"
            return RedirectResponse(f"{asked['redirect_uri']}?code={code}&state={asked['state']}{issuer}", 303)

        @api.post("/token")
        async def token(request: Request) -> JSONResponse:
            self.asked.append("token")
            form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
            asked = self.codes.pop(form.get("code", ""), None)  # once
            challenge = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            expected = base64.b64encode(f"{CLIENT}:the%20client%27s%20secret".encode()).decode()
            if request.headers.get("authorization") != f"Basic {expected}":
                return self._answer({"error": "invalid_client"}, 401)
            if (
                asked is None
                or base64.urlsafe_b64encode(challenge).rstrip(b"=").decode() != asked["code_challenge"]
                or form.get("redirect_uri") != asked["redirect_uri"]
            ):
                return self._answer({"error": "invalid_grant"}, 400)
            return self._answer({"access_token": "x", "token_type": "Bearer", "id_token": self.token(asked["nonce"])})

        return api

    def token(self, nonce: str) -> str:
        now = int(self.now())
        claims: Claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": self.subject, "nonce": nonce, "iat": now, "exp": now + 300,
        }  # fmt: skip
        self.twist(claims)
        if self.made is not None:
            return self.made(claims)
        key = self.keys[0]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def _answer(self, body: Any, status: int = 200) -> JSONResponse:
        return JSONResponse({} if self.down else body, 503 if self.down else status)


def new_key(kid: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def unsigned(claims: Claims) -> str:
    """Return a token with `alg: none`."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)
    )
    return f"{head}.{body}."


def code_of(location: str) -> dict[str, str]:
    """Return what stands in the query of an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
