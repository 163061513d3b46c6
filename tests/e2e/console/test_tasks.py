"""What each role comes for, from its first page by the mouse alone; clicks are counted over all pages that it takes.

The bounds are part of the product: one more click at a task of every day is noticed here. What else a page can do is
told by its own test; the centre's work on cases is counted in test_queue.py.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM
from tests.integration.console.harness import Console, console
from tests.integration.console.history import days_before, publish
from tests.integration.console.letters import Letters, letters
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
COUNT = """addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.clicks = Number(sessionStorage.clicks ?? 0) + 1;
}, true);"""


@pytest_asyncio.fixture(loop_scope="module")
async def stand(empty_scenario: Scenario) -> AsyncIterator[tuple[Console, Letters, Scenario]]:
    empty_scenario.put(district(64))
    empty_scenario.stay_fresh()
    empty_scenario.execute("TRUNCATE rules.rate_samples, compliance.figures")
    async with letters(empty_scenario.dsn) as book, console(empty_scenario.dsn, **book.settings) as site:
        yield site, book, empty_scenario


@asynccontextmanager
async def counted(chromium: Chromium, site: Console, username: str) -> AsyncIterator[live.ReaderPage]:
    """Yield the first page of a reader whose clicks are counted from here on."""
    async with live.desk(chromium, site, username, width=1366) as at:
        await at.page.add_init_script(COUNT)
        await at.page.goto(f"{site.url}/")
        yield at
        assert at.complaints == []


async def clicks(page: Page) -> int:
    return int(await page.evaluate("sessionStorage.clicks ?? 0"))


async def test_which_units_keep_a_street_below_its_target_since_when_and_who_was_told(
    chromium: Chromium, stand: tuple[Console, Letters, Scenario]
) -> None:
    site, _, scenario = stand
    scenario.change("U00000", connection="offline")
    scenario.open_case("C1", "U00000")
    scenario.take_step("C1", "H0", ["centre", "unit_control_room"])
    async with counted(chromium, site, "brigade") as at:
        await at.page.locator(".board-row", has_text="东街").click()
        await expect(at.page.locator(".unit")).to_have_count(1)
        await at.page.locator(".unit").click()
        await at.has("#drawer", "离线")
        await at.page.locator("#drawer .case-marks button").click()
        await at.has("#drawer .timeline", "消防控制室")
        assert await clicks(at.page) == 3


async def test_the_rate_of_last_week_of_the_district_and_of_one_street(
    chromium: Chromium, stand: tuple[Console, Letters, Scenario]
) -> None:
    site, _, scenario = stand
    for day in days_before(scenario.today() - timedelta(days=1), 7):
        publish(scenario, day, low=198)
    async with counted(chromium, site, "brigade") as at:
        await at.page.click("#menu-open")
        await at.page.click("#history")
        await expect(
            at.page.locator('#rows tr[data-day="' + str(scenario.today() - timedelta(days=3)) + '"]')
        ).to_be_visible()
        assert await clicks(at.page) == 2
        await at.page.select_option("#subject", "town:dongjie")
        await expect(at.page.locator("#chart-title")).to_contain_text("东街街道")
        assert await clicks(at.page) == 2


async def test_a_department_finds_signs_answers_and_prints_what_was_sent_to_it(
    chromium: Chromium, stand: tuple[Console, Letters, Scenario]
) -> None:
    site, book, _ = stand
    await book.send()
    async with counted(chromium, site, "health") as at:
        page = at.page
        await expect(page.locator("#inbox a")).to_have_count(1)  # there without a click
        await page.locator("#inbox a").click()
        await page.fill("#sign-name", "张三")
        await page.locator("#drawer form", has=page.locator("#sign-name")).locator("[type=submit]").click()
        await at.has("#drawer .said", "已签收")
        assert await clicks(page) == 2
        await page.fill("#reply-text", "已更换探测器。")
        await page.fill("#reply-measures", "更换感烟探测器")
        await page.fill("#reply-done", "2026-12-05")
        await page.fill("#reply-name", "张三")
        await page.click("text=提交回函")
        await at.has("#drawer .said", "回函已提交")
        assert await clicks(page) == 3
        async with page.context.expect_page() as opening:
            await page.locator("#drawer a[href$='paper?lang=zh']").click()
        paper = await opening.value
        await expect(paper.locator("body")).to_contain_text("消监告")
        assert await clicks(page) == 4


async def test_the_brigade_sees_whether_all_is_well_and_reads_what_is_on_test_or_exempt(
    chromium: Chromium, stand: tuple[Console, Letters, Scenario]
) -> None:
    site, _, _ = stand
    async with counted(chromium, site, "brigade") as at:
        await at.page.click("#menu-open")
        await at.page.click("#system")
        await expect(at.page.locator("h1")).to_be_visible()
        await expect(at.page).to_have_url(f"{site.url}/health")
        assert await clicks(at.page) == 2
        await at.page.click("#menu-open")
        await at.page.click("#adjustments")
        await expect(at.page.locator("#board")).to_be_attached()
        assert await clicks(at.page) == 4
