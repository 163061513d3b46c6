"""The page of reports by mail in a real Chromium: schedule one, see what became of it, change and end it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console.harness import Console
from tests.integration.console.report_mails import Mailbox, mailing, publish_now
from tests.integration.console.scenario import Scenario

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def site(
    empty_scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Console, Mailbox, Scenario]]:
    async with mailing(empty_scenario, monkeypatch) as (running, mailbox):
        yield running, mailbox, empty_scenario


async def test_a_report_is_scheduled_seen_to_be_sent_changed_and_removed(
    chromium: Chromium, site: tuple[Console, Mailbox, Scenario]
) -> None:
    running, mailbox, scenario = site
    async with live.desk(chromium, running, username="brigade", width=1366) as at:
        page = at.page
        await page.goto(f"{running.url}/reports")
        await page.click("#schedules")
        await at.has("#empty", "还没有安排")
        await expect(page.locator("#contacts label")).to_have_count(1)  # of the district: the brigade alone
        await page.check("#contacts input")
        await page.click("#save")
        await at.has("#rows li", "月报")
        await at.has("#rows .recipients", "尚无")
        publish_now(scenario)
        await page.reload()
        await expect(page.locator("#rows .recipients .approved")).to_have_count(1, timeout=90_000)
        assert len(mailbox.mails) == 1
        for width in (1366, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"nothing stands out to the side at {width}"
            await picture(page, f"schedules-{width}", full_page=True)
        assert await live._serious(page) == []
        await page.click("#language")
        await at.has("#rows .recipients", "sent")
        await page.click('[data-act="pause"]')
        await at.has("#rows li", "paused")
        await page.click('[data-act="remove"]')
        await page.click("#sure-yes")
        await expect(page.locator("#rows li")).to_have_count(0)
        assert at.complaints == []
    async with live.desk(chromium, running, username="health", width=390) as at:
        await at.page.goto(f"{running.url}/reports/schedules")
        await at.has("#empty", "还没有安排")
        await expect(at.page.locator("#new")).to_be_hidden()
        assert at.complaints == []
