"""The register and accounts in a real Chromium: one changes a unit by its form, another approves on a telephone."""

import pytest
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from services.runtime.clock import SystemClock
from tests.e2e.console.chromium import CHROMIUM, STILL
from tests.e2e.console.test_adjustments_page import opened
from tests.integration.console.test_account_pages import add_administrator
from tests.integration.console.test_adjustments import NOBODY, running
from tests.integration.console.test_register import fill

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
PHONE = {"width": 390, "height": 844}


async def test_a_unit_changes_by_its_form_and_an_account_is_made_with_a_password_for_one_time(
    migrated_database: str, chromium: Chromium
) -> None:
    async with running(migrated_database, NOBODY, SystemClock()) as site:
        await fill(migrated_database)
        await add_administrator(migrated_database)
        li = await opened(chromium, site, "centre")
        await li.goto(f"{site.console.url}/registry?tab=unit&id=U1")
        await expect(li.locator("#detail .version")).to_have_count(1)
        await expect(li.locator("#rows li").first).to_contain_text("医疗卫生机构")  # by its name, not by its code
        await li.click("#detail-tools .primary")
        await li.fill("[name=field-name]", "=第一医院")
        await li.fill("#hand textarea", "登记更正")
        await li.click("#hand [type=submit]")
        await expect(li.locator("#seen .box-problem")).to_contain_text("1 处问题")
        await expect(li.locator("label.bad")).to_contain_text("单位名称")
        await expect(li.locator("#seen-yes")).to_be_hidden()
        await li.click("#seen-no")
        await li.fill("[name=field-name]", "第一医院 <img src=x onerror=alert(1)>")
        await li.select_option("[name=field-crowded_place]", "no")
        await li.click("#hand [type=submit]")
        await expect(li.locator("#seen .badge")).to_have_text("需另一人批准")
        await expect(li.locator("#seen .effect")).to_contain_text("影响")
        await li.click("#seen-yes")
        await expect(li.locator("#said")).to_contain_text("已提交")

        wang = await opened(chromium, site, "wang", viewport=PHONE)
        await wang.goto(f"{site.console.url}/registry?tab=proposals")
        await wang.click("#rows .primary")
        await expect(wang.locator("#seen ins").first).to_have_text("第一医院 <img src=x onerror=alert(1)>")
        assert await wang.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        await wang.click("#seen-yes")
        await expect(wang.locator("#said")).to_contain_text("已批准")
        await wang.goto(f"{site.console.url}/registry?tab=unit&id=U1")
        await expect(wang.locator("#detail .version")).to_have_count(2)
        assert await wang.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        admin = await opened(chromium, site, "adm")
        await admin.goto(f"{site.console.url}/account")
        await admin.fill("#form [name=username]", "zhao")
        await admin.fill("#form [name=display_name]", "赵参谋")
        await admin.click("#form [type=submit]")
        await expect(admin.locator("#one-time")).to_be_visible()
        password = await admin.locator("#one-time").inner_text()
        await admin.goto(f"{site.console.url}/registry?tab=unit&id=U1")
        await expect(admin.locator("#detail-tools button")).to_have_text(["关闭"])
        await expect(admin.locator("#tools a")).to_have_count(2)
        await expect(admin.locator("#tools button")).to_have_count(0)
        await admin.goto(f"{site.console.url}/adjustments")
        await expect(admin.locator("#board li")).to_have_count(1)  # the page works without its form
        await expect(admin.locator("#ask")).to_have_count(0)
        zhao = await (await chromium.new_context(**STILL)).new_page()
        await zhao.goto(f"{site.console.url}/login")
        await zhao.fill("input[name=username]", "zhao")
        await zhao.fill("input[name=password]", password)
        await zhao.click("button[type=submit]")
        await zhao.wait_for_url(f"{site.console.url}/account")
        for name, text in (("current", password), ("new", "my very own words"), ("again", "my very own words")):
            await zhao.fill(f"#password [name={name}]", text)
        await zhao.click("#password [type=submit]")
        await zhao.wait_for_url(f"{site.console.url}/")

        await admin.goto(f"{site.console.url}/account")
        for name, text in (("name", "hall"), ("display_name", "指挥大厅"), ("days", "30")):
            await admin.fill(f"#screen [name={name}]", text)
        await admin.click("#screen [type=submit]")
        await expect(admin.locator("#sure-title")).to_contain_text("大屏地址")
        address = await admin.locator("#one-time").inner_text()
        await admin.click("#sure-yes")
        await expect(admin.locator("#one-time")).to_be_empty()
        row = admin.locator("#rows li", has_text="hall")
        await expect(row.locator("small")).to_contain_text("密钥有效至")
        wall = await (await chromium.new_context(**STILL)).new_page()
        await wall.goto(address)
        await expect(wall).to_have_url(f"{site.console.url}/wall")
        await row.locator("[data-act=revoke]").click()
        await admin.click("#sure-yes")
        await expect(row.locator(".badge")).to_have_text("已停用")
        await wall.reload()
        await expect(wall).to_have_url(f"{site.console.url}/login?next=%2Fwall")
