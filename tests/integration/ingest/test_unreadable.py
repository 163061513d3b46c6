"""What odd gateways and strangers send on the alarm lane reaches the fast lane of the log, one way or the other."""

import json
import secrets

import pytest

from services.ingest.refusals.cli import DONE, NOT_ALL
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.log import register
from tests.integration.ingest.process import until
from tests.integration.ingest.test_refusals import Terminal

FIRE = b'{"v":1,"kind":"fire","seq":507,"point":{"address":"9-007","label":"\\ud83d"}}\0'
ODD = b'{"v":"1","kind":"FIRE","occurred_at":"0000-00-00","point":{"address":7032}}'


async def test_a_fire_in_odd_words_is_a_fire_and_what_nobody_can_read_rings(site: Site) -> None:
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    for lane, payload in (("alarm", FIRE), ("up", ODD), ("alarm", b"\x7e\x01garbled"), ("alarm", b"\x7e\x02garbled")):
        await gateway.publish(f"firenet/v1/{gateway.gateway_id}/{lane}/json", payload)
    await until(lambda: site.ingest.metric("stored_total") == 2 and site.ingest.metric("refused_total") == 2)
    assert site.ingest.metric("flagged_total", flag="salvaged") == 2
    assert site.ingest.metric("alarm_lane_refused_total", whose="gateway", reported="yes") == 1
    assert site.ingest.metric("alarm_lane_refused_total", whose="gateway", reported="no") == 1
    assert site.ingest.counters_balance()
    written = await site.written()
    ours = [event for event in written.alarms if event.data.gateway_id == gateway.gateway_id]
    fires = {event.data.raw: event.data for event in ours if event.data.kind == "fire"}
    assert set(fires) == {FIRE, ODD}
    assert {data.point.address for data in fires.values() if data.point is not None} == {"9-007", "7032"}
    (unreadable,) = [event for event in ours if event.data.kind == "unreadable_alarm"]
    assert unreadable.subject == f"U{gateway.gateway_id[1:]}"
    refused = {event.id: event.data.raw for event in written.refusals}
    assert refused[unreadable.data.refusal_id or ""].endswith(b"garbled")
    assert unreadable.id in {event.id for _, _, event in written.signals}


async def test_a_gateway_in_no_register_rings_and_is_adopted_with_its_history(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(monkeypatch, site.kafka.bootstrap)
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    late = f"X{secrets.token_hex(4)}"
    end = json.dumps({"v": 1, "kind": "restore", "restores": "fire", "point": {"address": "1"}}).encode()
    begin = json.dumps({"v": 1, "kind": "fire", "seq": "1", "point": {"address": "1"}}).encode()
    said = [("up", b'{"v":1,"kind":"heartbeat"}'), ("alarm", begin), ("alarm", end), ("alarm", begin)]
    for number, (lane, payload) in enumerate(said, 1):
        await gateway.publish(f"firenet/v1/{late}/{lane}/json", payload)
        await until(lambda number=number: site.ingest.metric("refused_total") == number)  # type: ignore[misc]
    written = await site.written()
    (reported,) = [event for event in written.unregistered if event.data.gateway_id == late]
    assert [(told.kind, told.point and told.point.address) for told in reported.data.signals] == [("fire", "1")]
    assert {event.id: event.data.raw for event in written.refusals}[reported.data.refusal_id] == begin
    assert site.ingest.metric("alarm_lane_refused_total", whose="unregistered") == 3

    code, _ = await terminal.run("adopt", late)
    assert code == NOT_ALL, "the register does not know it yet"
    await register(site.kafka.bootstrap, {late: f"U{late[1:]}"})
    for words, wanted in (
        (("--dry-run",), "would be: 4 accepted"),
        (("--by", "wang"), "are now: 4 accepted"),
        (("--by", "wang"), "are now: 4 replayed before"),
    ):
        code, told = await terminal.run("adopt", late, *words)
        assert (code, told.splitlines()[-1]) == (DONE, wanted)
    written = await site.written()
    ours = [event for _, _, event in sorted(written.signals, key=lambda one: one[:2]) if event.data.gateway_id == late]
    assert [str(event.data.kind) for event in ours] == ["heartbeat", "fire", "restore", "fire"]
    assert [event.data.first_received_at for event in ours] == sorted(
        event.data.first_received_at for event in ours if event.data.first_received_at
    )
    assert len({event.id for event in ours}) == 4
