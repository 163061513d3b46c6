"""The read model: memory and PostgreSQL answer alike."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import pytest

from deploy.stack.postgres import Postgres
from services.console.adapters.postgres_read import PostgresReadModel
from services.console.domain.case_list import CaseQuery, CaseView
from services.console.domain.district_map import MapQuery, MapUnit
from services.console.domain.errors import DataUnavailable, NotFound
from services.console.domain.freshness import Freshness, data_age
from services.console.domain.rates import RateCounts
from services.console.domain.units import UnitQuery
from services.console.domain.viewer import WHOLE, BodyCode, Slice
from services.console.ports.district import ReadModel
from services.kernel.calendar import day_number
from services.kernel.effective import in_force
from services.kernel.policy import DatedPack, Packs
from services.kernel.words import Connection, FileKind, Health, Language, VisibilityState
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.fakes.console import T0, FakeReadModel
from tests.integration.console.scenario import Scenario, Unit, opened
from tests.parts import fresh_database
from tests.unit.console import builders

LIMIT_S = 60.0
"""A busy machine is no database that is away."""

HEALTH, STREET = Slice(BodyCode("health")), Slice(BodyCode("dongjie"))

UNITS = [
    Unit("U01", "第一医院", "dongjie", "HOSPITAL", "health", scopes=("S1", "S2"), name_en="First Hospital"),
    Unit("U02", "第二医院", "nanjie", "HOSPITAL", "health", connection="offline", partition=1),
    Unit("U03", "康养中心", "dongjie", "ELDERLY", "civil-affairs", copies=("health", "dongjie"), health="fault"),
    Unit("U04", "实验小学", "dongjie", "SCHOOL", "education", connection="late"),
    Unit("U05", "100%_折扣店", "nanjie", "NINE_SMALL", "nanjie", routed=False, connection="never_connected",
         health="unknown"),
    Unit("U06", "办公楼", "dongjie", "OFFICE", "dongjie", routed=False, copies=("brigade",), scopes=(), health="fire"),
    Unit("U07", "双网关医院", "nanjie", "HOSPITAL", "health", partly=True, partition=1),
    Unit("U08", "改造中", "nanjie", "CINEMA", "publicity", connection="exempt", health="unknown", scopes=("S2",)),
]  # fmt: skip
NOW = SystemClock().now()
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("C1", "U02", "connection_lost", {}),
    ("C2", "U06", "fire", {}),
    ("C3", "U03", "fault", {"acknowledged_at": T0, "acknowledged_by": "someone"}),
    ("C5", "U01", "fire", {"state": "closed", "closed_at": NOW, "close_reason": "restored"}),
    ("C4", "U04", "connection_lost", {"state": "closed", "closed_at": T0, "close_reason": "restored"}),
]


class Row(NamedTuple):
    valid_from: date
    recorded_at: int


def fake() -> FakeReadModel:
    by_id = {unit.unit_id: unit for unit in UNITS}
    rows = [
        builders.unit(
            unit.unit_id, name=unit.name, name_en=unit.name_en, town=unit.town, category=unit.category,
            lead_department=unit.lead, copy_departments=unit.copies, scopes=unit.scopes, connection=unit.connection,
            health=unit.health, partly_connected=unit.partly, routed=unit.routed,
        )
        for unit in UNITS
    ]  # fmt: skip
    cases = [
        replace(
            builders.case(
                case_id, unit_id=unit_id, kind=kind, unit_name=by_id[unit_id].name, town=by_id[unit_id].town,
                lead_department=by_id[unit_id].lead, copy_departments=by_id[unit_id].copies,
            ),
            **{name: value for name, value in changes.items() if name != "close_reason"},
        )
        for case_id, unit_id, kind, changes in CASES
    ]  # fmt: skip
    return FakeReadModel(rows, cases)


@pytest.fixture(scope="module")
def filled(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    """One database for all tests that only read."""
    with fresh_database(postgres_server, migrated_template) as name, opened(postgres_server.dsn(name)) as scenario:
        scenario.create()
        scenario.put(UNITS)
        scenario.stay_fresh()
        for case_id, unit_id, kind, changes in CASES:
            scenario.open_case(case_id, unit_id, kind, **changes)
        yield scenario.dsn


@pytest.fixture(params=["memory", "postgres"])
async def read(request: pytest.FixtureRequest) -> AsyncIterator[ReadModel]:
    if request.param == "memory":
        yield fake()
        return
    async with open_pool(request.getfixturevalue("filled"), "test", max_size=2) as pool:
        yield PostgresReadModel(pool, LIMIT_S)


def of(row: RateCounts) -> tuple[int, int]:
    return row.ratio.numerator, row.ratio.denominator


def named(rows: tuple[RateCounts, ...], scope: str, value: str) -> tuple[int, int]:
    (row,) = (row for row in rows if (row.scope, row.value) == (scope, value))
    return of(row)


async def test_the_map_has_the_units_of_a_slice_and_of_the_part_that_is_asked_for(read: PostgresReadModel) -> None:
    whole = await read.map_units(WHOLE, MapQuery())
    assert {unit.unit_id for unit in whole} == {unit.unit_id for unit in UNITS}
    (double,) = [replace(unit, community="") for unit in whole if unit.unit_id == "U07"]
    assert double == MapUnit("U07", "双网关医院", "", "nanjie", "", "online", "normal", True)
    assert {unit.unit_id for unit in await read.map_units(HEALTH, MapQuery())} == {"U01", "U02", "U03", "U07"}
    assert {unit.unit_id for unit in await read.map_units(HEALTH, MapQuery("nanjie"))} == {"U02", "U07"}
    assert await read.map_units(WHOLE, MapQuery("nanjie", "第九社区")) == []


async def test_the_whole_district_is_counted_by_scope_and_dimension(read: ReadModel) -> None:
    snapshot = await read.snapshot(WHOLE)
    assert [(row.scope, *of(row), row.exempt) for row in snapshot.headline] == [("S1", 3, 6, 0), ("S2", 1, 1, 1)]
    (s1,) = (row for row in snapshot.headline if row.scope == "S1")
    assert (s1.late, s1.offline, s1.never, s1.unknown) == (1, 2, 1, 0), "partly connected counts as not connected"
    assert named(snapshot.boards["department"], "S1", "health") == (1, 3)
    assert named(snapshot.boards["town"], "S1", "nanjie") == (0, 3)
    assert named(snapshot.boards["category"], "S2", "CINEMA") == (0, 0), "an exempt unit is in no rate"


async def test_a_department_is_measured_on_what_it_leads_as_on_the_districts_board(read: ReadModel) -> None:
    whole, own = await read.snapshot(WHOLE), await read.snapshot(HEALTH)
    headline = {row.scope: of(row) for row in own.headline}
    board = {row.scope: of(row) for row in whole.boards["department"] if row.value == "health"}
    assert headline == board == {"S1": (1, 3), "S2": (1, 1)}
    assert {row.value for row in own.boards["category"]} == {"HOSPITAL"}


async def test_a_street_sees_its_area_and_is_measured_on_it(read: ReadModel) -> None:
    snapshot = await read.snapshot(STREET)
    assert [(row.scope, *of(row)) for row in snapshot.headline] == [("S1", 3, 3), ("S2", 1, 1)]
    assert snapshot.tally.total == 4


async def test_the_tally_counts_the_slice(read: ReadModel) -> None:
    whole, own = (await read.snapshot(WHOLE)).tally, (await read.snapshot(HEALTH)).tally
    assert (whole.total, whole.troubled, whole.unrouted) == (8, 6, 2)
    assert (own.total, own.troubled, own.unrouted) == (4, 3, 0)
    assert own.connection == {"online": 3, "offline": 1}
    assert own.health == {"normal": 3, "fault": 1}


async def test_fires_and_cases_of_others_are_not_there(read: ReadModel) -> None:
    whole, own = await read.snapshot(WHOLE), await read.snapshot(HEALTH)
    assert [(fire.unit_id, fire.ended_at) for fire in whole.fires] == [("U06", None), ("U01", NOW)]
    assert own.fires == ()
    assert (await read.fires(WHOLE), await read.fires(HEALTH)) == (whole.fires, own.fires)
    assert [case.case_id for case in whole.cases.rows] == ["C2", "C1", "C3"]
    assert [case.case_id for case in own.cases.rows] == ["C1", "C3"]
    assert (own.cases.open, own.cases.unacknowledged) == (2, 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (UnitQuery(), ["U06", "U02", "U07", "U03", "U04", "U05", "U08", "U01"]),
        (UnitQuery(troubled=True), ["U06", "U02", "U07", "U03", "U04", "U05"]),
        (UnitQuery(connection=(Connection.OFFLINE, Connection.LATE)), ["U02", "U04"]),
        (UnitQuery(health=(Health.FIRE,)), ["U06"]),
        (UnitQuery(town="dongjie", troubled=True), ["U06", "U03", "U04"]),
        (UnitQuery(department="health"), ["U02", "U07", "U01"]),
        (UnitQuery(category="OFFICE"), ["U06"]),
        (UnitQuery(scope="S2"), ["U08", "U01"]),
        (UnitQuery(text="医院"), ["U02", "U07", "U01"]),
        (UnitQuery(text="first HOSP"), ["U01"]),
        (UnitQuery(text="u03"), ["U03"]),
        (UnitQuery(text="%_"), ["U05"]),
        (UnitQuery(text="_"), ["U05"]),
        (UnitQuery(text="\\"), []),
        (UnitQuery(text="'; DROP TABLE rules.units; --"), []),
        (UnitQuery(town="nowhere"), []),
    ],
)
async def test_filters_find_what_they_say_the_most_pressing_first(
    read: ReadModel, query: UnitQuery, found: list[str]
) -> None:
    page = await read.units(WHOLE, query)
    assert [unit.unit_id for unit in page.rows] == found
    assert page.total == len(found)


async def test_pages_follow_each_other_without_gap_or_overlap(read: ReadModel) -> None:
    pages = [await read.units(WHOLE, UnitQuery(offset=offset, limit=3)) for offset in (0, 3, 6, 9)]
    assert [len(page.rows) for page in pages] == [3, 3, 2, 0]
    assert {page.total for page in pages} == {8}
    assert len({unit.unit_id for page in pages for unit in page.rows}) == 8


async def test_the_list_holds_the_slice_only(read: ReadModel) -> None:
    page = await read.units(HEALTH, UnitQuery())
    assert {unit.unit_id for unit in page.rows} == {"U01", "U02", "U03", "U07"}
    assert (await read.units(HEALTH, UnitQuery(department="education"))).total == 0


@pytest.mark.parametrize("unit_id", ["U04", "none", "U01' OR '1'='1"])
async def test_a_unit_of_others_is_like_no_unit(read: ReadModel, unit_id: str) -> None:
    with pytest.raises(NotFound):
        await read.unit(HEALTH, unit_id, T0)


async def test_a_unit_of_the_slice_is_shown(read: ReadModel) -> None:
    assert (await read.unit(HEALTH, "U03", T0)).unit.name == "康养中心"


@pytest.mark.parametrize("case_id", ["C2", "C4", "none"])
async def test_a_case_of_others_is_like_no_case(read: ReadModel, case_id: str) -> None:
    with pytest.raises(NotFound):
        await read.case(HEALTH, case_id)


async def test_a_case_of_the_slice_is_shown_and_closed_ones_are_listed_apart(read: ReadModel) -> None:
    assert (await read.case(HEALTH, "C3")).case.kind == "fault"
    closed = await read.cases(WHOLE, CaseQuery(view=CaseView.CLOSED, limit=10))
    assert [case.case_id for case in closed.rows] == ["C5", "C4"]


async def test_an_unstable_line_is_said_until_the_watermark_has_passed_it_and_is_no_other_state(
    empty_scenario: Scenario,
) -> None:
    soon, over = T0 + timedelta(days=365_000), T0 - timedelta(days=3650)
    empty_scenario.put(
        [
            Unit("U1", "断续", "dongjie", "SCHOOL", "education", line_drops=300, unstable_until=soon),
            Unit("U2", "曾断续", "dongjie", "SCHOOL", "education", line_drops=7, unstable_until=over),
        ]
    )
    empty_scenario.stay_fresh()
    async with open_pool(empty_scenario.dsn, "test") as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        page = await read.units(WHOLE, UnitQuery(troubled=True))
        assert [(row.unit_id, row.connection, row.line_drops) for row in page.rows] == [("U1", "online", 300)]
        whole = {
            row.unit_id: (row.line_drops, row.unstable_until) for row in (await read.units(WHOLE, UnitQuery())).rows
        }
        assert whole == {"U1": (300, soon), "U2": (0, None)}
        snapshot = await read.snapshot(WHOLE)
        assert (snapshot.tally.connection, snapshot.tally.troubled) == ({"online": 2}, 1)
        assert [of(row) for row in snapshot.headline] == [(2, 2)], "no figure knows of it"


async def test_proofs_that_are_ahead_of_our_clock_prove_visibility_only_as_long_as_they_come(
    empty_scenario: Scenario,
) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.execute("UPDATE rules.partitions SET saved_at = %s", [empty_scenario.now()], notify=False)
    empty_scenario.see(empty_scenario.now() + timedelta(hours=1))
    async with open_pool(empty_scenario.dsn, "test") as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        assert data_age(await read.visibility(), empty_scenario.now()).state is Freshness.AHEAD
        empty_scenario.execute(
            "UPDATE rules.partitions SET saved_at = %s", [empty_scenario.now() - timedelta(minutes=1)], notify=False
        )
        assert data_age(await read.visibility(), empty_scenario.now()).state is Freshness.BLIND


async def test_blindness_is_laid_over_states_when_they_are_read(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.stay_fresh()
    empty_scenario.see(T0.replace(year=2020), "clear", partition=1)
    async with open_pool(empty_scenario.dsn, "test", max_size=2) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        assert data_age(await read.visibility(), SystemClock().now()).state is Freshness.PARTLY_BLIND
        snapshot = await read.snapshot(WHOLE)
        (s1,) = (row for row in snapshot.headline if row.scope == "S1")
        assert (s1.ratio.numerator, s1.unknown, s1.offline) == (3, 2, 0)
        assert (await read.unit(WHOLE, "U02", T0)).unit.connection == "unknown"
        own = {row.scope: row for row in (await read.snapshot(HEALTH)).headline}
        assert (*of(own["S1"]), own["S1"].unknown) == (1, 3, 2)
        assert [part.visibility for part in await read.visibility()][1] is VisibilityState.BLIND


async def test_a_case_tells_its_steps_notices_and_evidence(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("C1", "U02", step="H0", next_step="H1")
    empty_scenario.take_step("C1", "H0", ["centre", "maintenance"])
    empty_scenario.notice("N1", "C1", "H0", "centre")
    empty_scenario.notice("N2", "C1", "H0", "maintenance", "dead", reason="mailbox_unknown")
    with empty_scenario.added_to_registry():
        empty_scenario.register("U02", fire_alarm_system=True, key_unit=True, crowded_place=False)
        async with open_pool(empty_scenario.dsn, "test", max_size=2) as pool:
            detail = await PostgresReadModel(pool, LIMIT_S).case(HEALTH, "C1")
    assert detail.premises == ("key_unit", "fire_alarm_system")
    assert [step.code for step in detail.case.plan][:5] == ["H0", "H1", "H2", "H3", "H4"]
    assert detail.case.taken[0].recipients == ("centre", "maintenance")
    assert detail.case.deliveries == {"accepted": 1, "dead": 1}
    assert [(row.body_code, row.state, row.reason) for row in detail.deliveries] == [
        ("centre", "accepted", None),
        ("maintenance", "dead", "mailbox_unknown"),
    ]
    assert dict(detail.evidence) == {"topic": "firenet.signals.v1", "partition": "3", "offset": "4711"}
    assert "@" not in repr(detail), "no address leaves the database"


async def test_documents_of_a_case_and_their_files_are_for_who_may_see_the_case(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("C1", "U02", step="H0", next_step="H1")
    empty_scenario.document("D1", "C1", "消监告〔2026〕1号", {"zh": b"%PDF zh", "en": b"%PDF en"})
    empty_scenario.document("D2", "C1", None, {})
    async with open_pool(empty_scenario.dsn, "test", max_size=2) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        detail = await read.case(HEALTH, "C1")
        assert [(one.document_id, one.number, one.files) for one in detail.documents] == [
            ("D1", "消监告〔2026〕1号", ("zh.pdf", "en.pdf")),
            ("D2", "", ()),
        ]
        assert await read.document_file(HEALTH, "C1", "D1", Language.EN, FileKind.PDF) == b"%PDF en"
        for slice_, case_id, document_id, kind in (
            (Slice(BodyCode("education")), "C1", "D1", FileKind.PDF),
            (HEALTH, "C2", "D1", FileKind.PDF),
            (HEALTH, "C1", "D2", FileKind.PDF),
            (HEALTH, "C1", "D1", FileKind.DOCX),
        ):
            with pytest.raises(NotFound):
                await read.document_file(slice_, case_id, document_id, Language.ZH, kind)


async def test_members_of_a_common_case_stand_behind_it(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("CC", None, "common_cause", cause_key="carrier:mobile")
    empty_scenario.open_case("C1", "U02", common_case_id="CC")
    async with open_pool(empty_scenario.dsn, "test", max_size=2) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        whole, own = (await read.snapshot(WHOLE)).cases, (await read.snapshot(HEALTH)).cases
    assert [(row.case_id, row.members) for row in whole.rows] == [("CC", 1)]
    assert whole.open == 2
    assert [row.case_id for row in own.rows] == ["C1"], "who does not see the common case sees its own"


async def test_what_may_be_a_fire_stands_behind_the_fires_and_before_the_rest(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    for number in range(60):
        empty_scenario.unregistered(f"X{number:02d}", f"G{number}")
    empty_scenario.unread("X", "U01")
    empty_scenario.open_case("C", "U02", "connection_lost")
    empty_scenario.open_case("F", "U06", "fire")
    empty_scenario.open_case("A", "U03", "fire", acknowledged_at=empty_scenario.now(), acknowledged_by="x")
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        snapshot = await PostgresReadModel(pool, LIMIT_S).snapshot(WHOLE)
        cases = await PostgresReadModel(pool, LIMIT_S).cases(WHOLE, CaseQuery(limit=100))
    assert [case.case_id for case in cases.rows][:2] == ["F", "A"]
    assert cases.rows[-1].case_id == "C"
    kinds = [fire.kind for fire in snapshot.fires]
    assert (kinds[0], snapshot.fires[0].case_id, len(kinds)) == ("fire", "F", 50)
    assert set(kinds[1:]) == {"unreadable_alarm", "unregistered_alarm"}


async def test_a_fire_that_ended_untaken_stands_behind_what_burns_until_it_is_taken(empty_scenario: Scenario) -> None:
    now = empty_scenario.now()
    empty_scenario.put(unit for unit in UNITS if unit.health != "fire")
    for case_id, unit_id in (("OLD", "U04"), ("ENDED", "U01"), ("TAKEN", "U02"), ("BURNS", "U03"), ("LATER", "U07")):
        taken = {"acknowledged_at": now, "acknowledged_by": "x"} if case_id in ("TAKEN", "BURNS") else {}
        empty_scenario.open_case(case_id, unit_id, "fire", **taken)
    empty_scenario.open_case("FAULT", "U05", "fault")
    began = now - timedelta(minutes=5)
    over = now - timedelta(minutes=2)
    empty_scenario.execute("UPDATE alerts.cases SET over_at = %s, effective_at = %s", [over, began])
    empty_scenario.end("OLD", now - timedelta(hours=25))
    empty_scenario.end("ENDED", now - timedelta(minutes=1))
    for case_id in ("TAKEN", "FAULT", "LATER"):
        empty_scenario.end(case_id, now)
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        whole, own = (await read.snapshot(WHOLE)).fires, (await read.snapshot(HEALTH)).fires
    assert [fire.case_id for fire in whole] == ["BURNS", "LATER", "ENDED", "OLD"]
    assert [(fire.since, fire.ended_at) for fire in whole] == [
        (began, None),
        *[(began, over)] * 2,
        (began, now - timedelta(hours=25)),
    ]
    assert [fire.case_id for fire in own] == ["BURNS"], "a department takes no fire"


async def test_an_ended_fire_pushes_no_burning_one_off_the_list(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    for number in range(55):
        empty_scenario.open_case(f"E{number}", f"X{number}", "fire")
        empty_scenario.end(f"E{number}")
    empty_scenario.open_case("F", "U06", "fire", effective_at=empty_scenario.now() - timedelta(days=3))
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        fires = (await PostgresReadModel(pool, LIMIT_S).snapshot(WHOLE)).fires
    assert (fires[0].case_id, len(fires)) == ("F", 50)


async def test_receipts_are_shown_with_their_case_and_leave_it_untaken(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.open_case("F", "U01", "fire")
    empty_scenario.sign("F", "health", "收到")
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        snapshot, detail = await read.snapshot(WHOLE), await read.case(HEALTH, "F")
    (row,) = snapshot.cases.rows
    assert [(one.body_code, one.step, one.note) for one in row.receipts] == [("health", row.step, "收到")]
    assert detail.case.receipts == row.receipts
    assert snapshot.cases.unacknowledged == 1
    assert snapshot.fires[0].acknowledged_at is None


async def test_strangers_push_no_fire_off_the_list_that_alerts_has_not_opened_a_case_for(
    empty_scenario: Scenario,
) -> None:
    empty_scenario.put([*UNITS[:1], replace(UNITS[1], health="fire")])
    for number in range(60):
        empty_scenario.unregistered(f"X{number:02d}", f"G{number}")
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        snapshot = await PostgresReadModel(pool, LIMIT_S).snapshot(WHOLE)
    assert [fire.unit_id for fire in snapshot.fires if fire.kind == "fire"] == [UNITS[1].unit_id]
    assert snapshot.fires[0].kind == "fire"


async def test_an_alarm_of_a_gateway_in_no_register_is_in_no_departments_slice(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.unregistered("X", "G777")
    empty_scenario.unread("Y", UNITS[0].unit_id)
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        for department in (UNITS[0].lead, ""):
            own = Slice(BodyCode(department))
            assert "X" not in {case.case_id for case in (await read.cases(own, CaseQuery(limit=100))).rows}
            assert "?G777" not in {fire.unit_id for fire in (await read.snapshot(own)).fires}
            with pytest.raises(NotFound):
                await read.case(own, "X")
        assert (await read.cases(Slice(BodyCode("")), CaseQuery(limit=100))).rows == ()


async def test_a_case_shows_its_signals_what_was_salvaged_and_where_what_came_is_kept(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    unit_id = UNITS[0].unit_id
    empty_scenario.open_case("F", unit_id, "fire")
    point = {"address": "7-3", "label": "一层大厅"}
    empty_scenario.signal(
        unit_id, "fire", point=point, flags=["salvaged"], notes=["label: a lone surrogate"], text="火"
    )
    empty_scenario.signal(unit_id, "fault", point=point)
    empty_scenario.unread("Y", unit_id)
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        (fire,) = (await PostgresReadModel(pool, LIMIT_S).case(WHOLE, "F")).signals
        (unread,) = (await PostgresReadModel(pool, LIMIT_S).case(WHOLE, "Y")).signals
    assert (fire.address, fire.label, fire.text, fire.salvaged, fire.notes, fire.refusal_id) == (
        "7-3", "一层大厅", "火", True, ("label: a lone surrogate",), None
    )  # fmt: skip
    assert (unread.kind, unread.salvaged, unread.refusal_id) == ("unreadable_alarm", False, "ab" * 16)


def place(address: str, label: str, at: datetime) -> dict[str, Any]:
    return {
        "about": json.dumps({"place": {"address": address, "system": "1", "label": label}}),
        "caused_at": at, "body_code": "centre",
    }  # fmt: skip


async def test_a_fire_names_its_components_what_burns_first(empty_scenario: Scenario) -> None:
    """From the notices at once and from the stored signals where nobody could be told; each component once."""
    empty_scenario.put(UNITS)
    now = empty_scenario.now()
    unit_id = UNITS[0].unit_id
    empty_scenario.open_case("F", unit_id, "fire", burning=["1|5-022", "|7-3"])
    empty_scenario.notice("N1", "F", "F0", "centre", **place("5-021", "五层 护士站", now - timedelta(seconds=50)))
    empty_scenario.notice("N2", "F", "F0", "room", **place("5-021", "五层 护士站", now - timedelta(seconds=50)))
    empty_scenario.notice("N3", "F", "F0.p2", "centre", **place("5-022", "", now - timedelta(seconds=40)))
    empty_scenario.signal(unit_id, "fire", point={"system": "1", "address": "5-022", "label": "五层 走廊"})
    empty_scenario.signal(unit_id, "fire", point={"address": "7-3"})
    empty_scenario.signal(unit_id, "fault", point={"address": "9-9"})
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool, LIMIT_S)
        (fire, *_) = (await read.snapshot(WHOLE)).fires
        detail = await read.case(WHOLE, "F")
    assert [(one.system, one.address, one.label, one.burning) for one in fire.components] == [
        ("1", "5-022", "五层 走廊", True),
        ("", "7-3", "", True),
        ("1", "5-021", "五层 护士站", False),
    ]
    assert detail.components == fire.components


async def test_a_fire_without_a_case_names_its_components_too(empty_scenario: Scenario) -> None:
    empty_scenario.put([replace(UNITS[0], health="fire")])
    empty_scenario.signal(UNITS[0].unit_id, "fire", point={"address": "7-3", "label": "一层大厅"})
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        (fire,) = (await PostgresReadModel(pool, LIMIT_S).snapshot(WHOLE)).fires
    assert [(one.address, one.label, one.burning) for one in fire.components] == [("7-3", "一层大厅", True)]


async def test_a_unit_is_found_by_its_address(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    empty_scenario.execute("UPDATE rules.units SET address = '云澜东路 18 号' WHERE unit_id = %s", [UNITS[1].unit_id])
    async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
        page = await PostgresReadModel(pool, LIMIT_S).units(WHOLE, UnitQuery(text="云澜东路"))
    assert [unit.unit_id for unit in page.rows] == [UNITS[1].unit_id]


async def test_a_fire_is_shown_though_alerts_has_not_opened_its_case(empty_scenario: Scenario) -> None:
    empty_scenario.put(UNITS)
    async with open_pool(empty_scenario.dsn, "test", max_size=2) as pool:
        (fire,) = (await PostgresReadModel(pool, LIMIT_S).snapshot(WHOLE)).fires
    assert (fire.unit_id, fire.case_id) == ("U06", None)


async def test_names_and_targets_come_from_the_pack_in_force(empty_scenario: Scenario) -> None:
    async with open_pool(empty_scenario.dsn, "test", max_size=2) as pool:
        names = await PostgresReadModel(pool, LIMIT_S).names()
    assert names.bodies["health"] == ("卫生健康局", "Health Bureau")
    assert names.bodies["dongjie"][0] == "东街街道"
    assert names.categories["HOSPITAL"][0] == "医疗卫生机构"
    assert names.targets["S1"].value == 1


async def test_the_page_names_the_pack_of_the_kernel_s_rule_for_each_of_two_districts(empty_scenario: Scenario) -> None:
    today = empty_scenario.today()
    ago, over, soon, later = (today + timedelta(days=days) for days in (-30, -1, 1, 30))
    put = [
        ("gulou", "year", 1, ago, later), ("gulou", "year", 2, ago, later), ("gulou", "guard", 9, over, over),
        ("gulou", "next", 1, soon, later), ("taijiang", "lapsed", 1, ago, over), ("taijiang", "next", 3, soon, later),
        ("cangshan", "early", 1, soon, later),
    ]  # fmt: skip
    known = Packs(
        DatedPack(district, name, version, day_number(first), day_number(last), f"{district} {name} {version}")
        for district, name, version, first, last in put
    )
    with empty_scenario.kept_registry():
        for district, name, version, first, last in put:
            body = {"pack_id": name, "version": version, "district": district, "valid_from": str(first),
                    "valid_to": str(last), "name_zh": f"{district} {name} {version}"}  # fmt: skip
            empty_scenario.version("pack", f"{district}-{name}", first, body={"pack": body})
        async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
            names = await PostgresReadModel(pool).names()
        standing = [known.standing(name, day_number(today)) for name in known.districts()]
    assert names.district[0].split("、") == [pack.content for pack in standing if pack is not None]
    assert names.district[0] == "cangshan early 1、gulou year 2、taijiang lapsed 1"


async def test_the_view_holds_what_the_kernel_holds(empty_scenario: Scenario) -> None:
    today = empty_scenario.today()
    with empty_scenario.kept_registry():
        rows = [
            Row(today + timedelta(days=days), minute)
            for minute, days in enumerate((-9, -2, -5, 0, 1, -9, 0))  # a correction dated back, two of one day
        ]
        for row in rows:
            empty_scenario.version("unit", "V1", row.valid_from, minute=row.recorded_at, body={"n": row.recorded_at})
        query = "SELECT body ->> 'n' FROM registry.in_force WHERE kind = 'unit' AND id = 'V1'"
        ((shown,),) = empty_scenario.rows(query)
    held = in_force(sorted(rows), today)
    assert held is not None
    assert int(shown) == held.recorded_at == 6


async def test_a_database_without_our_tables_is_an_error_of_our_own(database: str) -> None:
    async with open_pool(database, "test", max_size=1) as pool:
        with pytest.raises(DataUnavailable):
            await PostgresReadModel(pool, LIMIT_S).snapshot(WHOLE)
