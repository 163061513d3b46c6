"""What becomes of documents: acts and outbox in memory and in PostgreSQL, lists and pages in PostgreSQL alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.documents.adapters.postgres_correspondence import PostgresCorrespondences
from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.domain.catalogue import CATALOGUE
from services.documents.domain.correspondence import (
    Actor,
    Change,
    Correspondence,
    Recipient,
    Written,
    decide,
    sign,
    submit,
)
from services.documents.domain.document import Document, document_id_of
from services.documents.domain.errors import NotPossible
from services.documents.domain.numbering import Number, Series
from services.documents.domain.uploads import Upload
from services.documents.ports import InboxQuery
from services.kernel.words import DocumentState, SubmissionKind, SubmissionState
from services.runtime.postgres import open_pool
from tests.fakes.documents import MemoryCorrespondences
from tests.unit.documents.build import T0, at, request

Store = MemoryCorrespondences | PostgresCorrespondences
SENT = [
    {"contact_id": "c-health", "party": "health", "is_addressee": True},
    {"contact_id": "c-street", "party": "dongjie", "is_addressee": False},
]
HEALTH = Actor("health", "clerk", "张三", "console")
FILE = Upload("照片.jpg", "image/jpeg", b"\xff\xd8\xff\x00photo")


async def put(documents: PostgresDocuments, request_id: str, serial: int = 1, **data: Any) -> str:
    """Issue a document to health, with a copy to dongjie."""
    wanted = request(request_id, **{"recipients": SENT, **data})
    number = Number(Series("centre", "消监告", 2026), serial)
    document_id = document_id_of(wanted.source, request_id)
    rendered = TemplateRenderer().render(wanted, number.text, CATALOGUE[wanted.instrument], T0, draft=False)
    texts = tuple(one.rendition for one in rendered)
    async with documents.transaction() as transaction:
        await transaction.add(Document(document_id, wanted, number, "I1@2", at(serial), texts))
    return document_id


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[Any]:
    async with open_pool(migrated_database, "contract", 2, 4) as opened:
        yield opened


@pytest.fixture(params=["memory", "postgres"])
async def stored(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Store, str]]:
    """A store with one document in it, and its id."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            parties = tuple(Recipient(**one) for one in SENT)  # type: ignore[arg-type] # names of its fields
            document_id = document_id_of("/alerts", "R1")
            case = "C0f0f895fb98ab915"
            one = Correspondence(document_id, "R1", case, "U000001", DocumentState.ISSUED, parties)
            yield MemoryCorrespondences(one), document_id
            return
        dsn = request.getfixturevalue("migrated_database")
        opened = await stack.enter_async_context(open_pool(dsn, "contract", 2, 4))
        yield PostgresCorrespondences(opened), await put(PostgresDocuments(opened), "R1")


async def act(store: Store, document_id: str, step: Any, files: tuple[Upload, ...] = ()) -> Change | None:
    async with store.transaction() as transaction:
        stands = await transaction.load(document_id)
        assert stands is not None
        after, change = step(stands)
        if change is not None:
            await transaction.save(after, change, files)
    found: Change | None = change
    return found


async def read(store: Store, document_id: str) -> Correspondence:
    async with store.transaction() as transaction:
        found = await transaction.load(document_id)
    assert found is not None
    return found


async def answer(store: Store, document_id: str, kind: SubmissionKind = SubmissionKind.REPLY, seen: int = 0) -> None:
    written = Written(kind, seen, "已修复。\n第二行", "更换设备", (T0 + timedelta(days=3)).date(), (FILE,))
    await act(store, document_id, lambda one: submit(one, HEALTH, written, at(20 + 20 * seen)), (FILE,))


async def test_what_was_done_is_read_back_as_it_was(stored: tuple[Store, str]) -> None:
    store, document_id = stored
    await act(store, document_id, lambda one: sign(one, HEALTH, at(10)))
    await answer(store, document_id)
    stands = await read(store, document_id)
    assert (stands.state, stands.case_id, stands.unit_id) == (DocumentState.REPLIED, "C0f0f895fb98ab915", "U000001")
    assert [(one.party, one.name, one.at) for one in stands.receipts] == [("health", "张三", at(10))]
    (reply,) = stands.submissions
    assert (reply.text, reply.measures, reply.done_by) == (
        "已修复。\n第二行",
        "更换设备",
        (T0 + timedelta(days=3)).date(),
    )
    assert [(one.name, one.sha256, one.size) for one in reply.attachments] == [(FILE.name, FILE.sha256, FILE.size)]
    await act(
        store,
        document_id,
        lambda one: decide(one, reply.submission_id, SubmissionState.RETURNED, "officer", "不清楚", at(30)),
    )
    await answer(store, document_id, seen=1)
    again = await read(store, document_id)
    assert [one.state for one in again.submissions] == [SubmissionState.RETURNED, SubmissionState.SUBMITTED]
    assert (again.submissions[0].reasons, again.submissions[0].decided_by) == ("不清楚", "officer")


async def test_what_was_done_is_told_once_and_in_its_order(stored: tuple[Store, str]) -> None:
    store, document_id = stored
    await act(store, document_id, lambda one: sign(one, HEALTH, at(10)))
    assert await act(store, document_id, lambda one: sign(one, HEALTH, at(11))) is None
    await answer(store, document_id)
    waiting = await store.unpublished_changes(9)
    assert [key for _, key, _ in waiting] == ["U000001", "U000001"]
    assert b'"signed"' in waiting[0][2]
    assert b'"reply_submitted"' in waiting[1][2]
    await store.mark_changes_published([waiting[0][0]])
    assert [one[0] for one in await store.unpublished_changes(9)] == [waiting[1][0]]


async def test_an_act_that_fails_leaves_nothing(stored: tuple[Store, str]) -> None:
    store, document_id = stored
    with suppress(ZeroDivisionError):
        async with store.transaction() as transaction:
            stands = await transaction.load(document_id)
            assert stands is not None
            after, change = sign(stands, HEALTH, at(10))
            assert change is not None
            await transaction.save(after, change, ())
            raise ZeroDivisionError
    assert (await read(store, document_id)).receipts == ()
    assert await store.unpublished_changes(9) == []


async def test_a_link_belongs_to_a_contact_until_it_is_taken_back(stored: tuple[Store, str]) -> None:
    store, document_id = stored
    assert await store.party_of_link(document_id, "c-street") == "dongjie"
    assert await store.party_of_link(document_id, "c-other") is None
    assert await store.party_of_link("other", "c-street") is None
    assert await store.revoke(document_id, "c-street", "officer", at(5))
    assert not await store.revoke(document_id, "c-street", "officer", at(6))
    assert await store.party_of_link(document_id, "c-street") is None
    assert await store.party_of_link(document_id, "c-health") == "health"


async def test_two_who_answer_at_once_hand_in_one_reply(pool: Any) -> None:
    store = PostgresCorrespondences(pool)
    document_id = await put(PostgresDocuments(pool), "R1")
    await act(store, document_id, lambda one: sign(one, HEALTH, at(10)))
    found = await asyncio.gather(*(answer(store, document_id) for _ in range(4)), return_exceptions=True)
    assert sum(one is None for one in found) == 1
    assert {type(one) for one in found if one is not None} == {NotPossible}
    assert len((await read(store, document_id)).submissions) == 1


async def ids(store: PostgresCorrespondences, party: str | None, only: Any, days: float = 0) -> set[str]:
    _, rows = await store.inbox(InboxQuery(party, T0 + timedelta(days=days), None, only))
    return {str(row["document_id"]) for row in rows}


async def test_an_inbox_holds_what_was_sent_to_its_party_and_says_what_is_to_be_done(pool: Any) -> None:
    store, documents = PostgresCorrespondences(pool), PostgresDocuments(pool)
    due = {"receipt_due_at": (T0 + timedelta(days=1)).isoformat(), "reply_due_at": (T0 + timedelta(days=3)).isoformat()}
    first = await put(documents, "R1", 1, **due)
    second = await put(documents, "R2", 2, recipients=[SENT[1]])
    assert await ids(store, "health", "all") == {first}
    assert await ids(store, "dongjie", "all") == await ids(store, None, "all") == {first, second}
    assert await ids(store, "education", "all") == set()
    assert await ids(store, "health", "overdue") == set()
    assert await ids(store, "health", "overdue", days=2) == {first}, "nobody has signed"
    await act(store, first, lambda one: sign(one, HEALTH, at(10)))
    assert await ids(store, "health", "overdue", days=2) == set()
    assert await ids(store, "health", "todo") == {first}, "a reply is wanted"
    assert await ids(store, "health", "overdue", days=4) == {first}
    await answer(store, first)
    assert await ids(store, "health", "todo") == await ids(store, "health", "overdue", days=4) == set()
    assert await ids(store, None, "undecided") == await ids(store, None, "todo") == {first}
    counts, rows = await store.inbox(InboxQuery("dongjie", T0))
    assert counts == {"all": 2, "todo": 2, "overdue": 0, "undecided": 1}
    assert [row["number"] for row in rows] == ["消监告〔2026〕2号", "消监告〔2026〕1号"], "the newest first"
    assert rows[1]["titles"]["zh"].startswith("关于")
    assert (rows[1]["is_addressee"], rows[1]["is_signed"], rows[1]["undecided"]) == (False, False, ["reply"])
    _, page = await store.inbox(InboxQuery(None, T0, offset=1, limit=1))
    assert [row["document_id"] for row in page] == [first]


async def test_one_document_and_its_files_are_seen_by_those_it_was_sent_to(pool: Any) -> None:
    store = PostgresCorrespondences(pool)
    document_id = await put(PostgresDocuments(pool), "R1")
    await act(store, document_id, lambda one: sign(one, HEALTH, at(10)))
    await answer(store, document_id)
    for party in ("health", "dongjie", None):
        found = await store.view(InboxQuery(party, T0, document_id))
        assert found is not None
        row, stands, texts = found
        assert (row["document_id"], stands.state) == (document_id, DocumentState.REPLIED)
        assert texts[0]["language"] == "zh"
    assert await store.view(InboxQuery("education", T0, document_id)) is None
    assert await store.file(document_id, FILE.sha256, "health") == (FILE.name, FILE.media_type, FILE.content)
    assert await store.file(document_id, FILE.sha256, None) is not None
    assert await store.file(document_id, FILE.sha256, "dongjie") is None
    assert await store.file("other", FILE.sha256, None) is None


async def test_replies_with_files_are_found_by_their_case_and_by_a_party_its_own_alone(pool: Any) -> None:
    store, documents = PostgresCorrespondences(pool), PostgresDocuments(pool)
    document_id = await put(documents, "R1")
    await act(store, document_id, lambda one: sign(one, HEALTH, at(10)))
    other = await put(documents, "R2", 2)
    await act(store, other, lambda one: sign(one, HEALTH, at(10)))
    await answer(store, other, SubmissionKind.APPEAL)
    found = await store.view(InboxQuery(None, T0, document_id))
    assert found is not None
    case_id = found[0]["case_id"]
    assert await store.replies(case_id, None) == []
    await answer(store, document_id)
    found = await store.view(InboxQuery(None, T0, document_id))
    assert found is not None
    (submission,) = found[1].submissions
    for party in ("health", None):
        (row,) = await store.replies(case_id, party)
        assert row == {
            "number": found[0]["number"], "document_id": document_id, "submission_id": submission.submission_id,
            "party": "health", "at": submission.at, "state": "submitted",
            "files": [{"sha256": FILE.sha256, "name": FILE.name, "size": FILE.size}],
        }  # fmt: skip
    assert await store.replies(case_id, "dongjie") == [], "it was copied to it, and is not its own"
    assert await store.replies("C0", None) == []


async def test_a_draft_is_in_no_inbox_but_that_of_brigade_and_centre_and_no_link_opens_it(pool: Any) -> None:
    store = PostgresCorrespondences(pool)
    document_id = await put(PostgresDocuments(pool), "R1")
    async with pool.connection() as connection:
        await connection.execute("UPDATE documents.documents SET state = 'draft'")
    assert await ids(store, "health", "all") == set()
    assert await store.view(InboxQuery("health", T0, document_id)) is None
    assert await store.party_of_link(document_id, "c-health") is None
    assert await ids(store, None, "all") == {document_id}


async def test_the_same_file_is_kept_once(pool: Any) -> None:
    store, documents = PostgresCorrespondences(pool), PostgresDocuments(pool)
    for serial in (1, 2):
        document_id = await put(documents, f"R{serial}", serial)
        await act(store, document_id, lambda one: sign(one, HEALTH, at(10)))
        await answer(store, document_id)
    async with pool.connection() as connection:
        found = await (await connection.execute("SELECT sha256 FROM documents.files")).fetchall()
    assert found == [(FILE.sha256,)]


def test_files_of_equal_content_have_one_name() -> None:
    assert FILE.sha256 == replace(FILE, name="other.jpg").sha256
