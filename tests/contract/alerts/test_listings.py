"""Listings: memory and PostgreSQL keep the same promises; the tables hold what no program may write."""

import re
from collections.abc import Sequence
from dataclasses import replace

import psycopg
import pytest

from deploy.stack.service import ROOT
from schemas import codec
from services.alerts.adapters.listing_acts import PostgresListingActs
from services.alerts.adapters.postgres_audit import PostgresAuditLog
from services.alerts.adapters.postgres_cases import PostgresCaseStore
from services.alerts.adapters.postgres_evidence import PostgresEvidence
from services.alerts.adapters.postgres_listings import ListingQuery, ListingReader
from services.alerts.domain.audit.bundle import files_of
from services.alerts.domain.audit.chain import Verified, verify
from services.alerts.domain.case.case import Case
from services.alerts.domain.case.who import Who
from services.alerts.domain.escalation.ladder import Pace
from services.alerts.domain.ids import CaseId
from services.alerts.domain.listing.listing import LadderProposal, Listing, ListingId, NoListing, NotPossible
from services.alerts.ports import CaseStore, Changes
from services.alerts.worker.housekeeping import publish_turn
from services.alerts.worker.listing import ListingService
from services.alerts.worker.notice_composer import NoticeComposer
from services.kernel.words import ListingAct, ListingState
from services.runtime.postgres import open_pool
from tests.contract.alerts.test_case_work import put
from tests.contract.alerts.test_store import Stores, stores
from tests.fakes.alerts import EveryDay, FakeDirectory, PlainWriter
from tests.fakes.clock import ManualClock
from tests.unit.alerts.build import T0, at, case
from tests.unit.alerts.harness import Harness
from tests.unit.alerts.listings import FILE, said

__all__ = ["stores"]

RUNBOOK = ROOT / "deploy" / "RUNBOOK.md"

A, B, C = (Who(name, None, "console") for name in ("officer-a", "officer-b", "officer-c"))
CLERK = Who("clerk", "health", "console")


def service(store: CaseStore) -> ListingService:
    directory, metrics = FakeDirectory(("U1",)), Harness("U1").metrics
    composer = NoticeComposer(
        directory=directory, writer=PlainWriter(), calendar=EveryDay(), metrics=metrics, pace=Pace()
    )
    return ListingService(store=store, directory=directory, composer=composer, clock=ManualClock(T0))


async def of(store: CaseStore, case_id: CaseId) -> tuple[Case, Listing]:
    async with store.transaction() as transaction:
        found = await transaction.case(case_id)
        (listing,) = await transaction.listings_of(case_id)
        assert await transaction.listing(listing.listing_id) == listing
    assert found is not None
    return found, listing


async def walk(store: CaseStore, one: Case) -> Listing:
    """Propose, list, ask for an extension and grant it, fail once, pass."""
    desk = service(store)
    listing = await desk.propose(one.case_id, A, "长期离线")
    way = (
        (ListingAct.LIST, A),
        (ListingAct.ASK_EXTENSION, CLERK),
        (ListingAct.GRANT_EXTENSION, A),
        (ListingAct.HAND_IN, CLERK),
        (ListingAct.FAIL_RECHECK, B),
        (ListingAct.HAND_IN, CLERK),
        (ListingAct.PASS_RECHECK, B),
    )
    for act, who in way:
        files = (FILE,) if act is ListingAct.HAND_IN else ()
        days = 60 if act is ListingAct.ASK_EXTENSION else 30
        listing = await desk.act(listing.listing_id, listing.revision, act, who, said(days=days, files=files))
        _, stands = await of(store, one.case_id)
        assert stands == listing, act
    return listing


async def test_a_listing_stands_as_it_was_written_and_its_case_with_it(stores: Stores) -> None:
    one = case(seconds=-3600, step="H0")
    await put(stores.cases, one)
    listing = await walk(stores.cases, one)
    found, _ = await of(stores.cases, one.case_id)
    assert found.is_listed
    async with stores.cases.transaction() as transaction:
        changes = Changes()
        changes.put(replace(found, cured_at=at(60)))
        await transaction.save(changes)
    found, _ = await of(stores.cases, one.case_id)
    assert found.cured_at == at(60)
    desk = service(stores.cases)
    closed = await desk.act(listing.listing_id, listing.revision, ListingAct.APPROVE_CLOSURE, C, said(files=()))
    found, stands = await of(stores.cases, one.case_id)
    assert (closed.state, stands) == (ListingState.CLOSED, closed)
    assert (found.is_open, found.is_listed, found.close_reason) == (False, False, "listing_closed")


async def test_one_listing_of_a_case_is_under_way_and_a_refused_act_leaves_no_trace(stores: Stores) -> None:
    one = case(seconds=-3600, step="H0")
    await put(stores.cases, one)
    desk = service(stores.cases)
    listing = await desk.propose(one.case_id, A, "长期离线")
    with pytest.raises(NotPossible, match="under_way"):
        await desk.propose(one.case_id, B, "长期离线")
    with pytest.raises(NoListing):
        await desk.act(ListingId("L0000000000000000"), 1, ListingAct.LIST, A, said(files=()))
    with pytest.raises(NotPossible, match="not_now"):
        await desk.act(listing.listing_id, 1, ListingAct.APPROVE_CLOSURE, C, said(files=()))
    assert (await of(stores.cases, one.case_id))[1] == listing


async def test_a_step_proposes_once_and_nothing_beside_what_is_under_way(stores: Stores) -> None:
    one, other = case(), case(of="U2")
    await put(stores.cases, one, other)
    proposal = LadderProposal(one.case_id, "H7", at(5), "000 三 5")
    await service(stores.cases).propose(other.case_id, A, "长期离线")
    for _ in range(2):
        changes = Changes()
        changes.proposals += [proposal, LadderProposal(other.case_id, "H7", at(5), "000 三 5")]
        async with stores.cases.transaction() as transaction:
            await transaction.save(changes)
    _, listing = await of(stores.cases, one.case_id)
    assert (listing.listing_id, listing.proposed_by, listing.proposed_at) == (proposal.listing_id, "ladder", at(5))
    assert (await of(stores.cases, other.case_id))[1].proposed_by == "officer-a"


async def test_each_act_goes_to_the_log_once_with_the_deadline_that_stood_then(migrated_database: str) -> None:
    sent: list[tuple[str, bytes]] = []

    class Stream:
        async def send(self, records: Sequence[tuple[str, bytes]]) -> None:
            sent.extend(records)

    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store, acts = PostgresCaseStore(pool), PostgresListingActs(pool)
        one, other = case(seconds=-3600, step="H0"), case(of="U2")
        await put(store, one, other)
        listing = await walk(store, one)
        changes = Changes()
        changes.proposals.append(LadderProposal(other.case_id, "H7", at(5), "000 三 5"))
        async with store.transaction() as transaction:
            await transaction.save(changes)
        assert [await publish_turn(acts, Stream()) for _ in range(2)] == [9, 0]
        said = re.search(r"```sql\n *(UPDATE alerts\.listing_acts .*;)", RUNBOOK.read_text(encoding="utf-8"))
        assert said is not None, "what the runbook has done when Kafka was made anew"
        once = list(sent)
        async with pool.connection() as connection:
            await connection.execute(said[1].encode())
        assert [await publish_turn(acts, Stream()) for _ in range(2)] == [9, 0]
        assert sent == [*once, *once], "the same again"
        del sent[9:]
    events = [codec.listings.decode(value) for _, value in sent]
    ours = [each.data for each in events if each.data.listing_id == listing.listing_id]
    assert [key for key, _ in sent] == [each.subject for each in events]
    assert [each.number for each in ours] == list(range(1, 9))
    assert [each.act for each in ours][:4] == [
        ListingAct.PROPOSE, ListingAct.LIST, ListingAct.ASK_EXTENSION, ListingAct.GRANT_EXTENSION
    ]  # fmt: skip
    assert ours[0].due_at is None
    assert ours[1].due_at == ours[2].due_at
    assert ours[3].due_at == ours[-1].due_at == listing.due_at
    assert ours[1].due_at < ours[3].due_at  # type: ignore[operator]  # both have one, as said above
    facts = one.facts
    assert (ours[0].unit_id, ours[0].town, ours[0].lead_department, ours[0].district) == (
        facts.subject.id, facts.town or None, facts.lead_department or None, facts.district or None
    )  # fmt: skip
    (by_ladder,) = [each.data for each in events if each.data.listing_id != listing.listing_id]
    assert (by_ladder.act, by_ladder.unit_id, by_ladder.due_at) == (ListingAct.PROPOSE, "U2", None)


async def test_all_of_it_is_sealed_and_in_the_bundle_and_read_by_its_bodies_only(migrated_database: str) -> None:
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store, log = PostgresCaseStore(pool), PostgresAuditLog(pool)
        one = case(seconds=-3600, step="H0")
        await put(store, one)
        listing = await walk(store, one)
        await log.seal(100)
        links = await log.links(0, 100)
        assert verify(links).broken_at is None
        acts = [link.entry.action for link in links if link.entry.action.startswith("listing_")]
        assert acts[:2] == ["listing_propose", "listing_list"]
        assert len(acts) == 8
        handed_in = next(link.entry for link in links if link.entry.action == "listing_hand_in")
        assert handed_in.detail["files"] == [f"{FILE.name} sha256:{FILE.sha256}"]
        record, part = await PostgresEvidence(pool).of(one.case_id)
        files = files_of(record, part, "", "", Verified(len(links), links[-1].hash), T0)
        assert sum(name.startswith("listings/") for name in files) == 2
        assert any(body == FILE.content for body in files.values())
        assert FILE.sha256.encode() in files["listing_files.json"]
        reader = ListingReader(pool)
        for body, seen in ((None, 1), ("health", 1), ("T1", 1), ("education", 0), ("", 0)):
            assert len(await reader.page(ListingQuery(body, T0))) == seen, body
            found = await reader.one(listing.listing_id, body, T0)
            assert (found is not None) is bool(seen)
            file = await reader.file(listing.listing_id, FILE.sha256, body)
            assert (file is not None) is bool(seen)
        assert [row["state"] for row in await reader.page(ListingQuery(None, T0, states=("approval",)))] == ["approval"]
        for query in (
            ListingQuery(None, T0, states=("closed",)),
            ListingQuery(None, T0, town="T9"),
            ListingQuery(None, T0, department="education"),
            ListingQuery(None, T0, overdue=True),
            ListingQuery(None, T0, case_id="C0"),
        ):
            assert not await reader.page(query), query
        late = ListingQuery(None, at(90 * 86400), overdue=True, town="T1", department="health", case_id=one.case_id)
        assert [row["overdue"] for row in await reader.page(late)] == [True]
        one_of_them = await reader.one(listing.listing_id, None, T0)
        assert one_of_them is not None
        assert one_of_them["next"] == ["grant_extension", "refuse_extension", "approve_closure", "refuse_closure"]
        undecided = {"grant_extension": "not_now", "refuse_extension": "not_now"}
        assert one_of_them["hindered"] == undecided, "the page offers no act that is refused for sure"
        assert len(one_of_them["acts"]) == 8


async def test_evidence_from_a_reply_names_its_source_in_the_act_the_chain_and_beside_the_file(
    migrated_database: str,
) -> None:
    source = "鼓消〔2026〕3号 health S1"
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store, log = PostgresCaseStore(pool), PostgresAuditLog(pool)
        one = case(seconds=-3600, step="H0")
        await put(store, one)
        desk = service(store)
        listing = await desk.propose(one.case_id, A, "长期离线")
        listing = await desk.act(listing.listing_id, 1, ListingAct.LIST, A, said(files=()))
        await desk.act(listing.listing_id, 2, ListingAct.HAND_IN, CLERK, said(source=source))
        await desk.act(listing.listing_id, 3, ListingAct.HAND_IN, CLERK, said())
        await log.seal(100)
        sealed = [
            link.entry.detail.get("source")
            for link in await log.links(0, 100)
            if link.entry.action == "listing_hand_in"
        ]
        assert sealed == [source, None]
        found = await ListingReader(pool).one(listing.listing_id, None, T0)
        assert found is not None
        assert [(file["sha256"], file["source"]) for file in found["evidence_files"]] == [
            (FILE.sha256, source), (FILE.sha256, ""),
        ]  # fmt: skip
        assert found["acts"][2]["detail"]["source"] == source


async def test_the_table_refuses_a_closure_by_hand(migrated_database: str) -> None:
    async with open_pool(migrated_database, "contract", 1, 2) as pool:
        store = PostgresCaseStore(pool)
        one = case(seconds=-3600, step="H0")
        await put(store, one)
        await walk(store, one)
    with psycopg.connect(migrated_database) as connection:
        for change in (
            b"UPDATE alerts.listings SET state = 'closed', approved_by = 'officer-b'",
            b"UPDATE alerts.listings SET state = 'closed', approved_by = ''",
            b"UPDATE alerts.listings SET state = 'closed', approved_by = 'x', recheck = NULL",
            b"UPDATE alerts.listings SET state = 'closed', approved_by = 'x', files = 0",
        ):
            with pytest.raises(psycopg.errors.CheckViolation), connection.transaction():
                connection.execute(change)
