"""What is handed in at the page: read as an import is, tried first, and taken when a second person agrees."""

from collections.abc import Awaitable
from datetime import date, timedelta
from typing import Any

import pytest

from services.kernel.words import AdjustmentState, Role
from services.registry.adapters.files import HandedFiles
from services.registry.adapters.http_proposals import sheet_of
from services.registry.adapters.sheets import FORMS, pack_yaml
from services.registry.domain.approval import Person
from services.registry.domain.audit import broken_at
from services.registry.domain.columns import COLUMNS
from services.registry.domain.entities import Kind, Unit, Version
from services.registry.domain.errors import AdjustmentRefusal, AdjustmentRefused
from services.registry.domain.proposals import MAX_BYTES, FieldChange, ProposalFaulty, ProposalRequest
from services.registry.domain.routing import resolve
from services.registry.domain.writing import cell
from services.registry.ports import Store
from services.registry.worker.importing import Importer
from services.registry.worker.proposing import ProposalService
from tests.fakes.registry import MemoryStore, SetClock
from tests.unit.registry.builders import DAY, PACK_FILE, T0, contact, gateway, policy, street, unit

LI, WANG = (Person(name, Role.BRIGADE, "test") for name in ("li", "wang"))
CENTRE, HEALTH = Person("centre", Role.CENTRE, "test"), Person("health", Role.DEPARTMENT, "test")
FIRST = "R2026-000001"
KNOWN = T0 - timedelta(days=60)


class Office:
    """The service over a register with a pack, a hospital of 2025, its gateway and a contact."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), SetClock()
        self.service = ProposalService(store=self.store, clock=self.clock, importer=self._importer)

    def _importer(self, store: Store, request: ProposalRequest) -> Importer:
        files = HandedFiles(request.content, max_file_mb=4, max_unpacked_mb=8, max_rows=500)
        return Importer(files=files, store=store, clock=self.clock, twins_meant=request.meant)

    async def opened(self) -> "Office":
        hospital, first = unit(), date(2025, 1, 1)
        async with self.store.transaction() as register:
            await register.add(Kind.PACK, [Version(policy(), first, KNOWN)], None)
            await register.add(Kind.DEPARTMENT, [Version(street(), first, KNOWN)], None)
            await register.add(Kind.UNIT, [Version(hospital, first, KNOWN, resolve(hospital, policy(), DAY))], None)
            await register.add(Kind.GATEWAY, [Version(gateway(), first, KNOWN)], None)
            await register.add(Kind.CONTACT, [Version(contact(), first, KNOWN)], None)
            await register.published(await register.unpublished(100))
        return self

    def held(self) -> Unit:
        found = self.store.versions[Kind.UNIT, "U000001"][-1].facts
        assert isinstance(found, Unit)
        return found

    def actions(self) -> list[tuple[str, str]]:
        return [(link.entry.by.account, link.entry.action) for link in self.store.adjustments.links]


@pytest.fixture
async def office() -> Office:
    return await Office().opened()


def row(kind: Kind, facts: Any, **cells: str) -> dict[str, str]:
    names = [column.name for column in COLUMNS[kind] if column.name != "valid_from"]
    return {name: cell(facts, name, chinese=False) for name in names} | cells


def form(kind: Kind, facts: Any, **cells: str) -> ProposalRequest:
    return ProposalRequest(kind, f"{kind.value}.csv", sheet_of(kind, row(kind, facts, **cells)), "登记更正")


async def refusal(work: Awaitable[object]) -> AdjustmentRefusal:
    with pytest.raises(AdjustmentRefused) as refused:
        await work
    return refused.value.refusal


async def test_what_could_move_a_figure_is_taken_only_when_a_second_person_agrees(
    office: Office,
) -> None:
    held = await office.service.propose(form(Kind.UNIT, unit(), commissioned_on="2025-06-01"), CENTRE)
    assert (held.proposal_id, held.approvals_needed, held.entities) == (FIRST, 1, ("U000001",))
    assert office.held() == unit()
    assert not office.store.unpublished
    assert await refusal(office.service.approve(FIRST, CENTRE)) is AdjustmentRefusal.NOT_ALLOWED
    approved = await office.service.approve(FIRST, WANG)
    assert (approved.state, approved.approvals) == (AdjustmentState.APPROVED, ("wang",))
    assert office.held() == unit(commissioned_on=date(2025, 6, 1))
    assert office.store.unpublished == {(Kind.UNIT, "U000001")}
    assert office.store.notes[-1].file_name == f"{FIRST} unit.csv"
    assert office.actions() == [("centre", "request"), ("wang", "approve")]
    assert broken_at(office.store.adjustments.links) is None
    assert await refusal(office.service.approve(FIRST, LI)) is AdjustmentRefusal.NOT_WAITING


async def test_who_asked_never_agrees_and_only_he_withdraws(office: Office) -> None:
    await office.service.propose(form(Kind.UNIT, unit(), retired_on="2026-03-01"), LI)
    assert await refusal(office.service.approve(FIRST, LI)) is AdjustmentRefusal.SAME_PERSON
    assert await refusal(office.service.reject(FIRST, LI, "no")) is AdjustmentRefusal.SAME_PERSON
    assert await refusal(office.service.withdraw(FIRST, WANG)) is AdjustmentRefusal.NOT_ALLOWED
    assert await refusal(office.service.reject(FIRST, WANG, " ")) is AdjustmentRefusal.BAD_REQUEST
    assert (await office.service.withdraw(FIRST, LI)).state is AdjustmentState.WITHDRAWN
    assert await refusal(office.service.approve(FIRST, WANG)) is AdjustmentRefusal.NOT_WAITING
    assert office.held() == unit()


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (form(Kind.UNIT, unit(), control_room_phone="0591-87654321"), 0),
        (form(Kind.UNIT, unit(), responsible_person="李四", valid_from="2025-03-01"), 0),
        (form(Kind.CONTACT, contact(), email="new@demo.firenet.example"), 0),
        (form(Kind.CONTACT, contact(), retired_on="2026-03-01"), 0),
        (form(Kind.UNIT, unit(), control_room_phone="0591-87654321", crowded_place="no"), 1),
        (form(Kind.UNIT, unit(), name="安澜第一医院"), 1),
        (form(Kind.UNIT, unit(), exempt_from="2026-03-01", exempt_until="2026-03-05", exempt_reason="检修"), 1),
        (form(Kind.UNIT, unit(), unit_id="X-900"), 1),
        (form(Kind.GATEWAY, gateway(), points="12"), 1),
        (form(Kind.GATEWAY, gateway(), retired_on="2026-03-01"), 1),
        (form(Kind.DEPARTMENT, street(), matters="其他"), 1),
    ],
)
async def test_whom_to_call_needs_nobody_else_and_everything_else_does(
    office: Office, request_: ProposalRequest, needed: int
) -> None:
    assert (await office.service.preview(request_)).needed == needed
    held = await office.service.propose(request_, LI)
    assert held.approvals_needed == needed
    assert (held.state is AdjustmentState.APPROVED) == (needed == 0)
    assert bool(office.store.unpublished) == (needed == 0)
    assert office.actions() == [("li", "request"), *([] if needed else [("li", "take")])]


async def test_a_preview_tells_fields_and_rates_and_changes_nothing(office: Office) -> None:
    seen = await office.service.preview(form(Kind.UNIT, unit(), commissioned_on="", valid_from="2026-03-02"))
    (difference,) = seen.differences
    assert (difference.entity_id, difference.valid_from, difference.new) == ("U000001", DAY, False)
    assert difference.fields == (FieldChange("commissioned_on", "2025-01-01", None),)
    (effect,) = seen.effects.found
    assert [each.unit_id for each in effect.not_commissioned] == ["U000001"]
    assert {(scope.before.numerator, scope.after.numerator) for scope in effect.scopes if scope.before.denominator} == {
        (1, 0)
    }
    assert office.held() == unit()
    assert not office.store.notes
    assert not office.store.proposals.held


async def test_a_proposal_that_another_change_overtook_is_not_taken(office: Office) -> None:
    await office.service.propose(form(Kind.UNIT, unit(), name="甲医院"), LI)
    await office.service.propose(form(Kind.UNIT, unit(), town="T001", community="新社区"), LI)
    assert (await office.service.preview_of(FIRST)).overtaken is None
    await office.service.approve("R2026-000002", WANG)
    assert (await office.service.preview_of(FIRST)).overtaken == "U000001"
    assert await refusal(office.service.approve(FIRST, WANG)) is AdjustmentRefusal.CHANGED_SINCE
    assert office.held() == unit(community="新社区")
    assert office.store.proposals.held[FIRST].state is AdjustmentState.REQUESTED


async def test_the_form_is_judged_by_the_importer_and_nothing_is_kept_of_a_bad_one(office: Office) -> None:
    for cells, column in (
        ({"town": "T999"}, "town"),
        ({"key_unit": "maybe"}, "key_unit"),
        ({"name": "=HYPERLINK(1)"}, "name"),
        ({"exempt_from": "2026-03-01"}, "exempt_until"),
        ({"control_room_phone": "call me"}, "control_room_phone"),
    ):
        with pytest.raises(ProposalFaulty) as faulty:
            await office.service.propose(form(Kind.UNIT, unit(), **cells), LI)
        assert column in {error.column for error in faulty.value.report.errors}, cells
    assert not office.store.proposals.held
    assert not office.actions()


async def test_an_id_that_looks_like_another_is_asked_about(office: Office) -> None:
    twin = form(Kind.UNIT, unit(), unit_id="U00000l")
    with pytest.raises(ProposalFaulty) as faulty:
        await office.service.propose(twin, LI)
    assert faulty.value.report.asks
    meant = ProposalRequest(twin.kind, twin.file_name, twin.content, twin.reason, meant=True)
    assert (await office.service.propose(meant, LI)).approvals_needed == 1


async def test_who_may_not_propose_and_what_is_no_proposal(office: Office) -> None:
    asked = form(Kind.UNIT, unit(), name="甲医院")
    assert await refusal(office.service.propose(asked, HEALTH)) is AdjustmentRefusal.NOT_ALLOWED
    assert await refusal(office.service.propose(form(Kind.UNIT, unit()), LI)) is AdjustmentRefusal.NO_CHANGE
    for content, reason, kind in ((b"", "x", Kind.UNIT), (b"x" * (MAX_BYTES + 1), "x", Kind.UNIT),
                                  (asked.content, " ", Kind.UNIT), (asked.content, "x", Kind.ADJUSTMENT)):  # fmt: skip
        bad = ProposalRequest(kind, "units.csv", content, reason)
        assert await refusal(office.service.propose(bad, LI)) is AdjustmentRefusal.BAD_REQUEST
    assert await refusal(office.service.approve("R2026-000009", WANG)) is AdjustmentRefusal.UNKNOWN_PROPOSAL


async def test_an_export_handed_in_again_changes_nothing(office: Office) -> None:

    for form_, render in FORMS.items():
        content = render(await office.service.export(Kind.UNIT, chinese=True))
        asked = ProposalRequest(Kind.UNIT, f"units.{form_}", content, "回传")
        assert await refusal(office.service.propose(asked, LI)) is AdjustmentRefusal.NO_CHANGE


async def test_a_pack_is_proposed_compared_and_taken_with_its_effect(office: Office) -> None:
    text = PACK_FILE.read_text().replace(f"version: {policy().number}", f"version: {policy().number + 1}", 1)
    assert text != PACK_FILE.read_text()
    asked = ProposalRequest(Kind.PACK, "pack.yaml", text.encode(), "修订")
    seen = await office.service.preview(asked)
    assert {change.name for change in seen.differences[0].fields} == {"version"}
    assert (await office.service.propose(asked, LI)).approvals_needed == 1
    await office.service.approve(FIRST, WANG)
    pack_id, number = policy().pack_id, policy().number
    assert [each.name for each in await office.service.pack_changes(pack_id, number, number + 1)] == ["version"]
    assert pack_yaml(await office.service.pack(pack_id, number + 1))
    assert await refusal(office.service.pack(pack_id, 99)) is AdjustmentRefusal.UNKNOWN_PACK
    broken = ProposalRequest(Kind.PACK, "pack.yaml", text.replace("scopes:", "scoops:", 1).encode(), "修订")
    with pytest.raises(ProposalFaulty) as faulty:
        await office.service.preview(broken)
    assert all(error.row and error.char for error in faulty.value.report.errors)
