"""From a request at the page to a figure that follows: console, registry, PostgreSQL, Kafka, the two commands.

The registry's clock stands still in the afternoon of the day that the figures are of.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from deploy.stack.ports import free_ports
from schemas import codec
from schemas.registry import AdjustmentRecord
from schemas.topics import REGISTRY
from services.console.adapters.postgres_accounts import PostgresAccounts
from services.console.adapters.secrets import Argon2Passwords
from services.console.domain.accounts import Account
from services.console.domain.viewer import Role, Username
from services.kernel.words import AdjustmentKind, AdjustmentState
from services.registry.adapters.kafka import KafkaBus
from services.registry.adapters.postgres import open_store
from services.registry.cli.serve import RegistryService
from services.registry.domain.adjustments import Adjustment, AdjustmentRequest
from services.registry.domain.entities import Kind, Version
from services.registry.domain.routing import resolve
from services.registry.settings import RegistrySettings
from services.runtime.clock import Clock, SystemClock
from services.runtime.kafka import CompactedFollower
from services.runtime.lifecycle import Stop
from services.runtime.postgres import open_pool
from tests.contract.compliance.scenario import T0 as FIGURES_T0
from tests.contract.compliance.scenario import Scenario as Figures
from tests.contract.compliance.scenario import iso
from tests.fakes.clock import ManualClock
from tests.integration.console.harness import PASSWORD, Browser, Console, console, until
from tests.integration.console.scenario import Unit, opened
from tests.unit.registry.builders import policy, unit

TOKEN = "registry-secret"
NOW = FIGURES_T0 + timedelta(seconds=7000)
KNOWN = FIGURES_T0 - timedelta(days=30)
HOUR = timedelta(hours=1)
NOBODY = "127.0.0.1:1"
"""A Kafka that does not answer."""


@dataclass
class Site:
    console: Console
    registry_url: str
    dsn: str


async def add_units(dsn: str) -> None:
    """Put a hospital of health and a school of education in the register and in the tables of rules."""
    with opened(dsn) as scenario:
        scenario.create()
        scenario.execute("DELETE FROM registry.versions")  # what the register itself holds takes its place
        scenario.put(
            [
                Unit("U1", "第一医院", "dongjie", "HOSPITAL", "health"),
                Unit("U2", "实验小学", "nanjie", "SCHOOL", "education"),
            ]
        )
    units = [unit(unit_id="U1"), unit(unit_id="U2", category="SCHOOL", exempt_from=date(2026, 3, 1),
             exempt_until=date(9998, 12, 31), exempt_reason="停课")]  # fmt: skip
    async with open_store(dsn, "tests") as store, store.transaction() as register:
        versions = [Version(each, KNOWN.date(), KNOWN, resolve(each, policy(), KNOWN.date())) for each in units]
        await register.add(Kind.PACK, [Version(policy(), date(2026, 1, 1), KNOWN)], None)
        await register.add(Kind.UNIT, versions, None)
        await register.published(await register.unpublished(10))


async def add_second_brigade_account(dsn: str) -> None:
    hashed = await Argon2Passwords(memory_kib=1024, passes=1).hash(PASSWORD)
    async with open_pool(dsn, "test-accounts", max_size=1) as pool:
        account = Account(Username("wang"), Role.BRIGADE, None, "王参谋", hashed)
        await PostgresAccounts(pool, 60).save(account, SystemClock().now())


@asynccontextmanager
async def registry(dsn: str, kafka: str, clock: Clock) -> AsyncIterator[str]:
    """Yield the address of the registry's service, once it is ready."""
    (port,) = free_ports(1)
    settings = RegistrySettings.model_validate(
        {"database_dsn": dsn, "kafka_bootstrap": kafka, "http_port": port, "api_token": TOKEN, "publish_every_s": 0.2}
    )
    stop = Stop()
    task = asyncio.create_task(RegistryService(settings, clock).run(stop))
    url = f"http://127.0.0.1:{port}"

    async def ready() -> bool:
        if task.done():
            await task
        try:
            return (await http.get(f"{url}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            await until(ready)
        yield url
    finally:
        stop.set()
        await task


@asynccontextmanager
async def running(dsn: str, kafka: str = NOBODY, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Site]:
    await add_units(dsn)
    async with registry(dsn, kafka, clock or ManualClock(NOW)) as url:
        wiring = {"registry_url": url, "registry_token": SecretStr(TOKEN), "registry_deadline_s": 30} | settings
        async with console(dsn, **wiring) as here:
            await add_second_brigade_account(dsn)
            yield Site(here, url, dsn)


@pytest.fixture
async def site(migrated_database: str) -> AsyncIterator[Site]:
    async with running(migrated_database) as here:
        yield here


def correction(**changes: Any) -> dict[str, Any]:
    return {
        "unit_id": "U1", "what": "correction", "starts_at": iso(1800), "ends_at": iso(3660), "counted_as": "connected",
        "reason": "申诉成立：装置编号登记有误", "evidence": "消申〔2026〕3号", **changes,
    }  # fmt: skip


def maintenance(**changes: Any) -> dict[str, Any]:
    return {
        "unit_id": "U1", "what": "maintenance", "starts_at": iso(6000), "ends_at": iso(12000), "reason": "更换主机",
        **changes,
    }  # fmt: skip


async def post(browser: Browser, path: str, body: Any, **headers: str) -> tuple[int, Any]:
    answer = await browser.http.post(
        f"/api/v1/adjustments{path}", json=body, headers={"X-CSRF-Token": browser.csrf} | headers
    )
    return answer.status_code, answer.json()


def code(answer: tuple[int, Any]) -> tuple[int, str]:
    return answer[0], answer[1]["error"]["code"]


async def record_of(bootstrap: str, adjustment_id: str) -> AdjustmentRecord:
    """Return the adjustment as it stands on the topic, once it does."""
    found: list[AdjustmentRecord] = []

    def take(key: str, value: bytes | None) -> None:
        if key == f"adjustment:{adjustment_id}" and value is not None:
            record = codec.registry.decode(value).data.record
            assert isinstance(record, AdjustmentRecord)
            found.append(record)

    async def there() -> bool:
        return bool(found)

    stop = Stop()
    follower = asyncio.create_task(CompactedFollower(bootstrap, REGISTRY, take).run(stop))
    try:
        await until(there)
    finally:
        stop.set()
        await follower
    return found[-1]


async def test_what_two_people_agree_on_is_followed_by_the_figures_and_what_was_known_before_stays(
    migrated_database: str, kafka_broker: str, tmp_path: Path
) -> None:
    bus = KafkaBus(bootstrap=kafka_broker)
    await bus.create_topics()
    await bus.close()
    async with running(migrated_database, kafka_broker) as site:
        async with site.console.signed_in("brigade") as li:
            status, asked = await post(li, "", correction())
            assert (status, asked) == (200, {"adjustment_id": "A2026-000001"})
            assert code(await post(li, "/A2026-000001/approve", {})) == (409, "same_person")
            (row,) = (await li.json("/api/v1/adjustments"))["rows"]
            assert (row["state"], row["may"], row["unit_name"]) == ("requested", ["withdraw"], "第一医院")
        async with site.console.signed_in("wang") as wang:
            (row,) = (await wang.json("/api/v1/adjustments", state="requested"))["rows"]
            assert row["may"] == ["approve", "reject"]
            assert await post(wang, "/A2026-000001/approve", {}) == (200, {"state": "approved"})
        record = await record_of(kafka_broker, "A2026-000001")

    figures = Figures(tmp_path).unit().gateway().ticks(-3600, 7200).heartbeats(0, 1800).heartbeats(3600, 7200)
    asked_for = ("time_weighted_networking_rate", 0, 7200)
    before = figures.figure(*asked_for, known_at=iso(6999))
    rows = [version.model_dump(mode="json") for version in record.versions]
    figures.registry_line(7000, "adjustment", record.id, rows)
    assert figures.counts(*asked_for) == (7200, 7200, 0, 0)
    assert figures.figure(*asked_for, known_at=iso(6999)) == before
    assert (record.versions[0].requested_by, record.versions[0].approved_by) == ("brigade", ("wang",))


async def test_orders_without_the_pages_own_token_or_from_another_site_change_nothing(site: Site) -> None:
    async with site.console.client() as stranger:
        assert (await stranger.get("/adjustments")).headers["location"] == "/login?next=%2Fadjustments"
        assert (await stranger.get("/api/v1/adjustments")).status_code == 401
        assert (await stranger.post("/api/v1/adjustments", json=maintenance())).status_code == 401
    async with site.console.signed_in("brigade") as browser:
        for headers in ({"X-CSRF-Token": "guessed"}, {"origin": "https://evil.example"}):
            assert code(await post(browser, "", maintenance(), **headers)) == (403, "forged")
            assert code(await post(browser, "/A2026-000001/approve", {}, **headers)) == (403, "forged")
        assert (await browser.json("/api/v1/adjustments"))["total"] == 0


SENSELESS: list[tuple[Any, tuple[int, str]]] = [
    (maintenance(reason="x" * 501), (422, "bad_request")),
    (maintenance(reason="x" * 17_000), (413, "too_large")),
    (maintenance(requested_by="wang"), (422, "bad_request")),
    (maintenance(role="brigade"), (422, "bad_request")),
    (maintenance(unit_id="U1' OR 1=1"), (422, "bad_request")),
    (maintenance(starts_at="2026-03-10T01:40:00"), (422, "bad_request")),
    (maintenance(what="holiday"), (422, "bad_request")),
    (maintenance(trouble="fire"), (422, "bad_adjustment")),
    (maintenance(starts_at=iso(6001)), (422, "bad_adjustment")),
    (maintenance(ends_at=iso(6000)), (422, "bad_adjustment")),
    (maintenance(reason="a\0b"), (422, "bad_adjustment")),
    (maintenance(reason="\u202e"), (422, "bad_adjustment")),
    (maintenance(unit_id="U9"), (404, "not_found")),
    (correction(evidence=None), (422, "bad_adjustment")),
    (correction(ends_at=iso(7020)), (422, "bad_adjustment")),
    ([], (422, "bad_request")),
]


async def test_a_request_that_makes_no_sense_is_refused_with_its_reason(site: Site) -> None:
    async with site.console.signed_in("brigade") as browser:
        for body, wanted in SENSELESS:
            assert code(await post(browser, "", body)) == wanted, body
        for path in ("/A1/approve", "/A2026-000001/promote", "/../cases/approve"):
            assert (await post(browser, path, {}))[0] in (404, 405, 422), path
        assert code(await post(browser, "/A2026-000009/approve", {})) == (404, "not_found")
        assert (await browser.http.get("/api/v1/adjustments", params={"state": "x' OR 1=1"})).status_code == 422
        _, told = await post(browser, "", correction(ends_at=iso(7020)))
        assert told["error"]["detail"] == "a correction is of time that is over"
        assert (await browser.json("/api/v1/adjustments"))["total"] == 0


async def test_a_department_asks_for_its_own_units_only_and_decides_nothing(site: Site) -> None:
    async with site.console.signed_in("brigade") as brigade:
        assert (await post(brigade, "", maintenance(unit_id="U2")))[1] == {"adjustment_id": "A2026-000001"}
    async with site.console.signed_in("health") as health:
        assert code(await post(health, "", maintenance(unit_id="U2"))) == (404, "not_found")
        assert code(await post(health, "", correction())) == (403, "not_allowed")
        assert code(await post(health, "/A2026-000001/approve", {})) == (404, "not_found")
        assert (await post(health, "", maintenance()))[1] == {"adjustment_id": "A2026-000002"}
        assert code(await post(health, "/A2026-000002/approve", {})) == (403, "not_allowed")
        page = await health.json("/api/v1/adjustments")
        assert [(row["unit_id"], row["may"]) for row in page["rows"]] == [("U1", ["withdraw"])]
        assert (page["total"], page["waiting"]) == (1, 1)
        html = (await health.http.get("/adjustments")).text
        assert ('value="maintenance"' in html, 'value="correction"' in html) == (True, False)
    async with site.console.signed_in("centre") as centre:
        assert code(await post(centre, "/A2026-000001/reject", {"note": "no"})) == (403, "not_allowed")
        assert (await centre.json("/api/v1/adjustments"))["total"] == 2
        assert 'href="/adjustments"' in (await centre.http.get("/")).text


async def test_what_was_decided_stays_and_is_decided_once(site: Site) -> None:
    async with site.console.signed_in("brigade") as li:
        for _ in range(2):
            await post(li, "", maintenance())
        assert await post(li, "/A2026-000001/withdraw", {"note": "改期"}) == (200, {"state": "withdrawn"})
    async with site.console.signed_in("wang") as wang:
        assert code(await post(wang, "/A2026-000001/approve", {})) == (409, "not_waiting")
        assert code(await post(wang, "/A2026-000002/reject", {"note": " "})) == (422, "bad_adjustment")
        assert await post(wang, "/A2026-000002/reject", {"note": "没有方案"}) == (200, {"state": "rejected"})
        rows = (await wang.json("/api/v1/adjustments"))["rows"]
        assert {(row["adjustment_id"], row["state"], row["note"]) for row in rows} == {
            ("A2026-000001", "withdrawn", "改期"), ("A2026-000002", "rejected", "没有方案"),
        }  # fmt: skip
    with opened(site.dsn) as scenario:
        audit = scenario.rows("SELECT account, via, action FROM registry.adjustment_audit ORDER BY seq")
    assert audit == [
        ("brigade", "console", "request"), ("brigade", "console", "request"), ("brigade", "console", "withdraw"),
        ("wang", "console", "reject"),
    ]  # fmt: skip


async def test_what_is_in_force_is_seen_by_whose_units_it_concerns_and_can_be_ended(site: Site) -> None:
    real = SystemClock().now().replace(second=0, microsecond=0)  # the page shows what is in force by its own clock
    asked = AdjustmentRequest("U1", AdjustmentKind.TEST, real - HOUR, real + HOUR, "年检")
    test = Adjustment("A2025-000001", asked, "health", real - HOUR, 1, ("wang",), AdjustmentState.APPROVED)
    waiting = replace(test, adjustment_id="A2025-000002", approvals=(), state=AdjustmentState.REQUESTED)
    async with open_store(site.dsn, "tests") as store, store.transaction() as register:
        for held in (test, waiting):
            await register.adjustments.put(held)
    async with site.console.signed_in("centre") as centre:
        rows = (await centre.json("/api/v1/adjustments/in-force"))["rows"]
        assert [(row["unit_id"], row["what"], row["adjustment_id"], row["reason"]) for row in rows] == [
            ("U1", "test", "A2025-000001", "年检"), ("U2", "exemption", None, "停课"),
        ]  # fmt: skip
    async with site.console.signed_in("health") as health:
        assert [row["unit_id"] for row in (await health.json("/api/v1/adjustments/in-force"))["rows"]] == ["U1"]
        (row,) = (await health.json("/api/v1/adjustments", state="approved"))["rows"]
        assert row["may"] == ["end"]
        assert await post(health, "/A2025-000001/end", {}) == (200, {"state": "ended"})


async def test_what_kafka_did_not_take_stays_approved_and_waits_to_be_handed_on(site: Site) -> None:
    async with site.console.signed_in("brigade") as li:
        await post(li, "", correction())
    async with site.console.signed_in("wang") as wang:
        assert await post(wang, "/A2026-000001/approve", {}) == (200, {"state": "approved"})

    async def noticed() -> bool:
        return "firenet_registry_adjustments_unpublished 1.0" in (await http.get(f"{site.registry_url}/metrics")).text

    async with httpx.AsyncClient(trust_env=False) as http:
        await until(noticed)
        assert (await http.get(f"{site.registry_url}/readyz")).status_code == 200
    with opened(site.dsn) as scenario:
        assert scenario.rows("SELECT kind, id FROM registry.unpublished") == [("adjustment", "A2026-000001")]


async def test_the_registrys_api_takes_nothing_without_its_token(site: Site) -> None:
    body = {**maintenance(), "account": "brigade", "role": "brigade"}
    async with httpx.AsyncClient(trust_env=False) as http:
        for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer guessed"}):
            answer = await http.post(f"{site.registry_url}/v1/adjustments", json=body, headers=headers)
            assert answer.status_code == 401
        token = {"Authorization": f"Bearer {TOKEN}"}
        big = await http.post(f"{site.registry_url}/v1/adjustments", json=body | {"note": "x" * 17_000}, headers=token)
        assert big.status_code == 413
        wrong = await http.post(f"{site.registry_url}/v1/adjustments", json=body | {"role": "king"}, headers=token)
        assert wrong.status_code == 422


@pytest.mark.parametrize("wrong", ["address", "token"])
async def test_without_the_registry_the_page_still_shows_and_says_that_nothing_can_be_ordered(
    migrated_database: str, wrong: str
) -> None:
    (nobody,) = free_ports(1)
    settings: dict[str, Any] = {"registry_token": "guessed"}
    if wrong == "address":
        settings = {"registry_url": f"http://127.0.0.1:{nobody}"}
    async with running(migrated_database, **settings) as site, site.console.signed_in("brigade") as browser:
        assert code(await post(browser, "", maintenance())) == (503, "registry_unavailable")
        assert (await browser.json("/api/v1/adjustments"))["rows"] == []
        assert len((await browser.json("/api/v1/adjustments/in-force"))["rows"]) == 1
