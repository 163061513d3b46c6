"""The page of adjustments in a real Chromium: one person asks, another approves, and everybody sees what is let off."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from services.kernel.calendar import CHINA
from services.runtime.clock import SystemClock
from tests.e2e.console.chromium import CHROMIUM, STILL
from tests.integration.console.harness import PASSWORD
from tests.integration.console.test_adjustments import NOBODY, Site, running

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


async def opened(chromium: Chromium, site: Site, username: str, **context: Any) -> Page:
    """Sign in, and go to the page: by its link, which a phone has no room for."""
    page = await (await chromium.new_context(**STILL, **context)).new_page()
    await page.goto(f"{site.console.url}/login")
    await page.fill("input[name=username]", username)
    await page.fill("input[name=password]", PASSWORD)
    await page.click("button[type=submit]")
    await page.wait_for_url(f"{site.console.url}/")
    if context:
        await page.goto(f"{site.console.url}/adjustments")
    else:
        await page.click("#menu-open")
        await page.click("#adjustments")
    await expect(page.locator("h1")).to_be_visible()
    return page


def wall(at: datetime) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%dT%H:%M")


async def test_one_person_asks_another_approves_and_the_board_shows_it(
    migrated_database: str, chromium: Chromium
) -> None:
    now = SystemClock().now()
    async with running(migrated_database, NOBODY, SystemClock()) as site:
        li = await opened(chromium, site, "brigade")
        await expect(li.locator("[data-for=correction]")).to_be_visible()
        await li.select_option("select[name=what]", "maintenance")
        await expect(li.locator("[data-for=correction]")).to_be_hidden()
        await li.fill("input[name=unit_id]", "U1")
        await li.fill("input[name=starts_at]", wall(now - timedelta(minutes=10)))
        await li.fill("input[name=ends_at]", wall(now + timedelta(hours=2)))
        await li.fill("textarea[name=reason]", "更换主机 <b>x</b>")
        await li.click("#ask button[type=submit]")
        await expect(li.locator("#said")).to_contain_text("已提交")
        row = li.locator("#rows .adjustment")
        await expect(row).to_contain_text("更换主机 <b>x</b>")
        await expect(row.locator("button")).to_have_text(["撤回"])

        wang = await opened(chromium, site, "wang", viewport={"width": 320, "height": 800})
        await expect(wang.locator("#rows button")).to_have_text(["批准", "驳回"])
        await wang.click("[data-decision=approve]")
        await wang.click("#sure-yes")
        await expect(wang.locator("#said")).to_contain_text("已批准")
        await expect(wang.locator("#rows .adjustment")).to_have_count(0)
        board = wang.locator("#board .adjustment")
        await expect(board).to_have_count(2)
        await expect(board.first).to_contain_text("检修 · 第一医院 U1")
        width = await wang.evaluate("document.documentElement.scrollWidth")
        assert width <= 320

        await wang.click("#language")
        await expect(board.first).to_contain_text("Maintenance")
        await expect(wang.locator("h1")).to_have_text("Corrections, exemptions, maintenance")
