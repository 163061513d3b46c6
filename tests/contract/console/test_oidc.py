"""Sign-in by a provider, against one on this machine that speaks the protocol, and lies where it is told to."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from services.console.adapters.oidc import OidcProvider, ProviderOptions
from services.console.domain.errors import ProviderRefused, ProviderUnavailable
from services.console.domain.identity import Answer, Asked, Identity
from tests.fakes.clock import ManualClock
from tests.fakes.console import T0
from tests.fakes.oidc import CLIENT, SECRET, Claims, Provider, code_of, new_key, unsigned

ISSUER = "http://127.0.0.1:1"
OPTIONS = ProviderOptions(
    ISSUER, CLIENT, SECRET, "https://console.example/oidc/callback", "https://console.example/login", allow_local=True
)


class Site:
    """A provider, and the client of it that is tested, whose requests come to the provider in this process."""

    def __init__(self, options: ProviderOptions = OPTIONS) -> None:
        self.clock = ManualClock(T0)
        self.provider = Provider(ISSUER, lambda: self.clock.now().timestamp())
        self.client = OidcProvider(options, self.clock, httpx.ASGITransport(self.provider.routes()))

    async def began(self) -> tuple[Asked, Answer]:
        """Go to the provider as a browser does."""
        asked = await self.client.ask()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.provider.routes())) as browser:
            back = code_of((await browser.get(asked.address)).headers["location"])
        assert back["state"] == asked.state
        return asked, Answer(back["code"], back.get("iss"))

    async def who(self) -> Identity:
        return await self.client.who(*await self.began())


@asynccontextmanager
async def there(options: ProviderOptions = OPTIONS) -> AsyncIterator[Site]:
    site = Site(options)
    try:
        yield site
    finally:
        await site.client.close()


async def test_a_person_is_issuer_and_subject_and_each_sign_in_is_asked_anew() -> None:
    async with there() as site:
        assert await site.who() == Identity(ISSUER, "u-4711")
        site.provider.says_issuer = ISSUER
        assert await site.who() == Identity(ISSUER, "u-4711")
        assert site.provider.asked.count("description") == site.provider.asked.count("keys") == 1
        one, other = await site.client.ask(), await site.client.ask()
        assert len({one.state, one.nonce, one.verifier, other.state, other.nonce, other.verifier}) == 6
        assert one.verifier not in one.address
        left = await site.client.leave()
        assert left is not None
        assert code_of(left)["post_logout_redirect_uri"] == "https://console.example/login"


def by_our_secret(claims: Claims) -> str:
    """Return a token whose key is what we sign in with: a client that asks no algorithm would believe it."""
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(SECRET), algorithms=["HS256"])


def by_a_stranger(claims: Claims) -> str:
    return jwt.encode({"alg": "RS256", "kid": "k1"}, claims, new_key("k1"))


LIES: dict[str, Callable[[Provider], object]] = {
    "issuer": lambda at: setattr(at, "twist", lambda claims: claims.update(iss="http://127.0.0.1:2")),
    "audience": lambda at: setattr(at, "twist", lambda claims: claims.update(aud="another")),
    "no audience": lambda at: setattr(at, "twist", lambda claims: claims.pop("aud")),
    "for several, without a party": lambda at: setattr(at, "twist", lambda claims: claims.update(aud=[CLIENT, "x"])),
    "another party": lambda at: setattr(at, "twist", lambda claims: claims.update(azp="another")),
    "nonce": lambda at: setattr(at, "twist", lambda claims: claims.update(nonce="of another sign-in")),
    "no nonce": lambda at: setattr(at, "twist", lambda claims: claims.pop("nonce")),
    "expired": lambda at: setattr(at, "twist", lambda claims: claims.update(exp=claims["iat"] - 61)),
    "never ends": lambda at: setattr(at, "twist", lambda claims: claims.pop("exp")),
    "from the future": lambda at: setattr(at, "twist", lambda claims: claims.update(iat=claims["iat"] + 120)),
    "stale": lambda at: setattr(at, "twist", lambda claims: claims.update(iat=claims["iat"] - 601)),
    "no subject": lambda at: setattr(at, "twist", lambda claims: claims.update(sub="")),
    "odd subject": lambda at: setattr(at, "twist", lambda claims: claims.update(sub=["u-4711"])),
    "unsigned": lambda at: setattr(at, "made", unsigned),
    "signed with our secret": lambda at: setattr(at, "made", by_our_secret),
    "signed by a stranger": lambda at: setattr(at, "made", by_a_stranger),
    "no token": lambda at: setattr(at, "made", lambda claims: "x.y"),
    "another answers": lambda at: setattr(at, "says_issuer", "http://127.0.0.1:2"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_provider_that_lies_is_not_believed(lie: str) -> None:
    async with there() as site:
        LIES[lie](site.provider)
        with pytest.raises(ProviderRefused):
            await site.who()


async def test_a_code_opens_once_and_only_with_what_was_asked() -> None:
    async with there() as site:
        asked, answer = await site.began()
        stolen = replace(asked, verifier="of another browser")
        for wrong in (stolen, asked):  # the provider takes the code away at the first attempt
            with pytest.raises(ProviderRefused):
                await site.client.who(wrong, answer)
        asked, answer = await site.began()
        await site.client.who(asked, answer)
        with pytest.raises(ProviderRefused):
            await site.client.who(asked, answer)


async def test_clocks_may_differ_by_a_minute_and_keys_are_exchanged() -> None:
    async with there() as site:
        site.provider.twist = lambda claims: claims.update(iat=claims["iat"] + 59)
        await site.who()
        site.provider.twist = lambda claims: claims.update(exp=claims["iat"] - 59)
        await site.who()
        site.provider.rotate()
        with pytest.raises(ProviderRefused):  # the keys were read a moment ago: strangers do not make us ask for ever
            await site.who()
        site.clock.forward(11)
        await site.who()
        assert site.provider.asked.count("keys") == 2
        site.clock.forward(3601)
        await site.who()
        assert site.provider.asked.count("description") == 2


async def test_a_provider_that_is_down_is_said_to_be() -> None:
    async with there() as site:
        site.provider.down = True
        with pytest.raises(ProviderUnavailable):
            await site.client.ask()
        site.provider.down = False
        asked, answer = await site.began()
        site.provider.down = True
        with pytest.raises(ProviderUnavailable):
            await site.client.who(asked, answer)


@pytest.mark.parametrize(
    "said",
    [
        {"issuer": "http://127.0.0.1:2"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"issuer": ISSUER, "filler": "x" * 300_000},
    ],
)
async def test_a_description_that_is_odd_is_not_followed(said: dict[str, object]) -> None:
    async with there() as site:
        site.provider.description = dict(said)
        with pytest.raises(ProviderRefused):
            await site.client.ask()


@pytest.mark.parametrize("where", ["http://10.0.0.1/token", "https://169.254.169.254/latest", "https://10.0.0.1/token"])
async def test_a_provider_leads_us_to_no_address_inside(where: str) -> None:
    async with there(replace(OPTIONS, allow_local=False)) as guarded:
        with pytest.raises(ProviderUnavailable):  # the description itself is on this machine
            await guarded.client.ask()
    async with there() as site:
        site.provider.description = {"token_endpoint": where}
        asked, answer = await site.began()
        before = len(site.provider.asked)
        with pytest.raises(ProviderUnavailable):
            await site.client.who(asked, answer)
        assert len(site.provider.asked) == before
