"""Evaluation in a real Chromium: scores, what is open, both lists, languages, widths, and who may enter points."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from services.compliance.adapters.score_rows import score_row
from services.compliance.adapters.statements import SQL
from services.compliance.domain.scores import evaluated
from services.kernel.ratio import Ratio
from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM
from tests.integration.console.harness import Console, console
from tests.integration.console.scenario import Scenario
from tests.unit.compliance.test_scores import LONG, cited, entry, known, month

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
CHECKED = "    criteria:\n      ledger: {points: 1, manual: true, name_zh: 台账, name_en: Ledger, clause: x}\n"
WIDTHS = (1920, 1366, 390)


def put_scores(dsn: str) -> None:
    march = month(3)
    other = (
        LONG.replace("pack_id: sample", "pack_id: zeta")
        .replace("    criteria:\n", CHECKED)
        .replace("points: 60", "points: 59")
    )
    towns = {"dongjie": Ratio(1, 1), "nanjie": Ratio(0, 1), "health": Ratio(3, 4, unknown=1)}
    figures = [cited(ratio, march, town) for town, ratio in towns.items()]
    figures += [cited(ratio, march, town, metric="access_rate") for town, ratio in towns.items()]
    entries = [entry("20", march, "dongjie", "S2026-000001"), entry("0", march, "nanjie", "S2026-000002")]
    # another district that calls its scheme the same, and has one criterion more
    scores = [
        *evaluated(known(), figures, entries),
        *evaluated(known(other), [cited(Ratio(1, 1), march, "zeta/T1")], []),
    ]
    rows = [score_row(score, 1) for score in scores]
    with psycopg.connect(dsn) as connection:
        connection.cursor().executemany(SQL["add_score"].encode(), rows)


@pytest_asyncio.fixture(loop_scope="module")
async def site(empty_scenario: Scenario) -> AsyncIterator[Console]:
    empty_scenario.stay_fresh()
    put_scores(empty_scenario.dsn)
    async with console(empty_scenario.dsn) as running:
        yield running


async def test_scores_are_read_by_period_in_both_languages_at_every_width(
    chromium: Chromium, site: Console, tmp_path: Path
) -> None:
    async with live.desk(chromium, site, username="brigade", width=1366) as at:
        page = at.page
        await page.click("#menu-open")
        await page.click("#evaluation")
        # quarters end with the same midnight and come first by name; the month is asked for
        await page.select_option("#period", "month:2026-03-01")
        await at.has("#lists section:nth-child(1)", "东街街道、100.0、优秀")
        await at.has("#lists section:nth-child(2)", "、0.0、不称职")
        await at.has("#schemes section:nth-child(1) tbody tr:nth-child(2)", "未定（不称职至优秀）、暂定")
        await at.has("#schemes section:nth-child(1) tbody tr:nth-child(2)", "人工评分未录入")
        await at.has("#schemes section:nth-child(1) tbody tr:nth-child(1)", "S2026-000001")
        await expect(page.locator("#enter select[name=criterion] option")).to_have_count(1)
        await expect(page.locator("#schemes section:nth-child(1) thead")).not_to_contain_text("台账")
        await at.has("#schemes section:nth-child(2) thead", "台账 (1)")
        await expect(page.locator("#schemes section:nth-child(2) tbody tr")).to_have_count(1)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"nothing stands out to the side at {width}"
            await page.screenshot(path=tmp_path / f"evaluation-{width}.png", full_page=True)
        assert await live._serious(page) == []
        await page.select_option("#period", "quarter:2026-01-01")
        await at.has("#schemes section:nth-child(1) thead", "2026-01")
        await at.has("#schemes section:nth-child(1) tbody tr:nth-child(1)", "缺月份得分")


async def test_a_department_sees_its_own_score_and_enters_nothing(chromium: Chromium, site: Console) -> None:
    async with live.desk(chromium, site, username="health", width=1366) as at:
        await at.page.goto(f"{at.page.url.split('/', 3)[0]}//{at.page.url.split('/', 3)[2]}/evaluation")
        await expect(at.page.locator("#schemes tbody tr")).to_have_count(1)
        await at.has("#schemes tbody", "未定（不称职至优秀）、暂定")
        await expect(at.page.locator("#enter-panel")).to_be_hidden()
