"""The page of rates by day in a real Chromium: chart, keyboard, table, revisions, files, languages and widths."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console.harness import Console, console
from tests.integration.console.history import days_before, publish, sample
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(64))
    empty_scenario.stay_fresh()
    empty_scenario.execute("TRUNCATE rules.rate_samples, compliance.figures")
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        yield running


async def test_a_month_is_drawn_walked_by_key_read_in_the_table_and_saved(
    chromium: Chromium, site: Console, scenario: Scenario, tmp_path: Path
) -> None:
    today = scenario.today()
    *before, revised, yesterday, _ = days_before(today, 30)
    for day in (*before, revised):
        publish(scenario, day, low=198)
    publish(scenario, revised, low=196, unknown=2, revision=2)
    sample(scenario, yesterday, connected=190, unknown=4)
    event = (
        f"已宣布区域事件“台风”（{today - timedelta(days=1)} 至 {today + timedelta(days=1)}，东街街道）：数值照常统计"
    )
    with scenario.added_to_registry():
        scenario.declare("台风", "Typhoon", "dongjie")
        await _a_month(chromium, site, scenario, tmp_path, revised, event)


async def _a_month(
    chromium: Chromium, site: Console, scenario: Scenario, tmp_path: Path, revised: date, event: str
) -> None:
    today = scenario.today()
    async with live.desk(chromium, site, width=1366) as at:
        page = at.page
        await at.has("#events", event)
        await page.click("#menu-open")
        await page.click("#history")
        await expect(page.locator("#chart canvas")).to_be_visible()
        await expect(page.locator("#rows tr")).to_have_count(30)
        await at.has("#events", event)
        await at.has("#chart-summary", "已结算 28 天（其中修订 1 天），未结算 2 天，无数据 0 天")

        await page.focus("#chart")
        await page.keyboard.press("End")
        await at.has("#day", f"{today} · 实时联网率 95.0 – 97.0 % · 目标 ≥ 100.0 % · 未达标 · 未结算")
        await page.keyboard.press("ArrowLeft")
        await page.keyboard.press("ArrowLeft")
        await at.has("#day", f"{revised} · 时间加权联网率 98.0 – 99.0 %")
        await at.has("#day", "已修订 · 第 2 版")

        row = page.locator(f'#rows tr[data-day="{revised}"]')
        await expect(row).to_contain_text("98.0 – 99.0 %")
        await expect(row.locator("li")).to_be_hidden()
        await row.locator("summary").focus()
        await page.keyboard.press("Enter")
        await expect(row.locator("li")).to_contain_text("第 1 版：99.0 %，未达标")

        async with page.expect_download() as download:
            await page.click("#csv")
        await (await download.value).save_as(tmp_path / "rate.csv")
        lines = (tmp_path / "rate.csv").read_text(encoding="utf-8-sig").splitlines()
        assert len(lines) == 31

        await page.click("#language")
        await at.has("#rows tr:first-child", "Not closed")
        await at.has("#chart-title", "rate by day")
        await page.select_option("#subject", "department:health")
        await at.has("#empty", "There is no figure in this span")
        await page.reload()  # the address says what is shown
        await expect(page.locator("#subject")).to_have_value("department:health")
        assert at.complaints == []


@pytest.mark.parametrize("width", [1366, 390])
async def test_it_fits_every_screen_and_both_themes(
    chromium: Chromium, site: Console, scenario: Scenario, width: int
) -> None:
    for day in days_before(scenario.today() - timedelta(days=9), 20):
        publish(scenario, day, low=198, unknown=1)
        publish(scenario, day, low=199, revision=2)
    async with live.desk(chromium, site, width=width) as at:
        await at.page.goto(f"{site.url}/history")
        await expect(at.page.locator("#rows tr")).to_have_count(20)
        wide = await at.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await picture(at.page, f"history-{width}")
        assert wide <= 0, "nothing stands out to the side"
        assert await live._serious(at.page) == []
        assert at.complaints == []
