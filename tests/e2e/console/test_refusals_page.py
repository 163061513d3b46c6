"""The refusals page in a real Chromium: what a duty officer sees of a refusal, orders, and sees become of it."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from services.runtime.clock import SystemClock
from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console.harness import Console, console, until
from tests.integration.console.refusals import IngestStandIn
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def site(empty_scenario: Scenario, refusals_broker: str) -> AsyncIterator[Console]:
    empty_scenario.put(district(8))
    empty_scenario.stay_fresh()
    empty_scenario.execute("TRUNCATE console.refusals, console.refusal_counts, console.orders")
    async with console(empty_scenario.dsn, kafka_bootstrap=refusals_broker) as running:
        yield running


@pytest.fixture
def ingest(refusals_broker: str) -> IngestStandIn:
    return IngestStandIn(refusals_broker, f"G{secrets.token_hex(4)}")


async def test_a_refusal_is_read_in_hex_chosen_ordered_and_seen_done(
    chromium: Chromium, site: Console, ingest: IngestStandIn, tmp_path: Path
) -> None:
    await ingest.refuse(1, "unknown_gateway", b'{"v":1,"kind":"fire"}')
    await ingest.refuse(2, "bad_frame", b"@@\x01\x00" + bytes(40))
    evil = "<img src=x onerror=alert(1)>"
    await ingest.refuse(3, "not_json", evil.encode())
    async with live.desk(chromium, site) as at:
        page = at.page
        await page.click("#menu-open")
        await page.click("#refusals")
        mine = page.locator(".refusal", has_text=ingest.gateway_id)
        await expect(mine).to_have_count(3)
        await expect(page.locator("#gateways")).to_contain_text(ingest.gateway_id)
        await expect(page.locator("#reasons")).to_contain_text("网关未登记")
        await page.locator(".meter", has_text=ingest.gateway_id).click()
        await expect(page.locator("#filters")).to_contain_text(ingest.gateway_id)

        await mine.filter(has_text="数据包错误").locator(".why button").click()
        await at.has("#drawer .hex", "0000  40 40 01 00 00 00 00 00")
        await page.keyboard.press("Escape")
        await expect(page.locator("#drawer")).to_be_hidden()

        unknown = mine.filter(has_text="网关未登记")
        await unknown.locator("input").check()
        await page.get_by_role("button", name="重新判定（1 条）").click()
        await at.has("#sure-what", "共 1 条")
        await page.keyboard.press("Enter")
        await at.has("#said", "已下达 1 条")
        await expect(unknown.locator(".badge")).to_have_text("处理中")

        refusal_id = ingest.refusal_id(1)
        orders: list[Any] = []

        async def ordered() -> bool:
            orders[:] = await ingest.orders(refusal_id)
            return bool(orders)

        await until(ordered)
        await ingest.replayed(orders[0], refusal_id, SystemClock().now())
        await expect(unknown.locator(".badge")).to_have_text("已成为 1 条信号")
        await expect(unknown.locator("input")).to_be_disabled()

        async with page.expect_download() as download:
            await page.click("#export")
        saved = tmp_path / "refusals.jsonl"
        await (await download.value).save_as(saved)
        assert len(saved.read_text(encoding="utf-8").splitlines()) == 3

        await page.click("#language")
        await at.has("h1", "Refused messages")
        await expect(unknown).to_have_count(0)
        await expect(page.locator(".badge", has_text="now 1 signals")).to_have_count(1)
        assert await live._serious(page) == []
        assert at.complaints == []


async def test_a_department_has_no_way_in(chromium: Chromium, site: Console) -> None:
    async with live.desk(chromium, site, "health") as at:
        await expect(at.page.locator("#refusals")).to_have_count(0)
        await at.page.goto(f"{site.url}/refusals")
        await at.has("main", "此账号无权执行该操作")


@pytest.mark.parametrize("width", [1920, 1280, 390])
async def test_it_fits_every_screen_and_both_themes(
    chromium: Chromium, site: Console, ingest: IngestStandIn, width: int
) -> None:
    for number, reason in enumerate(("unknown_gateway", "bad_frame", "not_json", "identity_mismatch", "too_large")):
        await ingest.refuse(number, reason, b"@@" + bytes(60))
    async with live.desk(chromium, site, width=width) as at:
        await at.page.goto(f"{site.url}/refusals?gateway={ingest.gateway_id}")
        await expect(at.page.locator(".refusal")).to_have_count(5)
        wide = await at.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await picture(at.page, f"refusals-{width}")
        assert wide <= 0, "nothing stands out to the side"
        assert await live._serious(at.page) == []
        await at.page.locator(".refusal .why button").first.click()
        await expect(at.page.locator("#drawer .hex")).to_be_visible()
        await picture(at.page, f"refusal-{width}")
        assert await live._serious(at.page) == []
