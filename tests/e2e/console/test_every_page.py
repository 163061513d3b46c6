"""Every page at every width, in both languages and themes: nothing stands out, axe finds nothing, Tab reaches all.

What a page does is told by the test of that page. A new page has to be named here, or the first test fails.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM
from tests.integration.console.harness import Console, console, until
from tests.integration.console.scenario import Scenario, district
from tests.unit.console.test_every_route import ROWS, How

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
PAGES = (
    "/", "/account", "/adjustments", "/documents", "/evaluation", "/health", "/history", "/listings", "/mails", "/map",
    "/refusals", "/registry", "/reports", "/reports/one?of=district&value=sample&period=day&from=2026-11-01",
    "/reports/schedules", "/wall",
)  # fmt: skip
WIDTHS = {390: 844, 1366: 768, 1920: 1080, 3840: 2160}
REACHABLE = """() => [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, [tabindex]")].filter((one) => one.tabIndex >= 0 && !one.disabled
  && one.checkVisibility({ visibilityProperty: true }) && !(one.type === "radio" && !one.checked)).length"""
FOCUSED = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const many = (window.reached ??= new Set());
  const before = many.size;
  many.add(one);
  const style = getComputedStyle(one);
  const seen = style.outlineStyle !== "none" || style.boxShadow !== "none";
  return { fresh: many.size > before, seen, what: one.outerHTML.slice(0, 120) };
}"""
OVERLAPS = """() => [...document.querySelectorAll(".rate")].some((rate) => {
  const box = (name) => rate.querySelector(name).getBoundingClientRect();
  const one = box(".rate-percent"), other = box(".rate-fraction");
  return one.right > other.left && other.right > one.left && one.bottom > other.top && other.bottom > one.top;
})"""
QUIET = """() => document.fonts.status === "loaded" && performance.now() - 400 > Math.max(
  ...performance.getEntriesByType("resource").map((one) => one.responseEnd || performance.now()))"""
"""Nothing has come for a while, and nothing is on its way."""


async def test_every_page_is_named_here() -> None:
    behind_a_door = {name.removeprefix("GET ") for name, row in ROWS.items() if row.how not in (How.DOOR, How.LINK)}
    pages = {path for path in behind_a_door if not path.startswith(("POST ", "/api/"))}
    assert pages == {page.partition("?")[0] for page in PAGES}


@pytest_asyncio.fixture(loop_scope="module")
async def site(empty_scenario: Scenario) -> AsyncIterator[Console]:
    empty_scenario.put(district(40))
    empty_scenario.stay_fresh()
    live._busy(empty_scenario)
    async with console(empty_scenario.dsn) as running:
        yield running


@pytest.mark.parametrize("lang", ["zh", "en"])
async def test_every_page_fits_every_screen_in_both_themes(
    chromium: Chromium, site: Console, lang: str, tmp_path: Path
) -> None:
    found: list[str] = []
    async with live.desk(chromium, site, "brigade") as at:
        for page in PAGES:
            await at.page.goto(f"{site.url}{page}{'&' if '?' in page else '?'}lang={lang}")
            await _settled(at.page)
            for width, height in WIDTHS.items():
                await at.page.set_viewport_size({"width": width, "height": height})
                out = await at.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                found += [f"{page} at {width}: {out} px stand out"] if out > 0 else []
                if page == "/" and await at.page.evaluate(OVERLAPS):
                    found.append(f"the rate lies over its counts at {width}")
                name = page.strip("/").partition("?")[0].replace("/", "-") or "live"
                await at.page.screenshot(path=tmp_path / f"{name}-{lang}-{width}.png", full_page=width < 1920)
                if (width, lang) in ((390, "zh"), (1366, "en")):
                    found += [f"{page} at {width}: {one}" for one in await live._serious(at.page)]
        assert "\n".join(found) == ""
        # no part is away but documents, registry and the broker, and no figure of that day was published
        assert [one for one in at.complaints if "503" not in one and "404" not in one] == []


async def test_every_page_is_worked_with_the_keyboard_alone(chromium: Chromium, site: Console) -> None:
    found: list[str] = []
    async with live.desk(chromium, site, "brigade", width=1366) as at:
        for page in PAGES:
            await at.page.goto(f"{site.url}{page}")
            await _settled(at.page)
            wanted, reached = await at.page.evaluate(REACHABLE), 0
            for _ in range(wanted + 40):
                await at.page.keyboard.press("Tab")
                focused = await at.page.evaluate(FOCUSED)
                if focused is None or not focused["fresh"]:
                    if reached >= wanted:
                        break
                    continue
                reached += 1
                found += [] if focused["seen"] else [f"{page}: not seen to be in focus: {focused['what']}"]
            found += [f"{page}: {reached} of {wanted} are reached"] if reached < wanted else []
        assert "\n".join(found) == ""


async def _settled(page: Page) -> None:
    """Wait until what the page asks for at its start has come, or has been refused."""

    async def quiet() -> bool:
        return bool(await page.evaluate(QUIET))

    await expect(page.locator("h1")).to_be_visible()
    await until(quiet)
