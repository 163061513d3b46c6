"""Sign-in by a provider over HTTP: what opens an account, and what does not; the password stays a way in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from deploy.stack.ports import free_ports
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop
from services.runtime.status import Readiness, StatusServer
from tests.fakes.oidc import CLIENT, SECRET, Provider, code_of
from tests.integration.console.harness import PASSWORD, Console, console, login, served
from tests.integration.console.scenario import Scenario
from tests.integration.console.test_account_pages import add_administrator, post

HERE = "http://console.example"


@asynccontextmanager
async def provided(dsn: str, **settings: Any) -> AsyncIterator[tuple[Console, Provider]]:
    """A console, and the provider that it knows, on a port of its own."""
    (port,) = free_ports(1)
    provider = Provider(f"http://127.0.0.1:{port}", lambda: SystemClock().now().timestamp())
    stop = Stop()
    server = StatusServer("127.0.0.1", port, lambda: Readiness(True), CollectorRegistry(), provider.routes())
    known = {
        "oidc_issuer": provider.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SecretStr(SECRET),
        "oidc_console_url": HERE, "oidc_allow_local": True, "oidc_deadline_s": 30,
    }  # fmt: skip
    async with served(server, port, stop), console(dsn, **known, **settings) as here:
        yield here, provider


async def goes(client: httpx.AsyncClient, wanted: str = "/") -> str:
    """Go from the door to the provider as a browser does; return the way back that it is shown."""
    begun = await client.get("/oidc/start", params={"next": wanted})
    assert begun.status_code == 303, begun.text
    back = (await client.get(begun.headers["location"])).headers["location"]
    assert back.startswith(f"{HERE}/oidc/callback?")
    return back.removeprefix(HERE)


async def test_a_person_comes_in_by_the_provider_once_an_administrator_linked_an_account(
    empty_scenario: Scenario,
) -> None:
    async with provided(empty_scenario.dsn) as (here, provider):
        await add_administrator(empty_scenario.dsn)
        provider.subject = "<b>u-4711</b>"
        async with here.client() as client:
            refused = await client.get(await goes(client))
            assert refused.status_code == 403
            assert "&lt;b&gt;u-4711&lt;/b&gt;" in refused.text, "for who links it"
            assert (await client.get("/api/v1/me")).status_code == 401
            async with here.signed_in("adm") as adm:
                for subject, wanted in (("x" * 256, (422, "bad_request")), ("名", (422, "bad_account")),
                                        (provider.subject, (200, "ok"))):  # fmt: skip
                    assert await post(adm, "/accounts/brigade/link", {"subject": subject}) == wanted
                again = {"subject": provider.subject}
                assert await post(adm, "/accounts/centre/link", again) == (409, "identity_taken")
                assert await post(adm, "/accounts/adm/link", again) == (409, "own_account")
            back = await goes(client, "/registry?tab=unit")
            answer = await client.get(back)
            assert (answer.status_code, answer.headers["location"]) == (303, "/registry?tab=unit")
            me = (await client.get("/api/v1/me")).json()
            assert me["account"]["username"] == "brigade"
            assert (await client.get(back)).status_code == 403, "an answer is good once"
            csrf = (await client.get("/account")).text.split('data-csrf="')[1].split('"')[0]
            left = await client.post("/logout", data={"csrf": csrf})
            assert left.headers["location"] == "/login?left"
            out = await client.get("/oidc/sign-out")
            assert code_of(out.headers["location"])["post_logout_redirect_uri"] == f"{HERE}/login"
        async with here.client() as client:
            assert (await login(client, "brigade", PASSWORD)).status_code == 303, "the password stays a way in"
        async with here.signed_in("adm") as adm:
            assert await post(adm, "/accounts/brigade/disable", {}) == (200, "ok")
        async with here.client() as client:
            assert (await client.get(await goes(client))).status_code == 403


async def test_an_answer_that_was_begun_elsewhere_or_denied_opens_nothing(empty_scenario: Scenario) -> None:
    async with provided(empty_scenario.dsn) as (here, provider):
        async with here.client() as attacker, here.client() as victim:
            stolen = await goes(attacker)
            asked = len(provider.asked)
            for client, path in (
                (victim, stolen),  # sent as a link, so that the victim works in the attacker's account
                (victim, "/oidc/callback"),
                (attacker, "/oidc/callback?code=x&state=guessed"),
            ):
                refused = await client.get(path)
                assert refused.status_code == 403, path
                assert "本次登录已失效" in refused.text
            assert (await attacker.get(stolen)).status_code == 403, "the attempt above used it up"
            assert len(provider.asked) == asked, "nothing of that was even asked there"
            state = code_of(await goes(victim))["state"]
            denied = await victim.get("/oidc/callback", params={"state": state, "error": "access_denied"})
            assert "身份认证平台没有同意登录" in denied.text
            evil = await victim.get("/oidc/start", params={"next": "https://evil.example/"})
            assert evil.headers["location"].startswith(provider.issuer)
        provider.down = True
        async with here.client() as client:
            away = await goes_nowhere(client)
            assert (away.status_code, "身份认证平台没有应答" in away.text) == (503, True)
            assert (await login(client, "brigade", PASSWORD)).status_code == 303


async def goes_nowhere(client: httpx.AsyncClient) -> httpx.Response:
    """Come back from a provider that went down meanwhile."""
    begun = await client.get("/oidc/start")
    state = code_of(begun.headers["location"])["state"]
    return await client.get("/oidc/callback", params={"state": state, "code": "x"})


async def test_without_a_provider_there_is_no_such_door(empty_scenario: Scenario) -> None:
    async with console(empty_scenario.dsn) as here, here.client() as client:
        assert (await client.get("/oidc/start")).status_code == 404
        assert "/oidc/start" not in (await client.get("/login")).text
