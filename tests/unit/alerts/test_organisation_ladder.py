"""The organisation ladder of the sample pack, O0 to O7, each step by its name: what makes it due, whom it tells, which
paper it asks for, and what ends it (docs/domain/compliance.md 2.2)."""

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from schemas.pack import Pack
from services.alerts.adapters.close_words import fact_of
from services.alerts.adapters.packs import rules_of
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.errors import Conflict
from services.alerts.domain.escalation.triggers import Elapsed
from services.alerts.ports import Changes
from services.alerts.worker.grave_results import GraveResults
from services.kernel.words import Instrument, Period
from services.registry.adapters.pack_file import read_pack_text
from tests.fakes.alerts_store import MemoryTransaction
from tests.unit.alerts.bodies import close, district, on, told
from tests.unit.alerts.harness import Harness

PACK_FILE = Path(__file__).parents[3] / "deploy/packs/sample-2026.yaml"
OFFICER = Who("officer", None, "console")
YEAR_END = date(2026, 12, 31)
CLOSES = {
    "O0": (Period.DAY, date(2026, 3, 4)),
    "O1": (Period.MONTH, date(2026, 3, 31)),
    "O2": (Period.QUARTER, date(2026, 3, 31)),
    "O3": (Period.HALF_YEAR, date(2026, 6, 30)),
    "O4": (Period.YEAR, YEAR_END),
}


@cache
def pack() -> Pack:
    return read_pack_text(PACK_FILE.read_text(encoding="utf-8"))[0]


def harness() -> Harness:
    found = district()
    rules = rules_of(pack(), expired=False)
    found.directory.pack = replace(found.directory.pack, ladders=rules.ladders)
    found.wait_for_documents(60)
    return found


def steps(of: Harness, kind: CaseKind) -> list[str]:
    cases = of.store.tables.cases
    return [code for (case_id, code) in of.store.tables.steps if cases[case_id].kind is kind]


def papers(of: Harness) -> list[Instrument]:
    return [one.instrument for one in of.store.tables.requests.values()]


async def closes(
    of: Harness, kind: CaseKind, period: Period, day: date, *, missed: bool = True, count: int = 0
) -> None:
    metric = "evaluation" if kind is CaseKind.NOT_COMPETENT else "access_rate"
    said = close(period, day, missed=missed, metric=metric)
    of.clock.at = max(of.clock.now(), on(day))
    phase = Happening.BEGAN if missed else Happening.ENDED
    event = told(phase, said, of.clock.now(), finding=str(kind), count=count)
    await of.take(replace(event, kind=kind))
    await of.work()


@pytest.mark.parametrize("code", list(CLOSES))
async def test_the_step_of_a_close_is_taken_with_it_and_none_after_it(code: str) -> None:
    of = harness()
    await closes(of, CaseKind.BELOW_TARGET, *CLOSES[code])
    taken = steps(of, CaseKind.BELOW_TARGET)
    assert taken[-1] == code
    assert [one for one in taken if one in CLOSES] == list(CLOSES)[: list(CLOSES).index(code) + 1]


async def test_o0_tells_the_body_alone() -> None:
    of = harness()
    await closes(of, CaseKind.BELOW_TARGET, *CLOSES["O0"])
    assert {row.notice.to.body_code for row in of.store.tables.notices.values()} == {"T1"}


async def test_o1_and_o2_are_circulars_and_o4_a_draft_interview_for_the_committee() -> None:
    of = harness()
    await closes(of, CaseKind.BELOW_TARGET, *CLOSES["O4"])
    assert papers(of) == [Instrument.CIRCULAR, Instrument.CIRCULAR, Instrument.INTERVIEW]
    o4 = [row.notice for row in of.store.tables.notices.values() if row.notice.step == "O4"]
    assert {one.to.body_code for one in o4} == {"committee"}


async def test_o5_is_taken_once_for_a_year_not_competent_and_warns_body_and_committee() -> None:
    of = harness()
    await closes(of, CaseKind.NOT_COMPETENT, Period.YEAR, YEAR_END)
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5"]
    assert {row.notice.to.body_code for row in of.store.tables.notices.values()} == {"T1", "committee"}
    assert papers(of) == [], "a warning on file is no letter of an authority"
    await closes(of, CaseKind.NOT_COMPETENT, Period.YEAR, YEAR_END, count=1)
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5"], "told again it is not taken again"


async def test_o6_is_taken_with_the_second_year_running_with_the_evidence_of_both() -> None:
    of = harness()
    for year in (2026, 2027, 2028):
        await closes(of, CaseKind.NOT_COMPETENT, Period.YEAR, date(year, 12, 31))
    assert steps(of, CaseKind.NOT_COMPETENT) == ["O5", "O6"], "the hard rule fires once"
    (paper,) = of.store.tables.requests.values()
    assert paper.instrument is Instrument.ACCOUNTABILITY
    assert [one.begins.year for one in paper.grounds] == [2025, 2026], "by UTC, of 2026 and 2027"
    assert fact_of(paper.grounds[0], {}).zh.startswith("2026年度考核结果为不称职")


async def test_a_year_that_is_competent_ends_what_o5_began() -> None:
    of = harness()
    await closes(of, CaseKind.NOT_COMPETENT, Period.YEAR, YEAR_END)
    await closes(of, CaseKind.NOT_COMPETENT, Period.YEAR, date(2027, 12, 31), missed=False)
    (case,) = of.store.tables.cases.values()
    assert not case.is_open
    assert "O6" not in steps(of, CaseKind.NOT_COMPETENT)


async def test_below_target_two_years_is_no_grade_and_takes_neither_o5_nor_o6() -> None:
    of = harness()
    for year in (2026, 2027):
        await closes(of, CaseKind.BELOW_TARGET, Period.YEAR, date(year, 12, 31))
    assert not {"O5", "O6", "O7"} & set(steps(of, CaseKind.BELOW_TARGET))


def results(of: Harness) -> GraveResults:
    return GraveResults(store=of.store, directory=of.directory, composer=of.composer, clock=of.clock)


def the_case(of: Harness) -> Case:
    (case,) = of.store.tables.cases.values()
    return case


async def test_o7_is_taken_at_once_when_a_person_enters_a_grave_result_and_ends_with_the_inquiry() -> None:
    of = harness()
    desk = results(of)
    assert await desk.enter("T1", Who("clerk", "T1", "console"), "火灾致人死亡") is Reply.NOT_FOUND
    assert await desk.enter("T1", OFFICER, "火灾致人死亡，属地未履行检查职责") is Reply.DONE
    assert await desk.enter("T1", OFFICER, "火灾致人死亡") is Reply.ALREADY
    await of.work()
    assert steps(of, CaseKind.GRAVE_RESULT) == ["O7"]
    told_ = {row.notice.to.body_code for row in of.store.tables.notices.values()}
    assert told_ == {"committee", "government"}
    (paper,) = of.store.tables.requests.values()
    assert paper.instrument is Instrument.ACCOUNTABILITY
    assert "属地未履行检查职责" in fact_of(paper.grounds[0], {}).zh
    assert await desk.end("T1", OFFICER, "调查结束") is Reply.DONE
    assert the_case(of).close_reason == "inquiry_over"
    assert await desk.end("T1", OFFICER, "调查结束") is Reply.NOT_FOUND
    actions = [one.action for one in of.store.tables.audit]
    assert {"grave_result_entered", "grave_result_ended", "case_opened", "case_closed"} <= set(actions)


async def test_of_two_who_enter_a_grave_result_at_once_the_second_hears_that_it_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of = harness()

    async def lost(self: MemoryTransaction, changes: Changes) -> None:
        raise Conflict("a case of this body and kind is open")

    monkeypatch.setattr(MemoryTransaction, "save", lost)
    assert await results(of).enter("T1", OFFICER, "火灾致人死亡") is Reply.ALREADY


def test_the_ladder_is_whole() -> None:
    codes = [step.code for ladder in pack().ladders.values() for step in ladder.steps if step.code.startswith("O")]
    assert [code for code in codes if len(code) == 2] == [f"O{n}" for n in range(8)]


def test_without_its_numbers_the_bridge_proposes_nothing_and_with_them_after_their_time() -> None:
    said = pack()
    assert said.major_danger is not None
    assert said.major_danger.alarm_system_down is None
    ladders = rules_of(said, expired=False).ladders
    assert "H7" not in [step.code for step in ladders[CaseKind.FAULT]]
    assert "H7L" in [step.code for step in ladders[CaseKind.FAULT]], "what people propose has a deadline too"
    bridge = {"lasted_s": {"fault": 1296000}, "clause": "GB 35181-2025 appendix A"}
    raw = said.model_dump(mode="json") | {
        "major_danger": said.major_danger.model_dump(mode="json") | {"alarm_system_down": bridge}
    }
    ladders = rules_of(Pack.model_validate(raw), expired=False).ladders
    (h7,) = [step for step in ladders[CaseKind.FAULT] if step.code == "H7"]
    assert isinstance(h7.trigger, Elapsed)
    assert h7.trigger.after.days == 15
    assert "H7" not in [step.code for step in ladders[CaseKind.ISOLATION]], "of a kind without a number nothing"
