"""Cases of bodies climb the organisation ladder close by close; each step once, none for a figure taken back."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from services.alerts.adapters.close_words import fact_of, percent, period_of
from services.alerts.adapters.kafka_requests import request_rows
from services.alerts.adapters.letter_writer import TemplateWriter
from services.alerts.adapters.rows import case_of, case_row, clock_rows, ladder_text
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.closes import KEPT, Close, remembered
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.subject import Subject, SubjectFacts, SubjectKind
from services.alerts.domain.delivery.documents import Named
from services.alerts.domain.delivery.letters import letter_of_step
from services.alerts.domain.escalation.ladder import reached
from services.alerts.domain.ids import NoticeId
from services.alerts.domain.routing.recipients import recipients_of
from services.kernel.words import ClockKind, Period, Recipient
from tests.unit.alerts.bodies import DAY_S, ORGANISATION, TOWN, close, district, told
from tests.unit.alerts.build import T0, Book, address, at, case, contact
from tests.unit.alerts.harness import Harness

BEGAN, CHANGED, ENDED = Happening.BEGAN, Happening.CHANGED, Happening.ENDED
MARCH = date(2026, 3, 3)


def only(harness: Harness) -> Case:
    (found,) = harness.store.tables.cases.values()
    return found


def steps(harness: Harness) -> list[str]:
    return [one.step for one in harness.store.tables.steps.values()]


async def say(harness: Harness, phase: Happening, said: Close, finding: str = "f1") -> None:
    await harness.take(told(phase, said, harness.clock.now(), finding=finding))
    await harness.work()


async def below() -> Harness:
    """Return a harness whose town was below its target on a day."""
    harness = district()
    await say(harness, BEGAN, close(Period.DAY, MARCH))
    return harness


async def test_a_day_below_the_target_tells_the_body_once_however_many_days_follow() -> None:
    harness = await below()
    for day in range(4, 10):
        harness.clock.forward(DAY_S)
        await say(harness, CHANGED, close(Period.DAY, date(2026, 3, day)))
    assert (steps(harness), harness.recipients("O0")) == (["O0"], ["street"])
    assert only(harness).next_step is None, "what comes next waits for the close of a month"


async def test_each_longer_close_takes_the_next_step_and_their_order_does_not_matter() -> None:
    for periods in ([Period.MONTH, Period.QUARTER], [Period.QUARTER, Period.MONTH]):
        harness = await below()
        for period in periods:
            await say(harness, CHANGED, close(period, MARCH))
        assert steps(harness) == ["O0", "O1", "O2"]


async def test_a_case_that_a_long_close_begins_takes_the_steps_before_in_their_order() -> None:
    harness = district()
    await say(harness, BEGAN, close(Period.QUARTER, MARCH))
    assert steps(harness) == ["O0", "O1", "O2"]


@pytest.mark.parametrize("phase", [CHANGED, ENDED])
async def test_a_close_that_is_not_below_for_certain_takes_no_step(phase: Happening) -> None:
    harness = await below()
    await say(harness, phase, close(Period.MONTH, MARCH, missed=False))
    assert steps(harness) == ["O0"]
    assert only(harness).is_open is (phase is CHANGED)


async def test_a_target_that_is_met_again_closes_the_case_and_tells_those_who_were_told() -> None:
    harness = await below()
    await say(harness, ENDED, close(Period.DAY, date(2026, 3, 4), missed=False))
    assert (only(harness).close_reason, harness.recipients("CLEAR")) == ("figure", ["street"])
    await say(harness, CHANGED, close(Period.MONTH, MARCH))
    assert steps(harness) == ["O0"], "no step after the exit"


async def test_below_again_within_the_day_goes_on_with_the_ladder_and_repeats_nothing() -> None:
    harness = await below()
    await say(harness, ENDED, close(Period.DAY, date(2026, 3, 4), missed=False))
    harness.clock.forward(DAY_S / 2)
    await say(harness, BEGAN, close(Period.MONTH, MARCH), finding="f2")
    assert (only(harness).sightings.drops, steps(harness)) == (2, ["O0", "O1"])


async def test_a_reply_that_is_overdue_is_told_and_one_that_a_heavier_close_overtakes_is_not() -> None:
    harness = await below()
    await say(harness, CHANGED, close(Period.MONTH, MARCH))
    assert only(harness).clocks.running[ClockKind.REPLY].step == "O1"
    overtaken = await below()
    await say(overtaken, CHANGED, close(Period.MONTH, MARCH))
    await say(overtaken, CHANGED, close(Period.QUARTER, MARCH))
    for one in (harness, overtaken):
        await one.pass_time(12 * DAY_S, every=DAY_S / 2)
    assert steps(harness) == ["O0", "O1", "O1R"]
    assert steps(overtaken) == ["O0", "O1", "O2"]


async def test_two_years_running_fires_once_with_the_evidence_of_both_years() -> None:
    harness = await below()
    harness.wait_for_documents(600)
    for year in (2024, 2026, 2027, 2028):
        await say(harness, CHANGED, close(Period.YEAR, date(year, 5, 5)))
        assert ("O6" in steps(harness)) is (year >= 2027), "2024 and 2026 are not running"
    assert steps(harness).count("O6") == 1
    asked = [one for one in harness.store.tables.requests.values() if one.instrument == "I9"]
    assert [[one.begins.year for one in request.grounds] for request in asked] == [[2023, 2025, 2026]]


async def test_another_metric_of_the_year_before_is_no_second_year() -> None:
    harness = await below()
    await say(harness, CHANGED, close(Period.YEAR, date(2026, 5, 5)))
    await say(harness, CHANGED, close(Period.YEAR, date(2027, 5, 5), metric="online_rate"))
    assert "O6" not in steps(harness)


async def test_each_step_asks_for_its_document_about_the_body_with_what_it_missed() -> None:
    harness = district()
    harness.wait_for_documents(600)
    for period in (Period.DAY, Period.MONTH, Period.YEAR):
        await say(harness, BEGAN if period is Period.DAY else CHANGED, close(period, MARCH))
    asked = {one.case.step: one for one in harness.store.tables.requests.values()}
    assert {code: str(one.instrument) for code, one in asked.items()} == {"O1": "I6", "O2": "I6", "O4": "I8"}
    assert [one.period for one in asked["O4"].grounds] == [Period.YEAR]
    assert [(one.party, one.is_addressee) for one in asked["O1"].recipients] == [("T1", True), ("committee", False)]
    rows = request_rows(list(asked.values()))
    assert len(rows) == 3, "each can be written on the wire"
    data = rows[0]["event"]["data"]
    assert (data["about"]["zh"], data["unit"], data["trouble"]) == ("示范街道", None, None)
    assert data["grounds"][0]["fact"]["zh"] == "2026年3月联网接入率为99.0%，目标为不低于100%（S1）"


async def test_a_revision_that_takes_a_close_back_is_forgotten_and_an_older_one_does_not_bring_it_again() -> None:
    first, second = close(Period.YEAR, MARCH), close(Period.YEAR, MARCH, missed=False, revision=2)
    assert remembered((first,), second) == ()
    newer = replace(first, revision=3, value="98.0")
    assert remembered(remembered((first,), newer), first) == (newer,)


def test_as_many_closes_of_a_kind_are_remembered_as_are_kept() -> None:
    closes: tuple[Close, ...] = (close(Period.YEAR, date(2025, 1, 1)),)
    for day in range(1, 29):
        closes = remembered(closes, close(Period.DAY, date(2026, 2, day)))
    assert [one.period for one in closes] == [Period.YEAR, *[Period.DAY] * KEPT]
    assert closes[-1].begins.date() == date(2026, 2, 27), "the newest; it begins at 16:00 UTC of the day before"


async def test_a_case_with_closes_and_its_ladder_is_the_same_after_a_row() -> None:
    harness = await below()
    await say(harness, CHANGED, close(Period.MONTH, MARCH))
    one = only(harness)
    row = {**case_row(one, None), "guarded": "[]", "ladder": ladder_text(one.ladder)}
    clocks = [{**each, "due_at": each["due_at"].isoformat(), "counted_from": each["counted_from"].isoformat()}
              for each in clock_rows([one]) if each["kind"] == "reply"]  # fmt: skip
    back = case_of({**row, "clocks": clocks, "receipts": []})
    assert (back.closes, back.ladder) == (one.closes, ORGANISATION)


def test_the_body_is_told_itself_and_of_a_district_its_brigade() -> None:
    book = Book(contact("street", "T1"), contact("brigade", "brigade"))
    for subject, who in (("T1", "street"), ("gulou/T1", "street"), ("gulou", "brigade")):
        facts = SubjectFacts(Subject(SubjectKind.BODY, subject), "x", district="gulou" if subject != "T1" else "")
        found = recipients_of(book, replace(a_case(), facts=facts), (Recipient.BODY,), T0)
        assert [one.contact_id for one in found.addresses] == [who]


def a_case() -> Case:
    harness = district()
    event = told(BEGAN, close(Period.DAY, MARCH), at(0))
    facts = harness.directory.facts(TOWN, at(0))
    return replace(case(), kind=event.kind, facts=facts, ladder=ORGANISATION, closes=(close(Period.DAY, MARCH),))


def test_no_step_of_a_closed_case_is_reached() -> None:
    one = a_case()
    assert reached(one, close(Period.DAY, MARCH)) == ORGANISATION[0]
    assert reached(replace(one, step="O6"), close(Period.YEAR, MARCH)) is None


@pytest.mark.parametrize(
    ("period", "zh", "en"),
    [
        (Period.DAY, "2026年3月3日", "3 March 2026"),
        (Period.WEEK, "2026年3月2日至2026年3月8日", "02 March 2026 to 08 March 2026"),
        (Period.MONTH, "2026年3月", "March 2026"),
        (Period.QUARTER, "2026年第1季度", "quarter 1 of 2026"),
        (Period.HALF_YEAR, "2026年上半年", "the first half of 2026"),
        (Period.YEAR, "2026年度", "the year 2026"),
    ],
)
def test_a_period_is_called_as_people_call_it(period: Period, zh: str, en: str) -> None:
    assert period_of(close(period, MARCH)) == Named(zh, en)


def test_a_fact_names_scopes_as_the_pack_does_and_never_outgrows_the_wire() -> None:
    said = replace(close(Period.MONTH, MARCH), scope="S1+S2", value=None, target="0.305")
    fact = fact_of(said, {"S1": Named("重点单位" * 60, "Key units"), "S2": Named("新建建筑", "")})
    assert fact.zh.startswith("2026年3月联网接入率未达标，目标为不低于30.5%（重点单位")
    assert len(fact.zh) <= 200
    assert "(key units and 新建建筑)" in fact.en
    assert fact.en.startswith("Access rate for March 2026 was below its target, the target is at least 30.5 %")
    assert percent("-") == "-"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_short_text_of_a_body_says_what_was_missed_and_nothing_of_units(lang: str) -> None:
    letter = letter_of_step(a_case(), ORGANISATION[0], at(0) + timedelta(hours=1))
    subject, body, template = TemplateWriter("https://here").write(letter, NoticeId("N1"), address(lang=lang))
    assert template == "body@1"
    assert "示范街道" in subject
    assert ("2026年3月3日联网接入率为99.0%" in body) is (lang == "zh")
    assert "restore at once" not in body
    assert "计划停用" not in body
