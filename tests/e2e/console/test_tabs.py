"""Many tabs of one browser, over plain HTTP/1.1 with its six connections: all live, all can act, all end together."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, Error, Page, Route, expect

from services.console import app
from services.runtime.lifecycle import Stop
from tests.e2e.console.chromium import CHROMIUM, LIMIT_MS, STILL
from tests.integration.console.harness import PASSWORD, Console, console, until
from tests.integration.console.scenario import Scenario, district

TABS = 12
pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
NO_WORKER = "delete window.SharedWorker"
NO_CHANNEL = "delete window.BroadcastChannel"
MUTE_WORKER = """
const Real = window.SharedWorker;
window.SharedWorker = function (url, options) {
  const mute = {port: new MessageChannel().port1, addEventListener() {}};
  return options.name.endsWith(" 0") ? mute : new Real(url, options);
};
"""
HIDEABLE = """
let hidden = false;
Object.defineProperty(document, "hidden", {get: () => hidden});
window.hide = (value) => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };
"""


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(8))
    empty_scenario.stay_fresh()
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def browser(chromium: Chromium) -> AsyncIterator[BrowserContext]:
    """One browser: its tabs share cookies, workers and connections."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 900}, **STILL)
    context.set_default_timeout(LIMIT_MS)
    yield context
    await context.close()


async def _sign_in(page: Page, site: Console, username: str) -> None:
    await page.goto(f"{site.url}/login")
    await page.fill("#username", username)
    await page.fill("#password", PASSWORD)
    await page.press("#password", "Enter")
    await _is_live(page)


async def _tabs(browser: BrowserContext, site: Console, count: int, username: str = "centre") -> list[Page]:
    tabs = [await browser.new_page()]
    await _sign_in(tabs[0], site, username)
    for _ in range(count - 1):
        tabs.append(await browser.new_page())
        await tabs[-1].goto(f"{site.url}/")
    await _all(tabs, _is_live)
    return tabs


async def _all(tabs: list[Page], check: Callable[[Page], Awaitable[None]]) -> None:
    await asyncio.gather(*(check(tab) for tab in tabs))


async def _is_live(page: Page) -> None:
    await expect(page.locator("#fresh-word")).to_have_text("实时")


async def _is_out(page: Page) -> None:
    await expect(page.locator("#username")).to_be_visible()


async def _show(tabs: list[Page], scenario: Scenario, online: int) -> None:
    """Let so many of the eight units be online, and see it in all tabs."""
    ids = sorted(scenario.units)
    scenario.change_all(ids[:online], connection="online")
    scenario.change_all(ids[online:], connection="offline")
    await _all(
        tabs, lambda tab: expect(tab.locator('[data-scope="S1"] .rate-fraction')).to_contain_text(f"{online} / 8")
    )


async def _streams_are(site: Console, wanted: int) -> None:
    async def counted() -> bool:
        async with site.client() as http:
            metrics = (await http.get(f"{site.status_url}/metrics")).text
        return f"firenet_console_streams_open {wanted}.0" in metrics

    await until(counted)


async def test_twelve_tabs_are_live_on_one_connection_and_the_oldest_can_act(
    browser: BrowserContext, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("C1", "U00000")
    site.alerts.then = lambda case_id: scenario.execute(
        "UPDATE alerts.cases SET acknowledged_at = now(), acknowledged_by = 'centre', acknowledged_step = step"
        " WHERE case_id = %s",
        [case_id],
    )
    tabs = await _tabs(browser, site, TABS)
    await _show(tabs, scenario, 5)
    await _streams_are(site, 1)
    await tabs[0].locator(".ack").click()
    await tabs[0].locator("#ack-confirm").click()
    await expect(tabs[0].locator("#ack")).to_be_hidden()
    assert [case_id for case_id, _, _ in site.alerts.asked] == ["C1"]
    await _all(tabs, lambda tab: expect(tab.locator(".case-acked")).to_contain_text("值班 centre"))


async def test_the_others_go_on_when_the_oldest_tab_is_closed_or_crashes(
    browser: BrowserContext, site: Console, scenario: Scenario
) -> None:
    tabs = await _tabs(browser, site, 4)
    await tabs.pop(0).close()
    await _show(tabs, scenario, 6)
    crashed = tabs.pop(0)
    gone = asyncio.Event()
    crashed.on("crash", lambda _: gone.set())
    crashing = asyncio.create_task(crashed.goto("chrome://crash"))
    async with asyncio.timeout(LIMIT_MS / 1000):
        await gone.wait()
    await asyncio.gather(crashing, return_exceptions=True)
    survivors = [tab for tab in tabs if await _answers(tab)]  # tabs may live in one process, and die with it
    await _show(survivors, scenario, 3)
    late = await browser.new_page()
    await late.goto(f"{site.url}/")
    await _show([*survivors, late], scenario, 4)


async def _answers(tab: Page) -> bool:
    try:
        async with asyncio.timeout(LIMIT_MS / 2000):
            return bool(await tab.evaluate("1"))
    except (Error, TimeoutError):
        return False


async def test_a_frozen_tab_holds_up_nobody_and_is_right_when_it_wakes(
    browser: BrowserContext, site: Console, scenario: Scenario
) -> None:
    tabs = await _tabs(browser, site, 3)
    control = await browser.new_cdp_session(tabs[0])
    await control.send("Page.setWebLifecycleState", {"state": "frozen"})
    for online in (7, 2, 5):
        await _show(tabs[1:], scenario, online)
    await control.send("Page.setWebLifecycleState", {"state": "active"})
    await _show(tabs, scenario, 6)


async def test_signing_out_in_one_tab_ends_all(browser: BrowserContext, site: Console) -> None:
    tabs = await _tabs(browser, site, 4)
    await tabs[1].goto(f"{site.url}/refusals")
    await tabs[2].locator("form[action='/logout'] button").click()
    await _all(tabs, _is_out)
    await _streams_are(site, 0)


@pytest.mark.parametrize("without", ["", NO_CHANNEL, NO_CHANNEL + ";" + NO_WORKER])
async def test_a_tab_of_the_former_account_ends_and_never_shows_the_others_slice(
    browser: BrowserContext, site: Console, without: str
) -> None:
    await browser.add_init_script(without)
    former, later = await _tabs(browser, site, 2)
    await _sign_in(later, site, "health")
    await later.locator("#slice").filter(has_text="卫生健康局").wait_for()
    await expect(former.locator(".door-problem")).to_contain_text("另一次登录")
    await former.locator(".door-goon a").click()
    await expect(former.locator("#slice")).to_contain_text("卫生健康局")
    await expect(former.locator('[data-scope="S1"] .rate-fraction')).to_contain_text("1 / 1")


async def test_all_tabs_come_back_after_a_restart(browser: BrowserContext, site: Console, scenario: Scenario) -> None:
    tabs = await _tabs(browser, site, 3)
    site.stop.set()
    await site.task
    await _all(tabs, lambda tab: expect(tab.locator("#fresh-word")).to_have_text("数据流中断"))
    stop = Stop()
    again = asyncio.create_task(app.run(site.settings, stop))
    try:
        await _all(tabs, _is_live)
        await _show(tabs, scenario, 4)
        await _streams_are(site, 1)
    finally:
        stop.set()
        await again


async def test_a_worker_that_never_answers_is_replaced(
    browser: BrowserContext, site: Console, scenario: Scenario
) -> None:
    await browser.add_init_script(MUTE_WORKER)
    tabs = await _tabs(browser, site, 2)
    await _show(tabs, scenario, 5)
    await _streams_are(site, 1)


async def test_without_shared_workers_a_hidden_tab_gives_its_stream_back(
    browser: BrowserContext, site: Console, scenario: Scenario
) -> None:
    await browser.add_init_script(NO_WORKER + ";" + HIDEABLE)
    tabs = await _tabs(browser, site, 1)
    for _ in range(7):
        await tabs[-1].evaluate("hide(true)")
        await expect(tabs[-1]).to_have_title(re.compile("后台暂停"))
        tabs.append(await browser.new_page())
        await tabs[-1].goto(f"{site.url}/")
        await _is_live(tabs[-1])
    await _streams_are(site, 1)
    await tabs[0].evaluate("hide(false)")
    await _is_live(tabs[0])
    await _show([tabs[0], tabs[-1]], scenario, 2)


async def test_a_request_that_hangs_says_so(browser: BrowserContext, site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    (tab,) = await _tabs(browser, site, 1)
    await tab.clock.install()
    await tab.reload()
    await _is_live(tab)
    asked = asyncio.Event()

    async def hang(_: Route) -> None:
        asked.set()

    await tab.route("**/acknowledge", hang)
    await tab.locator(".ack").click()
    await tab.locator("#ack-confirm").click()
    async with asyncio.timeout(LIMIT_MS / 1000):
        await asked.wait()
    await tab.clock.fast_forward(15_000)
    await expect(tab.locator("#ack-problem")).to_contain_text("15 秒内没有收到答复")
    await expect(tab.locator("#ack-confirm")).to_be_enabled()
