"""The work queue in a real Chromium: each task of a duty officer, with the clicks that it takes."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, expect

from services.console.adapters.postgres_names import initials_of
from tests.e2e.console.chromium import CHROMIUM
from tests.e2e.console.test_page import ReaderPage, _serious, desk
from tests.integration.console.harness import Console, console, until
from tests.integration.console.scenario import Scenario, district

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM}"),
]
SCRIPT = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
PACKS = Path(__file__).resolve().parents[3] / "deploy" / "packs"
READ_CLAUSES = """async (parts) => {
  const ours = document.querySelector("script[type=module]").src;
  const { readClause } = await import(new URL("clauses.js", ours));
  const known = await (await fetch(new URL("clauses.json", ours))).json();
  const read = parts.map(readClause);
  const keys = read.flatMap((one) => one.keys);
  return { names: read.map((one) => one.name), unworded: keys.filter((key) => !(key in known)) };
}"""
WORDS = {"zh": ("再次告知、核查任务", "消防控制室"), "en": ("Repeated notice and check task", "Control room")}
COUNT_CLICKS = """if (!window.counted) {
  window.counted = true;
  addEventListener("click", (event) => { window.clicks = (window.clicks ?? 0) + event.isTrusted }, true);
}"""


@pytest.fixture
def scenario(empty_scenario: Scenario) -> Scenario:
    empty_scenario.put(district(64))
    empty_scenario.stay_fresh()
    return empty_scenario


@pytest_asyncio.fixture(loop_scope="module")
async def site(scenario: Scenario) -> AsyncIterator[Console]:
    async with console(scenario.dsn) as running:
        running.alerts.then, running.alerts.worked = scenario.take_case, scenario.work
        yield running


def faults(scenario: Scenario, count: int = 20) -> None:
    for number in range(count):
        since = scenario.now() - timedelta(minutes=number + 1)
        scenario.open_case(f"C{number:02d}", f"U{number + 10:05d}", "fault", effective_at=since)


def fires(scenario: Scenario, count: int) -> None:
    for number in range(count):
        unit_id = f"U{number:05d}"
        scenario.change(unit_id, health="fire", fires=1)
        scenario.open_case(f"F{number}", unit_id, "fire", burning=["1|5-021"])
        scenario.signal(unit_id, "fire", point={"system": "1", "address": "5-021", "label": "五层 护士站"})
        scenario.take_step(f"F{number}", "F0", ["centre", "unit_control_room"])


async def clicks(page: Page) -> int:
    return int(await page.evaluate("window.clicks ?? 0"))


async def goto(at: ReaderPage, site: Console, query: str = "") -> None:
    await at.page.add_init_script(COUNT_CLICKS)
    await at.page.goto(f"{site.url}/{query}")


async def named(scenario: Scenario) -> bool:
    """Say whether the console has written down the initials of all names."""
    ((count,),) = scenario.rows("SELECT count(*) FROM console.name_initials JOIN rules.units USING (name)")
    return int(count) == len(scenario.units)


async def test_twenty_faults_are_acknowledged_with_one_note_and_the_fire_is_left_out(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario)
    fires(scenario, 1)
    async with desk(chromium, site) as at:
        await goto(at, site)
        await at.has('.case[data-kind="fire"]', "火警")
        await expect(at.page.locator('.case[data-kind="fire"] .case-choice')).to_be_hidden()
        await at.page.click("#bulk-all")
        await at.page.click("#bulk-ack")
        await at.page.fill("#ack-note", "已派维保")
        await at.page.click("#ack-confirm")
        await at.has("#polite", "已确认 20 件")
        assert await clicks(at.page) == 3
        ((_, _, asked),) = site.alerts.asked
        assert (len(asked["case_ids"]), asked["note"]) == (20, "已派维保")
        assert not any(case_id.startswith("F") for case_id in asked["case_ids"])
        assert await at.page.locator("html").get_attribute("data-fire") == "now", "the fire is not taken with them"
        await expect(at.page.locator("#cases-sub")).to_have_text("未确认 1")
        assert at.complaints == []


async def test_a_thousand_cases_are_turned_page_by_page_and_the_address_keeps_the_place(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    scenario.many_cases(1_000)
    async with desk(chromium, site) as at:
        await goto(at, site)
        await at.has("#case-range", "第 1–60 件，共 1\u202f000 件")
        await at.page.click("#case-next")
        await at.has("#case-range", "第 61–120 件")
        assert await at.page.locator(".case").count() == 60
        second = await at.page.locator(".case-name").first.text_content()
        await at.page.reload()
        await at.has(".case-name", str(second))
        await at.page.click("#case-before")
        await at.has("#case-range", "第 1–60 件")
        assert "after=" not in at.page.url
        await at.page.select_option("#case-sort", "oldest")
        await at.has(".case-name", "单位1000")
        assert at.complaints == []


async def test_a_case_is_found_by_initials_address_street_and_kind_and_the_address_tells_how(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario)
    scenario.execute("UPDATE rules.units SET address = '云澜东路 7 号' WHERE unit_id = 'U00013'")
    await until(lambda: named(scenario))
    async with desk(chromium, site) as at:
        await goto(at, site)
        initials = initials_of(scenario.units["U00017"].name)
        for text, unit_id in ((initials, "U00017"), ("云澜东路", "U00013"), ("C05", "U00015")):
            await at.page.fill("#case-search", text)
            await expect(at.page.locator(".case")).to_have_count(1)
            await at.has(".case-name", scenario.units[unit_id].name)
        assert "cq=C05" in at.page.url
        await at.page.reload()
        await expect(at.page.locator(".case")).to_have_count(1)
        await at.page.fill("#case-search", "")
        await at.page.select_option("#case-kind", "connection_lost")
        await at.has("#cases .empty", "没有符合条件的案件")
        await at.page.select_option("#case-kind", "")
        await at.page.click(".board-row >> nth=0")
        await expect(at.page.locator("#case-filters .filter")).to_have_count(1)
        await at.page.click("#case-filters .filter")
        await expect(at.page.locator(".case")).to_have_count(20)


async def test_a_case_is_put_out_of_sight_found_by_its_state_and_put_back(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario, 2)
    fires(scenario, 1)
    scenario.open_case("BACK", "U00020", "fault")
    scenario.end("BACK")
    async with desk(chromium, site) as at:
        await goto(at, site, "?case=F0")
        await at.has("#drawer .badge-line", "未确认")
        await expect(at.page.locator("#drawer [data-role=shelve]")).to_have_count(0)
        await goto(at, site, "?case=C00")
        await at.page.select_option("#drawer [data-role=shelve-for]", "240")
        await at.page.click("#drawer [data-role=shelve]")
        await at.has("#drawer .queue", "搁置至")
        await expect(at.page.locator(".case")).to_have_count(2)
        await at.has("#cases-sub", "已搁置 1 · 恢复未确认 1")
        await at.page.click("#drawer [data-role=close]")
        await at.page.select_option("#case-alarm", "shelved")
        await expect(at.page.locator(".case")).to_have_count(1)
        await at.has(".case .case-alarm", "已搁置")
        assert await _serious(at.page) == []
        await at.page.click(".case-name")
        await at.page.click("#drawer [data-role=shelve]")
        await at.has("#cases .empty", "没有符合条件的案件")
        await at.page.click("#drawer [data-role=escalate]")
        await at.page.click("#drawer [data-role=close]")
        await at.page.select_option("#case-alarm", "returned_unacknowledged")
        await at.has(".case .ack", "确认")
        assert "alarm=returned_unacknowledged" in at.page.url
        assert [(act, case_id) for act, case_id, _ in site.alerts.acts] == [
            ("shelve", "C00"), ("unshelve", "C00"), ("escalate", "C00"),
        ]  # fmt: skip
        assert at.complaints == []


async def test_a_closed_case_and_its_history_are_two_clicks_away(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario, 2)
    scenario.take_step("C00", "H0", ["centre", "maintenance"])
    scenario.comment("C00", "centre", "电池老化")
    scenario.end("C00")
    async with desk(chromium, site) as at:
        await goto(at, site)
        await at.page.click("#case-views button >> nth=3")
        await at.has(".case-name", "万象城10期")  # one is open too: their number tells nothing
        await expect(at.page.locator(".case")).to_have_count(1)
        await at.page.click(".case-name")
        await at.has(".drawer .badge-line", "已结案")
        await at.has(".drawer .timeline", "故障告知")
        await at.has(".drawer .comments", "电池老化")
        assert await clicks(at.page) == 2
        assert "cases=closed" in at.page.url


async def test_a_case_is_worked_on_by_one_and_given_back_at_sign_off(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario, 2)
    async with desk(chromium, site) as at:
        await goto(at, site)
        await at.page.click(".case-name")
        await at.page.click('.drawer [data-role="own"]')
        await at.has(".drawer .work-line", "我在办理")
        assert await clicks(at.page) == 2
        await at.page.click('.drawer [data-role="close"]')
        await at.page.click("#case-views button >> nth=2")
        await expect(at.page.locator(".case")).to_have_count(1)
        await at.has(".case-owner", "我在办理")
        async with desk(chromium, site, "brigade") as other:
            await other.has(".case-owner", "值班 centre 在办理")
        await at.page.click('form[action="/logout"] button')
        await expect(at.page.locator("#username")).to_be_visible()
    assert [(act, asked["account"]) for act, _, asked in site.alerts.acts] == [
        ("own", "centre"),
        ("sign_off", "centre"),
    ]


async def test_what_is_written_beside_a_case_is_text_and_a_draft_survives_what_changes_meanwhile(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario, 2)
    scenario.execute("UPDATE alerts.cases SET unit_name = %s WHERE case_id = 'C01'", [SCRIPT])
    async with desk(chromium, site) as at:
        await goto(at, site, "?case=C00")
        await at.page.fill("#comment-text", SCRIPT)
        scenario.take_step("C00", "H0", ["centre"])
        await at.has(".drawer .timeline", "监控中心")
        await expect(at.page.locator("#comment-text")).to_have_value(SCRIPT)
        await at.page.press("#comment-text", "Control+Enter")
        await at.has(".drawer .comment-said", "onerror")
        await expect(at.page.locator("#comment-text")).to_have_value("")
        await at.has("#cases", "onerror")
        assert await at.page.evaluate("window.hacked") is None
        assert at.complaints == []


async def test_a_burning_unit_is_called_with_one_click_and_found_false_without_being_silenced(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    with scenario.added_to_registry():
        scenario.register("U00000", control_room_phone="0300-25550101-801", responsible_phone="0300-25550103",
                          responsible_person=SCRIPT)  # fmt: skip
        fires(scenario, 1)
        async with desk(chromium, site) as at:
            await goto(at, site)
            call = at.page.locator(".fire .call").first
            await expect(call).to_have_attribute("href", "tel:0300-25550101;ext=801")
            await at.page.click(".fire-open")
            await at.has(".drawer .phones", "0300-25550103")
            await at.has(".drawer .timeline", "已告知 监控中心、单位消防控制室")
            await at.page.click('.drawer [data-role="false_alarm"]')
            await at.has(".drawer .verify", "误报")
            await at.has(".fire .fire-verified", "误报（值班 centre")
            assert await clicks(at.page) == 2
            await at.page.select_option("#cause-of-false_alarm", "fumes")
            await at.page.click('.drawer [data-role="false_alarm"]')
            await at.has(".drawer .verify", "误报，原因：环境干扰")
            await at.has(".fire .fire-verified", "误报，原因：环境干扰")
            await expect(at.page.locator("#cause-of-false_alarm")).to_have_value("fumes")
            await expect(at.page.locator("#cause-of-true_alarm")).to_have_value("")
            assert await at.page.locator("html").get_attribute("data-fire") == "now"
            await expect(at.page.locator(".fire.acked")).to_have_count(0)
            assert await at.page.evaluate("window.hacked") is None
        async with desk(chromium, site, "health") as own:
            await own.page.goto(f"{site.url}/?case=F0")
            await own.has(".drawer .verify, .drawer .receipts", "误报")
            await expect(own.page.locator('.call, [data-role="own"], [data-role="true_alarm"]')).to_have_count(0)


def _cited_by_packs() -> list[str]:
    """Return each source that a pack of this repository cites, and each remark beside one."""

    def of(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from inner.split(";") if name in ("clause", "hard_rule") and isinstance(inner, str) else of(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from of(inner)

    packs = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(PACKS.glob("*.yaml"))]
    assert len(packs) > 3
    return sorted({part.strip() for pack in packs for part in of(pack)})


async def test_every_step_recipient_scope_and_clause_is_said_in_words(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    faults(scenario, 1)
    scenario.execute("UPDATE alerts.cases SET step = 'H1', lead_department = 'health' WHERE case_id = 'C00'")
    for step, told in (("H0", ["centre", "unit_control_room"]), ("H1", ["unit_manager"])):
        scenario.take_step("C00", step, told)
    with scenario.added_to_registry():
        scenario.contact("K1", "U00010", "control_room", "值班员", None)
        scenario.notice("N1", "C00", "H0", "U00010", contact_id="K1")
        async with desk(chromium, site) as at:
            for language in ("zh", "en"):
                await goto(at, site, f"?case=C00&lang={language}")
                await at.has(".drawer .timeline", WORDS[language][0])
                await at.has(".drawer .notices", WORDS[language][1])
                for code in ("H0", "H1", "H4", "003 street", "sample-2026", "proposal +"):
                    for part in ("#cases", ".drawer"):  # names of packs may come a moment later
                        await expect(at.page.locator(part).first).not_to_contain_text(code)
            await goto(at, site, "?case=C00&lang=zh")
            await at.page.click(".drawer .timeline summary >> nth=0")
            await at.has(".drawer .clause-text", "督促辖区内机关、团体、企业、事业单位全面提升消防安全")
            assert await clicks(at.page) == 1
            said = await at.page.evaluate(READ_CLAUSES, _cited_by_packs())
            assert said["unworded"] == []
            assert [name for name in said["names"] if re.search("[A-Za-z]{3,}", re.sub("NFPA", "", name))] == []
            await goto(at, site, "?unit=U00003")
            await at.has(".drawer .facts", "重点单位")
            assert "S1" not in await at.page.locator(".drawer").inner_text()


async def test_the_keyboard_does_all_of_it(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    faults(scenario, 3)
    async with desk(chromium, site) as at:
        await goto(at, site)
        await at.has(".case-name", "")
        for key in ("j", "x", "j", "x", "a"):
            await at.page.keyboard.press(key)
        await at.page.keyboard.type("jko")  # into the note: no key acts there
        await at.page.keyboard.press("Control+Enter")
        await at.has("#polite", "已确认 2 件")
        ((_, _, asked),) = site.alerts.asked
        assert (len(asked["case_ids"]), asked["note"]) == (2, "jko")
        await at.page.keyboard.press("k")
        await at.page.keyboard.press("o")
        await at.has(".case-owner:not(:empty)", "我在办理")
        await at.page.keyboard.press("Enter")
        await expect(at.page.locator("#comment-text")).to_be_visible()
        await at.page.keyboard.press("Escape")
        await at.page.keyboard.press("?")
        await at.has("#keys", "写备注")
        await at.page.click("#keys-on")
        await at.page.keyboard.press("Escape")
        await at.page.keyboard.press("/")
        assert await at.page.evaluate("document.activeElement.id") != "case-search", "switched off"
        assert at.complaints == []


async def test_with_five_fires_and_twenty_faults_all_is_in_sight_or_one_click_away(
    chromium: Chromium, site: Console, scenario: Scenario
) -> None:
    fires(scenario, 5)
    faults(scenario)
    async with desk(chromium, site, width=1366) as at:
        await at.page.set_viewport_size({"width": 1366, "height": 768})
        await goto(at, site)
        await expect(at.page.locator(".case .ack").first).to_be_in_viewport(ratio=1)
        await at.page.click(".fire-more")
        await expect(at.page.locator(".fires .fire")).to_have_count(5)
        await at.page.click(".fire-all")
        await expect(at.page.locator(".case")).to_have_count(5)
        assert await clicks(at.page) == 2
        await expect(at.page.locator(".fires .fire")).to_have_count(3)


async def test_a_case_is_printed_alone_in_black_on_white(chromium: Chromium, site: Console, scenario: Scenario) -> None:
    fires(scenario, 1)
    scenario.verify("F0", "centre", "true_alarm", "可见明火", "cooking")
    async with desk(chromium, site, color_scheme="dark") as at:
        await goto(at, site, "?case=F0")
        await at.has(".drawer .verify", "可见明火")
        await at.page.emulate_media(media="print")
        await expect(at.page.locator(".drawer .print-only")).to_contain_text("火警移交单")
        for hidden in (".bar", "main", "#fires", ".drawer .tool", "#comment-text", '[data-role="true_alarm"]'):
            await expect(at.page.locator(hidden).first).to_be_hidden()
        await expect(at.page.locator(".drawer .verify")).to_contain_text("真警，原因：厨房用火")
        for shown in (".drawer .components", ".drawer .timeline", ".drawer .verify", ".drawer .since-line"):
            await expect(at.page.locator(shown).first).to_be_visible()
        seen: dict[str, Any] = await at.page.evaluate(
            "(() => { const s = getComputedStyle(document.querySelector('.drawer'));"
            " return { ink: s.color, paper: s.backgroundColor } })()"
        )
        assert seen == {"ink": "rgb(0, 0, 0)", "paper": "rgb(255, 255, 255)"}


@pytest.mark.parametrize(
    ("width", "queries"), [(390, ("?case=F0",)), (1366, ("?case=C00&lang=en&cases=closed",)), (1920, ("?case=F0",))]
)
async def test_axe_finds_nothing_serious_in_the_queue(
    chromium: Chromium, site: Console, scenario: Scenario, width: int, queries: tuple[str, ...]
) -> None:
    with scenario.added_to_registry():
        scenario.register("U00000", control_room_phone="0300-25550101")
        fires(scenario, 4)
        faults(scenario)
        scenario.comment("F0", "centre", "已电话核实")
        scenario.verify("F0", "centre", "false_alarm", "炊烟")
        async with desk(chromium, site, width=width) as at:
            for query in queries:
                await goto(at, site, query)
                await at.has(".drawer .comments" if "case=" in query else "#cases", "")
                assert await _serious(at.page) == [], query
            assert await at.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
