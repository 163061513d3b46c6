"""The read model: memory and PostgreSQL answer alike."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from deploy.stack.postgres import Postgres
from services.console.adapters.postgres_read import PostgresReadModel
from services.console.domain.errors import DataUnavailable, NotFound
from services.console.domain.freshness import Freshness, data_age
from services.console.domain.rates import RateCounts
from services.console.domain.units import UnitQuery
from services.console.domain.viewer import WHOLE, BodyCode, Slice
from services.console.ports import ReadModel
from services.kernel.words import Connection, Health, VisibilityState
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.fakes.console import T0, FakeReadModel
from tests.integration.console.world import Unit, World, opened
from tests.parts import fresh_database
from tests.unit.console import builders

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
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("C1", "U02", "connection_lost", {}),
    ("C2", "U06", "fire", {}),
    ("C3", "U03", "fault", {"acknowledged_at": T0, "acknowledged_by": "someone"}),
    ("C4", "U04", "connection_lost", {"state": "closed", "closed_at": T0, "close_reason": "restored"}),
]


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
    with fresh_database(postgres_server, migrated_template) as name, opened(postgres_server.dsn(name)) as world:
        world.create()
        world.put(UNITS)
        world.stay_fresh()
        for case_id, unit_id, kind, changes in CASES:
            world.open_case(case_id, unit_id, kind, **changes)
        yield world.dsn


@pytest.fixture(params=["memory", "postgres"])
async def read(request: pytest.FixtureRequest) -> AsyncIterator[ReadModel]:
    if request.param == "memory":
        yield fake()
        return
    async with open_pool(request.getfixturevalue("filled"), "test", max_size=2) as pool:
        yield PostgresReadModel(pool)


def of(row: RateCounts) -> tuple[int, int]:
    return row.ratio.numerator, row.ratio.denominator


def named(rows: tuple[RateCounts, ...], scope: str, value: str) -> tuple[int, int]:
    (row,) = (row for row in rows if (row.scope, row.value) == (scope, value))
    return of(row)


async def test_the_whole_district_is_counted_by_scope_and_dimension(read: ReadModel) -> None:
    picture = await read.picture(WHOLE)
    assert [(row.scope, *of(row), row.exempt) for row in picture.headline] == [("S1", 3, 6, 0), ("S2", 1, 1, 1)]
    (s1,) = (row for row in picture.headline if row.scope == "S1")
    assert (s1.late, s1.offline, s1.never, s1.unknown) == (1, 2, 1, 0), "partly connected counts as not connected"
    assert named(picture.boards["department"], "S1", "health") == (1, 3)
    assert named(picture.boards["town"], "S1", "nanjie") == (0, 3)
    assert named(picture.boards["category"], "S2", "CINEMA") == (0, 0), "an exempt unit is in no rate"


async def test_a_department_is_measured_on_what_it_leads_as_on_the_districts_board(read: ReadModel) -> None:
    whole, own = await read.picture(WHOLE), await read.picture(HEALTH)
    headline = {row.scope: of(row) for row in own.headline}
    board = {row.scope: of(row) for row in whole.boards["department"] if row.value == "health"}
    assert headline == board == {"S1": (1, 3), "S2": (1, 1)}
    assert {row.value for row in own.boards["category"]} == {"HOSPITAL"}


async def test_a_street_sees_its_area_and_is_measured_on_it(read: ReadModel) -> None:
    picture = await read.picture(STREET)
    assert [(row.scope, *of(row)) for row in picture.headline] == [("S1", 3, 3), ("S2", 1, 1)]
    assert picture.tally.total == 4


async def test_the_tally_counts_the_slice(read: ReadModel) -> None:
    whole, own = (await read.picture(WHOLE)).tally, (await read.picture(HEALTH)).tally
    assert (whole.total, whole.troubled, whole.unrouted) == (8, 6, 2)
    assert (own.total, own.troubled, own.unrouted) == (4, 3, 0)
    assert own.connection == {"online": 3, "offline": 1}
    assert own.health == {"normal": 3, "fault": 1}


async def test_fires_and_cases_of_others_are_not_there(read: ReadModel) -> None:
    whole, own = await read.picture(WHOLE), await read.picture(HEALTH)
    assert [fire.unit_id for fire in whole.fires] == ["U06"]
    assert own.fires == ()
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
    assert [case.case_id for case in (await read.cases(WHOLE, "closed", 0, 10)).rows] == ["C4"]


async def test_an_unstable_line_is_said_until_the_watermark_has_passed_it_and_is_no_other_state(
    empty_world: World,
) -> None:
    soon, over = T0 + timedelta(days=365_000), T0 - timedelta(days=3650)
    empty_world.put(
        [
            Unit("U1", "断续", "dongjie", "SCHOOL", "education", line_drops=300, unstable_until=soon),
            Unit("U2", "曾断续", "dongjie", "SCHOOL", "education", line_drops=7, unstable_until=over),
        ]
    )
    empty_world.stay_fresh()
    async with open_pool(empty_world.dsn, "test") as pool:
        read = PostgresReadModel(pool)
        page = await read.units(WHOLE, UnitQuery(troubled=True))
        assert [(row.unit_id, row.connection, row.line_drops) for row in page.rows] == [("U1", "online", 300)]
        whole = {
            row.unit_id: (row.line_drops, row.unstable_until) for row in (await read.units(WHOLE, UnitQuery())).rows
        }
        assert whole == {"U1": (300, soon), "U2": (0, None)}
        picture = await read.picture(WHOLE)
        assert (picture.tally.connection, picture.tally.troubled) == ({"online": 2}, 1)
        assert [of(row) for row in picture.headline] == [(2, 2)], "no figure knows of it"


async def test_proofs_that_are_ahead_of_our_clock_are_sight_only_as_long_as_they_come(empty_world: World) -> None:
    empty_world.put(UNITS)
    empty_world.execute("UPDATE rules.partitions SET saved_at = %s", [empty_world.now()], notify=False)
    empty_world.see(empty_world.now() + timedelta(hours=1))
    async with open_pool(empty_world.dsn, "test") as pool:
        read = PostgresReadModel(pool)
        assert data_age(await read.sight(), empty_world.now()).state is Freshness.AHEAD
        empty_world.execute(
            "UPDATE rules.partitions SET saved_at = %s", [empty_world.now() - timedelta(minutes=1)], notify=False
        )
        assert data_age(await read.sight(), empty_world.now()).state is Freshness.BLIND


async def test_blindness_is_laid_over_states_when_they_are_read(empty_world: World) -> None:
    empty_world.put(UNITS)
    empty_world.stay_fresh()
    empty_world.see(T0.replace(year=2020), "clear", partition=1)
    async with open_pool(empty_world.dsn, "test", max_size=2) as pool:
        read = PostgresReadModel(pool)
        assert data_age(await read.sight(), SystemClock().now()).state is Freshness.PARTLY_BLIND
        picture = await read.picture(WHOLE)
        (s1,) = (row for row in picture.headline if row.scope == "S1")
        assert (s1.ratio.numerator, s1.unknown, s1.offline) == (3, 2, 0)
        assert (await read.unit(WHOLE, "U02", T0)).unit.connection == "unknown"
        own = {row.scope: row for row in (await read.picture(HEALTH)).headline}
        assert (*of(own["S1"]), own["S1"].unknown) == (1, 3, 2)
        assert [part.sight for part in await read.sight()][1] is VisibilityState.BLIND


async def test_a_case_tells_its_steps_notices_and_evidence(empty_world: World) -> None:
    empty_world.put(UNITS)
    empty_world.open_case("C1", "U02", step="H0", next_step="H1")
    empty_world.take_step("C1", "H0", ["centre", "maintenance"])
    empty_world.notice("N1", "C1", "H0", "centre")
    empty_world.notice("N2", "C1", "H0", "maintenance", "dead", reason="mailbox_unknown")
    async with open_pool(empty_world.dsn, "test", max_size=2) as pool:
        detail = await PostgresReadModel(pool).case(HEALTH, "C1")
    assert [step.code for step in detail.case.plan] == ["H0", "H1", "H2", "H3", "H4"]
    assert detail.case.taken[0].told == ("centre", "maintenance")
    assert detail.case.deliveries == {"accepted": 1, "dead": 1}
    assert [(row.body_code, row.state, row.reason) for row in detail.deliveries] == [
        ("centre", "accepted", None),
        ("maintenance", "dead", "mailbox_unknown"),
    ]
    assert dict(detail.evidence) == {"topic": "firenet.signals.v1", "partition": "3", "offset": "4711"}
    assert "@" not in repr(detail), "no address leaves the database"


async def test_members_of_a_common_case_stand_behind_it(empty_world: World) -> None:
    empty_world.put(UNITS)
    empty_world.open_case("CC", None, "common_cause", cause_key="carrier:mobile")
    empty_world.open_case("C1", "U02", common_case_id="CC")
    async with open_pool(empty_world.dsn, "test", max_size=2) as pool:
        read = PostgresReadModel(pool)
        whole, own = (await read.picture(WHOLE)).cases, (await read.picture(HEALTH)).cases
    assert [(row.case_id, row.members) for row in whole.rows] == [("CC", 1)]
    assert whole.open == 2
    assert [row.case_id for row in own.rows] == ["C1"], "who does not see the common case sees its own"


async def test_what_may_be_a_fire_stands_behind_the_fires_and_before_the_rest(empty_world: World) -> None:
    empty_world.put(UNITS)
    for number in range(60):
        empty_world.unregistered(f"X{number:02d}", f"G{number}")
    empty_world.unread("X", "U01")
    empty_world.open_case("C", "U02", "connection_lost")
    empty_world.open_case("F", "U06", "fire")
    empty_world.open_case("A", "U03", "fire", acknowledged_at=empty_world.now(), acknowledged_by="x")
    async with open_pool(empty_world.dsn, "test", max_size=1) as pool:
        picture = await PostgresReadModel(pool).picture(WHOLE)
        cases = await PostgresReadModel(pool).cases(WHOLE, "open", 0, 100)
    assert [case.case_id for case in cases.rows][:2] == ["F", "A"]
    assert cases.rows[-1].case_id == "C"
    kinds = [fire.kind for fire in picture.fires]
    assert (kinds[0], picture.fires[0].case_id, len(kinds)) == ("fire", "F", 50)
    assert set(kinds[1:]) == {"unreadable_alarm", "unregistered_alarm"}


async def test_strangers_push_no_fire_off_the_list_that_alerts_has_not_opened_a_case_for(empty_world: World) -> None:
    empty_world.put([*UNITS[:1], replace(UNITS[1], health="fire")])
    for number in range(60):
        empty_world.unregistered(f"X{number:02d}", f"G{number}")
    async with open_pool(empty_world.dsn, "test", max_size=1) as pool:
        picture = await PostgresReadModel(pool).picture(WHOLE)
    assert [fire.unit_id for fire in picture.fires if fire.kind == "fire"] == [UNITS[1].unit_id]
    assert picture.fires[0].kind == "fire"


async def test_an_alarm_of_a_gateway_in_no_register_is_in_no_departments_slice(empty_world: World) -> None:
    empty_world.put(UNITS)
    empty_world.unregistered("X", "G777")
    empty_world.unread("Y", UNITS[0].unit_id)
    async with open_pool(empty_world.dsn, "test", max_size=1) as pool:
        read = PostgresReadModel(pool)
        for department in (UNITS[0].lead, ""):
            own = Slice(BodyCode(department))
            assert "X" not in {case.case_id for case in (await read.cases(own, "open", 0, 100)).rows}
            assert "?G777" not in {fire.unit_id for fire in (await read.picture(own)).fires}
            with pytest.raises(NotFound):
                await read.case(own, "X")
        assert (await read.cases(Slice(BodyCode("")), "open", 0, 100)).rows == ()


async def test_a_case_shows_its_signals_what_was_salvaged_and_where_what_came_is_kept(empty_world: World) -> None:
    empty_world.put(UNITS)
    unit_id = UNITS[0].unit_id
    empty_world.open_case("F", unit_id, "fire")
    point = {"address": "7-3", "label": "一层大厅"}
    empty_world.signal(unit_id, "fire", point=point, flags=["salvaged"], notes=["label: a lone surrogate"], text="火")
    empty_world.signal(unit_id, "fault", point=point)
    empty_world.unread("Y", unit_id)
    async with open_pool(empty_world.dsn, "test", max_size=1) as pool:
        (fire,) = (await PostgresReadModel(pool).case(WHOLE, "F")).signals
        (unread,) = (await PostgresReadModel(pool).case(WHOLE, "Y")).signals
    assert (fire.address, fire.label, fire.text, fire.salvaged, fire.notes, fire.refusal_id) == (
        "7-3", "一层大厅", "火", True, ("label: a lone surrogate",), None
    )  # fmt: skip
    assert (unread.kind, unread.salvaged, unread.refusal_id) == ("unreadable_alarm", False, "ab" * 16)


async def test_a_fire_is_shown_though_alerts_has_not_opened_its_case(empty_world: World) -> None:
    empty_world.put(UNITS)
    async with open_pool(empty_world.dsn, "test", max_size=2) as pool:
        (fire,) = (await PostgresReadModel(pool).picture(WHOLE)).fires
    assert (fire.unit_id, fire.case_id) == ("U06", None)


async def test_names_and_targets_come_from_the_pack_in_force(empty_world: World) -> None:
    async with open_pool(empty_world.dsn, "test", max_size=2) as pool:
        names = await PostgresReadModel(pool).names()
    assert names.bodies["health"] == ("卫生健康局", "Health Bureau")
    assert names.bodies["dongjie"][0] == "东街街道"
    assert names.categories["HOSPITAL"][0] == "医疗卫生机构"
    assert names.target("S1") == 1


async def test_a_database_without_our_tables_is_an_error_of_our_own(database: str) -> None:
    async with open_pool(database, "test", max_size=1) as pool:
        with pytest.raises(DataUnavailable):
            await PostgresReadModel(pool).picture(WHOLE)
