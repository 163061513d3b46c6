"""Accounts over HTTP: forged and hostile orders, accounts without the right, and what a one-time password opens."""

from typing import Any

import pyotp
from pydantic import SecretStr

from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.secrets import Argon2Passwords
from services.console.domain.accounts import Account
from services.console.domain.viewer import Role, Username
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.integration.console.harness import PASSWORD, Browser, console, login
from tests.integration.console.scenario import Scenario

NEW = {"username": "zhao", "role": "brigade", "display_name": "赵 <script>alert(1)</script>"}
OTHERS = ("/accounts/screens", "/accounts", "/accounts/health/edit", "/accounts/health/reset",
          "/accounts/health/disable", "/accounts/health/second-factor-reset", "/accounts/health/sign-out")  # fmt: skip

ASKING: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/registry/preview", {"kind": "unit", "row": {}}),
    ("/registry/proposals", {"kind": "unit", "row": {}}),
    ("/adjustments", {"unit_id": "U1", "what": "maintenance", "starts_at": "2026-11-22T08:00:00Z",
                      "ends_at": "2026-11-22T09:00:00Z", "reason": "x"}),
)  # fmt: skip

SCREEN = {"name": "hall", "display_name": "指挥大厅", "days": 30}
HOSTILE_SCREENS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"name": "brigade"}, (409, "account_exists")),
    ({"name": "../hall"}, (422, "bad_request")),
    ({"days": 0}, (422, "bad_request")),
    ({"days": 1_000_000}, (422, "bad_request")),
    ({"display_name": "a\u202eb"}, (422, "bad_account")),
    ({"role": "centre"}, (422, "bad_request")),
]
HOSTILE: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"username": "Zhao"}, (422, "bad_request")),
    ({"username": "a' OR 1=1"}, (422, "bad_request")),
    ({"username": "adm"}, (409, "account_exists")),
    ({"role": "king"}, (422, "bad_request")),
    ({"role": "screen"}, (422, "bad_account")),
    ({"role": "department"}, (422, "bad_account")),
    ({"administers": True}, (422, "bad_account")),
    ({"display_name": "x" * 101}, (422, "bad_request")),
    ({"display_name": "x" * 17_000}, (413, "too_large")),
    ({"display_name": "a\u202eb"}, (422, "bad_account")),
    ({"password": "mine"}, (422, "bad_request")),
]


async def add_administrator(dsn: str) -> None:
    hashed = await Argon2Passwords(memory_kib=1024, passes=1).hash(PASSWORD)
    async with open_pool(dsn, "test-accounts", max_size=1) as pool:
        account = Account(Username("adm"), Role.CENTRE, None, "系统管理员", hashed, administers=True)
        await PostgresAccounts(pool, 60).save(account, SystemClock().now())


async def post(browser: Browser, path: str, body: Any, **headers: str) -> tuple[int, str]:
    answer = await browser.order(f"/api/v1{path}", body, **headers)
    told = answer.json()
    return answer.status_code, told["error"]["code"] if "error" in told else "ok"


def body_of(path: str) -> dict[str, Any]:
    if path == "/accounts":
        return NEW
    if path == "/accounts/screens":
        return SCREEN
    return {"role": "centre", "display_name": "x"} if path.endswith("edit") else {}


async def test_hostile_orders_about_accounts_change_nothing(empty_scenario: Scenario) -> None:
    async with console(empty_scenario.dsn) as here:
        await add_administrator(empty_scenario.dsn)
        before = empty_scenario.rows("SELECT * FROM console.accounts ORDER BY username")
        for name in ("brigade", "centre", "health"):
            async with here.signed_in(name) as browser:
                assert (await browser.http.get("/api/v1/accounts")).status_code == 403
                for path in OTHERS:
                    assert await post(browser, path, body_of(path)) == (403, "not_allowed"), (name, path)
                assert 'id="accounts"' not in (await browser.http.get("/account")).text
        async with here.client() as stranger:
            assert (await stranger.get("/account")).headers["location"] == "/login?next=%2Faccount"
            for path in (*OTHERS, "/account/password", "/account/sign-out"):
                body = {"current": "x", "new": "y"} if path.endswith("password") else body_of(path)
                assert (await stranger.post(f"/api/v1{path}", json=body)).status_code == 401, path
        async with here.signed_in("adm") as adm:
            for headers in ({"X-CSRF-Token": "guessed"}, {"origin": "https://evil.example"}):
                for path in OTHERS:
                    assert await post(adm, path, body_of(path), **headers) == (403, "forged"), path
                changing = {"current": PASSWORD, "new": "an entirely new one"}
                assert await post(adm, "/account/password", changing, **headers) == (403, "forged")
                assert await post(adm, "/account/sign-out", {}, **headers) == (403, "forged")
            for change, wanted in HOSTILE:
                assert await post(adm, "/accounts", NEW | change) == wanted, change
            for change, wanted in HOSTILE_SCREENS:
                assert await post(adm, "/accounts/screens", SCREEN | change) == wanted, change
            assert await post(adm, "/accounts", []) == (422, "bad_request")
            assert await post(adm, "/accounts/adm/disable", {}) == (409, "own_account")
            assert await post(adm, "/accounts/nobody/reset", {}) == (404, "not_found")
            for path, body in ASKING:
                assert await post(adm, path, body) == (403, "not_allowed"), path
            assert 'id="ask"' not in (await adm.http.get("/adjustments")).text
            assert "data-administers" in (await adm.http.get("/registry")).text
        async with here.signed_in("centre") as centre:
            assert 'id="ask"' in (await centre.http.get("/adjustments")).text
            assert "data-administers" not in (await centre.http.get("/registry")).text
        assert empty_scenario.rows("SELECT * FROM console.accounts ORDER BY username") == before
        assert empty_scenario.rows("SELECT * FROM console.account_audit WHERE about = 'zhao'") == []


async def test_a_one_time_password_opens_the_change_of_it_and_nothing_else(empty_scenario: Scenario) -> None:
    async with console(empty_scenario.dsn) as here:
        await add_administrator(empty_scenario.dsn)
        async with here.signed_in("adm") as adm:
            password = (await adm.order("/api/v1/accounts", NEW)).json()["password"]
            (row,) = [r for r in (await adm.json("/api/v1/accounts"))["rows"] if r["username"] == "zhao"]
            assert "password_hash" not in row
        async with here.client() as client:
            assert (await login(client, "zhao", password, "/registry")).headers["location"] == "/account"
            page = (await client.get("/account")).text
            assert NEW["display_name"] not in page
            csrf = page.split('data-csrf="')[1].split('"')[0]
            for path in ("/", "/registry", "/adjustments", "/documents"):
                assert (await client.get(path)).headers["location"].startswith("/login"), path
            for path in ("/me", "/adjustments", "/registry/entities/unit", "/accounts"):
                assert (await client.get(f"/api/v1{path}")).status_code == 401, path
            zhao = Browser(client, csrf)
            for new, wanted in (("short", (422, "bad_account")), (password, (422, "bad_account")),
                                ("my very own words", (200, "ok"))):  # fmt: skip
                assert await post(zhao, "/account/password", {"current": password, "new": new}) == wanted
            assert (await client.get("/api/v1/me")).status_code == 200
            assert await post(zhao, "/account/sign-out", {}) == (200, "ok")
            assert (await client.get("/api/v1/me")).status_code == 401


async def test_a_second_factor_is_asked_at_the_door_and_where_it_is_required_nothing_opens_without(
    empty_scenario: Scenario,
) -> None:
    keys = SecretStr("a key that is long enough")
    async with console(empty_scenario.dsn, second_factor_keys=keys, second_factor_required=True) as here:
        await add_administrator(empty_scenario.dsn)
        async with here.client() as client:
            assert (await login(client, "brigade", PASSWORD, "/registry")).headers["location"] == "/account"
            for path in ("/me", "/accounts", "/units"):
                assert (await client.get(f"/api/v1{path}")).status_code == 401, path
            brigade = Browser(client, (await client.get("/account")).text.split('data-csrf="')[1].split('"')[0])
            path = "/api/v1/account/second-factor"
            assert (await brigade.order(path, {"current": "wrong"})).status_code == 403
            assert (await brigade.order(path, {"current": PASSWORD}, **{"X-CSRF-Token": "x"})).status_code == 403
            begun = (await brigade.order(path, {"current": PASSWORD})).json()
            maker = pyotp.TOTP(begun["secret"])
            first = {"pending": begun["pending"], "code": maker.now()}
            codes = (await brigade.order(f"{path}/confirm", first)).json()["recovery_codes"]
            assert (await client.get("/api/v1/me")).status_code == 200
            stored = empty_scenario.rows("SELECT * FROM console.accounts WHERE username = 'brigade'")
            assert not any(secret in str(stored) for secret in (begun["secret"], *codes))
        async with here.client() as client:
            assert (await login(client, "brigade", PASSWORD)).status_code == 401
            assert (await login(client, "brigade", PASSWORD, code=first["code"])).status_code == 401
            assert (await login(client, "brigade", PASSWORD, code=codes[0])).headers["location"] == "/"
            assert (await login(client, "brigade", PASSWORD, code=codes[0])).status_code == 401
    async with console(empty_scenario.dsn) as here:  # without the key, and no duty: nobody is let in for that
        async with here.client() as client:
            assert (await login(client, "brigade", PASSWORD)).status_code == 401
        async with here.signed_in("adm") as adm:
            (row,) = [r for r in (await adm.json("/api/v1/accounts"))["rows"] if r["username"] == "brigade"]
            assert row["second_factor"] is True
            assert await post(adm, "/accounts/brigade/second-factor-reset", {}) == (200, "ok")
        async with here.signed_in("brigade") as browser:
            assert (await browser.order("/api/v1/account/second-factor", {"current": PASSWORD})).status_code == 409
