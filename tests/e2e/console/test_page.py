"""The live page in a real Chromium: what a duty officer sees, does and must never be fooled by."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

import pytest
import pytest_asyncio
from axe_core_python.base import AXE_SCRIPT
from playwright.async_api import Browser as Chromium
from playwright.async_api import Locator, Page, Route, expect

from services.kernel.calendar import CHINA
from services.kernel.position import gcj02_of
from tests.e2e.console.chromium import CHROMIUM, LIMIT_MS, STILL, picture
from tests.integration.console.harness import PASSWORD, Console, console, login
from tests.integration.console.scenario import Scenario, Unit, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),  # one Chromium for all, and it lives in one loop
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    """200 units, all well, in sight for the next hour."""
    empty_scenario.put(district(200))
    empty_scenario.stay_fresh()
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        yield running


@dataclass
class ReaderPage:
    """One reader: a page with what the browser complained about."""

    page: Page
    complaints: list[str]

    async def has(self, selector: str, text: str) -> None:
        await expect(self.page.locator(selector).first).to_contain_text(text)


@asynccontextmanager
async def desk(
    chromium: Chromium, site: Console, username: str | None = "centre", width: int = 1280, **options: Any
) -> AsyncIterator[ReaderPage]:
    """Open the live page as `username`, or the door for nobody. Whoever comes in is known already: that takes one page
    instead of three. The door has tests of its own."""
    context = await chromium.new_context(viewport={"width": width, "height": 900}, **STILL, **options)
    context.set_default_timeout(LIMIT_MS)
    if username is not None:
        async with site.client() as client:
            answer = await login(client, username, PASSWORD)
            assert answer.status_code == 303, answer.text
            found = client.cookies.items()
        await context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in found])
    page = await context.new_page()
    at = ReaderPage(page, [])
    page.on("pageerror", lambda error: at.complaints.append(str(error)))
    page.on("console", lambda line: at.complaints.append(line.text) if line.type == "error" else None)
    await page.goto(f"{site.url}/")
    if username is not None:
        await expect(page.locator(".rate-percent, #none-of:not(:empty)").first).to_be_visible()
        await expect(page.locator(".chip b").first).not_to_have_text("–")
    yield at
    await context.close()


async def test_a_lost_unit_moves_the_rate_without_a_reload(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        await at.has('[data-scope="S1"] .rate-percent', "100.0 %")
        await at.has('[data-scope="S1"] .verdict', "达标")
        await at.page.evaluate("window.notReloaded = true")
        scenario.change("U00000", connection="offline")
        await at.has('[data-scope="S1"] .rate-percent', "99.5 %")
        await at.has('[data-scope="S1"] .rate-fraction', "199 / 200")
        await at.has('[data-scope="S1"] .verdict', "未达标")
        await at.has(".formula", "实时联网率 =")
        await at.has(".unit-name", "东街第0医院")
        scenario.change("U00000", connection="online")
        await at.has('[data-scope="S1"] .rate-percent', "100.0 %")
        await at.has("#units .empty", "一切正常")
        assert await at.page.evaluate("window.notReloaded")
        assert at.complaints == []


async def test_unknown_units_show_an_interval_and_no_verdict(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        scenario.change_all(["U00000", "U00001"], connection="unknown")
        await at.has('[data-scope="S1"] .rate-percent', "99.0 – 100.0 %")
        await at.has('[data-scope="S1"] .rate-interval', "[99.0 %, 100.0 %]")
        await at.has('[data-scope="S1"] .verdict', "无法判定")


async def test_a_fire_is_on_top_of_everything_within_a_second(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        scenario.open_case("C1", "U00001")
        await at.page.locator(".case-name").first.click()
        await expect(at.page.locator("#drawer")).to_be_visible()
        banner = at.page.locator("#fires")
        await _shown_at_once(scenario, banner)
        await at.has("#fires .fire-name", "安泰第16医院")
        assert await banner.get_attribute("role") == "alert"
        assert await banner.get_attribute("aria-live") == "assertive"
        assert "火警" in await at.page.title()
        await at.page.locator(".fire-open").click()
        await at.has("#drawer-title", "安泰第16医院")
        scenario.execute(END_FIRES)
        await expect(banner).to_be_hidden()


END_FIRES = (
    "UPDATE alerts.cases SET state = 'closed', closed_at = now(), acknowledged_at = now(), acknowledged_by = 'centre'"
    " WHERE kind = 'fire'"
)
"""They were taken before they ended: only such a fire leaves the banner by itself."""


async def _shown_at_once(scenario: Scenario, banner: Locator) -> None:
    """Report a fire; a machine that stood still just then gets another chance, a page that is slow fails them all."""
    for number in range(1, 8):
        scenario.open_case(f"F{number}", "U00016", "fire")
        try:
            await expect(banner).to_be_visible(timeout=1_500)
        except AssertionError:
            await expect(banner).to_be_visible()
            if number == 7:
                raise
            scenario.execute(END_FIRES)
            await expect(banner).to_be_hidden()
        else:
            return


async def test_a_fire_that_ended_untaken_stays_in_a_calm_row_until_somebody_acknowledges_it(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("F1", "U00016", "fire")
    scenario.signal("U00016", "fire", point={"system": "1", "address": "5-021", "label": "护士站感烟"})
    site.alerts.then = lambda case_id: scenario.execute(
        "UPDATE alerts.cases SET acknowledged_at = now(), acknowledged_by = 'centre' WHERE case_id = %s", [case_id]
    )
    async with desk(chromium, site) as at:
        await expect(at.page).to_have_title(re.compile("火警 1 处"))
        scenario.end("F1")
        await at.has("#fires .fire.ended .fire-word", "火警已结束，待确认")
        await expect(at.page.locator("#fires .fire")).to_have_count(1)
        await at.has(".fire-name", "安泰第16医院")
        await at.has(".fire-parts", "护士站感烟")
        await at.has(".fire-at", "结束")
        await expect(at.page).not_to_have_title(re.compile("火警"))
        assert await at.page.evaluate("document.documentElement.dataset.fire") == "none", "nothing burns, nothing rings"
        await at.page.locator(".fire-open").click()
        await at.has("#drawer .next-block", "火警已结束，待确认")
        assert await _serious(at.page) == []
        await at.page.locator("#drawer [data-role=ack]").click()
        await at.has("#ack-what", "不再发送任何通知")
        await at.page.locator("#ack-confirm").click()
        await expect(at.page.locator("#fires")).to_be_hidden()
        await at.has("#drawer .acked-block", "值班 centre")
        await expect(at.page.locator("#drawer [data-role=ack]")).to_have_count(0)
        assert at.complaints == []


async def test_ended_fires_fold_away_behind_those_that_burn(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    for number in range(4):
        scenario.open_case(f"E{number}", f"U0000{number}", "fire")
        scenario.end(f"E{number}")
    scenario.open_case("F", "U00016", "fire", effective_at=scenario.now() - timedelta(hours=3))
    async with desk(chromium, site) as at:
        await expect(at.page.locator("#fires .fire")).to_have_count(3)
        await expect(at.page.locator("#fires .fire").first).not_to_have_class(re.compile("ended"))
        await at.has(".fire-more", "另有 2 处已结束火警待确认")
        await at.page.locator(".fire-more").click()
        await expect(at.page.locator("#fires .fire.ended")).to_have_count(4)
        await expect(at.page).to_have_title(re.compile("火警 1 处"))
    async with desk(chromium, site, "health") as at:
        await expect(at.page.locator("#fires .fire")).to_have_count(1)
        await expect(at.page.locator("#fires .fire.ended")).to_have_count(0)


async def test_a_department_signs_for_a_fire_and_the_centre_still_has_to_take_it(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("F1", "U00016", "fire")
    site.alerts.then = lambda case_id: scenario.sign(case_id, "health", "已派员")
    async with desk(chromium, site) as centre, desk(chromium, site, "health") as at:
        await at.has(".case .ack", "签收")
        await at.page.locator(".case .ack").click()
        await at.has("#ack-title", "签收")
        await at.page.locator("#ack-confirm").click()
        await at.has("#polite", "已签收")
        await at.has(".case-signed", "卫生健康局 已于")
        await expect(at.page.locator(".case .ack")).to_be_hidden()
        await centre.has(".case-signed", "尚未接警")
        await centre.has(".case .ack", "接警")
        await expect(centre.page.locator("#fires .fire.acked")).to_have_count(0)
        assert await centre.page.evaluate("document.documentElement.dataset.fire") == "now", "it rings on"
        await centre.page.locator(".case-name").click()
        await centre.has("#drawer .receipts", "已派员")
        assert centre.complaints == []
        assert [line for line in at.complaints if "503" not in line] == [], "of documents, which does not run here"


async def test_acknowledge_with_the_keyboard_alone(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    scenario.open_case("C1", "U00000")
    site.alerts.then = lambda case_id: scenario.execute(
        "UPDATE alerts.cases SET acknowledged_at = now(), acknowledged_by = 'centre', acknowledged_step = step,"
        " acknowledged_note = 'seen' WHERE case_id = %s",
        [case_id],
    )
    async with desk(chromium, site) as at:
        await expect(at.page.locator(".ack")).to_be_visible()
        for _ in range(80):
            await at.page.keyboard.press("Tab")
            if await at.page.evaluate("document.activeElement.classList.contains('ack')"):
                break
        await at.page.keyboard.press("Enter")
        await expect(at.page.locator("#ack-note")).to_be_focused()
        await at.page.keyboard.type("已联系值班室")
        await at.page.keyboard.press("Control+Enter")
        await expect(at.page.locator("#ack")).to_be_hidden()
        await at.has(".case-acked", "值班 centre")
        await at.has("#polite", "已确认")
        assert [(case_id, body["note"]) for case_id, _, body in site.alerts.asked] == [("C1", "已联系值班室")]


async def test_a_refused_acknowledgement_says_so_and_escape_leaves(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("C1", "U00000")
    site.alerts.status = 500
    async with desk(chromium, site) as at:
        await at.page.locator(".ack").click()
        await at.page.locator("#ack-confirm").click()
        await at.has("#ack-problem", "处置服务暂时无应答")
        await at.page.keyboard.press("Escape")
        await expect(at.page.locator("#ack")).to_be_hidden()
        await expect(at.page.locator(".ack")).to_be_focused()


async def test_a_cut_stream_is_hatched_and_said_never_a_frozen_green(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        await at.page.clock.install()
        due = scenario.now() + timedelta(minutes=30)
        scenario.open_case("C1", "U00000", next_step_at=due)
        await at.page.reload()
        await at.has("#fresh-word", "实时")
        await at.has(".case .next-in", "后")
        await expect(at.page.locator("#stale")).to_be_hidden()
        site.stop.set()
        await site.task
        await at.page.clock.fast_forward(9_000)
        await expect(at.page.locator("#stale")).to_be_visible()
        await at.has("#stale", "数据流已中断")
        await at.has("#fresh-word", "数据流中断")
        assert await at.page.evaluate("document.documentElement.dataset.trust") == "none"
        for stale in ("#rates", ".case:not([data-kind=fire])"):
            hatch = await at.page.evaluate(
                f"getComputedStyle(document.querySelector('{stale}'), '::after').backgroundImage"
            )
            assert "repeating-linear-gradient" in hatch, stale
        await at.has(".case .next-in", f"{due.astimezone(CHINA):%H:%M}")


async def test_a_stale_watermark_is_blindness_and_visibility_comes_back(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        scenario.execute(
            "UPDATE rules.partitions SET watermark = %s", [scenario.now() - timedelta(hours=1)], notify=False
        )
        await at.has("#stale", "采集中断")
        await at.has("#fresh-word", "失明")
        await at.has('[data-scope="S1"] .rate-percent', "0.0 – 100.0 %")
        await at.has('[data-scope="S1"] .verdict', "无法判定")
        scenario.stay_fresh()
        await expect(at.page.locator("#stale")).to_be_hidden()
        await at.has('[data-scope="S1"] .rate-percent', "100.0 %")


async def test_a_clock_that_was_set_back_is_said_and_takes_no_state_away(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        scenario.see(scenario.now() + timedelta(hours=1))
        await at.has("#fresh-word", "时钟超前")
        await at.has("#stale", "时钟被拨回")
        await at.has('[data-scope="S1"] .rate-percent', "100.0 %")
        scenario.see()
        await expect(at.page.locator("#stale")).to_be_hidden()


async def test_an_unstable_line_is_said_in_the_list_and_beside_it_and_changes_no_figure(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        scenario.change("U00000", line_drops=300, unstable_until=scenario.now() + timedelta(minutes=10))
        await at.has(".unit-line", "线路不稳 300")
        await at.has(".unit-conn", "在线")
        await at.has('[data-scope="S1"] .rate-percent', "100.0 %")
        await at.page.locator(".unit-row").first.click()
        await at.has(".line-note", "10 分钟内断开或重连 300 次")
        scenario.change("U00000", line_drops=300, unstable_until=scenario.now() - timedelta(minutes=20))
        await at.has("#units .empty", "一切正常")
        assert at.complaints == []


async def test_the_language_switches_at_once_and_is_remembered(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("C1", "U00000")
    async with desk(chromium, site) as at:
        await at.has("#cases-title", "案件")
        await at.page.click("#language")
        for selector, text in (
            ("#cases-title", "Cases"),
            (".rate-metric", "Live networking rate"),
            (".case-kind", "Connection lost"),
            (".board-name", "Subdistrict"),
            (".ack", "Acknowledge"),
        ):
            await at.has(selector, text)
        scenario.execute("UPDATE console.accounts SET display_name_en = 'Duty desk' WHERE username = 'centre'")
        await at.page.reload()
        await at.has("#cases-title", "Cases")
        await at.has(".who", "Duty desk")
        assert await at.page.evaluate("document.documentElement.lang") == "en"
        shown = await at.page.evaluate("document.body.innerText")
        assert not [line for line in shown.splitlines() if "处置" in line or "联网率" in line]


async def test_a_department_sees_its_slice_only(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    scenario.open_case("C-health", "U00000")
    scenario.open_case("C-school", "U00001")
    async with desk(chromium, site, "health") as at:
        await at.has("#slice", "卫生健康局")
        await at.has('[data-scope="S1"] .rate-fraction', "25 / 25")
        await at.has(".case-name", "东街第0医院")
        await expect(at.page.locator(".case")).to_have_count(1)
        await at.page.click("#units-all")
        await at.has("#units-count", "50")
        await at.page.goto(f"{site.url}/?case=C-school")
        await at.has("#drawer", "不在您的范围内")


async def test_each_role_finds_its_own_work_first_and_a_department_is_given_no_fire_to_work(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.put(replace(unit, scopes=("S1",)) for unit in district(200))
    scenario.open_case("F1", "U00016", "fire")
    order = """names => names.map(name => document.querySelector(name).getBoundingClientRect())
      .map((box, index) => [Math.round(box.top), Math.round(box.left), names[index]])
      .sort((one, other) => one[0] - other[0] || one[1] - other[1]).map(place => place[2])"""
    for role, first in (
        ("brigade", ["#rates", ".boards", ".units", ".cases"]),
        ("centre", [".cases", ".units", ".boards", "#rates"]),
        ("health", [".inbox", ".units", ".cases", "#rates", ".boards"]),
    ):
        async with desk(chromium, site, role) as at:
            await expect(at.page.locator("#fires .fire")).to_have_count(1)
            assert await at.page.evaluate(order, sorted(first)) == first, role
    async with desk(chromium, site, "health", width=390) as at:
        await at.has("#fires .fire-word", "由监控中心处置")
        assert await at.page.locator("#fires").get_attribute("aria-live") == "polite"
        assert await at.page.evaluate("document.documentElement.dataset.fire") == "none"
        await at.has("#none-of", "不在以下统计范围内")
        await expect(at.page.locator('.rate[data-scope="S2"]')).to_have_count(0)
        await at.has("#inbox-note", "文书服务暂时无应答")
        assert await _serious(at.page) == []


FILLED = """() => {
  const ground = document.querySelector("#ground").getBoundingClientRect();
  const marks = [...document.querySelectorAll(".ground .mark-sign .under")].map((one) => one.getBoundingClientRect());
  const span = (low, high) => Math.max(...marks.map((one) => one[high])) - Math.min(...marks.map((one) => one[low]));
  return Math.max(span("left", "right") / ground.width, span("top", "bottom") / ground.height);
}"""
"""How much of the ground the marks lie over, in the direction in which they fill it."""


async def test_the_map_shows_where_it_is_wrong_by_shape_and_word_and_follows_the_stream(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    with scenario.kept_registry():
        scenario.register("U00000", longitude=118.15, latitude=26.65)
        scenario.register("U00008", longitude=118.16, latitude=26.66)
        async with desk(chromium, site) as at:
            page = at.page
            await page.goto(f"{site.url}/map")
            await expect(page.locator("#marks li")).to_have_count(200)
            await at.has("#views [aria-pressed=true]", "示意图")
            await expect(page.locator(".ground .town")).to_have_count(8)
            scenario.change("U00008", connection="offline")
            await at.has(".mark-row .mark-what", "离线")
            await at.has("#legend .s-offline", "1")
            assert await page.locator(".mark-sign.s-offline use").first.get_attribute("href") in await _signs(page)
            await page.get_by_role("button", name="按位置").click()
            await expect(page.locator(".ground .mark-sign")).to_have_count(2)
            assert await page.evaluate(FILLED) > 0.75, "the marks lie over the whole ground, not over its middle"
            await at.has("#note", "198 家单位没有登记坐标")
            place = page.locator(".mark-sign.s-offline")
            before = await place.get_attribute("transform")
            await page.focus("#ground")
            await page.keyboard.press("ArrowRight")
            await expect(place).not_to_have_attribute("transform", before or "")
            assert await _serious(page) == []
            await page.locator(".mark-row").first.focus()
            await page.keyboard.press("Enter")
            await at.has("#drawer-title", "南街第8医院")
            assert at.complaints == []


async def test_tiles_come_from_the_operators_server_and_positions_are_shifted_to_it(
    chromium: Chromium, scenario: Scenario
) -> None:
    asked: list[str] = []

    async def tile(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=200, content_type="image/svg+xml", body="<svg xmlns='http://www.w3.org/2000/svg'/>")

    tiles = {
        "map_tiles": "http://tiles.test/{z}/{x}/{y}.png",
        "map_tiles_credit": "某图",
        "map_tiles_coordinates": "gcj02",
    }
    with scenario.kept_registry():
        scenario.register("U00000", longitude=118.15, latitude=26.65)
        async with console(scenario.dsn, **tiles) as site, desk(chromium, site) as at:
            await at.page.route("http://tiles.test/**", tile)
            await at.page.goto(f"{site.url}/map")
            await expect(at.page.locator(".ground .mark-sign")).to_have_count(1)
            await at.has("main", "某图")
            await expect(at.page.locator(".ground .tiles image").first).to_be_attached()
            told = await at.page.evaluate("fetch('/api/v1/map').then(answer => answer.json())")
            (mark,) = [mark for mark in told["marks"] if mark["at"]]
            assert mark["at"] == pytest.approx(gcj02_of(118.15, 26.65))
            assert at.complaints == [], "the policy of the page lets that host in"
    assert asked
    assert all(re.fullmatch(r"http://tiles\.test/\d+/\d+/\d+\.png", url) for url in asked)


async def _signs(page: Page) -> list[str]:
    """What the list beside the map shows for the worst mark, as the map must show it."""
    href = await page.locator(".mark-row .mark-icon use").first.get_attribute("href")
    return [href or ""]


SHORT_BARS = """() => [...document.querySelectorAll('.board-row')]
  .map((row) => [row.querySelector('.board-bar'), row.querySelector('.board-bar .gap'), row.querySelector('.ok')])
  .filter(([, gap]) => gap.style.flexGrow === '0')
  .filter(([bar, , ok]) => bar.getBoundingClientRect().right - ok.getBoundingClientRect().right > 0.1)
  .map(([bar]) => bar.parentElement.textContent)"""
"""Of those in which nobody is missing: the bar is full to its end (console.md D25)."""


async def test_filters_live_in_the_address(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    scenario.change_all(["U00000", "U00008", "U00016"], connection="offline")
    scenario.change("U00005", health="fault")
    async with desk(chromium, site) as at:
        await at.has("#units-count", "4")
        await at.page.click("#chips-connection .s-offline")
        await at.has("#units-count", "3")
        await expect(at.page).to_have_url(re.compile("conn=offline"))
        await at.page.reload()
        await at.has("#units-count", "3")
        await expect(at.page.locator("#chips-connection .s-offline")).to_have_attribute("aria-pressed", "true")
        await at.page.click("#chips-connection .s-offline")
        await at.page.fill("#search", "u00005")
        await at.has("#units-count", "1")
        await at.has(".unit-name", "锦绣花园5区")
        await at.page.fill("#search", "")
        assert await at.page.evaluate(SHORT_BARS) == []
        await at.page.locator(".board-row").first.click()
        await expect(at.page).to_have_url(re.compile("town="))


async def test_names_that_are_markup_are_shown_as_text(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    name = "<img src=x onerror='window.hacked=1'><b>医院</b>"
    scenario.put([Unit("X1", name, "dongjie", "HOSPITAL", "health", health="fire", fires=1)])
    scenario.open_case("C1", "X1", "fire", acknowledged_at=scenario.now(), acknowledged_by="x", acknowledged_note=name)
    async with desk(chromium, site) as at:
        await at.has("#fires .fire-name", name)
        await at.page.locator(".fire-open").click()
        await at.has("#drawer-title", name)
        await at.has(".acked-block q", name)
        assert await at.page.evaluate("window.hacked") is None
        assert at.complaints == []


async def test_twenty_thousand_units_are_a_few_rows_and_every_row_can_be_reached(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.put(replace(unit, connection="offline") for unit in district(20_000))
    async with desk(chromium, site) as at:
        await at.has("#units-count", "20")
        assert await at.page.locator(".unit").count() < 60
        await at.page.locator(".unit-row").first.focus()
        await at.page.keyboard.press("End")
        await expect(at.page.locator('.unit[aria-posinset="20000"] .unit-name')).not_to_be_empty()
        assert await at.page.locator(".unit").count() < 60


@pytest.mark.parametrize("width", [1920, 360])
async def test_axe_finds_nothing_serious(chromium: Chromium, site: Console, scenario: Scenario, width: int) -> None:
    _busy(scenario)
    async with desk(chromium, site, width=width) as at:
        await expect(at.page.locator(".fire")).to_be_visible()
        await expect(at.page.locator(".unit").first).to_be_visible()
        assert await _serious(at.page) == []
        await at.page.locator(".case-name").nth(1).click()
        await expect(at.page.locator("#drawer .facts")).to_be_visible()
        assert await _serious(at.page) == []
        await at.page.locator("#drawer [data-role=ack]").click()
        await expect(at.page.locator("#ack-note")).to_be_visible()
        assert await _serious(at.page) == []


async def test_axe_finds_nothing_serious_at_the_door_and_when_blind(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site, None) as at:
        assert await _serious(at.page) == []
    _busy(scenario)
    scenario.see(scenario.now() - timedelta(hours=1))
    async with desk(chromium, site) as at:
        await expect(at.page.locator("#stale")).to_be_visible()
        assert await _serious(at.page) == []


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [360, 320])
async def test_a_phone_never_scrolls_sideways(
    chromium: Chromium, site: Console, scenario: Scenario, width: int, lang: str
) -> None:
    _busy(scenario)
    async with desk(chromium, site, width=width) as at:
        if lang == "en":
            await at.page.click("#language")
            await at.has("#cases-title", "Cases")
        await expect(at.page.locator(".fire")).to_be_visible()
        assert await at.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_signing_out_leads_to_the_door(chromium: Chromium, site: Console) -> None:
    async with desk(chromium, site) as at:
        await at.page.locator("form[action='/logout'] button").click()
        await expect(at.page.locator("#username")).to_be_visible()
        await at.page.goto(f"{site.url}/")
        await expect(at.page.locator("#username")).to_be_visible()


def _busy(scenario: Scenario) -> None:
    """Something of everything."""
    now = scenario.now()
    for number, (connection, health) in enumerate(
        [("offline", "normal"), ("late", "normal"), ("unknown", "unknown"), ("never_connected", "unknown"),
         ("commissioning", "unknown"), ("exempt", "normal"), ("online", "fault"), ("online", "isolated"),
         ("online", "partly_isolated")]
    ):  # fmt: skip
        scenario.change(f"U{number:05d}", connection=connection, health=health)
    scenario.change("U00016", health="fire", fires=1)
    scenario.open_case("F1", "U00016", "fire")
    scenario.open_case("C1", "U00000", next_step_at=now + timedelta(seconds=40))
    scenario.take_step("C1", "H0", ["centre", "unit_control_room"])
    scenario.notice("N1", "C1", "H0", "centre")
    scenario.notice("N2", "C1", "H0", "U00000", "dead", reason="mailbox_unknown")
    scenario.open_case("C2", "U00006", "fault", next_step_at=now - timedelta(minutes=3))
    scenario.open_case(
        "C3", "U00003", "never_connected", acknowledged_at=now, acknowledged_by="x", acknowledged_step="H0"
    )
    scenario.open_case("CC", None, "common_cause", cause_key="carrier:mobile", held_until=now + timedelta(minutes=20))


async def _serious(page: Page) -> list[str]:
    """Return what axe finds on the page in the light theme, and then in the dark one."""
    found = []
    themes: tuple[Literal["light", "dark"], ...] = ("light", "dark")
    for theme in themes:
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        await page.evaluate(
            "Promise.allSettled(document.getAnimations().map(one => one.finished))"
        )  # colours on their way
        found += [f"{theme} {each}" for each in await _axe(page)]
    return found


async def _axe(page: Page) -> list[str]:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_SCRIPT)
    # Every violation, but no list of the thousands of elements that passed: that is most of the work.
    result = await page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{found['id']}: {found['nodes'][0]['target']} {found['nodes'][0].get('failureSummary', '')}"
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


async def test_many_fires_leave_room_for_what_is_to_be_done_on_a_phone(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    for number in range(6):
        scenario.change(
            f"U0000{number}", name_en="Comprehensive Cultural and Commercial Service Centre of the Subdistrict"
        )
        scenario.open_case(f"F{number}", f"U0000{number}", "fire")
    async with desk(chromium, site, width=390) as at:
        await expect(at.page.locator("#fires .fire")).to_have_count(3)
        for _ in range(2):
            banner = await at.page.locator("#fires").bounding_box()
            assert banner is not None
            assert banner["height"] <= 310, "a third of the screen, however many are shown"
            more = at.page.locator(".fire-more")
            if await more.get_attribute("aria-expanded") == "false":
                await more.click()
                await expect(at.page.locator("#fires .fire")).to_have_count(6)
        await at.page.locator(".case .ack").first.click()
        await expect(at.page.locator("#ack-confirm")).to_be_in_viewport()


async def test_the_banner_and_the_case_say_what_burns_where(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("F1", "U00016", "fire", burning=["1|5-021", "1|5-022"])
    for number, label in (("5-021", "住院部五层 护士站感烟"), ("5-022", "住院部五层 走廊"), ("6-001", "住院部六层")):
        scenario.signal("U00016", "fire", point={"system": "1", "address": number, "label": label})
    with scenario.added_to_registry():
        scenario.register("U00016", key_unit=True, crowded_place=True, flammable_place=False)
        await _says_where(chromium, site)


async def _says_where(chromium: Chromium, site: Console) -> None:
    async with desk(chromium, site) as at:
        await at.has("#fires .fire-parts", "住院部五层 护士站感烟（1 5-021）、住院部五层 走廊（1 5-022）")
        await at.page.locator(".fire-open").click()
        await expect(at.page.locator(".components .burning")).to_have_count(2)
        await at.has(".components li:last-child", "已结束")
        await at.has("#drawer", "2 个部件同时报火警，互相印证")
        await at.has("#drawer", "医疗卫生机构、消防安全重点单位、人员密集场所")
        assert at.complaints == []


async def test_a_page_that_cannot_be_heard_says_so_until_it_is_touched(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        await at.has("#sound", "未发声")
        await at.page.locator("#search").click()
        await expect(at.page.locator("#sound")).not_to_have_class(re.compile("silent"))
        await at.page.locator("#sound").click()
        await at.has("#sound", "声音：关")
        await at.page.reload()
        await at.has("#sound", "声音：关")
    async with desk(chromium, site) as at:
        await at.page.locator("#sound").click()  # the first touch asks for sound: it must not switch it off
        await expect(at.page.locator("#sound")).to_have_attribute("aria-pressed", "true")
        await expect(at.page.locator("#sound")).not_to_have_class(re.compile("silent"))


async def test_the_link_of_a_letter_leads_to_its_case_also_through_the_sign_in(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.open_case("C1", "U00001")
    async with desk(chromium, site, None) as at:
        await at.page.goto(f"{site.url}/?case=C1")
        await at.page.fill("#username", "centre")
        await at.page.fill("#password", PASSWORD)
        await at.page.press("#password", "Enter")
        await at.has("#drawer-title", "东街实验小学第1校区")
        # as a mailbox of another site would
        await at.page.goto(site.url.replace("127.0.0.1", "localhost") + "/login")
        await at.page.evaluate("(to) => { location.href = to; }", f"{site.url}/?case=C1")
        await at.has("#drawer-title", "东街实验小学第1校区")


async def test_what_is_short_of_the_target_can_be_listed(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    scenario.change("U00000", connection="offline")
    scenario.change("U00001", connection="never_connected")
    scenario.change("U00002", health="fault", faults=1)
    async with desk(chromium, site) as at:
        await at.page.locator('[data-scope="S1"] .rate-short').click()
        await at.has("#filters", "统计范围 S1")
        await at.has("#units-count", "2")


async def test_a_session_that_ended_leads_to_the_door_and_says_so(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    async with desk(chromium, site) as at:
        scenario.execute("DELETE FROM console.sessions")
        await at.page.fill("#search", "U00001")
        await at.has(".door-problem", "登录已失效")
        await at.page.fill("#username", "centre")
        await at.page.fill("#password", PASSWORD)
        await at.page.press("#password", "Enter")
        await at.has("#fresh-word", "实时")


async def test_a_district_without_units_is_not_called_well(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.execute("TRUNCATE rules.units, rules.rate_counts")
    async with desk(chromium, site) as at:
        await at.has(".rate-percent", "不适用")
        await at.has("#units .empty", "此范围内没有单位")


LOST = """INSERT INTO alerts.synthetic_alarms (run_id, why, started_at, due_at, sent_at, received_at, outcome, detail)
    VALUES ('0123456789abcdef', 'schedule', now() - interval '5 min', now() - interval '4 min',
            now() - interval '299 s', now() - interval '298 s', 'lost', '')"""


async def test_the_brigade_sees_what_of_ourselves_fails_and_what_nobody_could_see(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.execute("TRUNCATE alerts.synthetic_alarms")
    scenario.execute(LOST)
    async with desk(chromium, site, "centre") as at:
        assert await at.page.locator("#system").count() == 0
    async with desk(chromium, site, "brigade") as at:
        await at.page.click("#menu-open")
        await at.page.click("#system")
        await at.has("#whole", "有故障")
        first = at.page.locator("#items .system-row").first
        await expect(first).to_contain_text("自检报警")
        await expect(first).to_contain_text("deploy/RUNBOOK.md#firenetsyntheticalarmfailing")
        await expect(at.page.locator("#stages [data-passed=false]")).to_have_count(5)
        await expect(at.page.locator(".system-row[data-state=unknown]", has_text="消息代理证书")).to_contain_text(
            "看不到"
        )
        await expect(at.page.locator("#none")).to_be_visible()
        await picture(at.page, "health", full_page=True)
        await at.page.click("#language")
        await at.has("#whole", "Something fails")
        assert at.complaints == []
    scenario.execute("TRUNCATE alerts.synthetic_alarms")
