"""Why somebody was told of a case, or was not, in one look."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from services.alerts.adapters.case_explanation import explained
from services.alerts.adapters.listing_words import ACTS, LEVELS, STATES
from services.alerts.domain.case.case import Case, Grouping
from services.alerts.domain.case.clocks import Clock, Clocks
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.escalation.triggers import OnEvent, WorkingDays
from services.alerts.domain.ids import CaseId
from services.kernel.calendar import CHINA
from services.kernel.words import AlarmState, CaseEvent, ClockKind, Recipient, StepExit, WorkingCalendarName
from tests.unit.alerts.build import HAZARD, at, case, clocks, step

CATALOGUE = Path("services/console/adapters/web/static/catalogue.json")


def said(one: Case, *rows: list[dict[str, Any]]) -> list[str]:
    return list(explained(one, AlarmState.UNACKNOWLEDGED, *rows))


def row(code: str, *told: str, **more: Any) -> dict[str, Any]:
    taken = {"step": code, "due_at": at(30), "taken_at": at(31), "recipients": list(told), "nobody": None}
    return {**taken, "clause": f"clause {code}", **more}


def notice(code: str, to: str, state: str = "accepted", **more: Any) -> dict[str, Any]:
    sent = {"step": code, "body_code": to, "contact_id": f"{to}-1", "channel": "email", "purpose": "notice"}
    return {**sent, "state": state, "attempts": 1, "ended_at": at(40), "reason": None, "digest_id": None, **more}


def test_who_was_told_why_somebody_was_not_and_what_comes_next() -> None:
    lost = case(CaseKind.CONNECTION_LOST, step="H1", clocks=clocks(step=("H2", 4 * 3600)))
    steps = [row("H0", "centre"), row("H1", nobody="no_contact:unit_manager")]
    notices = [
        notice("H0", "centre", proof={"proof": "read", "at": at(50), "source": "link"}),
        notice("H0", "clinic", "dead", reason="refused_550", attempts=3),
    ]
    lines = said(lost, steps, notices)
    assert lines[0] == f"{lost.case_id}: 联网中断（离线） connection lost (offline) of U1 单位U1"
    assert lines[1] == "  alarm state: unacknowledged 未确认: nobody of the centre has taken it"
    assert "  ladder: H0 > H1 > H2 > H3 > H4 (sample version 1)" in lines
    assert "  answers for it: health, copies to T1 (no clause)" in lines
    assert lines[6:] == [
        "H0 步骤H0 Step H0: due 2026-03-04 16:00:30, taken 2026-03-04 16:00:31, told centre (clause H0)",
        "    notice to centre (centre-1) by email: accepted 2026-03-04 16:00:40, tried 1 times"
        "; proven: read 2026-03-04 16:00:50 (link)",
        "    notice to clinic (clinic-1) by email: dead 2026-03-04 16:00:40 because refused_550, tried 3 times"
        "; nothing proven, by email could be: accepted, delivered",
        "H1 步骤H1 Step H1: due 2026-03-04 16:00:30, taken 2026-03-04 16:00:31, told nobody because "
        "no_contact:unit_manager (clause H1)",
        "next: H2 步骤H2 Step H2 at 2026-03-04 20:00:00 (4:00:00 after it was detected)",
    ]


def test_a_case_without_a_step_clock_says_what_it_waits_for() -> None:
    waits = case(grouping=Grouping("carrier:cmcc", CaseId("C9"), at(600)))
    assert (said(waits, [], []))[-1].endswith("waits until 2026-03-04 16:10:00 for the common cause C9")
    ladder = (*HAZARD[:1], step("H1", 0, Recipient.STREET, trigger=OnEvent(CaseEvent.REOPENED)))
    waits = case(ladder=ladder, step="H0", clocks=clocks())
    assert (said(waits, [row("H0")], []))[-1] == "next: H1 步骤H1 Step H1 (when reopened happens)"
    done = case(step="H4", clocks=clocks())
    assert "the last step is taken" in (said(done, [], []))[-1]
    assert "closed 2026-03-04 16:01:00 (restored)" in (said(close(done, "restored", at(60)), [], []))[-1]


def test_a_due_date_in_a_year_without_its_holiday_notice_is_marked_provisional() -> None:
    version = "CN 2026 holidays-0.100"
    told = {}
    for day in (datetime(2026, 12, 30, tzinfo=CHINA), datetime(2027, 1, 8, tzinfo=CHINA)):
        reply = Clocks({ClockKind.REPLY: Clock(day, "H4", version), ClockKind.STEP: Clock(day, "H5", version)})
        ladder = (*HAZARD, step("H5", 0, Recipient.STREET, trigger=WorkingDays(4, WorkingCalendarName.CN)))
        told[day.year] = said(case(ladder=ladder, step="H4", clocks=reply), [row("H4")], [])[-2:]
    assert told[2026] == [
        f"  reply of the letter of H4 wanted by 2026-12-30 00:00:00, working days of calendar {version}",
        f"next: H5 步骤H5 Step H5 at 2026-12-30 00:00:00 (4 working days of CN after it was detected, "
        f"working days of calendar {version})",
    ]
    assert all("暂定 provisional: the holidays of 2027 were not published" in line for line in told[2027])


def test_a_step_that_was_passed_over_says_why() -> None:
    ladder = (
        HAZARD[0],
        step("H1", 1, Recipient.STREET, exits=(StepExit.CASE_CLOSED, StepExit.REPLIED)),
        step("H2", 2, Recipient.STREET, trigger=WorkingDays(3, WorkingCalendarName.CN)),
    )
    climbed = case(ladder=ladder, step="H2", opened_at=at(0) + timedelta(hours=9))
    lines = said(climbed, [row("H0"), row("H2")], [])
    assert "H1 步骤H1 Step H1: passed over; it is not taken once case_closed or replied" in lines


def listing(state: str, *acts: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"listing_id": "L1", "number": 1, "state": state, "acts": list(acts)}
    empty = {"level": None, "document": "", "listed_on": None, "deadline": None}
    return {**plain, **empty, **more}


def did(what: str, by: str, body: str = "", **detail: Any) -> dict[str, Any]:
    return {"listing_id": "L1", "at": at(60), "by": by, "body_code": body, "act": what, "detail": detail}


def test_a_listing_is_named_with_what_was_done_with_it() -> None:
    listed = listing(
        "recheck",
        did("propose", "ladder", step="H7", clause="000 三 5"),
        did("list", "officer-a", level="district", document="鼓政办〔2026〕88号", on="2026-03-04", until="2026-04-03"),
        did("hand_in", "clerk", "health", files=["整改.pdf sha256:00"], source="鼓消〔2026〕3号 health S1"),
        level="district", document="鼓政办〔2026〕88号", listed_on=date(2026, 3, 4), deadline=date(2026, 4, 3),
    )  # fmt: skip
    lines = said(case(step="H0"), [], [], [listed])
    assert lines[-5:-1] == [
        "listing 挂牌督办 1 (L1): 待复查 To be re-checked, 区级 District, 鼓政办〔2026〕88号, listed on 2026-03-04, "
        "to be put right by 2026-04-03",
        "    2026-03-04 16:01:00 by 升级阶梯 the ladder: 提请挂牌督办 Proposed to list",
        "    2026-03-04 16:01:00 by officer-a: 登记挂牌 Listed: 区级 District, 鼓政办〔2026〕88号, "
        "2026-03-04, 2026-04-03",
        "    2026-03-04 16:01:00 by clerk (health): 提交整改证据 Evidence handed in: 整改.pdf sha256:00, "
        "鼓消〔2026〕3号 health S1",
    ]


def test_a_listed_case_whose_trouble_is_over_waits_for_its_listing() -> None:
    over = case(step="H0", clocks=clocks(), cured_at=at(60))
    assert said(over, [], [])[-1] == (
        "next: nothing, its trouble is over since 2026-03-04 16:01:00; open until its listing is closed"
    )


def test_a_listing_is_called_here_what_the_page_calls_it() -> None:
    page = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    for key, words in (("state", STATES), ("level", LEVELS), ("did", ACTS)):
        assert {each: page[f"listings.{key}.{each}"] for each in words} == {
            each: {"zh": word.zh, "en": word.en} for each, word in words.items()
        }
