"""The charts of the health page in a real Chromium: gaps, figures in words, the table by hour, languages and widths."""

import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

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
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PIXELS = """() => [...document.querySelectorAll(".day-plot canvas")].map((one) => {
  const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
  return data.some((value) => value !== 0);
})"""
"""Whether anything is drawn in each chart."""


def _day(scenario: Scenario, now: datetime) -> None:
    """Store a day in which nobody looked for four hours, and deliveries stood still for one."""
    minute, samples = now.replace(second=0, microsecond=0), []
    for ago in range(1, 24 * 60):
        if 5 * 60 <= ago < 9 * 60:
            continue
        slow = 12 * 60 <= ago < 13 * 60
        readings = {
            "lag_seconds": 45 if slow else 2 + ago % 5,
            "blind_partitions": 3 if slow else 0,
            "notices_waiting": (13 * 60 - ago) if slow else 0,
            "oldest_notice_seconds": (13 * 60 - ago) * 60 if slow else 0,
            "archive_free_bytes": 40e9 + ago * 5e6,
            "records_waiting:rules": 800 if slow else ago % 40,
            "records_waiting:alerts": 0,
        }
        samples.append({"minute": (minute - ago * MINUTE).isoformat(), "readings": readings})
    scenario.execute(
        "INSERT INTO console.health_samples SELECT * FROM jsonb_to_recordset(%s::jsonb)"
        " AS one(minute timestamptz, readings jsonb)",
        [json.dumps(samples)],
    )
    for ago, refused in ((2, 4), (11, 31)):
        hour = now.replace(minute=0, second=0, microsecond=0) - ago * HOUR
        scenario.execute(
            "INSERT INTO console.refusal_counts (hour, gateway_id, reason, refused) VALUES (%s, 'g1', 'payload', %s)",
            (hour, refused),
        )


@pytest_asyncio.fixture(loop_scope="module")
async def site(empty_scenario: Scenario) -> AsyncIterator[Console]:
    empty_scenario.put(district(8))
    empty_scenario.stay_fresh()
    empty_scenario.execute("TRUNCATE console.health_samples, console.refusal_counts")
    _day(empty_scenario, empty_scenario.now())
    async with console(empty_scenario.dsn) as running:
        yield running


async def test_the_last_day_is_drawn_said_and_listed_and_what_was_not_seen_is_unknown(
    chromium: Chromium, site: Console
) -> None:
    async with live.desk(chromium, site, "brigade", width=1366) as at:
        page = at.page
        await page.goto(f"{site.url}/health")
        await expect(page.locator(".day-plot canvas")).to_have_count(8)
        assert await page.evaluate(PIXELS) == [True] * 8
        await at.has('[data-line="refusals"] figcaption', "最多 31；共 35")
        await at.has('[data-line="oldest_notice_seconds"] figcaption', "最差 1:00:00")
        await expect(page.locator('[data-line="lag_seconds"] .day-plot')).to_have_attribute(
            "aria-label", re.compile("处理进度：.*分钟中看到")
        )
        await page.click(".day-hours summary")
        hours = page.locator("#day-rows tr")
        assert await hours.count() in (24, 25)
        await expect(hours.nth(7)).to_contain_text("未知")  # within the four hours that nobody looked in
        await expect(hours.nth(2)).not_to_contain_text("未知")
        for width, theme in ((1920, "dark"), (390, "light")):
            await page.set_viewport_size({"width": width, "height": 900})
            await page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
            out = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert out <= 0, f"{out} px stand out at {width}"
            assert await live._serious(page) == []
            await page.locator("#day-title").scroll_into_view_if_needed()
            await picture(page, f"health-{width}", full_page=width < 1920)
        await page.click("#language")
        await at.has('[data-line="records_waiting:rules"] h3', "records in Kafka that wait")
        assert at.complaints == []
