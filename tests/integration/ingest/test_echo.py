"""F14 and its kin on the real broker and the real log: what a gateway repeats is news, what the broker repeats is not.

What stands on the topics is fed to the engine of rules: each fire must be a problem of its own.
"""

import json

import pytest

from schemas.signal import Signal
from services.kernel.words import FindingKind
from services.rules.adapters.decode import SignalDecoder
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.log import Written
from tests.integration.ingest.process import Gateway, until
from tests.proxy import proxy
from tests.unit.rules.scenario import Scenario

BOOT = "2000-01-01T00:00:05Z"
PLACE = {"address": "3-017", "label": "三层烟感"}
FIRE = json.dumps({"v": 1, "kind": "fire", "seq": 1, "occurred_at": BOOT, "point": PLACE}).encode()
END = json.dumps(
    {"v": 1, "kind": "restore", "restores": "fire", "seq": 2, "occurred_at": BOOT, "point": PLACE}
).encode()


async def say(gateway: Gateway, *payloads: bytes) -> None:
    for payload in payloads:
        await gateway.publish(f"firenet/v1/{gateway.gateway_id}/alarm/json", payload)


def problems(written: Written, gateway: Gateway) -> list[tuple[str, str]]:
    """Return phase and id of every finding about a fire that rules make of what stands on the topic."""
    unit_id = f"U{gateway.gateway_id[1:]}"
    scenario = Scenario(units=0)
    scenario.list_unit(unit_id, gateways=(gateway.gateway_id,))
    decoder, encoded = SignalDecoder(), []
    for partition, offset, event in sorted(written.signals, key=lambda one: one[:2]):
        if event.data.unit_id == unit_id:
            encoded.append((partition, offset, event))
    for _, offset, event in encoded:
        scenario.feed(decoder.any_record(event.model_dump_json().encode(), offset))
    found = scenario.engine.units.get(unit_id)
    open_now = found is not None and found.condition.open_points(FindingKind.FIRE) > 0
    told = [(one.phase.value, one.finding_id) for one in scenario.findings("fire", unit_id)]
    assert open_now is (bool(told) and told[-1][0] != "ended")
    return told


def alarms(written: Written, gateway: Gateway) -> list[Signal]:
    return [event for event in written.alarms if event.data.gateway_id == gateway.gateway_id]


async def test_a_gateway_that_begins_anew_has_two_fires_and_both_end(any_site: Site) -> None:
    (gateway,) = await any_site.gateways(1)
    await any_site.ingest.start()
    await say(gateway, FIRE, END, FIRE, END, FIRE)
    await until(lambda: any_site.ingest.metric("stored_total") == 5)
    written = await any_site.written()
    told = problems(written, gateway)
    assert [phase for phase, _ in told] == ["began", "ended", "began", "ended", "began"]
    assert len({problem for _, problem in told}) == 3
    assert len({event.id for event in alarms(written, gateway)}) == 5


@pytest.mark.chaos
async def test_what_a_killed_ingest_had_stored_is_no_second_fire_and_the_next_one_is(site: Site) -> None:
    (gateway,) = await site.gateways(1)
    async with proxy(site.broker.port) as hop:
        site.ingest.connect_to(hop.port)
        await site.ingest.start()
        await say(gateway, FIRE, END)
        await until(lambda: site.ingest.metric("stored_total") == 2)
        hop.manners.mute_up = True  # the broker hears no acknowledgement from now on
        await say(gateway, FIRE, END)
        await until(lambda: site.ingest.metric("stored_total") == 4)
        await site.ingest.kill()
        hop.manners.mute_up = False
        await say(gateway, FIRE)  # nobody has received this one before: it is not marked
        await site.ingest.start()
        await until(lambda: site.ingest.metric("received_total") == 3)
        await until(lambda: site.ingest.metric("in_flight") == 0)
    written = await site.written()
    told = problems(written, gateway)
    assert [phase for phase, _ in told] == ["began", "ended", "began", "ended", "began"]
    assert len({problem for _, problem in told}) == 3
    deliveries = [event.id[:20] for event in alarms(written, gateway)]
    assert (len(deliveries), len(set(deliveries))) == (7, 5), "two came twice, as the same deliveries"


@pytest.mark.chaos
async def test_a_fire_that_was_received_and_never_stored_is_told_although_it_looks_like_the_last_one(
    site: Site,
) -> None:
    (gateway,) = await site.gateways(1)
    async with proxy(site.broker.port) as hop:
        site.ingest.connect_to(hop.port)
        await site.ingest.start()
        await say(gateway, FIRE, END)
        await until(lambda: site.ingest.metric("stored_total") == 2)
        hop.manners.mute_down = True  # ingest hears nothing more, and the broker has sent it
        await say(gateway, FIRE)
        await site.ingest.kill()
        hop.manners.mute_down = False
        await site.ingest.start()
        await until(lambda: site.ingest.metric("stored_total") >= 1)
    written = await site.written()
    last = alarms(written, gateway)[-1]
    assert "redelivered" in last.data.flags
    assert [phase for phase, _ in problems(written, gateway)] == ["began", "ended", "began"]
