"""Proposals in memory and in PostgreSQL promise the same, and are taken the same."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import psycopg
import pytest

from services.kernel.words import AdjustmentState, Role
from services.registry.adapters.files import HandedFiles
from services.registry.adapters.http_proposals import sheet_of
from services.registry.adapters.postgres import open_store
from services.registry.adapters.sheets import FORMS
from services.registry.domain.approval import Person
from services.registry.domain.audit import broken_at
from services.registry.domain.entities import Kind, Unit, Version, of_type
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused
from services.registry.domain.proposals import Proposal, ProposalRequest
from services.registry.domain.routing import resolve
from services.registry.ports import Store
from services.registry.worker.importing import Importer
from services.registry.worker.proposing import ProposalService
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, T0, policy, street, unit

WAITING = Proposal(
    "R2026-000001",
    ProposalRequest(Kind.UNIT, "单位.csv", b"\x00\xff=1", "更正", None, True),
    "ab" * 32,
    2,
    ("U1", "U2"),
    "li",
    T0,
    None,
    "12" * 32,
    1,
)
PACK = Proposal(
    "R2026-000002",
    ProposalRequest(Kind.PACK, "pack.yaml", b"pack_id: x", "修订", date(2026, 4, 1)),
    "cd" * 32,
    1,
    ("sample",),
    "li",
    T0,
    T0 - timedelta(days=1),
    "34" * 32,
    1,
    ("wang",),
    AdjustmentState.APPROVED,
    T0,
    "同意",
)


@pytest.fixture(params=["memory", "postgres"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with open_store(request.getfixturevalue("migrated_database"), "tests") as opened:
        yield opened


async def test_a_proposal_comes_back_as_it_went_in_and_its_file_never_changes(store: Store) -> None:
    other = replace(WAITING.request, content=b"other")
    async with store.transaction() as register:
        for each in (WAITING, PACK):
            await register.proposals.put(each)
        assert (await register.proposals.waiting(), await register.proposals.count(2026)) == (1, 2)
        rejected = replace(WAITING, state=AdjustmentState.REJECTED, changed_at=T0, note="不")
        await register.proposals.put(replace(rejected, request=other))
        assert await register.proposals.get(WAITING.proposal_id) == rejected
        assert await register.proposals.get(PACK.proposal_id) == PACK
        assert await register.proposals.get("R2026-000003") is None
        assert (await register.proposals.waiting(), await register.proposals.count(2027)) == (0, 0)
        assert not await register.proposals.unpublished()


async def desk(store: Store, *units: Unit) -> ProposalService:
    """Return the service over a register that has the units, published."""
    known, clock = T0 - timedelta(days=9), ManualClock(T0)

    def importer(store: Store, request: ProposalRequest) -> Importer:
        files = HandedFiles(request.content, max_file_mb=1, max_unpacked_mb=1, max_rows=10)
        return Importer(files=files, store=store, clock=clock)

    async with store.transaction() as register:
        await register.add(Kind.PACK, [Version(policy(), date(2025, 1, 1), known)], None)
        await register.add(Kind.DEPARTMENT, [Version(street(), date(2025, 1, 1), known)], None)
        held = [Version(each, date(2025, 1, 1), known, resolve(each, policy(), DAY)) for each in units]
        await register.add(Kind.UNIT, held, None)
        await register.published(await register.unpublished(10))
    return ProposalService(store=store, clock=clock, importer=importer)


async def test_of_what_was_agreed_the_register_has_one_new_version_and_the_topic_lacks_it(store: Store) -> None:
    service = await desk(store, unit())
    cells = {
        "unit_id": "U000001", "name": "安澜医院", "name_en": "Anlan Hospital", "district": "sample", "town": "T001",
        "community": "云澜社区", "category": "HOSPITAL", "key_unit": "是", "auto_fire_facilities": "是",
        "crowded_place": "否", "flammable_place": "否", "fire_alarm_system": "是", "commissioned_on": "2025-01-01",
    }  # fmt: skip
    asked = ProposalRequest(Kind.UNIT, "unit.csv", sheet_of(Kind.UNIT, cells), "更正")
    seen = await service.preview(asked)
    assert [change.name for change in seen.differences[0].fields] == ["crowded_place"]
    held = await service.propose(asked, Person("li", Role.CENTRE, "test"))
    async with store.transaction() as register:
        assert len((await register.histories(Kind.UNIT))["U000001"].versions) == 1
        assert not await register.proposals.unpublished()
    await service.approve(held.proposal_id, Person("wang", Role.BRIGADE, "test"))
    async with store.transaction() as register:
        versions = (await register.histories(Kind.UNIT))["U000001"].versions
        assert [version.valid_from for version in versions] == [date(2025, 1, 1), DAY]
        assert await register.proposals.unpublished()
        links = await register.adjustments.audited()
    assert [(link.entry.action, link.entry.about) for link in links] == [
        ("request", "R2026-000001"), ("approve", "R2026-000001"),
    ]  # fmt: skip
    assert broken_at(links) is None


async def test_an_approval_that_would_undo_another_correction_leaves_nothing_behind(store: Store) -> None:
    li, wang = Person("li", Role.CENTRE, "test"), Person("wang", Role.BRIGADE, "test")
    service = await desk(store, unit(), unit(unit_id="U000002", name="安澜小学"))
    whole = FORMS["csv"](await service.export(Kind.UNIT, chinese=True)).decode()
    for old, new in (("安澜医院", "甲医院"), ("安澜小学", "甲小学")):
        asked = whole.replace(old, new).encode()
        await service.propose(ProposalRequest(Kind.UNIT, "units.csv", asked, "更正"), li)
    await service.approve("R2026-000002", wang)
    assert (await service.preview_of("R2026-000001")).overtaken == "U000002"
    with pytest.raises(AdjustmentRefused) as refused:
        await service.approve("R2026-000001", wang)
    assert refused.value.refusal is AdjustmentRefusal.CHANGED_SINCE
    async with store.transaction() as register:
        held = await register.histories(Kind.UNIT)
        waiting = await register.proposals.get("R2026-000001")
        links = await register.adjustments.audited()
    names = [[version.facts.name for version in of_type(each.versions, Unit)] for _, each in sorted(held.items())]
    assert names == [["安澜医院"], ["安澜小学", "甲小学"]]
    assert waiting is not None
    assert (waiting.state, waiting.approvals) == (AdjustmentState.REQUESTED, ())
    assert [link.entry.action for link in links] == ["request", "request", "approve"]


async def test_the_table_itself_refuses_a_proposal_that_its_own_author_approved(migrated_database: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        async with await psycopg.AsyncConnection.connect(migrated_database) as connection:
            await connection.execute(
                "INSERT INTO registry.proposals VALUES ('R1', 'unit', 'f', 'x', 's', NULL, false, 'r', 1, '{}', 'li',"
                " now(), NULL, 'c', 1, '{li}', 'approved', NULL, '')"
            )
