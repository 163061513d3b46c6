"""What a draft of a pack would have said, asked in a real Chromium and computed from facts that closing really kept."""

from pathlib import Path

import pytest
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect
from prometheus_client import CollectorRegistry

from services.compliance.adapters.log_fold import suppose
from services.compliance.adapters.postgres_facts import PostgresFacts
from services.compliance.adapters.postgres_what_ifs import PostgresWhatIfs
from services.compliance.metrics import WhatIfMetrics
from services.compliance.worker.what_ifs import WhatIfs
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.contract.compliance.closings import Archived, closing, sent, until_done
from tests.contract.compliance.test_closing import HOUR, PUBLISHING
from tests.contract.compliance.test_what_if import CHANGED, five_units
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.e2e.console.test_adjustments_page import opened
from tests.integration.console.test_adjustments import NOBODY, running

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
    pytest.mark.asyncio(loop_scope="module"),
]
PHONE = {"width": 390, "height": 844}


async def test_the_brigade_asks_what_a_draft_would_have_said_of_a_closed_day(
    migrated_database: str, chromium: Chromium, tmp_path: Path
) -> None:
    archived = Archived(tmp_path / "archive")
    archived.put(sent(five_units(tmp_path), PUBLISHING))
    broken, draft = tmp_path / "broken.yaml", tmp_path / "draft.yaml"
    broken.write_text(CHANGED.replace("blind_after_s: 1800", "blind_after_s: soon"), "utf-8")
    draft.write_text(CHANGED, "utf-8")
    async with (
        open_pool(migrated_database, "test", 1, 3) as pool,
        running(migrated_database, NOBODY, SystemClock()) as site,
    ):
        await until_done(closing(pool, archived.root, 4 * HOUR))
        what_ifs = WhatIfs(
            store=PostgresWhatIfs(pool),
            facts=PostgresFacts(pool),
            suppose=suppose,
            metrics=WhatIfMetrics(CollectorRegistry()),
            clock=SystemClock(),
            tell=lambda *_, **__: None,
        )
        wang = await opened(chromium, site, "wang")
        await wang.goto(f"{site.console.url}/registry?tab=pack")
        await wang.get_by_role("button", name="回算草稿").click()
        await wang.fill("#what-if-form [name=day]", "2026-03-10")
        await wang.set_input_files("#what-if-form [name=file]", broken)
        await wang.click("#what-if-form [type=submit]")
        await expect(wang.locator("#what-if-body .box-problem")).to_contain_text("1 处问题")
        await expect(wang.locator("#what-if-body tbody")).to_contain_text("blind_after_s")

        await wang.set_input_files("#what-if-form [name=file]", draft)
        await wang.click("#what-if-form [type=submit]")
        await expect(wang.locator("#what-if-body [role=status]")).to_have_text("等待中")
        await wang.click("#what-if-form [type=submit]")
        await expect(wang.locator("#said")).to_contain_text("还有一个回算没有完成")
        assert await what_ifs.turn()
        await _answered(wang)
        await picture(wang, "what-if", full_page=True)
        assert await _axe(wang) == []
        await wang.click("#language")
        await expect(wang.locator("#what-if-body th").nth(1)).to_have_text("Published")

        phone = await opened(chromium, site, "wang", viewport=PHONE)
        await phone.goto(f"{site.console.url}/registry?tab=pack")
        await phone.get_by_role("button", name="回算草稿").click()
        await phone.click("#what-if-rows button")
        await _answered(phone)
        await picture(phone, "what-if-390", full_page=True)
        assert await phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert await _axe(phone) == []

        centre = await opened(chromium, site, "centre")
        await centre.goto(f"{site.console.url}/registry?tab=pack")
        await expect(centre.locator("#tools button")).to_have_text(["导入文件"])
        await expect(centre.locator("#what-if")).to_have_count(0)


async def _answered(page: Page) -> None:
    await expect(page.locator("#what-if-body [role=status]")).to_have_text("已完成")
    row = page.locator("#what-if-body tbody tr", has_text="联网接入率").filter(has=page.get_by_text("S1", exact=True))
    await expect(row.locator("td").nth(1)).to_contain_text("66.6 %")
    await expect(row.locator("td").nth(2)).to_contain_text("75.0 %")
    await expect(row.locator("td").nth(3)).to_contain_text("+8.4")
    await expect(page.locator("#what-if-body a", has_text="U5").first).to_be_visible()
    await expect(page.locator("#what-if-body")).not_to_contain_text("null")


async def _axe(page: Page) -> list[str]:
    found = await page.evaluate(f"{AXE_SCRIPT}\naxe.run()")
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]]
