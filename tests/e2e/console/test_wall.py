"""The wall in a real Chromium: opened by its key, legible from afar on every size of glass, and nothing to press."""

from typing import Any

import pytest
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from services.console import app
from tests.e2e.console.chromium import CHROMIUM, STILL, picture
from tests.integration.console.harness import Console, console
from tests.integration.console.scenario import Scenario, district

MIN = 0.0275
"""Of the screen's height: 16 minutes of arc at 4 m before 55 inches (docs/design/console.md D12)."""
NAME = 0.0345
"""20 minutes of arc, comfortable."""
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
TOO_SMALL = """least => [...document.querySelectorAll('body *')]
  .filter(element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
  .filter(element => element.checkVisibility() && element.tagName !== 'NOSCRIPT')
  .filter(element => parseFloat(getComputedStyle(element).fontSize) < least * innerHeight - 0.01)
  .map(element => element.className + ': ' + element.textContent)"""
OUTSIDE = """() => [...document.querySelectorAll('.tile, .rate, .state, .fire, .head > *')]
  .filter(element => element.checkVisibility())
  .map(element => [element, element.getBoundingClientRect()])
  .filter(([, box]) => box.right > innerWidth + 1 || box.bottom > innerHeight + 1)
  .map(([element]) => element.className)"""

CUT = """() => [...document.querySelectorAll('.tile, .rate, .rate h2, .state')]
  .filter(element => element.checkVisibility() && element.scrollHeight > element.clientHeight + 0.012 * innerHeight)
  .map(element => element.className + ': ' + element.textContent)"""


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(200))
    empty_scenario.stay_fresh()
    return empty_scenario


async def opened(chromium: Chromium, site: Console, width: int, height: int, **options: Any) -> Page:
    key, _ = await app.add_screen(site.settings, name="hall", display_name="指挥大厅", days=365)
    context = await chromium.new_context(viewport={"width": width, "height": height}, **STILL, **options)
    context.set_default_timeout(60_000)
    page = await context.new_page()
    await page.goto(f"{site.url}/wall?key={key}")
    await expect(page).to_have_url(f"{site.url}/wall")
    await expect(page.locator(".rate-percent").first).to_contain_text("%")
    await expect(page.locator(".tile").first).to_be_visible()
    return page


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (3840, 2160)])
async def test_the_wall_is_legible_from_four_metres_with_and_without_fires(
    chromium: Chromium, scenario: Scenario, width: int, height: int
) -> None:
    with scenario.added_to_registry():
        scenario.declare("超强台风“海葵”", "Super typhoon", "dongjie", "nanjie", "antai")
        await _is_legible(chromium, scenario, width, height)


async def _is_legible(chromium: Chromium, scenario: Scenario, width: int, height: int) -> None:
    async with console(scenario.dsn) as site:
        page = await opened(chromium, site, width, height)
        await expect(page.locator("#events")).to_contain_text("超强台风")
        scenario.change("U00001", connection="offline")
        await expect(page.locator(".rate[data-verdict='non_compliant']").first).to_be_visible()
        for fires in range(4):
            if fires:
                scenario.open_case(f"F{fires}", f"U0001{fires}", "fire")
            await expect(page.locator(".fire")).to_have_count(fires)
            assert await page.evaluate(TOO_SMALL, MIN) == []
            assert await page.evaluate(OUTSIDE) == []
            assert await page.evaluate(CUT) == []
        for name in (".fire-name", ".tile-name", ".rate h2", ".rate-counts"):
            size = await page.locator(name).first.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")
            assert size >= NAME * height - 0.01, name
        await picture(page, f"wall-{width}-fires")
        scenario.execute("UPDATE alerts.cases SET state = 'closed', closed_at = now(), acknowledged_at = now()")
        await expect(page.locator(".fire")).to_have_count(0)
        await picture(page, f"wall-{width}")
        await page.context.close()


async def test_what_does_not_fit_is_shown_in_turn_and_a_revoked_screen_goes_dark(
    chromium: Chromium, scenario: Scenario
) -> None:
    async with console(scenario.dsn) as site:
        page = await opened(chromium, site, 1920, 1080, color_scheme="dark")
        await page.evaluate(AXE_SCRIPT)
        found = await page.evaluate("axe.run({resultTypes: ['violations']})")
        assert [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")] == []
        for number in range(5):
            scenario.open_case(f"F{number}", f"U0001{number}", "fire")
        await expect(page.locator("#fires-more")).to_contain_text("5")
        first = await page.locator(".fire-name").first.text_content()
        await expect(page.locator(".fire-name").first).not_to_have_text(first or "")
        assert await page.locator("button, a, input").count() == 0
        await app.disable_account(site.settings, "hall")
        await page.reload()
        await expect(page).to_have_url(f"{site.url}/login?next=%2Fwall")
        await page.context.close()
