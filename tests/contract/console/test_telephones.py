"""Who may call reads by which number, and nobody else does."""

from services.console.adapters.postgres_read import PostgresReadModel
from services.console.adapters.statements import SQL
from services.console.domain.cases import Telephone
from services.console.domain.viewer import WHOLE, BodyCode, Slice
from services.runtime.clock import SystemClock
from services.runtime.postgres import open_pool
from tests.contract.console.test_read_model import LIMIT_S, UNITS
from tests.integration.console.scenario import Scenario

NOW = SystemClock().now()
EXPECTED = (
    Telephone("control_room", "", "0300-25550101"),
    Telephone("responsible", "林安", "0300-25550103"),
    Telephone("maintenance", "陈师傅", "0300-25550104"),
)


def furnish(scenario: Scenario) -> None:
    scenario.put(UNITS)
    scenario.register(
        "U01", control_room_phone="0300-25550101", responsible_person="林安", responsible_phone="0300-25550103"
    )
    scenario.contact("K1", "U01", "maintenance", "陈师傅", "0300-25550104")
    scenario.contact("K2", "U01", "manager", "无电话", None)
    scenario.contact("K3", "U01", "manager", "已离任", "0300-25550105", retired_on="2026-02-01")
    scenario.contact("K4", "U02", "manager", "他人", "0300-25550106")
    scenario.open_case("F", "U01", "fire")


async def test_case_fire_and_unit_tell_brigade_and_centre_by_which_numbers_to_call(empty_scenario: Scenario) -> None:
    with empty_scenario.kept_registry():
        furnish(empty_scenario)
        async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
            read = PostgresReadModel(pool, LIMIT_S)
            fires = (await read.snapshot(WHOLE)).fires
            case, unit = await read.case(WHOLE, "F"), await read.unit(WHOLE, "U01", NOW)
    assert next(fire for fire in fires if fire.case_id == "F").telephones == EXPECTED
    assert case.telephones == unit.telephones == EXPECTED


async def test_a_department_reads_no_number_though_the_unit_is_its_own(empty_scenario: Scenario) -> None:
    own = Slice(BodyCode("health"))
    with empty_scenario.kept_registry():
        furnish(empty_scenario)
        async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
            read = PostgresReadModel(pool, LIMIT_S)
            fires = (await read.snapshot(own)).fires
            case, unit = await read.case(own, "F"), await read.unit(own, "U01", NOW)
    assert [fire.telephones for fire in fires] == [()]
    assert case.telephones == unit.telephones == ()


async def test_numbers_are_found_by_unit_in_a_register_of_a_city(empty_scenario: Scenario) -> None:
    with empty_scenario.kept_registry():
        empty_scenario.execute(
            "INSERT INTO registry.versions (kind, id, valid_from, recorded_at, body)"
            " SELECT 'contact', 'K' || n, '2026-01-01', now(),"
            " jsonb_build_object('body_code', 'U' || n, 'role', 'manager', 'name', 'x', 'phone', '0300-20000000')"
            " FROM generate_series(1, 30000) n"
        )
        empty_scenario.execute("ANALYZE registry.versions")
        rows = empty_scenario.connection.execute(
            f"EXPLAIN {SQL['telephones']}".encode(), {"unit_ids": ["U7", "U8"]}
        ).fetchall()
    plan = "\n".join(row[0] for row in rows)
    assert "contacts_of_body" in plan, plan
    assert "Seq Scan on versions" not in plan, plan


async def test_positions_and_english_addresses_come_from_the_register(empty_scenario: Scenario) -> None:
    with empty_scenario.kept_registry():
        empty_scenario.put(UNITS)
        empty_scenario.register("U01", longitude=118.15, latitude=26.65, address_en="1 Bayiqi Road")
        empty_scenario.register("U02", longitude=None, latitude=None, address_en="")
        empty_scenario.open_case("F", "U01", "fire")
        empty_scenario.execute(
            "INSERT INTO console.accounts (username, role, department, display_name, password_hash, created_at,"
            " display_name_en) VALUES ('c', 'centre', NULL, '值班席', 'x', now(), 'Duty desk'),"
            " ('h', 'department', 'health', '卫', 'x', now(), 'H')"
        )
        async with open_pool(empty_scenario.dsn, "test", max_size=1) as pool:
            read = PostgresReadModel(pool, LIMIT_S)
            assert (await read.names()).people == {"值班席": ("值班席", "Duty desk")}
            assert await read.positions() == {"U01": (118.15, 26.65)}
            assert (await read.unit(WHOLE, "U01", NOW)).unit.address_en == "1 Bayiqi Road"
            assert (await read.unit(WHOLE, "U02", NOW)).unit.address_en == ""
            assert (await read.case(WHOLE, "F")).case.address_en == "1 Bayiqi Road"
            fires = {fire.unit_id: fire.address_en for fire in (await read.snapshot(WHOLE)).fires}
            assert fires["U01"] == "1 Bayiqi Road"
