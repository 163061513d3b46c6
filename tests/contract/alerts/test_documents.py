"""Notices that wait for a document, and its coming: memory and PostgreSQL keep the same promises."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerts.adapters.postgres_audit import PostgresAuditor
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_outbox import PostgresOutbox
from services.alerts.adapters.postgres_requests import PostgresRequests
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.kinds import CaseKind
from services.alerts.domain.delivery.documents import (
    Attached,
    AwaitingNotice,
    DocumentRequest,
    Earlier,
    File,
    Named,
    Particulars,
    request_id_of,
)
from services.alerts.domain.delivery.notice import Notice
from services.alerts.domain.delivery.reasons import Reason
from services.alerts.domain.escalation.steps import StepTaken
from services.alerts.ports import Changes, Ready
from services.kernel.words import FileKind, Instrument, Language
from services.runtime.postgres import open_pool
from tests.contract.alerts.test_store import (  # noqa: F401 - a fixture
    Stores,
    digest_said,
    notice,
    said_anew,
    save,
    stores,
    take,
)
from tests.unit.alerts.build import at, case, issued

FILES = (File("zh", FileKind.PDF, b"%PDF\x00zh"), File("en", FileKind.PDF, b"%PDF\x00en"))
WAIT = timedelta(seconds=10)


def request_of(one: Case) -> DocumentRequest:
    return DocumentRequest(
        request_id=request_id_of(one.case_id, "H0"),
        case=one,
        instrument=Instrument.FAULT_NOTICE,
        particulars=Particulars("centre", Named("监控中心"), Named("医院")),
        copies=(),
        languages=(Language.ZH,),
        clause="003 street 6",
        requested_at=at(0),
        due_at=at(3600),
        link="",
    )


def waits(one: Case, name: str = "c1") -> Notice:
    return replace(notice(one, name), request_id=request_of(one).request_id, waits_until=at(0) + WAIT)


async def opened(stores: Stores, *names: str) -> Case:  # noqa: F811 - the fixture's value
    one = case(CaseKind.FAULT)
    notices = [waits(one, name) for name in names]
    await save(stores, Changes(opened={one.case_id: one}, notices=notices, requests=[request_of(one)]))
    return one


async def awaiting(stores: Stores, one: Case) -> list[AwaitingNotice]:  # noqa: F811 - as above
    async with stores.cases.transaction() as transaction:
        return await transaction.awaiting([request_of(one).request_id])


async def attach(stores: Stores, one: Case) -> None:  # noqa: F811 - as above
    document = replace(issued(request_of(one).request_id, one.case_id), files=FILES)
    async with stores.cases.transaction() as transaction:
        found = await transaction.awaiting([document.request_id])
        attached = [Attached(each.notice_id, "题", "文", "<p>", "I1@1", document.number) for each in found]
        await transaction.save(Changes(issued=[document], attached=attached))


async def test_a_notice_waits_for_its_document_as_long_as_it_was_told(stores: Stores) -> None:  # noqa: F811 - as above
    await opened(stores, "c1")
    assert await take(stores, 9.9) == []
    (sent,) = await take(stores, 10)
    assert isinstance(sent, Ready)
    assert (sent.body, sent.lacks_document) == ("正文", True)


async def test_a_document_takes_the_place_of_the_text_and_ends_the_wait(stores: Stores) -> None:  # noqa: F811 - as above
    one = await opened(stores, "c1", "c2")
    assert [each.notice_id for each in await awaiting(stores, one)] == sorted(
        waits(one, n).notice_id for n in ("c1", "c2")
    )
    await attach(stores, one)
    assert await awaiting(stores, one) == [], "once only"
    sent = [each for each in await take(stores, 1) if isinstance(each, Ready)]
    assert [(each.subject, each.body, each.html, each.lacks_document) for each in sent] == [
        ("题", "文", "<p>", False)
    ] * 2
    assert [each.files for each in sent] == [FILES[:1]] * 2, "those of the language of the mail"


async def test_what_was_tried_or_taken_back_waits_for_no_document(stores: Stores) -> None:  # noqa: F811 - as above
    one = await opened(stores, "c1")
    await take(stores, 10)
    assert await awaiting(stores, one) == []


async def test_a_notice_of_a_case_that_has_ended_waits_for_no_document(stores: Stores) -> None:  # noqa: F811 - as above
    one = await opened(stores, "c1")
    await save(stores, Changes(cancelled={one.case_id: Reason.CASE_CLOSED}))
    assert await awaiting(stores, one) == []
    await attach(stores, one)
    assert await take(stores, 11) == []


@pytest.mark.parametrize("ended", [False, True])
async def test_a_request_is_published_once_and_not_when_nobody_waits_any_more(
    migrated_database: str, ended: bool
) -> None:
    async with open_pool(migrated_database, "contract", 2, 4) as pool:
        requests = PostgresRequests(pool)
        here = Stores(PostgresCaseStore(pool), PostgresOutbox(pool, lambda row: ("", b""), said_anew, digest_said))
        one = await opened(here, "c1", "c2")
        if ended:
            await save(here, Changes(cancelled={one.case_id: Reason.ACKNOWLEDGED}))
        found = await requests.unpublished(9)
        assert [(each, key) for each, key, _ in found] == ([] if ended else [(request_of(one).request_id, "U1")])
        await requests.mark_published([each for each, _, _ in found])
        assert await requests.unpublished(9) == []


async def test_files_are_kept_until_the_notices_that_bring_them_have_ended(migrated_database: str) -> None:
    async with open_pool(migrated_database, "contract", 2, 4) as pool:
        here = Stores(PostgresCaseStore(pool), PostgresOutbox(pool, lambda row: ("", b""), said_anew, digest_said))
        one = await opened(here, "c1", "c2")
        await attach(here, one)
        auditor = PostgresAuditor(pool)
        assert await auditor.forget_files() == 0
        await save(here, Changes(cancelled={one.case_id: Reason.CASE_CLOSED}))
        assert await auditor.forget_files() == len(FILES)
        assert await auditor.forget_files() == 0


async def test_what_was_done_before_is_who_was_told_by_which_document(stores: Stores) -> None:  # noqa: F811 - as above
    one = await opened(stores, "c1")
    await attach(stores, one)
    told = StepTaken(one.case_id, "H0", at(0), at(1), "I1", "003", ("unit_manager", "T01"))
    board = StepTaken(one.case_id, "H3", at(0), at(2), "BOARD", "003", (), nobody="board_only")
    later = StepTaken(one.case_id, "H4", at(0), at(3), "I4", "003", ("health",))
    await save(stores, Changes(steps=[later, board, told]))
    async with stores.cases.transaction() as transaction:
        found = await transaction.taken([one.case_id])
    number = issued(request_of(one).request_id, one.case_id).number
    assert list(found[one.case_id]) == [
        Earlier(at(1), ("unit_manager", "T01"), number),
        Earlier(at(3), ("health",), ""),
    ]
