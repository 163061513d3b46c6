"""What gateways send arrives, good or bad, and fire does not queue behind heartbeats."""

import asyncio
import base64
from pathlib import Path

import yaml

from schemas.signal import TickState
from services.simulator.adapters import encoding
from tests.freezing import frozen
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.process import until

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples" / "refused"


async def test_messages_of_every_branch_arrive_and_an_orderly_stop_says_so(any_site: Site) -> None:
    (gateway,) = await any_site.gateways(1)
    await any_site.ingest.start()
    for kind, lane in (("heartbeat", "up"), ("fire", "alarm"), ("fire", "up"), ("fault", "up")):
        gateway.send(kind, lane)
    await gateway.all_acknowledged()
    status = f"firenet/v1/{gateway.gateway_id}/status"
    await gateway.publish(status, b'{"v":1,"state":"online"}')
    await until(lambda: any_site.ingest.metric("stored_total") >= 5)
    await until(lambda: any_site.ingest.metric("ticks_total") >= 2)
    assert any_site.ingest.counters_balance()
    assert await any_site.ingest.stop() == 0
    written = await any_site.written()
    ours = [event.data for _, _, event in written.signals if event.data.gateway_id == gateway.gateway_id]
    assert sorted((str(data.kind), str(data.lane)) for data in ours) == [
        ("fault", "up"),
        ("fire", "alarm"),
        ("fire", "up"),
        ("heartbeat", "up"),
        ("link_up", "status"),
    ]
    fires = {event.id for _, _, event in written.signals if event.data in ours and event.data.kind == "fire"}
    assert {event.id for event in written.alarms if event.data.gateway_id == gateway.gateway_id} == fires
    ticks = [tick for _, _, tick in written.ticks if tick.data.instance == ours[0].instance]
    assert sum(tick.data.state is TickState.LEAVING for tick in ticks) == 12  # one on each partition
    written.assert_no_tick_lies()


async def test_bad_messages_are_refused_with_their_bytes_and_the_good_one_behind_them_is_stored(site: Site) -> None:
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    sent: dict[bytes, str] = {}
    for path in sorted(EXAMPLES.glob("*.yaml")):
        example = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "repeat" in example:
            payload = (example["repeat"]["text"] * example["repeat"]["times"]).encode()
        else:
            payload = base64.b64decode(example.get("payload_base64", "")) or example.get("payload", "").encode()
        topic = str(example["topic"]).replace("G000001", gateway.gateway_id)
        await gateway.publish(topic, payload)
        sent[payload + topic.encode()] = example["reason"]
    huge = b"x" * 2_000_000
    topic = f"firenet/v1/{gateway.gateway_id}/up/json"
    await gateway.publish(topic, huge)
    sent[huge + topic.encode()] = "too_large"
    await gateway.publish(topic, b'{"v":1,"kind":"heartbeat","seq":77}', qos=0)  # cannot be acknowledged, still counts
    gateway.heartbeat()
    await until(lambda: site.ingest.metric("stored_total") == 2)
    await until(lambda: site.ingest.metric("refused_total") == len(sent))
    assert site.ingest.counters_balance()
    written = await site.written()
    found = {event.data.raw + event.data.topic.encode(): str(event.data.reason) for event in written.refusals}
    assert {raw: found.get(raw) for raw in sent} == sent
    assert sorted(written.numbers(gateway.gateway_id)) == [1, 77]


async def test_a_topic_that_is_not_utf8_costs_its_sender_the_connection_and_nobody_else_anything(site: Site) -> None:
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", site.broker.port)
    writer.write(encoding.connect_packet("stranger", 20, None, None, None))
    assert (await reader.readexactly(4))[3] == 0
    body = encoding.text(b"firenet/v1/\xff\xfe/up/json") + b"\x00\x01" + b'{"v":1,"kind":"fire"}'
    writer.write(b"\x32" + encoding.length(len(body)) + body)
    assert await reader.read() == b"", "the broker ends the connection"
    writer.close()
    gateway.heartbeat()
    await until(lambda: site.ingest.metric("stored_total") == 1)
    assert site.ingest.metric("received_total") == 1
    assert site.ingest.counters_balance()
    assert site.ingest.ready()


async def test_fire_is_read_before_a_backlog_of_heartbeats_that_was_sent_first(site: Site) -> None:
    gateways = await site.gateways(4)
    await site.ingest.start()
    with frozen([site.ingest.pid]):
        for _ in range(4000):
            for gateway in gateways:
                gateway.heartbeat()
        for gateway in gateways:
            await gateway.all_acknowledged()
        fire = gateways[0].send("fire", "alarm")
        await gateways[0].all_acknowledged()
    await until(lambda: site.ingest.metric("stored_total") == 16001)
    written = await site.written()
    names = {gateway.gateway_id for gateway in gateways}
    ours = [event for _, _, event in written.signals if event.data.gateway_id in names]
    (burning,) = [event for event in ours if event.data.kind == "fire"]
    assert burning.data.seq == fire
    behind = sum(event.time > burning.time for event in ours)
    assert behind > 4000, f"only {behind} of 16000 heartbeats were read after the fire"
    written.assert_no_tick_lies()
