"""The console over HTTP on PostgreSQL: sign-in, forgery, slices, the stream, hostile input."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse

from deploy.stack.ports import free_ports
from services.console import app
from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.web import api, guard
from services.console.domain.accounts import BadAccount
from services.console.settings import ConsoleSettings
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop, TaskDied
from services.runtime.public_http import PublicServer
from tests.integration.console.harness import (
    LIMIT_S,
    PASSWORD,
    Browser,
    Console,
    console,
    events,
    login,
    sign_in,
    until,
)
from tests.integration.console.scenario import Scenario, Unit, district, opened

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    """A district of 24 units, well and in sight for the next hour."""
    empty_scenario.put(district(24))
    empty_scenario.stay_fresh()
    return empty_scenario


@pytest.fixture
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        yield running


async def test_without_a_session_there_is_only_the_door(site: Console) -> None:
    async with site.client() as client:
        assert (await client.get("/")).headers["location"] == "/login"
        led = (await client.get("/?case=C1&list=all")).headers["location"]
        assert led == "/login?next=%2F%3Fcase%3DC1%26list%3Dall"
        for path in ("me", "units", "units/U00000", "cases", "cases/C1", "summary/rates", "stream"):
            answer = await client.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.json()) == (401, {"error": {"code": "not_signed_in"}}), path
        answer = await client.post("/api/v1/cases/C1/acknowledge", json={"note": ""})
        assert answer.status_code == 401
        client.cookies.set("firenet_session", "x" * 5000)
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_every_answer_carries_the_headers_that_protect_it(site: Console) -> None:
    async with site.signed_in("centre") as browser:
        for path in ("/", "/login", "/api/v1/me", "/api/v1/none", "/none"):
            headers = (await browser.http.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "server" not in headers
        page = (await browser.http.get("/")).text
        assert "<style" not in page
        assert "<script>" not in page


async def test_the_cookie_is_closed_to_scripts_and_to_what_other_sites_post(site: Console) -> None:
    """Lax: the link of a letter, followed from a page of another site, finds the reader signed in."""
    async with site.client() as client:
        cookie = (await login(client, "centre", PASSWORD)).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_signing_in_leads_to_the_page_that_was_wanted_and_to_no_other_site(site: Console) -> None:
    async with site.client() as client:
        page = await client.get("/login", params={"next": "/?case=C1"})
        assert 'name="next" value="/?case=C1"' in page.text
        for wanted, led in (
            ("/?case=C1", "/?case=C1"),
            ("/refusals?reason=bad_frame", "/refusals?reason=bad_frame"),
            ("//evil.example/?a", "/"),
            ("https://evil.example/", "/"),
            ("/\\evil.example", "/"),
            ("/logout", "/"),
            ("/?a\r\nSet-Cookie: b=c", "/"),
            ("/?" + "a" * 1000, None),
        ):
            answer = await login(client, "centre", PASSWORD, then=wanted)
            assert answer.headers.get("location") == led, wanted


async def test_over_https_cookies_are_secure_and_bound_to_the_host(scenario: Scenario) -> None:
    async with console(scenario.dsn, https=True) as site, site.client() as client:
        page = await client.get("/login")
        assert page.headers["set-cookie"].startswith("__Host-firenet_login=")
        assert "Secure" in page.headers["set-cookie"]
        assert "max-age" in page.headers["strict-transport-security"]


async def test_wrong_name_and_wrong_password_get_the_same_answer(site: Console) -> None:
    async with site.client() as client:
        answers = [await login(client, name, "wrong password") for name in ("centre", "nobody")]
    assert [answer.status_code for answer in answers] == [401, 401]
    texts = [answer.text.split('name="form_token"')[0] for answer in answers]
    assert texts[0] == texts[1]


async def test_guessing_locks_and_says_how_long(site: Console) -> None:
    async with site.client() as client:
        codes = [(await login(client, "centre", f"guess {number}")).status_code for number in range(5)]
        answer = await login(client, "centre", PASSWORD)
    assert codes == [401] * 5
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 30


async def test_a_login_form_of_another_site_signs_nobody_in(site: Console) -> None:
    async with site.client() as client:
        form = {"username": "centre", "password": PASSWORD, "form_token": "guessed"}
        assert (await client.post("/login", data=form)).status_code == 403
        answer = await login(client, "centre", PASSWORD, origin="https://evil.example")
        assert answer.status_code == 403
        assert "firenet_session" not in client.cookies


async def test_signing_out_needs_the_token_and_ends_the_session_everywhere(site: Console) -> None:
    async with site.client() as client:
        browser = await sign_in(client, "centre")
        assert (await client.post("/logout", data={"csrf": "wrong"})).status_code == 403
        assert (await client.get("/logout")).status_code == 405
        session = client.cookies["firenet_session"]
        assert (await client.post("/logout", data={"csrf": browser.csrf})).status_code == 303
        client.cookies.set("firenet_session", session)
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_a_page_of_another_sign_in_is_refused_whatever_it_asks_for(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    async with site.signed_in("centre") as former, site.signed_in("health") as later:
        stale = {"X-Session": await _mark(former)}
        for path in ("me", "units", "units/U00000", "cases", "cases/C1", "summary/rates", "refusals"):
            answer = await later.http.get(f"/api/v1/{path}", headers=stale)
            assert (answer.status_code, answer.json()) == (409, {"error": {"code": "other_session"}}), path
        stream = await later.http.get("/api/v1/stream", params={"session": stale["X-Session"]})
        assert (stream.status_code, stream.json()) == (409, {"error": {"code": "other_session"}})
        assert (await later.acknowledge("C1", **stale)).status_code == 409
        assert site.alerts.asked == []
        own = await later.http.get("/api/v1/me", headers={"X-Session": await _mark(later)})
        assert own.json()["account"]["username"] == "health"


async def _mark(browser: Browser) -> str:
    (mark,) = re.findall(r'data-session="([0-9a-f]{16})"', (await browser.http.get("/")).text)
    return str(mark)


async def test_signing_in_anew_ends_the_former_session_of_the_browser(site: Console, scenario: Scenario) -> None:
    async with site.signed_in("centre") as former:
        before = former.http.cookies["firenet_session"]
        await sign_in(former.http, "health")
        async with site.client() as client:
            client.cookies.set("firenet_session", before)
            assert (await client.get("/api/v1/me")).status_code == 401
        assert (await former.json("/api/v1/me"))["account"]["username"] == "health"


async def test_reading_changes_nothing(site: Console, scenario: Scenario) -> None:
    count = "SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = current_database()"
    async with site.signed_in("centre") as browser:
        state = "SELECT * FROM console.sessions"
        before = scenario.rows(state)
        for path in ("/", "/api/v1/me", "/api/v1/units", "/api/v1/cases", "/api/v1/summary/rates"):
            assert (await browser.http.get(path)).status_code == 200
        assert scenario.rows(state) == before
        assert scenario.rows(count)


async def test_a_department_gets_its_slice_from_every_path(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C-health", "U00000")
    scenario.open_case("C-school", "U00001")
    scenario.change("U00001", health="fire", fires=1)
    async with site.signed_in("health") as browser:
        units = await browser.json("/api/v1/units")
        assert {row["lead_department"] for row in units["rows"]} == {"health", "civil-affairs"}
        assert all("health" in (row["lead_department"], *row["copy_departments"]) for row in units["rows"])
        assert (await browser.json("/api/v1/units", department="education"))["total"] == 0
        rates = await browser.json("/api/v1/summary/rates")
        assert (rates["S1"]["numerator"], rates["S1"]["denominator"]) == (3, 3)
        boards = await browser.json("/api/v1/summary/boards")
        assert {row["value"] for row in boards["department"]} == {"health"}
        assert [row["case_id"] for row in (await browser.json("/api/v1/cases"))["rows"]] == ["C-health"]
        assert await browser.json("/api/v1/summary/fires") == []
        for path in ("units/U00001", "cases/C-school", "units/none", "cases/none"):
            answer = await browser.http.get(f"/api/v1/{path}")
            assert (answer.status_code, answer.json()) == (404, {"error": {"code": "not_found"}})
        assert (await browser.acknowledge("C-school")).status_code == 404
        assert site.alerts.asked == []


async def test_a_document_is_fetched_as_a_file_by_whoever_may_see_its_case(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C-health", "U00000")
    scenario.document("D1", "C-health", "消监告〔2026〕1号", {"zh": b"%PDF-1.7 zh"})
    scenario.open_case("C-school", "U00001")
    scenario.document("D2", "C-school", "消监告〔2026〕2号", {"zh": b"%PDF-1.7 school"})
    path = "/api/v1/cases/C-health/documents/D1/zh.pdf"
    async with site.signed_in("health") as browser:
        detail = await browser.json("/api/v1/cases/C-health")
        (document,) = detail["documents"]
        assert (document["number"], document["files"]) == ("消监告〔2026〕1号", ["zh.pdf"])
        answer = await browser.http.get(path)
        assert (answer.status_code, answer.content) == (200, b"%PDF-1.7 zh")
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.headers["content-disposition"].startswith("inline")
        assert answer.headers["cache-control"] == "no-store"
        assert (await browser.http.get(path.replace(".pdf", ".docx"))).status_code == 404
        assert (await browser.http.get(path.replace(".pdf", ".exe"))).status_code in (400, 422)
        of_a_school = "/api/v1/cases/C-school/documents/D2/zh.pdf"
        assert (await browser.http.get(of_a_school)).status_code == 404
    async with site.signed_in("centre") as browser:
        assert (await browser.http.get(of_a_school)).content == b"%PDF-1.7 school"


async def test_a_street_is_a_department_too(site: Console) -> None:
    async with site.signed_in("dongjie") as browser:
        rows = (await browser.json("/api/v1/units"))["rows"]
        assert {row["town"] for row in rows} == {"dongjie"}
        assert len({row["lead_department"] for row in rows}) > 1


async def test_figures_come_as_counts_bounds_and_verdict(site: Console, scenario: Scenario) -> None:
    scenario.change("U00000", connection="offline")
    async with site.signed_in("brigade") as browser:
        rate = (await browser.json("/api/v1/summary/rates"))["S1"]
    assert (rate["numerator"], rate["denominator"], rate["low"]) == (23, 24, "95.8")
    assert (rate["verdict"], rate["metric"]) == ("non_compliant", "live_networking_rate")


async def test_acknowledge_goes_to_alerts_with_who_and_why(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    async with site.signed_in("health") as browser:
        answer = await browser.acknowledge("C1", "已联系\n值班室\u0000", origin=site.url)
    assert answer.json() == {"acknowledged": True}
    assert site.alerts.asked == [
        (
            "C1",
            "Bearer alerts-secret",
            {"account": "health", "body_code": "health", "note": "已联系 值班室", "via": "console"},
        )
    ]


async def test_a_click_that_another_site_caused_is_refused(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    async with site.signed_in("centre") as browser:
        for name, value in (
            ("X-CSRF-Token", "wrong"),
            ("X-CSRF-Token", ""),
            ("Origin", "https://evil.example"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ):
            answer = await browser.acknowledge("C1", **{name: value})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forged"), (name, value)
    assert site.alerts.asked == []


async def test_what_alerts_refuses_is_told_in_our_words(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    async with site.signed_in("centre") as browser:
        for site.alerts.status, expected in (
            (404, (404, "not_found")),
            (409, (409, "conflict")),
            (401, (503, "alerts_unavailable")),
            (500, (503, "alerts_unavailable")),
        ):
            answer = await browser.acknowledge("C1")
            assert (answer.status_code, answer.json()["error"]["code"]) == expected


async def test_alerts_being_away_is_a_clear_error(scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    async with console(scenario.dsn, alerts_url="http://127.0.0.1:9") as site, site.signed_in("centre") as browser:
        answer = await browser.acknowledge("C1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "alerts_unavailable")


async def section(stream: AsyncIterator[dict[str, str]], name: str) -> Any:
    """Return the section of the next update that brings it."""
    async for event in stream:
        if event.get("event") == "update" and name in (body := json.loads(event["data"])):
            return body[name]
    raise AssertionError("the stream ended")


TRIES = 10
"""A machine that stands still for a moment spoils one try; what is slow by itself spoils all of them."""


async def test_a_change_is_on_the_stream_within_a_second(site: Console, scenario: Scenario) -> None:
    async with site.signed_in("centre") as browser, aclosing(events(browser)) as stream:
        first = await anext(stream)
        assert first["event"] == "snapshot"
        took_s = []
        for number in range(TRIES):
            began_s = scenario.clock.monotonic()
            scenario.change(f"U{number:05}", connection="offline")
            async with asyncio.timeout(60):
                while (await section(stream, "rates"))["S1"]["numerator"] != 23 - number:
                    pass
            took_s.append(scenario.clock.monotonic() - began_s)
            if took_s[-1] < 1:
                return
    raise AssertionError(f"never within a second: {took_s}")


async def test_a_fire_is_on_the_stream_within_a_second(site: Console, scenario: Scenario) -> None:
    async with site.signed_in("brigade") as browser, aclosing(events(browser)) as stream:
        await anext(stream)
        took_s = []
        for number in range(TRIES):
            began_s = scenario.clock.monotonic()
            scenario.open_case(f"F{number}", f"U{number:05}", "fire")
            async with asyncio.timeout(60):
                while f"F{number}" not in {fire["case_id"] for fire in await section(stream, "fires")}:
                    pass
            took_s.append(scenario.clock.monotonic() - began_s)
            if took_s[-1] < 1:
                return
    raise AssertionError(f"never within a second: {took_s}")


async def test_a_returning_browser_names_what_it_has_seen(site: Console) -> None:
    async with site.signed_in("centre") as browser:
        async with aclosing(events(browser)) as stream:
            seen = (await anext(stream))["id"]
        async with aclosing(events(browser, **{"Last-Event-ID": seen})) as stream:
            assert (await anext(stream))["event"] == "beat"


async def test_streams_are_bounded_and_free_their_place(scenario: Scenario) -> None:
    async with console(scenario.dsn, streams_per_account=2) as site, site.signed_in("centre") as browser:
        async with aclosing(events(browser)) as one, aclosing(events(browser)) as two:
            await asyncio.gather(anext(one), anext(two))
            answer = await browser.http.get("/api/v1/stream")
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_busy")

        async def free() -> bool:
            async with site.client() as client:
                text = (await client.get(f"{site.status_url}/metrics")).text
            return "firenet_console_streams_open 0.0" in text

        await until(free)


async def test_a_stream_ends_when_its_session_does(
    site: Console, scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "RECHECK_BEATS", 1)  # in place of ten seconds
    async with site.signed_in("centre") as browser, aclosing(events(browser)) as stream:
        await anext(stream)
        scenario.execute("DELETE FROM console.sessions", notify=False)
        async with asyncio.timeout(60):
            async for _ in stream:
                pass


async def test_blindness_widens_the_rate_without_any_announcement(site: Console, scenario: Scenario) -> None:
    async with site.signed_in("centre") as browser, aclosing(events(browser)) as stream:
        await anext(stream)
        scenario.execute(
            "UPDATE rules.partitions SET watermark = %s", [scenario.now() - timedelta(hours=1)], notify=False
        )
        seen: set[str] = set()
        async with asyncio.timeout(60):
            async for event in stream:
                data = json.loads(event.get("data", "{}"))
                if data.get("state") == "blind":
                    seen.add("beat")
                if data.get("rates", {}).get("S1", {}).get("unknown") == 24:
                    assert data["rates"]["S1"]["verdict"] == "undetermined"
                    seen.add("rate")
                if seen == {"beat", "rate"}:
                    break


async def test_a_query_out_of_bounds_is_a_typed_error(site: Console) -> None:
    queries: list[dict[str, str | list[str]]] = [
        {"limit": "1000000"},
        {"offset": "-1"},
        {"offset": "99999999999999999999"},
        {"conn": "burning"},
        {"q": "x" * 65},
        {"town": "x" * 5000},
        {"unknown": "parameter"},
        {"conn": ["online"] * 100},
    ]
    async with site.signed_in("centre") as browser:
        for query in queries:
            answer = await browser.http.get("/api/v1/units", params=query)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_request"), query
            assert "x" * 50 not in answer.text


async def test_a_strange_search_finds_nothing_and_breaks_nothing(site: Console) -> None:
    async with site.signed_in("centre") as browser:
        for text in ("\0", "%00", "\u202e", "' OR 1=1 --", "\\", "%", "_" * 64, "\N{FIRE ENGINE}"):
            for place in ("q", "town", "scope"):
                answer = await browser.http.get("/api/v1/units", params={place: text})
                assert (answer.status_code, answer.json()["total"]) == (200, 0), (place, text)


async def test_large_and_shapeless_bodies_are_refused(site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    async with site.signed_in("centre") as browser:
        path, headers = "/api/v1/cases/C1/acknowledge", {"X-CSRF-Token": browser.csrf}
        assert (await browser.acknowledge("C1", "x" * 501)).status_code == 422
        assert (await browser.http.post(path, content=b"x" * 20_000, headers=headers)).status_code == 413
        for content in (b"", b"[]", b"{", b"null", b'{"note": 1}', b'{"note": "", "more": 1}', b"\xff\xfe"):
            assert (await browser.http.post(path, content=content, headers=headers)).status_code in (400, 422)
        assert (await browser.http.get("/api/v1/cases/" + "x" * 300)).status_code in (404, 422)
        assert (await browser.http.get("/api/v1/cases/..%2f..%2fetc")).status_code in (404, 422)
        assert (await browser.http.get("/static/../../settings.py")).status_code == 404
    assert site.alerts.asked == []


async def test_a_chunked_body_without_end_is_cut(site: Console) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1024

    async with site.client() as client:
        try:
            answer = await client.post("/login", content=endless(), headers={"content-type": "text/plain"})
        except httpx.HTTPError:
            return
        assert answer.status_code >= 400


async def test_markup_in_names_and_display_names_stays_text(site: Console, scenario: Scenario) -> None:
    scenario.put([Unit("X1", SCRIPT, "dongjie", "HOSPITAL", "health", connection="offline")])
    await app.add_account(
        site.settings, username="evil", role="centre", department=None, display_name=SCRIPT, password=PASSWORD
    )
    async with site.client() as client:
        browser = await sign_in(client, "evil")
        assert SCRIPT not in (await client.get("/")).text
        answer = await client.get("/api/v1/units", params={"q": "X1"})
        assert answer.json()["rows"][0]["name"] == SCRIPT
        assert answer.headers["content-type"] == "application/json"
        assert browser.csrf


async def test_metrics_and_readiness_are_apart_from_the_page(site: Console) -> None:
    async with site.client() as client:
        assert (await client.get("/metrics")).status_code == 404
        assert (await client.get("/docs")).status_code == 404
        text = (await client.get(f"{site.status_url}/metrics")).text
    assert 'firenet_console_logins_total{outcome="ok"} 0.0' in text
    assert 'firenet_console_requests_total{outcome="client_error"}' in text


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "])
async def test_a_caller_whose_request_does_not_come_loses_its_place(sent: bytes) -> None:
    (port,) = free_ports(1)
    server, stop = PublicServer(JSONResponse({}), "127.0.0.1", port, connections=8, patience_s=1), Stop()
    serving = asyncio.create_task(server.serve(stop))

    async def started() -> bool:
        return server.started

    await until(started)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()
    stop.set()
    await serving


async def test_a_body_that_does_not_come_is_not_waited_for(site: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.settings.http_port)
    writer.write(
        b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 50\r\n\r\nusername="
    )
    async with asyncio.timeout(30):
        assert (await reader.readline()).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_who_is_cut_off_by_a_stop_is_told_to_try_again(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "PostgresAccounts", partial(PostgresAccounts, deadline_s=LIMIT_S))
    async with console(scenario.dsn) as site, site.signed_in("centre") as browser:
        page = await browser.http.get("/login", params={"lang": "en"})
        (token,) = re.findall(r'name="form_token" value="([^"]+)"', page.text)
        form = {"username": "centre", "password": PASSWORD, "form_token": token}
        with opened(scenario.dsn) as other, other.connection.transaction():
            other.connection.execute("LOCK TABLE console.accounts, console.sessions")
            asked = [
                asyncio.create_task(browser.http.post("/login", params={"lang": "en"}, data=form)),
                asyncio.create_task(browser.http.get("/api/v1/me")),
            ]

            async def both_wait() -> bool:
                # the picture for the page to come reads names of accounts, too
                waiting = scenario.rows("SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                return sum("password_hash" in query for (query,) in waiting) == len(asked)

            await until(both_wait)
            site.stop.set()
            door, me = await asyncio.gather(*asked)
    assert (door.status_code, me.status_code) == (503, 503)
    assert "restarting; try again" in door.text
    assert me.json() == {"error": {"code": "stopping"}}
    for answer in (door, me):
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["cache-control"] == "no-store"


async def test_signing_in_without_a_database_says_so_and_keeps_the_form(site: Console, scenario: Scenario) -> None:
    async with site.client() as client:
        page = await client.get("/login")
        (token,) = re.findall(r'name="form_token" value="([^"]+)"', page.text)
        scenario.execute("ALTER TABLE console.accounts RENAME TO accounts_away")
        try:
            answer = await client.post("/login", data={"username": "centre", "password": PASSWORD, "form_token": token})
        finally:
            scenario.execute("ALTER TABLE console.accounts_away RENAME TO accounts")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "15")
        assert "数据库暂时无应答" in answer.text
        assert "form_token" in answer.text
        counted = (await client.get(f"{site.status_url}/metrics")).text
        assert 'firenet_console_logins_total{outcome="data_unavailable"} 1.0' in counted


async def test_a_taken_port_is_one_clear_sentence(site: Console) -> None:
    from services.runtime.lifecycle import Stop

    with pytest.raises(TaskDied) as caught:
        await app.run(site.settings, Stop())
    assert "the port is taken" in str(caught.value.__cause__)


async def test_accounts_are_made_listed_and_disabled(scenario: Scenario) -> None:
    settings = ConsoleSettings.model_validate({"database_dsn": scenario.dsn})
    made = await app.demo_accounts(settings)
    assert [(viewer.role.value, viewer.department) for viewer, _ in made] == [
        ("brigade", None),
        ("centre", None),
        ("department", "health"),
    ]
    assert await app.disable_account(settings, "health")
    assert [account.disabled for account in await app.list_accounts(settings)] == [False, False, True]
    again = await app.demo_accounts(settings)
    assert {password for _, password in made}.isdisjoint({password for _, password in again})


async def test_a_screen_opens_with_its_key_alone_sees_the_live_picture_and_changes_nothing(site: Console) -> None:
    key, until = await app.add_screen(site.settings, name="hall", display_name="指挥大厅", days=30)
    async with site.client() as client:
        opened_once = await client.get("/wall", params={"key": key})
        assert (opened_once.status_code, opened_once.headers["location"]) == (303, "/wall")
        assert "HttpOnly" in opened_once.headers["set-cookie"]
        page = await client.get("/wall")
        assert page.status_code == 200
        assert key not in page.text
        assert (await client.get("/")).headers["location"] == "/wall"
        assert (await client.get("/api/v1/summary/rates")).status_code == 200
        for path in ("units", "units/U00000", "cases", "cases/C1", "refusals"):
            assert (await client.get(f"/api/v1/{path}")).status_code == 403, path
        assert (await client.get("/refusals")).status_code == 403
        answer = await client.post("/api/v1/cases/C1/acknowledge", json={"note": ""}, headers={"X-CSRF-Token": "x"})
        assert answer.status_code == 403
        assert site.alerts.asked == []
        assert await app.disable_account(site.settings, "hall")
        assert (await client.get("/api/v1/summary/rates")).status_code == 401
    assert until > SystemClock().now() + timedelta(days=29)


async def test_a_screens_name_and_key_are_no_way_in_for_anything_else(site: Console) -> None:
    key, _ = await app.add_screen(site.settings, name="hall", display_name="指挥大厅", days=30)
    renewed, _ = await app.add_screen(site.settings, name="hall", display_name="指挥大厅", days=30)
    async with site.client() as client:
        for wrong in (key, "x" * 43, "x" * 900, "é"):
            assert (await client.get("/wall", params={"key": wrong})).status_code == 401, wrong
        assert (await login(client, "hall", "!")).status_code == 401
        assert (await login(client, "hall", "!" * 12)).status_code == 401
    async with site.signed_in("centre") as browser:
        person = browser.http.cookies["firenet_session"]
        assert (await browser.http.get("/wall", params={"key": renewed})).headers["location"] == "/wall"
        assert browser.http.cookies["firenet_session"] == person, "who is signed in stays who he is"
    async with site.client() as client:
        assert (await client.get("/wall", params={"key": person})).status_code == 401, "a person's session is no link"
    with pytest.raises(BadAccount):
        await app.add_screen(site.settings, name="centre", display_name="x", days=30)
    assert [screen.username for screen in await app.list_screens(site.settings)] == ["hall"]


async def test_the_system_s_health_is_the_brigade_s_and_names_every_instance(scenario: Scenario) -> None:
    (nobody,) = free_ports(1)
    async with (
        console(scenario.dsn) as first,
        console(
            scenario.dsn,
            health_services={
                "console": [("127.0.0.1", first.settings.status_port)],
                "rules": [("127.0.0.1", nobody)],
                "none": [("no-such-name.invalid", 1)],
            },
        ) as site,
    ):
        for name in ("centre", "health"):
            async with site.signed_in(name) as browser:
                assert (await browser.http.get("/api/v1/health")).status_code == 403
                assert (await browser.http.get("/health")).status_code == 403
        async with site.client() as client:
            assert (await client.get("/api/v1/health")).status_code == 401
            assert (await client.get("/health")).headers["location"] == "/login?next=%2Fhealth"
        async with site.signed_in("brigade") as browser:
            assert (await browser.http.get("/health")).status_code == 200
            seen = (await browser.http.get("/api/v1/health")).json()
        services = {
            one["name"]: (one["state"], [each["state"] for each in one["instances"]]) for one in seen["services"]
        }
        assert services == {"console": ("well", ["well"]), "rules": ("bad", ["bad"]), "none": ("bad", [])}
        states = {one["name"]: one["state"] for one in seen["items"]}
        assert (states["database"], states["lag"], states["synthetic"]) == ("well", "well", "unknown")
        assert (states["gaps"], states["broker_certificate"]) == ("unknown", "unknown")
        assert seen["state"] == "bad"
