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
from services.kernel.words import ListingAct
from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, picture
from tests.integration.console.harness import Console, console
from tests.integration.console.letters import letters
from tests.integration.console.scenario import Scenario
from tests.unit.compliance.test_listings import BY_LISTINGS, listing, on
from tests.unit.compliance.test_scores import LONG, cited, entry, known, month

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
CHECKED = "    criteria:\n      ledger: {points: 1, manual: true, name_zh: 台账, name_en: Ledger, clause: x}\n"
CITED = BY_LISTINGS.replace("clause: x", 'clause: "001 一(七)"')
WIDTHS = (1920, 1366, 390)


def put_scores(dsn: str) -> None:
    """Store scores of a month anew, of two districts that call their schemes the same."""
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
    done = (
        (ListingAct.HAND_IN, on("03-20")),
        (ListingAct.PASS_RECHECK, on("03-21")),
        (ListingAct.APPROVE_CLOSURE, on("03-22")),
    )
    acts = [*listing(*done, town="dongjie"), *listing(name="L2", town="nanjie")]
    # the other has one criterion more
    scores = [
        *evaluated(known(CITED), figures, entries, acts),
        *evaluated(known(other), [cited(Ratio(1, 1), march, "zeta/T1")], []),
    ]
    rows = [score_row(score, 1) for score in scores]
    with psycopg.connect(dsn) as connection:
        connection.execute("TRUNCATE compliance.scores")
        connection.cursor().executemany(SQL["add_score"].encode(), rows)


@pytest_asyncio.fixture(loop_scope="module")
async def site(empty_scenario: Scenario) -> AsyncIterator[Console]:
    empty_scenario.stay_fresh()
    put_scores(empty_scenario.dsn)
    async with console(empty_scenario.dsn) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def with_documents(empty_scenario: Scenario) -> AsyncIterator[Console]:
    empty_scenario.stay_fresh()
    put_scores(empty_scenario.dsn)
    async with letters(empty_scenario.dsn) as book, console(empty_scenario.dsn, **book.settings) as running:
        yield running


async def test_scores_are_read_by_period_in_both_languages_at_every_width(chromium: Chromium, site: Console) -> None:
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
        await at.has("#schemes section:nth-child(1) tbody tr:nth-child(1)", "按期整改 1/1 件")
        await at.has("#schemes section:nth-child(1) tbody", "按期整改 0/1 件")
        await at.has("#schemes section:nth-child(2) h2", "zeta")
        await expect(page.locator("#enter select[name=criterion] option")).to_have_count(1)
        await expect(page.locator("#schemes section:nth-child(1) thead")).not_to_contain_text("台账")
        await at.has("#schemes section:nth-child(2) thead", "台账 (1)")
        await expect(page.locator("#schemes section:nth-child(2) tbody tr")).to_have_count(1)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"nothing stands out to the side at {width}"
            await picture(page, f"evaluation-{width}", full_page=True)
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


async def test_a_circular_is_drafted_read_and_saved_and_a_clause_is_read_where_it_is_cited(
    chromium: Chromium, with_documents: Console, tmp_path: Path
) -> None:
    async with live.desk(chromium, with_documents, username="brigade", width=1366) as at:
        page = at.page
        await page.goto(f"{with_documents.url}/evaluation")
        await page.select_option("#period", "month:2026-03-01")
        scheme = page.locator("#schemes section:nth-child(1)")
        cited = scheme.locator(".clauses details").first
        await cited.locator("summary").click()
        await expect(cited.locator(".clause-text p").first).not_to_be_empty()
        await scheme.get_by_role("button", name="起草通报").click()
        drawn = scheme.locator("li", has=page.locator("code"))
        await expect(drawn).to_have_count(1)
        await expect(drawn).to_contain_text("草稿")
        await scheme.get_by_role("button", name="起草通报").click()
        await expect(page.locator("#said, [role=status]").first).to_be_attached()
        await expect(drawn).to_have_count(1)  # while no score changes there is one draft
        await picture(page, "circular", full_page=True)
        async with page.context.expect_page() as opening:
            await drawn.get_by_role("link", name="中文网页").click()
        paper = await opening.value
        await expect(paper.locator("body")).to_contain_text("考核情况的通报")
        await picture(paper, "circular-paper", full_page=True)
        for name, begins in (("zh.pdf", b"%PDF-"), ("zh.docx", b"PK")):
            link = drawn.get_by_role("link", name=name, exact=True)
            if await link.count():  # none where the machine has no Chinese font
                answer = await page.context.request.get(f"{with_documents.url}{await link.get_attribute('href')}")
                assert answer.ok
                assert answer.headers["content-disposition"].startswith(
                    "inline" if name.endswith(".pdf") else "attachment"
                )
                content = await answer.body()
                assert content.startswith(begins)
                (tmp_path / name).write_bytes(content)
        assert await live._serious(page) == []
