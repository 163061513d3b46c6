"""Documents in a real Chromium: a department signs and answers, the brigade accepts, a unit does it by its link."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from email.policy import SMTP

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import FilePayload, expect

from tests.e2e.console import test_page as live
from tests.e2e.console.chromium import CHROMIUM, LIMIT_MS, picture
from tests.integration.console.harness import Console, console
from tests.integration.console.letters import Letters, letters
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
PDF = FilePayload(name="维修记录.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7\n")
PAGE = FilePayload(name="维修记录.pdf", mimeType="application/pdf", buffer=b"<html>")


@pytest_asyncio.fixture(loop_scope="module")
async def stand(empty_scenario: Scenario) -> AsyncIterator[tuple[Console, Letters]]:
    empty_scenario.put(district(8))
    empty_scenario.stay_fresh()
    async with letters(empty_scenario.dsn) as book, console(empty_scenario.dsn, **book.settings) as site:
        yield site, book


async def test_a_department_signs_and_answers_with_the_keyboard_and_the_brigade_accepts(
    chromium: Chromium, stand: tuple[Console, Letters]
) -> None:
    site, book = stand
    await book.send()
    await book.send("R2", 2, receipt_due_at="2026-01-01T00:00:00Z")
    async with live.desk(chromium, site, "health") as at:
        page = at.page
        await at.has("#inbox-count", "2")
        await at.has("#inbox-sub", "1 件超期")
        await expect(page.locator("#inbox li.todo a")).to_have_count(2)
        await page.locator("#inbox a").first.click()
        await at.has("#drawer .paper", "消监告")
        await page.goto(f"{site.url}/")
        await page.click("#menu-open")
        await page.click("#documents")
        await at.has("h1", "公文收发")
        await expect(page.locator("#rows li")).to_have_count(2)
        await page.get_by_role("button", name="超期 1").click()
        await expect(page.locator("#rows .due.late")).to_have_count(1)
        await page.get_by_role("button", name="全部 2").click()
        await expect(page.locator("#rows li")).to_have_count(2)
        await picture(page, "list")
        assert await live._serious(page) == []
        opener = page.locator("#rows li", has_text="〕1号").locator("button")
        await opener.focus()
        await page.keyboard.press("Enter")
        await at.has("#drawer .paper", "消监告〔2026〕1号")
        await picture(page, "issued")
        assert await live._serious(page) == []
        await page.focus("#sign-name")
        await page.keyboard.type("张三")
        await page.keyboard.press("Enter")
        await at.has("#drawer .said", "已签收")
        await page.fill("#reply-text", "已更换探测器，恢复正常。")
        await page.fill("#reply-measures", "更换5层护士站感烟探测器")
        await page.fill("#reply-done", "2026-12-05")
        await page.set_input_files("#reply-files", PAGE)
        await page.fill("#reply-name", "张三")
        await page.click("text=提交回函")
        await at.has("#drawer .act .said.bad", "只收 PDF")
        await expect(page.locator("#reply-text")).to_have_value("已更换探测器，恢复正常。")
        await page.set_input_files("#reply-files", PDF)
        await page.click("text=提交回函")
        await at.has("#drawer .said", "回函已提交")
        await page.locator(".submission").scroll_into_view_if_needed()
        await picture(page, "answered")
        assert await live._serious(page) == []
        await page.keyboard.press("Escape")
        await expect(opener).to_be_focused()
        refused = [one for one in at.complaints if "409" not in one]
        assert refused == []
    async with live.desk(chromium, site, "brigade") as at:
        page = at.page
        await page.goto(f"{site.url}/documents?only=undecided")
        await expect(page.locator("#rows li")).to_have_count(1)
        await page.locator("#rows button").click()
        await at.has(".submission", "更换5层护士站感烟探测器")
        async with page.expect_download() as download:
            await page.click("text=维修记录.pdf")
        assert (await download.value).suggested_filename == "维修记录.pdf"
        await page.locator(".submission textarea").scroll_into_view_if_needed()
        await picture(page, "deciding")
        await page.get_by_role("button", name="退回").click()
        await at.has(".submission .said.bad", "请填写审核意见")
        await page.get_by_role("button", name="采纳").click()
        await at.has("#drawer .said", "公文办结")
        await page.keyboard.press("Escape")
        await page.click("#language")
        await at.has("h1", "Documents")
        await page.get_by_role("button", name="All 2").click()
        await at.has("#rows .badge.closed", "Closed")
        assert await live._serious(page) == []


async def test_an_upheld_appeal_leads_to_the_correction_that_another_person_approves(
    chromium: Chromium, stand: tuple[Console, Letters]
) -> None:
    site, book = stand
    await book.send()
    async with live.desk(chromium, site, "health") as at:
        page = at.page
        await page.goto(f"{site.url}/documents")
        await page.locator("#rows li button").first.click()
        await page.fill("#sign-name", "张三")
        await page.press("#sign-name", "Enter")
        await page.locator("summary", has_text="申诉").click()
        await page.fill("#appeal-text", "该单位当日在线。")
        await page.fill("#appeal-name", "张三")
        await page.get_by_role("button", name="提交申诉").click()
        await expect(page.locator(".submission .badge")).to_have_text("待审")
    async with live.desk(chromium, site, "brigade") as at:
        page = at.page
        await page.goto(f"{site.url}/documents?only=undecided")
        await page.locator("#rows button").click()
        await expect(page.locator("a.correct")).to_have_count(0)
        await page.locator(".submission textarea").fill("登记有误")
        await page.get_by_role("button", name="申诉成立").click()
        await page.click("a.correct")
        await expect(page.locator("select[name=what]")).to_have_value("correction")
        await expect(page.locator("input[name=unit_id]")).not_to_have_value("")
        assert "消监告〔2026〕1号" in await page.input_value("input[name=evidence]")
        assert at.complaints == []


async def test_a_unit_reads_signs_and_answers_by_its_link_without_an_account_or_javascript(
    chromium: Chromium, stand: tuple[Console, Letters]
) -> None:
    width, lang = 390, "en"
    site, book = stand
    document_id = await book.send()
    context = await chromium.new_context(viewport={"width": width, "height": 900}, java_script_enabled=False)
    page = await context.new_page()
    page.set_default_timeout(LIMIT_MS)
    await page.goto(f"{site.url}/d/{book.link(document_id)}?lang={lang}")
    await expect(page.locator(".paper")).to_contain_text("消监告〔2026〕1号")
    await page.fill("#sign-name", "王工")
    await page.locator("form[action*='/sign'] button").click()
    await expect(page.locator("h2").nth(1)).to_have_text("Write a reply")
    await page.fill("#reply-text", "已修复。")
    await page.set_input_files("#reply-files", PDF)
    await page.fill("#reply-name", "王工")
    await picture(page, f"link-{width}", full_page=True)
    await page.locator("#reply-name ~ button").click()
    await expect(page.locator(".submission")).to_contain_text("维修记录.pdf")
    assert page.url.endswith("?lang=en")
    await context.close()
    seeing = await chromium.new_context(viewport={"width": width, "height": 900})
    page = await seeing.new_page()
    await page.goto(f"{site.url}/d/{book.link(document_id)}?lang={lang}")
    wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, "nothing stands out to the side"
    await picture(page, f"answered-{width}", full_page=True)
    assert await live._serious(page) == []
    await seeing.close()


@pytest.mark.parametrize("width", [390])
async def test_the_inbox_fits_every_screen(chromium: Chromium, stand: tuple[Console, Letters], width: int) -> None:
    site, book = stand
    for serial in range(1, 6):
        await book.send(f"R{serial}", serial)
    async with live.desk(chromium, site, "dongjie", width=width, color_scheme="dark") as at:
        await at.page.goto(f"{site.url}/documents")
        await expect(at.page.locator("#rows li")).to_have_count(5)
        wide = await at.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await picture(at.page, f"inbox-{width}")
        assert wide <= 0, "nothing stands out to the side"
        assert await live._serious(at.page) == []
        await at.page.locator("#rows button").first.click()
        await expect(at.page.locator("#drawer .paper")).to_be_visible()
        await picture(at.page, f"sheet-{width}")
        assert await live._serious(at.page) == []


async def test_an_answer_by_mail_is_shown_as_text_joined_and_handed_in(
    chromium: Chromium, stand: tuple[Console, Letters]
) -> None:
    site, book = stand
    await book.send()
    message = EmailMessage(policy=SMTP)
    message["From"] = '"<img src=x onerror=alert(1)>" <zhang@health.firenet-demo.cn>'
    message["Subject"] = "已整改 <script>window.hacked=1</script>"
    message.set_content("详见<b>附件</b><img src=x onerror='window.hacked=1'>")
    message.add_attachment(PDF["buffer"], maintype="application", subtype="pdf", filename="维修记录.pdf")
    await book.receive(message.as_bytes())
    async with live.desk(chromium, site, "centre") as at:
        page = at.page
        await page.click("#menu-open")
        await page.click("#mails")
        await at.has("h1", "邮件回复")
        await expect(page.locator("#empty")).to_be_visible()
        await page.get_by_role("button", name="全部").click()
        await at.has("#rows .what", "<script>")
        await picture(page, "mails")
        assert await live._serious(page) == []
        await page.locator("#rows .what button").focus()
        await page.keyboard.press("Enter")
        await at.has("#drawer .paper", "<b>附件</b>")
        assert await live._serious(page) == []
        await page.fill("#mail-document", "消监告〔2026〕9号")
        await page.keyboard.press("Enter")
        await at.has("#drawer .said.bad", "没有这份已印发的公文")
        await page.fill("#mail-document", "消监告〔2026〕1号")
        await page.keyboard.press("Enter")
        await at.has("#drawer .said", "已关联")
        await page.set_viewport_size({"width": 390, "height": 844})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.select_option("#mail-party", "health")
        await page.get_by_role("button", name="作为回函提交").click()
        await at.has("#drawer .said", "已作为回函提交")
        await page.keyboard.press("Escape")
        await expect(page.locator("#rows .badge")).to_have_text("已提交")
        assert await page.evaluate("window.hacked") is None
        assert [one for one in at.complaints if "409" not in one] == [], "but for the number that there is not"
