"""Two-step verification in a real Chromium: turned on with a telephone's code, asked at the door, turned off."""

import pyotp
import pytest
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, ViewportSize, expect
from pydantic import SecretStr

from tests.e2e.console.chromium import CHROMIUM
from tests.integration.console.harness import PASSWORD, console
from tests.integration.console.scenario import Scenario
from tests.integration.console.test_account_pages import add_administrator

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
PHONE: ViewportSize = {"width": 390, "height": 844}


async def clean(page: Page) -> None:
    """The page breaks no rule of axe and is not wider than the screen."""
    found = await page.evaluate(f"{AXE_SCRIPT}\naxe.run()")
    assert [each["id"] for each in found["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def sign_in(page: Page, url: str, code: str = "") -> None:
    await page.goto(f"{url}/login?next=%2Faccount")
    await page.fill("#username", "brigade")
    await page.fill("#password", PASSWORD)
    await page.fill("#code", code)
    async with page.expect_navigation():  # its script has run then
        await page.press("#code", "Enter")


async def test_a_second_factor_is_turned_on_asked_for_and_turned_off(
    empty_scenario: Scenario, chromium: Chromium
) -> None:
    keys = SecretStr("a key that is long enough")
    async with console(empty_scenario.dsn, second_factor_keys=keys, second_factor_required=True) as site:
        context = await chromium.new_context(viewport=PHONE, bypass_csp=True)
        page = await context.new_page()
        await page.goto(f"{site.url}/login")
        await clean(page)
        await sign_in(page, site.url)
        await expect(page.locator("#said")).to_contain_text("须启用两步验证")
        await page.fill("#factor-begin [name=current]", PASSWORD)
        await page.press("#factor-begin [name=current]", "Enter")
        await expect(page.locator("#factor-picture")).to_be_visible()
        await expect(page.locator("#factor-confirm [name=code]")).to_be_focused()
        await clean(page)
        secret = (await page.locator("#factor-secret").inner_text()).replace(" ", "")
        await page.keyboard.type(pyotp.TOTP(secret).now())
        await page.keyboard.press("Enter")
        await expect(page.locator("#factor-list li")).to_have_count(10)
        codes = await page.locator("#factor-list li").all_inner_texts()
        await clean(page)
        async with page.expect_navigation():
            await page.click("#factor-done")
        await expect(page.locator("#factor-has")).to_contain_text("还剩 10 个恢复码")

        other = await chromium.new_context(
            viewport={"width": 1366, "height": 768}, color_scheme="dark", bypass_csp=True
        )
        await other.add_cookies([{"name": "firenet_lang", "value": "en", "url": site.url}])
        page = await other.new_page()
        await sign_in(page, site.url)
        await expect(page.locator(".door-problem")).to_be_visible()
        await sign_in(page, site.url, codes[0])
        await expect(page.locator("#factor-has")).to_have_text("It is on. 9 recovery codes are left.")
        await clean(page)
        await page.fill("#factor-remove [name=current]", PASSWORD)
        await page.fill("#factor-remove [name=code]", codes[1])
        await page.press("#factor-remove [name=code]", "Enter")
        await expect(page.locator("#factor-begin")).to_be_visible()


async def test_an_administrator_links_a_person_and_the_door_names_the_provider(
    empty_scenario: Scenario, chromium: Chromium
) -> None:
    provider = {
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "x",
        "oidc_console_url": "http://console.example",
    }
    async with console(empty_scenario.dsn, **provider) as site:
        await add_administrator(empty_scenario.dsn)
        page = await (await chromium.new_context(viewport=PHONE, bypass_csp=True)).new_page()
        await page.goto(f"{site.url}/login?left&next=%2Faccount")
        await expect(page.locator(".door-provider a")).to_have_text("使用统一身份认证登录")
        await expect(page.locator(".door-provider a")).to_have_attribute("href", "/oidc/start?next=/account")
        await expect(page.locator(".door-goon a")).to_have_attribute("href", "/oidc/sign-out")
        await clean(page)
        await page.fill("#username", "adm")
        await page.fill("#password", PASSWORD)
        async with page.expect_navigation():
            await page.press("#password", "Enter")
        await page.locator("#rows li", has_text="brigade").locator("[data-act=link]").click()
        await expect(page.locator("#subject")).to_be_focused()
        await clean(page)
        await page.keyboard.type("u-4711")
        await page.keyboard.press("Enter")
        await expect(page.locator("#rows li", has_text="brigade")).to_contain_text("身份认证平台：u-4711")
        await page.locator("#rows li", has_text="health").locator("[data-act=link]").click()
        await page.fill("#subject", "u-4711")
        await page.keyboard.press("Enter")
        await expect(page.locator("#said")).to_have_text("该身份已与另一账号关联。")
