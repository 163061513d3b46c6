"""Fires that are over before anybody was reached, and lanes that come too late, on real parts."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from deploy.stack.ports import free_ports
from services.kernel.words import ContactRole, FindingKind, Phase
from services.runtime.kafka import Record
from tests.freezing import frozen
from tests.integration.alerts.scenario import (
    CLOCK,
    Hook,
    Received,
    Scenario,
    contact_record,
    finding,
    fire,
    pack_record,
    restore,
    sample_pack,
    scenario,
    unit_record,
    until,
)

TAKEN_IN = "SELECT sum(next_offset) = %s FROM alerts.partitions WHERE topic = 'firenet.alarms.v1'"


async def district(here: Scenario, *units: str) -> tuple[Hook, Hook]:
    """Publish a registry with a centre and the units' common control room, and return their receivers."""
    centre, room = here.hook(), here.hook()
    await here.publish(
        pack_record(sample_pack()),
        contact_record("c-centre", "centre", url=centre.url),
        *[unit_record(unit) for unit in units],
        *[contact_record(f"c-{unit}", unit, ContactRole.CONTROL_ROOM, url=room.url) for unit in units],
    )
    return centre, room


def data_of(request: Received) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(request.body)["data"])


def heard(hook: Hook) -> Counter[tuple[str, bool]]:
    """Return how many notices with which purpose came, and whether they said that it was over."""
    data = [json.loads(one.body)["data"] for one in hook.received]
    return Counter((one["purpose"], one["over"]) for one in data)


async def until_heard(hook: Hook, wanted: dict[tuple[str, bool], int], what: str) -> None:
    async def came() -> bool:
        return heard(hook) == wanted

    await until(came, what)


def story(unit: str) -> tuple[Sequence[Record], Sequence[Record]]:
    """Return alarms and findings of a fire at two components that one end covers."""
    began = CLOCK.now()
    also, over = began + timedelta(milliseconds=150), began + timedelta(milliseconds=400)
    alarms = [
        fire(unit, f"{unit}-s1", point="r-1", at=began),
        fire(unit, f"{unit}-s2", point="r-2", at=also),
        restore(unit, f"{unit}-s3", at=over),
    ]
    findings = [
        finding(unit, f"{unit}-s1", Phase.BEGAN, FindingKind.FIRE, at=began),
        finding(unit, f"{unit}-s1", Phase.CHANGED, FindingKind.FIRE, at=also),
        finding(unit, f"{unit}-s1", Phase.ENDED, FindingKind.FIRE, at=over),
    ]
    return alarms, findings


async def test_frozen_fire_lane_opens_no_second_case_for_a_fire_that_is_over(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre, room = await district(here, "U1")
        (port,) = free_ports(1)
        fire_lane = here.start(ALERTS_LANE="fire", ALERTS_INSTANCE="fire", ALERTS_HTTP_PORT=str(port))
        here.start(ALERTS_LANE="ordinary", ALERTS_INSTANCE="ordinary")
        await here.until_row("SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'")
        alarms, findings = story("U1")
        with frozen([fire_lane.pid]):
            await here.publish(*alarms)
            for one in findings:  # told while it burns, then cleared
                await here.publish(one)
                await here.until_row("SELECT EXISTS (SELECT FROM alerts.notices WHERE state = 'accepted')")
            for hook in (centre, room):
                await until_heard(hook, {("notice", False): 1, ("all_clear", True): 1}, "told and cleared")
        await here.until_row(TAKEN_IN, len(alarms))
        await here.publish(fire("U1", "next", point="r-2"))
        heard_once = {("notice", False): 2, ("notice", True): 1, ("all_clear", True): 1}
        await until_heard(centre, heard_once, "the next fire, and before it only that r-2 had burned too")
        (further,) = [one for one in map(data_of, centre.received) if one["purpose"] == "notice" and one["over"]]
        assert (further["step"], further["point"]["address"]) == ("F0.p2", "r-2")
        assert await here.rows("SELECT state FROM alerts.cases ORDER BY opened_at") == [
            {"state": "closed"},
            {"state": "open"},
        ]


async def test_fire_that_began_and_ended_while_alerts_was_away_is_told_with_both_times(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre, room = await district(here, "U1")
        alarms, _ = story("U1")
        await here.publish(*alarms)
        here.start()
        await until_heard(centre, {("notice", True): 2}, "the fire and its further component")
        await until_heard(room, {("notice", True): 1}, "the fire")
        await here.until_row("SELECT count(*) = 3 FROM alerts.notices WHERE state = 'accepted'")
        assert await here.one("SELECT count(*) FROM alerts.notices") == 3, "no all-clear besides"
        said = json.loads(centre.received[0].body)["data"]
        assert "已结束" in said["subject"]
        assert said["caused_at"] < said["ended_at"]


async def test_fire_that_ends_while_its_receivers_fail_is_told_when_they_are_back(
    kafka_broker: str, database: str, tmp_path: Path
) -> None:
    async with scenario(kafka_broker, database, tmp_path) as here:
        centre, room = await district(here, "U1")
        centre.statuses, room.statuses = [500] * 1000, [429, 503] * 500
        here.start()
        await here.until_row("SELECT count(*) = 9 FROM alerts.partitions WHERE topic <> 'firenet.documents.v1'")
        alarms, _ = story("U1")
        await here.publish(alarms[0])
        await here.until_row("SELECT min(attempts) > 0 FROM alerts.notices")
        await here.publish(alarms[2])
        await here.until_row("SELECT state = 'closed' FROM alerts.cases")
        centre.statuses.clear()
        room.statuses.clear()
        await here.until_row("SELECT count(*) = 4 FROM alerts.notices WHERE state = 'accepted'")
        for hook in (centre, room):
            said = [json.loads(one.body)["data"] for one in hook.received]
            assert {one["purpose"] for one in said} == {"notice", "all_clear"}, "an attempt before may have arrived"
            assert [one["over"] for one in said if one["purpose"] == "notice"][-1], "and the last one says the end"
