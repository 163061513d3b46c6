"""What is handed in at the page: read as an import is, tried first, and taken when a second person agrees."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from services.kernel.words import AdjustmentState, ContactRole, Role, TelephoneUse
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
from tests.fakes.clock import ManualClock
from tests.fakes.registry import MemoryStore
from tests.unit.registry.builders import DAY, PACK_FILE, T0, contact, gateway, policy, street, unit

LI, WANG = (Person(name, Role.BRIGADE, "test") for name in ("li", "wang"))
CENTRE, HEALTH = Person("centre", Role.CENTRE, "test"), Person("health", Role.DEPARTMENT, "test")
FIRST = "R2026-000001"
KNOWN = T0 - timedelta(days=60)


class Office:
    """The service over a register with a pack, a hospital of 2025, its gateway and a contact."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), ManualClock(T0)
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


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (form(Kind.UNIT, unit(), control_room_phone="0591-87654321"), 0),
        (form(Kind.UNIT, unit(), responsible_person="李四", valid_from="2025-03-01"), 0),
        (form(Kind.CONTACT, contact(), name="张三", lang="en", phone="13800138000"), 0),
        (form(Kind.CONTACT, contact(), contact_id="X-900", email="new@demo.firenet.example"), 0),
        (form(Kind.CONTACT, contact(), email="new@demo.firenet.example"), 1),
        (form(Kind.CONTACT, contact(), email="new@demo.firenet.example", valid_from="2024-01-01"), 1),
        (form(Kind.CONTACT, contact(), webhook_url="https://demo.firenet.example/hook", webhook_secret_ref="hook"), 1),
        (form(Kind.CONTACT, contact(), mqtt_topic="city/fire"), 1),
        (form(Kind.CONTACT, contact(), duty_times="Mo-Fr 08:30-17:30"), 1),
        (form(Kind.CONTACT, contact(), contact_id="X-900", duty_times="Mo-Fr 08:30-17:30"), 0),
        (form(Kind.CONTACT, contact(), apprise="elsewhere"), 1),
        (form(Kind.CONTACT, contact(), robot="dingtalk:elsewhere"), 1),
        (form(Kind.CONTACT, contact(), phone="13800138000", sms="all"), 1),
        (form(Kind.CONTACT, contact(), phone="13800138000", voice="fires"), 1),
        (form(Kind.CONTACT, contact(), body_code="education"), 1),
        (form(Kind.CONTACT, contact(), retired_on="2026-03-01"), 1),
        (form(Kind.UNIT, unit(), control_room_phone="0591-87654321", crowded_place="no"), 1),
        (form(Kind.UNIT, unit(), name="安澜第一医院"), 1),
        (form(Kind.UNIT, unit(), exempt_from="2026-03-01", exempt_until="2026-03-05", exempt_reason="检修"), 1),
        (form(Kind.UNIT, unit(), unit_id="X-900"), 1),
        (form(Kind.GATEWAY, gateway(), points="12"), 1),
        (form(Kind.GATEWAY, gateway(), retired_on="2026-03-01"), 1),
        (form(Kind.DEPARTMENT, street(), matters="其他"), 1),
    ],
)
async def test_whom_to_call_and_a_new_contact_need_nobody_else_and_everything_else_does(
    office: Office, request_: ProposalRequest, needed: int
) -> None:
    assert (await office.service.preview(request_)).needed == needed
    held = await office.service.propose(request_, LI)
    assert held.approvals_needed == needed
    assert (held.state is AdjustmentState.APPROVED) == (needed == 0)
    assert bool(office.store.unpublished) == (needed == 0)
    assert office.actions() == [("li", "request"), *([] if needed else [("li", "take")])]


async def test_a_new_contact_beside_one_with_duty_times_needs_a_second_person(office: Office) -> None:
    async with office.store.transaction() as register:
        since = date(2025, 1, 1)
        await register.add(Kind.CONTACT, [Version(contact(duty_times="Mo-Fr 08:30-17:30"), since, T0)], None)
    beside = form(Kind.CONTACT, contact(), contact_id="X-900")
    assert (await office.service.preview(beside)).needed == 1, "at night it is told instead of the other"
    elsewhere = form(Kind.CONTACT, contact(), contact_id="X-900", body_code="education")
    assert (await office.service.preview(elsewhere)).needed == 0


async def test_a_grid_officer_of_a_unit_takes_letters_from_the_towns_and_needs_a_second_person(office: Office) -> None:
    officer = contact(role=ContactRole.GRID_OFFICER)
    first = form(Kind.CONTACT, officer, contact_id="X-900", body_code="U000001")
    assert (await office.service.preview(first)).needed == 1


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


async def test_a_telephone_to_which_messages_go_is_an_address(office: Office) -> None:
    called = contact(phone="13800138000", sms=TelephoneUse.FIRES)
    async with office.store.transaction() as register:
        await register.add(Kind.CONTACT, [Version(called, DAY, KNOWN)], None)
    assert (await office.service.preview(form(Kind.CONTACT, called, name="张三"))).needed == 0
    assert (await office.service.preview(form(Kind.CONTACT, called, phone="13900139000"))).needed == 1
    assert (await office.service.preview(form(Kind.CONTACT, called, phone="13900139000", sms=""))).needed == 1


SECOND, THIRD = "R2026-000002", "R2026-000003"
SCHOOL = unit(unit_id="U000002", name="安澜小学")


async def with_school(office: Office, *more: Version[Unit]) -> None:
    first = Version(SCHOOL, date(2025, 1, 1), KNOWN, resolve(SCHOOL, policy(), DAY))
    async with office.store.transaction() as register:
        await register.add(Kind.UNIT, [first, *more], None)


async def export_with(office: Office, old: str, new: str, *, dated: bool = True) -> ProposalRequest:
    """Return all units as a file in which one word was changed."""
    text = FORMS["csv"](await office.service.export(Kind.UNIT, chinese=False)).decode("utf-8-sig")
    assert text.count(old) == 1
    if not dated:
        heading, *rows = text.splitlines()
        text = "\n".join([heading, *(f"{each.rpartition(',')[0]}," for each in rows)])
    return ProposalRequest(Kind.UNIT, "units.csv", text.replace(old, new).encode(), "登记更正")


async def test_a_row_that_said_what_the_register_said_undoes_no_correction_made_since(office: Office) -> None:
    await with_school(office)
    held = await office.service.propose(await export_with(office, "安澜医院", "甲医院"), LI)
    assert held.entities == ("U000001",)
    corrected = form(Kind.UNIT, SCHOOL, commissioned_on="2025-06-01", valid_from="2025-01-01")
    await office.service.propose(corrected, LI)
    assert (await office.service.preview_of(FIRST)).overtaken is None
    await office.service.approve(SECOND, WANG)
    assert (await office.service.preview_of(FIRST)).overtaken == "U000002"
    assert await refusal(office.service.approve(FIRST, WANG)) is AdjustmentRefusal.CHANGED_SINCE
    assert office.held() == unit()
    assert office.store.versions[Kind.UNIT, "U000002"][-1].facts == replace(SCHOOL, commissioned_on=date(2025, 6, 1))
    assert office.actions()[-1] == ("wang", "approve")
    assert [note.file_name for note in office.store.notes] == [f"{SECOND} unit.csv"]
    await office.service.propose(await export_with(office, "安澜医院", "甲医院"), LI)
    await office.service.approve(THIRD, WANG)
    assert office.held() == unit(name="甲医院")
    assert office.store.versions[Kind.UNIT, "U000002"][-1].facts == replace(SCHOOL, commissioned_on=date(2025, 6, 1))


async def test_what_was_proposed_without_its_digest_is_overtaken(office: Office) -> None:
    held = await office.service.propose(form(Kind.UNIT, unit(), name="甲医院"), LI)
    async with office.store.transaction() as register:
        await register.proposals.put(replace(held, changes_sha256=""))
    assert (await office.service.preview_of(FIRST)).overtaken == "U000001"
    assert await refusal(office.service.approve(FIRST, WANG)) is AdjustmentRefusal.CHANGED_SINCE


@pytest.mark.parametrize("since", ["", "2026-03-02", "2026-03-03", "2026-03-04", "2025-03-01"])
async def test_who_agrees_a_day_later_agrees_to_what_was_asked_for(office: Office, since: str) -> None:
    await office.service.propose(form(Kind.UNIT, unit(), name="甲医院", valid_from=since), LI)
    office.clock.forward(days=1)
    assert (await office.service.preview_of(FIRST)).overtaken is None
    await office.service.approve(FIRST, WANG)
    version = office.store.versions[Kind.UNIT, "U000001"][-1]
    assert version.facts == unit(name="甲医院")
    assert version.valid_from == (date.fromisoformat(since) if since else DAY + timedelta(days=1))


@pytest.mark.parametrize("whose", ["U000001", "U000002"])
async def test_a_change_that_was_to_come_and_came_since_is_not_undone(office: Office, whose: str) -> None:
    """A row without a day holds from the day on which it is taken, and that is not before the change any more."""
    tomorrow, coming = DAY + timedelta(days=1), {"U000001": unit(), "U000002": SCHOOL}[whose]
    coming = replace(coming, community="新社区")
    await with_school(office, Version(coming, tomorrow, KNOWN, resolve(coming, policy(), tomorrow)))
    held = await office.service.propose(await export_with(office, "安澜医院", "甲医院", dated=False), LI)
    assert held.entities == ("U000001",)
    office.clock.forward(days=1)
    assert (await office.service.preview_of(FIRST)).overtaken == whose
    assert await refusal(office.service.approve(FIRST, WANG)) is AdjustmentRefusal.CHANGED_SINCE
    assert office.store.versions[Kind.UNIT, whose][-1].facts == coming


def pack_file(number: int, *changes: tuple[str, str]) -> ProposalRequest:
    text = PACK_FILE.read_text(encoding="utf-8")
    for old, new in ((f"version: {policy().number}\n", f"version: {number}\n"), *changes):
        assert old in text
        text = text.replace(old, new, 1)
    return ProposalRequest(Kind.PACK, "pack.yaml", text.encode(), "修订")


@pytest.mark.thorough
@pytest.mark.parametrize("since", [None, date(2024, 7, 1), date(2026, 7, 1)])
async def test_a_pack_made_from_a_version_that_is_the_newest_no_more_is_not_taken(
    office: Office, since: date | None
) -> None:
    newest, pack_id = policy().number, policy().pack_id
    await office.service.propose(replace(pack_file(newest + 1), valid_from=since), LI)
    await office.service.propose(pack_file(newest + 2), LI)
    assert (await office.service.preview_of(SECOND)).overtaken is None
    await office.service.approve(FIRST, WANG)
    assert (await office.service.preview_of(SECOND)).overtaken == pack_id
    assert await refusal(office.service.approve(SECOND, WANG)) is AdjustmentRefusal.CHANGED_SINCE
    assert await refusal(office.service.pack(pack_id, newest + 2)) is AdjustmentRefusal.UNKNOWN_PACK
    await office.service.propose(pack_file(newest + 2), LI)
    await office.service.approve(THIRD, WANG)
    assert (await office.service.pack(pack_id, newest + 2)).number == newest + 2


async def test_a_route_that_a_new_pack_brought_overtakes_nothing(office: Office) -> None:
    await office.service.propose(form(Kind.UNIT, unit(), name="甲医院"), LI)
    await office.service.propose(pack_file(policy().number + 1, ("lead: health,", "lead: education,")), LI)
    await office.service.approve(SECOND, WANG)
    rerouted = office.store.versions[Kind.UNIT, "U000001"]
    assert len({version.route for version in rerouted}) == 2
    assert (await office.service.preview_of(FIRST)).overtaken is None
    await office.service.approve(FIRST, WANG)
    assert office.held() == unit(name="甲医院")


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


@pytest.mark.thorough
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
