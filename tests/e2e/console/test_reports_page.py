"""Reports in a real Chromium: the list, one report, its files, languages, widths, and whose they are."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import openpyxl
import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect
from pypdf import PdfReader

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console import reports as facts
from tests.integration.console.harness import Console, console
from tests.integration.console.letters import letters
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
WIDTHS = (1920, 1366, 390)


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    facts.empty(empty_scenario)
    empty_scenario.put(district(16))
    empty_scenario.stay_fresh()
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with letters(scenario.dsn) as book, console(scenario.dsn, **book.settings) as running:
        facts.month(scenario)
        yield running


async def test_a_month_is_found_read_in_both_languages_and_saved(
    chromium: Chromium, site: Console, tmp_path: Path
) -> None:
    async with live.desk(chromium, site, username="brigade", width=1366) as at:
        page = at.page
        await page.click("#menu-open")
        await page.click("#reports")
        await expect(page.locator('[data-kind="month"]')).to_have_count(2)
        await at.has('[data-kind="month"]:nth-child(1)', "未结算（暂定）")
        await at.has('[data-kind="month"]:nth-child(2)', "已修订 · 第 2 版")
        await picture(page, "reports", full_page=True)
        await page.click('[data-kind="month"]:nth-child(2) a')
        await at.has("#title", "全区联网监测月报")
        await at.has('[data-section="figures"]', "时间加权联网率")
        await at.has('[data-section="blocking-S1"]', "差 3 家")
        await expect(page.locator('[data-section="blocking-S1"] tbody tr')).to_have_count(3)
        await at.has('[data-section="outages"]', "运营商")
        await at.has('[data-section="papers"]', "抄告")
        await at.has('[data-section="centre"]', "未测量")
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"nothing stands out to the side at {width}"
            await picture(page, f"report-{width}", full_page=True)
        assert await live._serious(page) == []

        for kind in ("pdf", "xlsx"):
            async with page.expect_download() as download:
                await page.click(f"#{kind}")
            await (await download.value).save_as(tmp_path / f"report.{kind}")
        pdf = PdfReader(io.BytesIO((tmp_path / "report.pdf").read_bytes()))
        assert "差3家" in "".join(page.extract_text() for page in pdf.pages).replace(" ", "")
        assert len(openpyxl.load_workbook(tmp_path / "report.xlsx").sheetnames) == 10

        await page.click("#language")
        await at.has("#title", "Monthly report")
        await at.has('[data-section="blocking-S1"]', "3 short of the target")
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, "nor does the longer English title"
        assert at.complaints == []


async def test_a_department_has_its_own_reports_and_no_others(chromium: Chromium, site: Console) -> None:
    async with live.desk(chromium, site, username="health", width=390) as at:
        await at.page.goto(f"{site.url}/reports")
        await expect(at.page.locator("#subject option")).to_have_count(1)
        await at.page.click('[data-kind="month"] a')
        await at.has("#provisional", "暂定")
        await expect(at.page.locator('[data-section="centre"]')).to_have_count(0)
        assert at.complaints == []
        for path in ("/api/v1/reports", "/api/v1/reports/one", "/api/v1/reports/export"):
            more = "" if path == "/api/v1/reports" else "&period=month&from=2026-01-01"
            more += "&format=pdf" if path.endswith("export") else ""
            for other in ("of=district&value=sample", "of=department&value=education", "of=town&value=dongjie"):
                answer = await at.page.request.get(f"{site.url}{path}?{other}{more}")
                assert answer.status == 404, (path, other)
