"""Store and outbox of documents: memory and PostgreSQL keep the same promises."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

import pytest

from services.documents.adapters.postgres_documents import PostgresDocuments
from services.documents.adapters.renderer import TemplateRenderer
from services.documents.domain.catalogue import CATALOGUE
from services.documents.domain.document import Document, File, document_id_of, numbered
from services.documents.domain.errors import Fenced
from services.documents.domain.numbering import Number, ReportedNumber, Series
from services.documents.ports import PartitionClaim
from services.kernel.words import DocumentState, FileKind, Language
from services.runtime.postgres import open_pool
from tests.fakes.documents import MemoryDocuments
from tests.unit.documents.build import T0, at, request

RENDERER = TemplateRenderer()
TOPIC = "firenet.requests.v1"
SERIES = Series("centre", "消监告", 2026)
Store = MemoryDocuments | PostgresDocuments


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryDocuments()
        return
    dsn = request.getfixturevalue("migrated_database")
    async with AsyncExitStack() as stack:
        yield PostgresDocuments(await stack.enter_async_context(open_pool(dsn, "contract", 2, 4)))


def document(request_id: str, number: Number, seconds: float = 0) -> Document:
    wanted = request(request_id, languages=["zh", "en"])
    rendered = RENDERER.render(wanted, number.text, CATALOGUE[wanted.instrument], T0, draft=False)
    return Document(
        document_id_of(wanted.source, request_id),
        wanted,
        number,
        "I1@2",
        at(seconds),
        tuple(one.rendition for one in rendered),
        files=(File(Language.ZH, FileKind.PDF, b"%PDF\x00zh"), File(Language.EN, FileKind.PDF, b"%PDF\x00en")),
    )


def serials(found: Iterable[Document]) -> list[int]:
    return [one.number.serial for one in found if one.number is not None]


async def issue(store: Store, claim: PartitionClaim, *ids: str, offset: int = 1) -> list[Document]:
    async with store.transaction() as transaction:
        await transaction.advance(claim, offset)
        found = [document(one, await transaction.next_number(SERIES), n) for n, one in enumerate(ids)]
        for one in found:
            await transaction.add(one)
    return found


async def test_numbers_count_on_from_transaction_to_transaction_and_per_series(store: Store) -> None:
    claim, _ = await store.claim(TOPIC, 0, "a")
    first = await issue(store, claim, "R1", "R2")
    second = await issue(store, claim, "R3", offset=2)
    assert serials((*first, *second)) == [1, 2, 3]
    async with store.transaction() as transaction:
        for other in (replace(SERIES, year=2027), replace(SERIES, issuer="b"), replace(SERIES, mark="c")):
            assert (await transaction.next_number(other)).serial == 1


async def test_a_transaction_that_fails_leaves_neither_number_nor_offset(store: Store) -> None:
    claim, _ = await store.claim(TOPIC, 0, "a")
    with suppress(ZeroDivisionError):
        async with store.transaction() as transaction:
            await transaction.advance(claim, 7)
            await transaction.add(document("R1", await transaction.next_number(SERIES)))
            raise ZeroDivisionError
    assert serials(await issue(store, claim, "R2")) == [1]
    assert (await store.claim(TOPIC, 0, "b"))[1] == 1


async def test_an_attempt_that_fails_gives_its_number_back_and_the_transaction_goes_on(store: Store) -> None:
    claim, _ = await store.claim(TOPIC, 0, "a")
    async with store.transaction() as transaction:
        await transaction.advance(claim, 3)
        async with transaction.attempt():
            await transaction.add(document("R1", await transaction.next_number(SERIES)))
        with suppress(ZeroDivisionError):
            async with transaction.attempt():
                await transaction.add(document("R2", await transaction.next_number(SERIES), 1))
                raise ZeroDivisionError
        async with transaction.attempt():
            await transaction.add(document("R3", await transaction.next_number(SERIES), 2))
    found = await store.unpublished(9)
    assert [one.request.request_id for one in found] == ["R1", "R3"]
    assert serials(found) == [1, 2]


async def test_what_is_issued_is_known(store: Store) -> None:
    claim, _ = await store.claim(TOPIC, 0, "a")
    (one,) = await issue(store, claim, "R1")
    async with store.transaction() as transaction:
        assert await transaction.issued([one.document_id, "other"]) == {one.document_id}


async def test_a_former_owner_writes_nothing_more(store: Store) -> None:
    former, _ = await store.claim(TOPIC, 0, "a")
    await store.claim(TOPIC, 0, "b")
    with pytest.raises(Fenced):
        await issue(store, former, "R1")
    assert await store.unpublished(9) == []


async def test_what_is_not_published_comes_whole_and_in_the_order_of_issue(store: Store) -> None:
    claim, _ = await store.claim(TOPIC, 0, "a")
    issued = await issue(store, claim, "R1", "R2", "R3")
    found = await store.unpublished(2)
    assert [without_facts(one) for one in found] == [without_facts(one) for one in issued[:2]]
    await store.mark_published([one.document_id for one in found])
    assert [one.document_id for one in await store.unpublished(9)] == [issued[2].document_id]


async def test_a_draft_is_kept_without_a_number_and_told_of_once_more_when_its_issuer_has_numbered_it(
    store: Store,
) -> None:
    draft = replace(document("R1", Number(SERIES, 1)), number=None, state=DocumentState.DRAFT)
    async with store.transaction() as transaction:
        await transaction.add(draft)
    (found,) = await store.unpublished(9)
    assert (found.state, found.number, found.number_text) == (DocumentState.DRAFT, None, "")
    await store.mark_published([found.document_id])
    async with store.transaction() as transaction:
        kept = await transaction.document(draft.document_id)
        assert kept is not None
        assert await transaction.document("other") is None
        issued = replace(
            numbered(kept, "鼓消限〔2026〕7号", at(60)),
            renditions=draft.renditions,
            files=(File(Language.ZH, FileKind.PDF, b"%PDF numbered"),),
        )
        await transaction.put_numbered(issued, "officer", at(90))
    (again,) = await store.unpublished(9)
    assert (again.state, again.number_text, again.issued_at) == (DocumentState.ISSUED, "鼓消限〔2026〕7号", at(60))
    assert [one.content for one in again.files] == [b"%PDF numbered"], "not those of the draft"


async def test_files_that_there_was_no_time_for_are_looked_for_once(store: Store) -> None:
    late = replace(document("R1", Number(SERIES, 1)), files=(), files_due=True)
    async with store.transaction() as transaction:
        await transaction.add(late)
        await transaction.add(document("R2", Number(SERIES, 2)))
    assert [one.document_id for one in await store.lacking(9)] == [late.document_id]
    await store.put_files(late.document_id, [File(Language.ZH, FileKind.PDF, b"%PDF late")])
    assert await store.lacking(9) == []
    found = {one.document_id: one for one in await store.unpublished(9)}
    assert [one.content for one in found[late.document_id].files] == [b"%PDF late"]


def without_facts(one: Document) -> Document:
    """The request's JSON is kept as such: its spaces and the order of its fields are not."""
    return replace(one, request=replace(one.request, facts=""))


async def test_numbers_that_were_told_of_before_the_database_was_put_back_go_to_their_documents_alone(
    store: Store,
) -> None:
    claim, _ = await store.claim(TOPIC, 0, "a")
    (kept,) = await issue(store, claim, "R1")
    lost = ReportedNumber(document_id_of(kept.request.source, "R2"), Number(SERIES, 7), at(50))
    there = ReportedNumber(kept.document_id, Number(SERIES, 1), kept.issued_at)
    assert await store.newest_numbered() == kept.issued_at
    assert await store.take_told([there, lost]) == 1
    assert await store.take_told([there, lost]) == 0, "a second start finds nothing new"
    async with store.transaction() as transaction:
        assert await transaction.told(kept.document_id) is None
        assert await transaction.told(lost.document_id) == lost
        assert (await transaction.next_number(SERIES)).serial == 8
