"""The page of rates by day in a real Chromium: chart, keyboard, table, revisions, files, languages and widths."""

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import async_playwright, expect

from tests.e2e.console import test_page as live
from tests.integration.console.history import days_before, sample
from tests.integration.console.scenario import Scenario, district
from tests.integration.console.stage import Console, console

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not live.CHROMIUM.exists(), reason=f"no Chromium at {live.CHROMIUM}"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=live.CHROMIUM, args=live.FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(64))
    empty_scenario.stay_fresh()
    empty_scenario.execute("TRUNCATE rules.rate_samples")
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        yield running


async def test_a_month_is_drawn_walked_by_key_read_in_the_table_and_saved(
    browser: Chromium, site: Console, scenario: Scenario, tmp_path: Path
) -> None:
    today = scenario.today()
    for number, day in enumerate(days_before(today, 30)):
        sample(scenario, day, connected=190 + number % 7, unknown=3 if number % 5 == 0 else 0)
    async with live.desk(browser, site, width=1366) as at:
        page = at.page
        await page.click("#history")
        await expect(page.locator("#chart canvas")).to_be_visible()
        await expect(page.locator("#rows tr")).to_have_count(30)
        await page.screenshot(path=tmp_path / "history.png", full_page=True)
        assert at.complaints == []


@pytest.mark.parametrize("width", [1366, 390])
async def test_it_fits_screens_in_both_languages_and_themes(
    browser: Chromium, site: Console, scenario: Scenario, width: int, tmp_path: Path
) -> None:
    today = scenario.today()
    for number, day in enumerate(days_before(today, 366)):
        if number % 50:
            sample(scenario, day, connected=190 + number % 7, unknown=3 if number % 5 == 0 else 0)
    async with live.desk(browser, site, width=width) as at:
        page = at.page
        await page.click("#history")
        await expect(page.locator("#rows tr").first).to_be_visible()
        for lang in ("zh", "en"):
            for span, name in ((1, "month"), (3, "year")):
                await page.locator("#spans button").nth(span).click()
                await expect(page.locator(f"#spans button").nth(span)).to_have_attribute("aria-pressed", "true")
                for theme in ("light", "dark"):
                    await page.emulate_media(color_scheme=theme)
                    await page.wait_for_timeout(200)
                    await page.screenshot(path=tmp_path / f"history-{width}-{lang}-{name}-{theme}.png")
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, "nothing stands out to the side"
            assert await live._serious(page) == []
            await page.click("#language")
        assert at.complaints == []
