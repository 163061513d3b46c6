"""Every reason to refuse, every flag, and what an accepted message becomes."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.ingest.domain.decide import MAX_PAYLOAD_BYTES, decide, refuse_unexpected
from services.ingest.domain.values import (
    Accepted,
    Arrival,
    Carrier,
    Flag,
    Kind,
    Lane,
    Message,
    Reading,
    Reason,
    Refused,
    Restores,
    Signal,
)
from tests.unit.ingest.build import DECODERS, NOON, UP, after, arrival, directory

EXAMPLES = Path(__file__).parents[3] / "schemas" / "examples" / "refused"


def accept(offered: Arrival) -> Signal:
    outcome = decide(offered, directory(), DECODERS)
    assert isinstance(outcome, Accepted), outcome
    (signal,) = outcome.signals
    return signal


def refuse(offered: Arrival) -> Refused:
    outcome = decide(offered, directory(), DECODERS)
    assert isinstance(outcome, Refused), outcome
    return outcome


@pytest.mark.parametrize(
    ("reason", "payload"),
    [
        (Reason.EMPTY, b""),
        (Reason.TOO_LARGE, b'{"v":1,"kind":"heartbeat","text":"' + b"x" * MAX_PAYLOAD_BYTES + b'"}'),
        (Reason.NOT_UTF8, b'{"v":1,"kind":"heartbeat","text":"\xff"}'),
        (Reason.NOT_UTF8, "{}".encode("utf-16")),
        (Reason.NOT_JSON, b"{"),
        (Reason.NOT_JSON, b"\xef\xbb\xbf{}"),
        (Reason.NOT_JSON, b'{"v":1,"kind":"heartbeat"} {}'),
        (Reason.NOT_JSON, b"\x00\x01"),
        (Reason.TOO_DEEP, b"[" * 20000),
        (Reason.TOO_DEEP, b'{"v":1,"kind":"test","text":' + b"[" * 17 + b"]" * 17 + b"}"),
        (Reason.WRONG_SHAPE, b'{"v":true,"kind":"heartbeat"}'),
        (Reason.WRONG_SHAPE, b'{"v":1.0,"kind":"heartbeat"}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","kind":"test"}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","kind" :"heartbeat"}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","\\u006bind":"heartbeat"}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"test","point":{"address":"1","address":"2"}}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"test","point":{"address":"1"},"point":{"address":"1"}}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","seq":1,"seq":2}'),
        (Reason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","text":null,"text":null}'),
        (Reason.NOT_A_NUMBER, b'{"v":1,"kind":"analog","measurement":{"value":NaN,"unit":"MPa"}}'),
        (Reason.NOT_A_NUMBER, b'{"v":1,"kind":"analog","measurement":{"value":-Infinity,"unit":"MPa"}}'),
        (Reason.NOT_A_NUMBER, b'{"v":1,"kind":"analog","measurement":{"value":1e999,"unit":"MPa"}}'),
        (Reason.UNKNOWN_VERSION, b'{"v":2,"kind":"heartbeat"}'),
        (Reason.UNKNOWN_VERSION, b'{"v":2,"kind":"something new"}'),
        (Reason.UNKNOWN_KIND, b'{"v":1,"kind":"flood"}'),
        (Reason.UNKNOWN_KIND, b'{"v":1,"kind":"link_up"}'),
        (Reason.WRONG_SHAPE, b'{"v":"1","kind":"heartbeat"}'),
        (Reason.WRONG_SHAPE, b'{"kind":"heartbeat"}'),
        (Reason.WRONG_SHAPE, b'{"v":1}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":7}'),
        (Reason.WRONG_SHAPE, b"[]"),
        (Reason.WRONG_SHAPE, b"null"),
        (Reason.WRONG_SHAPE, b'"heartbeat"'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","more":1}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":"1"}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":-1}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":1.5}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":' + b"9" * 300 + b"}"),
        (Reason.NOT_A_NUMBER, b'{"v":1,"kind":"heartbeat","seq":' + b"9" * 5000 + b"}"),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","occurred_at":"2026-06-01T12:00:00"}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","occurred_at":1780000000}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","text":"' + b"x" * 201 + b'"}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","restores":"fire"}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"restore"}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"analog"}'),
        (Reason.WRONG_SHAPE, b'{"v":1,"kind":"test","point":{}}'),
        (Reason.IDENTITY_MISMATCH, b'{"v":1,"kind":"fire","unit_id":"U000002"}'),
    ],
)
def test_a_payload_that_cannot_be_used_is_refused_with_its_reason(reason: Reason, payload: bytes) -> None:
    assert refuse(arrival(payload)).reason is reason


@pytest.mark.parametrize(
    ("reason", "topic", "gateway_id"),
    [
        (Reason.BAD_TOPIC, "firenet/v1/G000001/up/xml", "G000001"),
        (Reason.BAD_TOPIC, "firenet/v1/G000001/down/json", "G000001"),
        (Reason.BAD_TOPIC, "firenet/v1/G000001/up/json/more", "G000001"),
        (Reason.BAD_TOPIC, "firenet/v1/G000001/up", "G000001"),
        (Reason.BAD_TOPIC, "firenet/v2/G000001/up/json", None),
        (Reason.BAD_TOPIC, "firenet/v1//up/json", None),
        (Reason.BAD_TOPIC, "firenet/v1/消防/up/json", None),
        (Reason.BAD_TOPIC, "firenet/v1/" + "x" * 65 + "/up/json", None),
        (Reason.BAD_TOPIC, "elsewhere", None),
        (Reason.BAD_TOPIC, "", None),
        (Reason.UNKNOWN_GATEWAY, "firenet/v1/G999999/up/json", "G999999"),
        (Reason.UNKNOWN_GATEWAY, "firenet/v1/G000003/up/json", "G000003"),
        (Reason.IDENTITY_MISMATCH, "firenet/v1/G000002/up/json", "G000002"),
        (Reason.BAD_FRAME, "firenet/v1/G000001/up/gb26875", "G000001"),
    ],
)
def test_a_topic_that_cannot_be_used_is_refused_with_its_reason(
    reason: Reason, topic: str, gateway_id: str | None
) -> None:
    refused = refuse(arrival(topic=topic))
    assert (refused.reason, refused.gateway_id) == (reason, gateway_id)


def examples() -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted(EXAMPLES.glob("*.yaml"))]


@pytest.mark.parametrize("path", examples())
def test_the_published_example_of_each_reason_is_refused_with_it(path: Path) -> None:
    example = yaml.safe_load(path.read_text(encoding="utf-8"))
    if "repeat" in example:
        payload = (example["repeat"]["text"] * example["repeat"]["times"]).encode()
    elif "payload_base64" in example:
        payload = base64.b64decode(example["payload_base64"])
    else:
        payload = example["payload"].encode()
    assert refuse(arrival(payload, example["topic"])).reason == example["reason"]


def test_every_reason_but_those_of_our_own_has_a_published_example() -> None:
    ours = {Reason.UNEXPECTED, Reason.UNKNOWN_PROFILE}
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(Reason) - ours


def test_a_bug_of_ours_becomes_a_refusal_that_names_the_error_only() -> None:
    refused = refuse_unexpected(arrival(), ZeroDivisionError("secret"))
    assert refused.reason is Reason.UNEXPECTED
    assert "ZeroDivisionError" in refused.detail
    assert "secret" not in refused.detail


def test_a_refusal_never_quotes_the_content() -> None:
    refused = refuse(arrival(b'{"v":1,"kind":"heartbeat","password":"hunter2"}'))
    assert "hunter2" not in refused.detail
    assert "password" not in refused.detail


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"v":1,"kind":"heartbeat"}', Message(Kind.HEARTBEAT)),
        (b' { "v" : 1 , "kind" : "heartbeat" , "seq" : 7 } ', Message(Kind.HEARTBEAT, 7)),
        (b'{"v":1,"kind":"heartbeat","text":"a\\"b"}', Message(Kind.HEARTBEAT, text='a"b')),
        (b'{"v":1,"kind":"heartbeat","text":"\\"kind\\":"}', Message(Kind.HEARTBEAT, text='"kind":')),
        (b'{"v":1,"kind":"heartbeat","text":"12:30"}', Message(Kind.HEARTBEAT, text="12:30")),
        (b'{"v":1,"kind":"heartbeat","text":null}', Message(Kind.HEARTBEAT)),
        (b'{"v":1,"kind":"restore","restores":"all"}', Message(Kind.RESTORE, restores=Restores.ALL)),
        (b'{"v":1,"kind":"fire","unit_id":"U000001"}', Message(Kind.FIRE, unit_id="U000001")),
    ],
)
def test_a_good_message_is_read_as_it_stands(payload: bytes, message: Message) -> None:
    assert accept(arrival(payload)).message == message


def test_a_signal_belongs_to_the_unit_that_the_registry_names() -> None:
    signal = accept(arrival())
    assert (signal.gateway_id, signal.unit_id) == ("G000001", "U000001")
    assert (signal.lane, signal.carrier) == (Lane.UP, Carrier.MQTT_JSON)


@pytest.mark.parametrize(("state", "kind"), [("online", Kind.LINK_UP), ("offline", Kind.LINK_DOWN)])
def test_the_status_topic_tells_link_states(state: str, kind: Kind) -> None:
    signal = accept(arrival(f'{{"v":1,"state":"{state}"}}'.encode(), "firenet/v1/G000001/status"))
    assert (signal.message.kind, signal.lane) == (kind, Lane.STATUS)


def test_a_status_with_a_repeated_key_is_refused() -> None:
    payload = b'{"v":1,"state":"online","state":"offline"}'
    assert refuse(arrival(payload, "firenet/v1/G000001/status")).reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize(
    ("seconds", "flags"),
    [
        (301, (Flag.CLOCK_AHEAD,)),
        (300, ()),
        (0, ()),
        (-300, ()),
        (-301, (Flag.CLOCK_BEHIND,)),
        (10**9, (Flag.CLOCK_AHEAD,)),
    ],
)
@pytest.mark.parametrize("kind", ["heartbeat", "fire"])
def test_a_strange_clock_is_flagged_and_never_a_reason_to_refuse(
    seconds: int, flags: tuple[Flag, ...], kind: str
) -> None:
    payload = f'{{"v":1,"kind":"{kind}","occurred_at":"{after(seconds).isoformat()}"}}'.encode()
    assert accept(arrival(payload)).flags == flags


def test_clocks_of_different_zones_are_compared_as_instants() -> None:
    payload = b'{"v":1,"kind":"heartbeat","occurred_at":"2026-06-01T20:00:00+08:00"}'
    signal = accept(arrival(payload))
    assert signal.flags == ()
    assert signal.message.occurred_at == NOON


def test_the_brokers_own_marks_are_flagged() -> None:
    assert accept(arrival(duplicate=True)).flags == (Flag.NO_DEVICE_TIME, Flag.REDELIVERED)
    assert accept(arrival(retained=True)).flags == (Flag.NO_DEVICE_TIME, Flag.RETAINED)


def test_a_payload_with_several_messages_becomes_as_many_signals() -> None:
    twice = {"json": lambda *_: Reading((Message(Kind.HEARTBEAT), Message(Kind.FIRE)))}
    outcome = decide(arrival(topic=UP), directory(), twice)
    assert isinstance(outcome, Accepted)
    assert [(signal.message.kind, signal.part) for signal in outcome.signals] == [(Kind.HEARTBEAT, 0), (Kind.FIRE, 1)]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (Message(Kind.FIRE), True),
        (Message(Kind.RESTORE, restores=Restores.FIRE), True),
        (Message(Kind.RESTORE, restores=Restores.ALL), True),
        (Message(Kind.RESTORE, restores=Restores.FAULT), False),
        (Message(Kind.HEARTBEAT), False),
        (Message(Kind.TEST), False),
    ],
)
def test_fire_and_its_end_concern_the_fast_lane(message: Message, wanted: bool) -> None:
    assert message.concerns_fire is wanted
