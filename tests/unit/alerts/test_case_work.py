"""Work on a case: it is somebody's, it is written about, and none of that answers it."""

import httpx
import pytest
from fastapi import FastAPI

from services.alerts.adapters.http_work import work_routes
from services.alerts.domain.case.event import Happening
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.case.lifecycle import close
from services.alerts.domain.case.reply import Reply
from services.alerts.domain.case.who import Who
from services.alerts.domain.case.work import MAX_COMMENTS, OWNED_FOR
from services.alerts.domain.ids import CaseId
from services.alerts.worker.case_work import CaseWorkService
from services.kernel.words import AlarmCause, Verification
from tests.fakes.alerts_store import states
from tests.unit.alerts.build import event
from tests.unit.alerts.harness import Harness

CENTRE, OTHER = Who("officer", None, "console"), Who("colleague", None, "console")
HEALTH, EDUCATION = Who("clerk", "health", "console"), Who("teacher", "education", "console")


@pytest.fixture
def harness() -> Harness:
    return Harness()


def work_on(harness: Harness) -> CaseWorkService:
    return CaseWorkService(store=harness.store, clock=harness.clock, acknowledgements=harness.acknowledgements)


async def lost(harness: Harness) -> CaseId:
    await harness.take(event())
    (case_id,) = harness.store.tables.cases
    return case_id


async def burning(harness: Harness) -> CaseId:
    await harness.take(event(Happening.FIRED, kind=CaseKind.FIRE, cause="s1", point="1"), topic="alarms")
    return next(one.case_id for one in harness.store.tables.cases.values() if one.is_fire)


def owner(harness: Harness, case_id: CaseId) -> str | None:
    found = harness.store.tables.owners.get(case_id)
    return found.account if found and found.until > harness.clock.now() else None


def actions(harness: Harness) -> list[str]:
    return [entry.action for entry in harness.store.tables.audit if not entry.action.startswith("notice")]


async def test_a_case_is_worked_on_by_one_until_it_is_given_back_or_taken_over(harness: Harness) -> None:
    case_id, work = await lost(harness), work_on(harness)
    assert await work.own(case_id, CENTRE) is Reply.DONE
    assert await work.own(case_id, CENTRE) is Reply.ALREADY
    assert await work.own(case_id, OTHER) is Reply.DONE
    assert owner(harness, case_id) == "colleague"
    assert await work.release(case_id, CENTRE) is Reply.ALREADY, "it is not the officer's any more"
    assert await work.release(case_id, OTHER) is Reply.DONE
    assert owner(harness, case_id) is None
    assert actions(harness)[-4:] == ["owned", "owned", "owned", "released"]
    assert harness.store.tables.audit[-2].detail["before"] == "officer"


async def test_ownership_ends_with_the_shift(harness: Harness) -> None:
    case_id, work = await lost(harness), work_on(harness)
    await work.own(case_id, CENTRE)
    await harness.pass_time(OWNED_FOR.total_seconds(), every=3600)
    assert owner(harness, case_id) is None
    assert await work.sign_off(CENTRE) == 0


async def test_signing_off_gives_back_what_is_one_s_own(harness: Harness) -> None:
    case_id, fire, work = await lost(harness), await burning(harness), work_on(harness)
    await work.own(case_id, CENTRE)
    await work.own(fire, OTHER)
    assert await work.sign_off(CENTRE) == 1
    assert (owner(harness, case_id), owner(harness, fire)) == (None, "colleague")


async def test_whoever_takes_a_case_works_on_it(harness: Harness) -> None:
    case_id = await lost(harness)
    await harness.acknowledgements.acknowledge(case_id, CENTRE, "")
    assert owner(harness, case_id) == "officer"


async def test_a_department_works_on_no_case_and_verifies_none(harness: Harness) -> None:
    case_id, fire, work = await lost(harness), await burning(harness), work_on(harness)
    assert await work.own(case_id, HEALTH) is Reply.NOT_FOUND
    assert await work.verify(fire, HEALTH, Verification.FALSE_ALARM, "") is Reply.NOT_FOUND
    assert not harness.store.tables.owners
    assert not harness.store.tables.verified


async def test_many_cases_are_acknowledged_at_once_and_a_fire_never_with_them(harness: Harness) -> None:
    case_id, fire, work = await lost(harness), await burning(harness), work_on(harness)
    asked = [case_id, fire, CaseId("none"), case_id]
    assert await work.acknowledge_all(asked, CENTRE, "已派人") == {
        case_id: Reply.DONE, fire: Reply.ALONE, CaseId("none"): Reply.NOT_FOUND,
    }  # fmt: skip
    assert harness.store.tables.cases[fire].acknowledged is None
    taken = harness.store.tables.cases[case_id].acknowledged
    assert taken is not None
    assert taken.note == "已派人"


async def test_a_comment_is_in_the_chain_and_of_bounded_number(harness: Harness) -> None:
    case_id, work = await lost(harness), work_on(harness)
    assert await work.comment(case_id, HEALTH, "<script>alert(1)</script>") is Reply.DONE
    assert await work.comment(case_id, EDUCATION, "not ours") is Reply.NOT_FOUND
    last = harness.store.tables.audit[-1]
    assert (last.actor, last.action, last.detail["text"]) == ("clerk", "commented", "<script>alert(1)</script>")
    for _ in range(MAX_COMMENTS - 1):
        assert await work.comment(case_id, CENTRE, "x") is Reply.DONE
    assert await work.comment(case_id, CENTRE, "x") is Reply.FULL


async def test_a_verdict_on_a_fire_takes_and_silences_nothing(harness: Harness) -> None:
    fire, work = await burning(harness), work_on(harness)
    before = states(harness.store)
    assert await work.verify(fire, CENTRE, Verification.FALSE_ALARM, "炊烟") is Reply.DONE
    assert await work.verify(fire, OTHER, Verification.TRUE_ALARM, "") is Reply.DONE
    case = harness.store.tables.cases[fire]
    assert case.acknowledged is None
    assert case.is_open
    assert states(harness.store) == before
    assert [(one.number, one.by, one.finding) for one in harness.store.tables.verified] == [
        (1, "officer", "false_alarm"), (2, "colleague", "true_alarm"),
    ]  # fmt: skip
    assert await work.verify(await lost_too(harness), CENTRE, Verification.TRUE_ALARM, "") is Reply.NOT_FOUND


async def test_a_cause_is_entered_with_the_finding_or_after_the_end_and_changes_nothing_else(harness: Harness) -> None:
    fire, work = await burning(harness), work_on(harness)
    before = states(harness.store)
    assert await work.verify(fire, CENTRE, Verification.FALSE_ALARM, "") is Reply.DONE
    assert "cause" not in harness.store.tables.audit[-1].detail
    assert await work.verify(fire, CENTRE, Verification.FALSE_ALARM, "", AlarmCause.FUMES) is Reply.DONE
    last = harness.store.tables.audit[-1]
    assert (last.actor, last.action, last.detail["cause"]) == ("officer", "verified", "fumes")
    assert (harness.store.tables.cases[fire].acknowledged, states(harness.store)) == (None, before)
    harness.store.tables.cases[fire] = close(harness.store.tables.cases[fire], "restored", harness.clock.now())
    assert await work.verify(fire, OTHER, Verification.TRUE_ALARM, "", AlarmCause.COOKING) is Reply.DONE
    assert [one.cause for one in harness.store.tables.verified] == [None, "fumes", "cooking"]
    assert await work.verify(fire, HEALTH, Verification.TRUE_ALARM, "", AlarmCause.COOKING) is Reply.NOT_FOUND


async def test_over_http_a_cause_may_be_said_and_has_to_be_one_of_the_finding(harness: Harness) -> None:
    fire = await burning(harness)
    app = FastAPI()
    app.include_router(work_routes(work_on(harness)))
    who = {"account": "officer", "via": "console"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://alerts") as client:
        for body, status in (
            ({"finding": "true_alarm"}, 200),
            ({"finding": "true_alarm", "cause": "electrical"}, 200),
            ({"finding": "false_alarm", "cause": "electrical"}, 422),
            ({"finding": "false_alarm", "cause": "whatever"}, 422),
            ({"finding": "false_alarm", "cause": None}, 200),
        ):
            answer = await client.post(f"/v1/cases/{fire}/verify", json=who | body)
            assert answer.status_code == status, body
    assert [(one.finding, one.cause) for one in harness.store.tables.verified] == [
        ("true_alarm", None), ("true_alarm", "electrical"), ("false_alarm", None),
    ]  # fmt: skip


async def lost_too(harness: Harness) -> CaseId:
    await harness.take(event())
    return next(one.case_id for one in harness.store.tables.cases.values() if not one.is_fire)
