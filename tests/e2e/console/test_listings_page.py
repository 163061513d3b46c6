"""Listings in a real Chromium: proposed at the case, listed, answered by the department, and a narrow screen."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect
from prometheus_client import CollectorRegistry

from services.alerts.domain.ids import CaseId
from services.documents.adapters.postgres_correspondence import PostgresCorrespondences
from services.documents.domain.correspondence import Actor, Written
from services.documents.metrics import DocumentsMetrics
from services.documents.worker.correspondence import CorrespondenceService
from services.kernel.calendar import CHINA
from services.kernel.uploads import JPEG, Upload
from services.kernel.words import SubmissionKind
from services.runtime.clock import SystemClock
from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console.harness import Console, console
from tests.integration.console.letters import Letters, letters
from tests.integration.console.listings import listings
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
CLEAR = "TRUNCATE alerts.listing_files, alerts.listing_acts, alerts.listings"


@pytest_asyncio.fixture(loop_scope="module")
async def stand(empty_scenario: Scenario) -> AsyncIterator[tuple[Console, CaseId, Letters]]:
    empty_scenario.execute(CLEAR)
    empty_scenario.put(district(8))
    empty_scenario.stay_fresh()
    async with (
        listings(empty_scenario.dsn) as (settings, case_id),
        letters(empty_scenario.dsn) as book,
        console(empty_scenario.dsn, **settings, **book.settings) as site,
    ):
        yield site, case_id, book
    empty_scenario.execute(CLEAR)
    empty_scenario.execute(f"DELETE FROM alerts.clocks WHERE case_id = '{case_id}'")


async def answered(book: Letters, case_id: CaseId) -> None:
    """Send a letter of the case to health, and have it signed and answered with a file."""
    document_id, clock = await book.send("R1", case_id=case_id), SystemClock()
    service = CorrespondenceService(
        store=PostgresCorrespondences(book.pool),
        metrics=DocumentsMetrics(CollectorRegistry()),
        clock=clock,
        link_keys=[],
        wake=lambda: None,
    )
    clerk = Actor("health", "clerk", "张三", "console")
    await service.sign(document_id, clerk)
    photo = Upload("更换后的主机.jpg", JPEG, b"\xff\xd8\xff\x00photo")
    written = Written(SubmissionKind.REPLY, 0, "已修复", "更换报警主机", clock.now().date(), (photo,))
    await service.submit(document_id, clerk, written)


async def test_a_case_is_proposed_listed_and_answered_and_the_page_fits_a_phone(
    chromium: Chromium, stand: tuple[Console, CaseId, Letters]
) -> None:
    site, case_id, book = stand
    await answered(book, case_id)
    today = SystemClock().now().astimezone(CHINA).date()
    async with live.desk(chromium, site, "brigade") as at:
        page = at.page
        await page.goto(f"{site.url}/?case={case_id}")
        await page.locator("#drawer [data-role=listing] summary").click()
        await page.fill("#listing-reason", "长期离线，多次督促未整改")
        await page.locator("#drawer [data-role=listing] form button").click()
        await at.has("#drawer [data-role=listing] .badge", "待决定")
        assert await live._serious(page) == []
        await page.goto(f"{site.url}/listings")
        await at.has("#bridge", "未配置")
        await expect(page.locator("#rows li")).to_have_count(1)
        await picture(page, "list")
        assert await live._serious(page) == []
        await page.locator("#rows button").click()
        form = page.locator("form[data-act=list]")
        await form.locator("[name=number]").fill("鼓政办〔2026〕88号")
        await form.locator("[name=on]").fill(today.isoformat())
        await form.locator("[name=until]").fill(today.isoformat())
        await form.locator("button").click()
        await at.has("form[data-act=list] .said.bad", "期限须晚于")
        await form.locator("[name=until]").fill(f"{today.year + 1}-12-31")
        await form.locator("button").click()
        await at.has("#drawer .said", "已登记")
        await at.has("#drawer .facts", "鼓政办〔2026〕88号")
        await expect(page.locator("form[data-reply]")).to_have_count(1)
        await picture(page, "listed", full_page=True)
        assert await live._serious(page) == []
        assert [one for one in at.complaints if "409" not in one] == []
        await page.emulate_media(color_scheme="dark")
        await page.locator("#language").dispatch_event("click")  # the drawer lies over it
        await picture(page, "listed-en-dark", full_page=True)
    async with live.desk(chromium, site, "health", width=390, color_scheme="dark") as at:
        page = at.page
        await page.goto(f"{site.url}/listings?list=listed")
        await expect(page.locator("#rows li")).to_have_count(1)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, "nothing stands out to the side"
        await page.locator("#rows button").click()
        await expect(page.locator("form[data-act=hand_in]")).to_be_visible()
        await expect(page.locator("form[data-act=pass_recheck]")).to_have_count(0)
        await picture(page, "phone", full_page=True)
        assert await live._serious(page) == []
        later = page.locator("form[data-act=ask_extension]")
        await later.locator("[name=until]").fill(f"{today.year + 2}-06-30")
        await later.locator("[name=text]").fill("主机缺货")
        await later.locator("button").click()
        await at.has("#drawer .facts", "主机缺货")
        await at.has("[data-refused=ask_extension]", "延期申请尚未决定")
        await expect(later).to_have_count(0)
        await page.locator("form[data-reply] button").click()
        await at.has("#drawer .badge", "待复查")
        await at.has("#drawer", "来自回函：消监告〔2026〕1号")
        await picture(page, "taken-over", full_page=True)
        await page.set_input_files(
            "#evidence-files", {"name": "整改.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7\n"}
        )
        await page.locator("form[data-act=hand_in] button").click()
        await expect(page.locator("#drawer a[download]")).to_have_count(2)
        await picture(page, "handed-in", full_page=True)
        wide = await page.locator("#drawer .drawer-body").evaluate("(one) => one.scrollWidth - one.clientWidth")
        assert wide <= 0, "no hash stands out to the side"
        assert await live._serious(page) == []
        assert at.complaints == []
    async with live.desk(chromium, site, "brigade", width=1366) as at:
        page = at.page
        await page.goto(f"{site.url}/listings?list=recheck")
        await page.locator("#rows button").click()
        passed = page.locator("form[data-act=pass_recheck]")
        await passed.locator("[name=inspector]").fill("李建国")
        await passed.locator("[name=on]").fill(today.isoformat())
        await passed.locator("button").click()
        await at.has("[data-refused=approve_closure]", "延期申请尚未决定")
        await at.has("[data-refused=refuse_closure]", "须由另一人办理")
        await expect(page.locator("form[data-act$=_closure]")).to_have_count(0)
        await expect(page.locator("form[data-act=grant_extension]")).to_be_visible()
        await picture(page, "undecided", full_page=True)
        await page.emulate_media(color_scheme="dark")
        await page.locator("#language").dispatch_event("click")
        await picture(page, "undecided-en-dark", full_page=True)
        assert await live._serious(page) == []
        await page.locator("form[data-act=grant_extension] button").click()
        await at.has("[data-refused=approve_closure]", "another person")
        assert at.complaints == []
