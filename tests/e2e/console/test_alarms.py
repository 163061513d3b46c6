"""What may be a fire, on the page: alarms that nobody could read, alarms of strangers, what was salvaged."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console.harness import Console, console
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
CLOSE = (
    "UPDATE alerts.cases SET acknowledged_at = now(), acknowledged_by = 'centre', state = 'closed', closed_at = now()"
    " WHERE case_id = %s"
)


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(24))
    empty_scenario.stay_fresh()
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        running.alerts.then = lambda case_id: scenario.execute(CLOSE, [case_id])
        yield running


async def test_an_alarm_that_nobody_could_read_is_red_on_top_and_closed_by_a_person(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with live.desk(chromium, site) as at:
        scenario.unread("Y", "U00000")
        banner = at.page.locator('#fires .fire[data-kind="unreadable_alarm"]')
        await expect(banner).to_contain_text("无法识读的报警")
        await expect(banner).to_contain_text("请立即核实")
        assert "报警待核实 1" in await at.page.title()
        case = at.page.locator('.case[data-kind="unreadable_alarm"]')
        await expect(case.locator(".case-kind")).to_have_text("无法识读的报警")
        await banner.locator(".fire-open").click()
        await at.has("#drawer .signals", "not_json")
        link = at.page.locator("#drawer .signals a")
        await expect(link).to_have_attribute("href", f"/refusals?refusal={'ab' * 16}")
        await at.page.click("#language")
        await at.has("#fires .fire-word", "Unreadable alarm")
        await at.has("#drawer .look-block", "it may be a fire")
        await at.page.locator("#drawer [data-role=ack]").click()
        await at.has("#ack-what", "closes the case")
        await at.page.locator("#ack-confirm").click()
        await expect(at.page.locator("#fires")).to_be_hidden()
        await expect(case).to_have_count(0)
        assert at.complaints == []


async def test_an_alarm_of_a_stranger_is_for_the_centre_only(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.unregistered("X", "G777")
    scenario.unregistered("Z", "")
    scenario.open_case("F", "U00000", "fire")
    async with live.desk(chromium, site) as at:
        await expect(at.page.locator("#fires .fire-word").first).to_have_text("火警")
        await expect(at.page.locator("#fires .fire")).to_have_count(3)
        await expect(at.page.locator("#fires")).to_contain_text("未登记网关 G777")
        await at.page.locator(".case-name", has_text="未登记网关 G777").click()
        await expect(at.page.locator("#drawer .look-block a")).to_have_attribute("href", "/refusals?gateway=G777")
        await at.page.locator(".case-name", has_text="其他未登记网关").click()
        await expect(at.page.locator("#drawer .look-block a")).to_have_attribute(
            "href", "/refusals?reason=unknown_gateway"
        )
        assert at.complaints == []
    async with live.desk(chromium, site, "health") as at:
        await expect(at.page.locator("#fires .fire")).to_have_count(1)
        await expect(at.page.locator(".case")).to_have_count(1)
        await at.page.goto(f"{site.url}/?case=X")
        await at.has("#drawer", "不在您的范围内")


async def test_a_department_is_shown_no_way_to_what_it_may_not_see(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.unread("Y", "U00000")
    async with live.desk(chromium, site, "health") as at:
        await at.page.locator(".fire-open").click()
        await at.has("#drawer .signals", "not_json")
        await expect(at.page.locator("#drawer .signals a")).to_have_count(0)


async def test_a_fire_that_was_salvaged_says_so_and_what_was_dropped(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("F", "U00000", "fire")
    point = {"address": "7-3", "label": "一层大厅"}
    scenario.signal("U00000", "fire", point=point, flags=["salvaged"], notes=["label: a lone surrogate"])
    async with live.desk(chromium, site) as at:
        await at.page.locator(".fire-open").click()
        await at.has("#drawer .signals", "一层大厅 · 7-3")
        await at.has("#drawer .salvaged", "抢读")
        await at.has("#drawer .signals", "label: a lone surrogate")


@pytest.mark.parametrize("width", [1440, 320])
async def test_it_fits_every_screen_and_both_themes(
    chromium: Chromium, site: Console, scenario: Scenario, width: int
) -> None:
    scenario.open_case("F", "U00001", "fire")
    scenario.unread("Y", "U00000")
    scenario.unregistered("X", "G777")
    async with live.desk(chromium, site, width=width) as at:
        await at.page.click("#language")
        await expect(at.page.locator("#fires .fire")).to_have_count(3)
        await picture(at.page, f"alarms-{width}")
        assert await at.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert await live._serious(at.page) == []
        await at.page.locator('.case[data-kind="unreadable_alarm"] .case-name').click()
        await expect(at.page.locator("#drawer .signals")).to_be_visible()
        await picture(at.page, f"alarm-{width}")
        assert await live._serious(at.page) == []
