"""The refusals page over HTTP, Kafka and PostgreSQL: from the log to the reader, from the click to the log and back."""

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from schemas.command import Replay
from schemas.topics import REFUSALS
from services.runtime.clock import SystemClock
from tests.integration.console.harness import Browser, Console, console, until
from tests.integration.console.refusals import IngestStandIn


@pytest.fixture
def ingest(refusals_broker: str) -> IngestStandIn:
    return IngestStandIn(refusals_broker, f"G{secrets.token_hex(4)}")


@pytest.fixture
async def site(migrated_database: str, refusals_broker: str) -> AsyncIterator[Console]:
    async with console(migrated_database, kafka_bootstrap=refusals_broker) as running:
        yield running


async def rows(browser: Browser, ingest: IngestStandIn, count: int, **query: str) -> list[dict[str, Any]]:
    """Return this test's refusals, once there are `count` of them."""
    found: list[dict[str, Any]] = []

    async def there() -> bool:
        found[:] = (await browser.json("/api/v1/refusals", gateway=ingest.gateway_id, **query))["rows"]
        return len(found) == count

    await until(there)
    return found


async def replay(browser: Browser, *refusal_ids: str, **headers: str) -> Any:
    return await browser.http.post(
        "/api/v1/refusals/replay",
        json={"refusals": list(refusal_ids)},
        headers={"X-CSRF-Token": browser.csrf} | headers,
    )


async def test_a_refusal_is_shown_ordered_anew_and_done(site: Console, ingest: IngestStandIn) -> None:
    raw = b'{"v":1,"kind":"fire"}'
    await ingest.refuse(1, "unknown_gateway", raw)
    await ingest.refuse(2, "not_json", b"hello")
    one, two = ingest.refusal_id(1), ingest.refusal_id(2)
    async with site.signed_in("centre") as browser:
        assert [row["refusal_id"] for row in await rows(browser, ingest, 2)] == [two, one]
        page = await browser.json("/api/v1/refusals")
        assert {"name": ingest.gateway_id, "refused": 2} in page["gateways"]
        detail = await browser.json(f"/api/v1/refusals/{one}")
        assert (await ingest.value_at(detail["partition"], detail["offset"])).id == one

        assert (await replay(browser, one, two)).json() == {"ordered": 2}
        assert (await replay(browser, one)).status_code == 409
        assert all(row["waiting"] for row in await rows(browser, ingest, 2))
        (command,) = await ingest.orders(one)
        assert isinstance(command.data.order, Replay)
        assert (command.data.by, {place.id for place in command.data.order.refusals}) == ("centre", {one, two})

        now = SystemClock().now()
        await ingest.replayed(command, one, now)
        await ingest.replayed(command, two, now, reason="not_json")
        (done,) = await rows(browser, ingest, 1, state="replayed")
        assert (done["refusal_id"], done["signals"], done["decided_by"]) == (one, 1, "值班 centre")
        (left,) = await rows(browser, ingest, 1, state="open")
        assert (left["decided_reason"], left["waiting"]) == ("not_json", False)
        assert (await replay(browser, one)).status_code == 409
        assert (await replay(browser, two)).status_code == 200


async def test_only_brigade_and_centre_get_in_and_only_with_their_own_token(
    site: Console, ingest: IngestStandIn
) -> None:
    await ingest.refuse(1, "empty", b"")
    refusal_id = ingest.refusal_id(1)
    async with site.client() as client:
        assert (await client.get("/refusals")).headers["location"] == "/login?next=%2Frefusals"
        assert (await client.get("/api/v1/refusals")).status_code == 401
    async with site.signed_in("brigade") as browser:
        await rows(browser, ingest, 1)
        assert (await browser.http.get("/refusals")).status_code == 200
        for headers in ({"X-CSRF-Token": "guessed"}, {"origin": "https://evil.example"}):
            answer = await replay(browser, refusal_id, **headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forged")
        for bad in ("../x", "0" * 31):
            assert (await replay(browser, bad)).status_code == 422
        assert (await browser.http.get("/api/v1/refusals", params={"reason": "x' OR 1=1"})).status_code == 422
        assert (await browser.http.get(f"/api/v1/refusals/{'0' * 32}")).status_code == 404
    async with site.signed_in("health") as browser:
        assert (await browser.http.get("/refusals")).status_code == 403
        assert 'href="/refusals"' not in (await browser.http.get("/")).text
        for path in ("/api/v1/refusals", f"/api/v1/refusals/{refusal_id}"):
            assert (await browser.http.get(path)).json() == {"error": {"code": "not_allowed"}}
        assert (await replay(browser, refusal_id)).status_code == 403
    assert await ingest.orders(refusal_id) == []


async def test_a_restart_counts_nothing_twice(
    migrated_database: str, refusals_broker: str, ingest: IngestStandIn
) -> None:
    for number in range(2):
        await ingest.refuse(number, "empty", b"")
        async with (
            console(migrated_database, kafka_bootstrap=refusals_broker) as site,
            site.signed_in("centre") as browser,
        ):
            await rows(browser, ingest, number + 1)
            page = await browser.json("/api/v1/refusals")
            assert {"name": ingest.gateway_id, "refused": number + 1} in page["gateways"]


async def test_a_huge_refusal_is_kept_by_its_beginning(site: Console, ingest: IngestStandIn) -> None:
    await ingest.refuse(1, "too_large", b"x" * 3_000_000)
    async with site.signed_in("centre") as browser:
        await rows(browser, ingest, 1)
        detail = await browser.json(f"/api/v1/refusals/{ingest.refusal_id(1)}")
    assert (len(base64.b64decode(detail["raw"])), detail["row"]["raw_bytes"]) == (4096, 3_000_000)


async def test_when_the_log_was_made_anew_so_is_the_copy(
    migrated_database: str, refusals_broker: str, ingest: IngestStandIn
) -> None:
    await ingest.refuse(1, "empty", b"")
    with psycopg.connect(migrated_database) as database:
        database.execute(
            "INSERT INTO console.partitions (topic, partition, next_offset) SELECT %s, n, 1000000"
            " FROM generate_series(0, 2) n",
            [REFUSALS],
        )
        database.execute(
            "INSERT INTO console.refusal_counts VALUES (date_trunc('hour', now()), %s, 'empty', 99)",
            [ingest.gateway_id],
        )
    async with console(migrated_database, kafka_bootstrap=refusals_broker) as site, site.signed_in("centre") as browser:
        await rows(browser, ingest, 1)
        assert {"name": ingest.gateway_id, "refused": 1} in (await browser.json("/api/v1/refusals"))["gateways"]


async def test_without_kafka_the_page_stays_and_an_order_says_that_it_was_not_given(migrated_database: str) -> None:
    async with console(migrated_database, kafka_bootstrap="127.0.0.1:1") as site, site.signed_in("centre") as browser:
        assert (await browser.json("/api/v1/refusals"))["rows"] == []
        assert (await browser.http.get("/api/v1/units")).status_code == 200
