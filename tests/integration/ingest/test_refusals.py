"""F10: poison is refused, acknowledged and passed; once the cause is put right, people turn it into signals, once."""

import asyncio
import base64
import io
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.stack.kafka import Kafka
from deploy.stack.mosquitto import Mosquitto
from schemas import codec
from schemas.command import Command, CommandData, RefusalPlace, Replay
from schemas.topics import COMMANDS
from services.ingest.refusals.cli import DONE, NO_KAFKA, NOT_ALL, USAGE, main
from services.kernel.ids import derive
from services.kernel.words import Flag
from services.runtime.clock import SystemClock
from services.runtime.kafka import BatchProducer, Record
from tests.integration.ingest.conftest import Site
from tests.integration.ingest.devices import Device, DeviceSite
from tests.integration.ingest.log import Written, read_all, register
from tests.integration.ingest.process import Gateway, until

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples" / "refused"


class Terminal:
    """Runs `python -m services.ingest.refusals` against one Kafka."""

    def __init__(self, patch: pytest.MonkeyPatch, bootstrap: str) -> None:
        patch.setenv("FIRENET_KAFKA_BOOTSTRAP", bootstrap)

    async def run(self, *words: str) -> tuple[int, str]:
        out = io.StringIO()
        return await asyncio.to_thread(main, words, out), out.getvalue()

    async def objects(self, *words: str) -> list[Mapping[str, Any]]:
        _, said = await self.run(*words, "--json")
        return [json.loads(line) for line in said.splitlines()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, site: Site) -> Terminal:
    return Terminal(monkeypatch, site.kafka.bootstrap)


async def send_poison(gateway: Gateway) -> int:
    """Publish every example of a bad message in the name of `gateway`; return how many."""
    paths = sorted(EXAMPLES.glob("*.yaml"))
    for path in paths:
        example = yaml.safe_load(path.read_text(encoding="utf-8"))
        if "repeat" in example:
            payload = (example["repeat"]["text"] * example["repeat"]["times"]).encode()
        else:
            payload = base64.b64decode(example.get("payload_base64", "")) or example.get("payload", "").encode()
        await gateway.publish(str(example["topic"]).replace("G000001", gateway.gateway_id), payload)
    return len(paths)


def of(written: Written, gateway_id: str) -> list[str]:
    return [event.id for _, _, event in written.signals if event.data.gateway_id == gateway_id]


async def test_what_was_refused_becomes_signals_once_its_gateway_is_registered(
    site: Site, terminal: Terminal, tmp_path: Path
) -> None:
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    poison = await send_poison(gateway)
    late = f"{gateway.gateway_id}x"
    for lane, kind in (("up", "heartbeat"), ("up", "fault"), ("alarm", "fire")):
        await gateway.publish(f"firenet/v1/{late}/{lane}/json", json.dumps({"v": 1, "kind": kind}).encode())
    gateway.heartbeat()
    await until(lambda: site.ingest.metric("stored_total") == 1)
    await until(lambda: site.ingest.metric("refused_total") == poison + 3)
    assert site.ingest.metric("in_flight") == 0, "everything was acknowledged, and the good one behind it handled"
    refused_before = len((await read_all(site.kafka.bootstrap)).refusals)

    listed = await terminal.objects("list", "--gateway", late, "--reason", "unknown_gateway", "--since", "1h")
    assert sorted((one["state"], one["raw_bytes"]) for one in listed) == [("open", 24), ("open", 25), ("open", 29)]
    assert [one["received_at"] for one in listed] == sorted((one["received_at"] for one in listed), reverse=True)
    code, sheet = await terminal.run("inspect", str(listed[0]["id"]))
    assert (code, "unknown_gateway" in sheet, "00000000  7b 22 76 22" in sheet) == (DONE, True, True)
    code, said = await terminal.run("replay", "--gateway", late, "--dry-run")
    assert (code, said.splitlines()[-1]) == (NOT_ALL, "would be: 3 unknown_gateway")

    await register(site.kafka.bootstrap, {late: f"U{late[1:]}"})
    for words, wanted in (
        (("--dry-run",), "would be: 3 accepted"),
        (("--by", "wang"), "are now: 3 accepted"),
        (("--by", "wang"), "are now: 3 replayed before"),
        (("--again",), "are now: 3 accepted"),
    ):
        code, said = await terminal.run("replay", "--gateway", late, *words)
        assert (code, said.splitlines()[-1]) == (DONE, wanted)

    written = await read_all(site.kafka.bootstrap)  # of the tests before too, as an export has it
    assert len(written.refusals) == refused_before, "nothing is refused a second time"
    assert (len(of(written, late)), len(set(of(written, late)))) == (6, 3), "again means the same ids"
    ours = [event for _, _, event in written.signals if event.data.gateway_id == late]
    assert all(Flag.REPLAYED in event.data.flags and event.data.first_received_at for event in ours)
    assert len({event.id for event in written.alarms if event.data.gateway_id == late}) == 1
    by = {note.data.refusal_id: note.data.by for note in written.replayed if note.subject == late}
    assert set(by) == {one["id"] for one in listed}
    written.assert_no_tick_lies()
    states = {one["state"] for one in await terminal.objects("list", "--gateway", late)}
    assert states == {"replayed"}

    target = tmp_path / "all.jsonl"
    code, said = await terminal.run("export", str(target))
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    assert (code, len(lines)) == (DONE, refused_before)
    assert said.startswith(f"{refused_before} refusals written")
    raws = {one["id"]: base64.b64decode(one["raw"]) for one in lines}
    assert raws == {event.id: event.data.raw for event in written.refusals}
    assert (target.stat().st_mode & 0o777, (await terminal.run("export", str(target)))[0]) == (0o600, USAGE)


async def test_an_order_on_the_log_is_carried_out_by_ingest_once(site: Site, terminal: Terminal) -> None:
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    late = f"{gateway.gateway_id}x"
    await gateway.publish(f"firenet/v1/{late}/up/json", b'{"v":1,"kind":"fire"}')
    await until(lambda: site.ingest.metric("refused_total") == 1)
    (listed,) = await terminal.objects("list", "--gateway", late)
    place = RefusalPlace(id=listed["id"], partition=listed["partition"], offset=listed["offset"])
    gone = RefusalPlace(id="0" * 32, partition=0, offset=10**9)
    known = site.ingest.metric("gateways")
    await register(site.kafka.bootstrap, {late: f"U{late[1:]}"})
    await until(lambda: site.ingest.metric("gateways") > known)
    now = SystemClock().now()
    command = Command(
        id="c1" * 16, source="/console", time=now, data=CommandData(by="centre", order=Replay(refusals=(place, gone)))
    )
    producer = BatchProducer(site.kafka.bootstrap, "console-stand-in", headers=codec.HEADERS)
    await producer.start()
    await producer.send_many([Record(COMMANDS, None, codec.commands.encode(command))] * 2)
    await producer.stop()
    await until(lambda: site.ingest.metric("replays_total", outcome="accepted") == 2)
    assert site.ingest.metric("replays_total", outcome="gone") == 2
    written = await site.written()
    signals = [event for _, _, event in written.signals if event.data.gateway_id == late]
    assert (len(signals), signals[0]) == (2, signals[1]), "the same bytes twice"
    assert (signals[0].time, signals[0].subject) == (now, f"U{late[1:]}")
    assert {event.id for event in written.alarms if event.data.gateway_id == late} == {signals[0].id}
    notes = [note for note in written.replayed if note.subject == late]
    assert {(note.id, note.data.by) for note in notes} == {(derive("replayed", listed["id"], command.id), "centre")}
    (done,) = await terminal.objects("list", "--gateway", late)
    assert done["state"] == "replayed"
    written.assert_no_tick_lies()


async def test_a_device_that_nobody_knew_is_found_by_its_address_later(
    tmp_path: Path, own_kafka: Kafka, mosquitto_broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(monkeypatch, own_kafka.bootstrap)
    site = DeviceSite(tmp_path, own_kafka, mosquitto_broker)
    await site.devices(1)
    stranger = Device(f"D{secrets.token_hex(4)}", site.port)
    await site.ingest.start()
    try:
        await stranger.call()
        stranger.write(stranger.frame(7, fire=True))
        await until(lambda: site.ingest.metric("refused_total", reason="unknown_gateway") == 1)
    finally:
        stranger.reset()
        await site.close()
    raw = base64.b64encode(stranger.frame(7, fire=True)).decode()
    listed = await terminal.objects("list", "--reason", "unknown_gateway")
    tcp = [one["id"] for one in listed if (one["carrier"], one["gateway_id"]) == ("tcp_gb26875", None)]
    (found,) = [one for each in tcp for one in await terminal.objects("inspect", each) if one["raw"] == raw]
    assert (found["peer"], found["frames"][0]["serial"]) == ("127.0.0.1", 7)
    known = {"device_address": stranger.address.hex(), "networks": ["127.0.0.0/8"]}
    await register(own_kafka.bootstrap, {stranger.gateway_id: f"U{stranger.gateway_id[1:]}"}, **known)
    code, said = await terminal.run("replay", found["id"])
    assert (code, said.splitlines()[-1]) == (DONE, "are now: 1 accepted")
    fires = [event for event in (await site.written()).alarms if event.data.kind == "fire"]
    (fire,) = [event for event in fires if event.data.gateway_id == stranger.gateway_id]
    assert (fire.data.carrier, Flag.REPLAYED in fire.data.flags) == ("tcp_gb26875", True)


async def test_a_bad_frame_is_shown_with_the_verdict_of_the_codec(site: Site, terminal: Terminal) -> None:
    (gateway,) = await site.gateways(1)
    await site.ingest.start()
    await gateway.publish(f"firenet/v1/{gateway.gateway_id}/up/gb26875", bytes.fromhex("40400100") + bytes(30))
    await until(lambda: site.ingest.metric("refused_total") == 1)
    (listed,) = await terminal.objects("list", "--gateway", gateway.gateway_id)
    (seen,) = await terminal.objects("inspect", str(listed["id"]))
    assert (seen["reason"], seen["today"]["outcome"]) == ("bad_frame", "refused")
    assert [sorted(frame) for frame in seen["frames"]] == [["error", "message", "offset"]]
    code, said = await terminal.run("replay", str(listed["id"]))
    assert (code, said.splitlines()[-1]) == (NOT_ALL, "are now: 1 bad_frame")
    (again,) = await terminal.objects("list", "--gateway", gateway.gateway_id)
    assert (again["state"], [one["reason"] for one in again["replays"]]) == ("open", ["bad_frame"])
    assert (await terminal.run("inspect", "0" * 32))[0] == NOT_ALL
    assert (await terminal.run("replay", "0" * 32))[0] == NOT_ALL


async def test_without_kafka_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.ingest.refusals.context.CONNECT_S", 1.0)
    monkeypatch.setenv("FIRENET_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert await asyncio.to_thread(main, ["list"], io.StringIO()) == NO_KAFKA
