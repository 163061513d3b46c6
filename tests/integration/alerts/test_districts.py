"""Two districts in one installation, on real parts: no ladder is shared, and who has no pack still has alarms told."""

from pathlib import Path

from services.kernel.words import ContactRole, FindingKind
from services.runtime.kafka import Record
from tests.integration.alerts.scenario import (
    Hook,
    contact_record,
    district_pack,
    finding,
    fire,
    gateway_record,
    pack_record,
    scenario,
    unit_record,
)

ALL_TAKEN_IN = "SELECT count(*) = 6 FROM alerts.cases"
CASES = """SELECT subject_id, kind, pack_id, pack_version,
    ARRAY(SELECT rung ->> 'code' FROM jsonb_array_elements(ladder) AS rung) AS codes FROM alerts.cases"""
ALL_TOLD = """SELECT count(*) = 7 FROM alerts.notices WHERE fire AND state = 'accepted'"""
TOLD = """SELECT subject_id, array_agg(contact_id ORDER BY contact_id) AS told FROM alerts.notices JOIN alerts.cases
    USING (case_id) WHERE fire GROUP BY subject_id"""


async def test_two_districts_never_share_a_ladder_and_the_one_without_a_pack_gets_none_of_theirs(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        hook = here.hook()
        await here.publish(
            pack_record(district_pack("gulou")),
            pack_record(district_pack("taijiang", version=7)),  # the newest of all districts
            *unit("U1", "gulou", hook),
            *unit("U2", "taijiang", hook),
            *unit("U3", "cangshan", hook),
            *(contact_record(f"c-{name}", f"centre-{name}", url=hook.url) for name in ("gulou", "taijiang")),
        )
        here.start()
        for unit_id in ("U1", "U2", "U3"):
            await here.publish(finding(unit_id, f"d-{unit_id}"), fire(unit_id, f"s-{unit_id}", point="1-001"))
        await here.until_row(ALL_TAKEN_IN)
        found = {(row["subject_id"], row["kind"]): row for row in await here.rows(CASES)}
        for unit_id, name, version in (("U1", "gulou", 1), ("U2", "taijiang", 7)):
            for kind, code in ((FindingKind.CONNECTION_LOST, "H0"), (FindingKind.FIRE, "F0")):
                row = found[unit_id, kind]
                assert (row["pack_id"], row["pack_version"]) == (f"{name}-2026", version)
                assert row["codes"][0] == f"{code}-{name}"
                assert {step.rpartition("-")[2] for step in row["codes"]} == {name}
        for kind, code in ((FindingKind.CONNECTION_LOST, "N0"), (FindingKind.FIRE, "F0")):
            assert (found["U3", kind]["pack_id"], found["U3", kind]["codes"]) == ("none", [code])
        # a fire waits for no pack: its control room is told, and every centre, for none is known to be the one
        await here.until_row(ALL_TOLD)
        assert {row["subject_id"]: row["told"] for row in await here.rows(TOLD)} == {
            "U1": ["c-gulou", "r-U1"],
            "U2": ["c-taijiang", "r-U2"],
            "U3": ["c-gulou", "c-taijiang", "r-U3"],
        }


def unit(unit_id: str, district: str, hook: Hook) -> list[Record]:
    return [
        unit_record(unit_id, district=district, lead=f"health-{district}"),
        gateway_record(unit_id),
        contact_record(f"r-{unit_id}", unit_id, ContactRole.CONTROL_ROOM, url=hook.url),
    ]
