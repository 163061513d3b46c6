"""Every reason to refuse, every flag, and what an accepted message becomes."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.ingest.domain.decide import MAX_PAYLOAD_BYTES, decide, refuse_unexpected
from services.ingest.domain.values import Accepted, Arrival, DecodedPayload, Message, Refused, Signal
from services.kernel.words import REFUSAL_REASONS_IN_USE, Flag, Lane, RefusalReason, Restores, SignalKind, Transport
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
        (RefusalReason.EMPTY, b""),
        (RefusalReason.TOO_LARGE, b'{"v":1,"kind":"heartbeat","text":"' + b"x" * MAX_PAYLOAD_BYTES + b'"}'),
        (RefusalReason.NOT_UTF8, b'{"v":1,"kind":"heartbeat","text":"\xff"}'),
        (RefusalReason.NOT_UTF8, "{}".encode("utf-16")),
        (RefusalReason.NOT_JSON, b"{"),
        (RefusalReason.NOT_JSON, b"\xef\xbb\xbf{}"),
        (RefusalReason.NOT_JSON, b'{"v":1,"kind":"heartbeat"} {}'),
        (RefusalReason.NOT_JSON, b"\x00\x01"),
        (RefusalReason.TOO_DEEP, b"[" * 20000),
        (RefusalReason.TOO_DEEP, b'{"v":1,"kind":"test","text":' + b"[" * 17 + b"]" * 17 + b"}"),
        (RefusalReason.WRONG_SHAPE, b'{"v":true,"kind":"heartbeat"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1.0,"kind":"heartbeat"}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","kind":"test"}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","kind" :"heartbeat"}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","\\u006bind":"heartbeat"}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"test","point":{"address":"1","address":"2"}}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"test","point":{"address":"1"},"point":{"address":"1"}}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","seq":1,"seq":2}'),
        (RefusalReason.DUPLICATE_KEY, b'{"v":1,"kind":"heartbeat","text":null,"text":null}'),
        (RefusalReason.NOT_A_NUMBER, b'{"v":1,"kind":"analog","measurement":{"value":NaN,"unit":"MPa"}}'),
        (RefusalReason.NOT_A_NUMBER, b'{"v":1,"kind":"analog","measurement":{"value":-Infinity,"unit":"MPa"}}'),
        (RefusalReason.NOT_A_NUMBER, b'{"v":1,"kind":"analog","measurement":{"value":1e999,"unit":"MPa"}}'),
        (RefusalReason.UNKNOWN_VERSION, b'{"v":2,"kind":"heartbeat"}'),
        (RefusalReason.UNKNOWN_VERSION, b'{"v":2,"kind":"something new"}'),
        (RefusalReason.UNKNOWN_KIND, b'{"v":1,"kind":"flood"}'),
        (RefusalReason.UNKNOWN_KIND, b'{"v":1,"kind":"link_up"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":"1","kind":"heartbeat"}'),
        (RefusalReason.WRONG_SHAPE, b'{"kind":"heartbeat"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":7}'),
        (RefusalReason.WRONG_SHAPE, b"[]"),
        (RefusalReason.WRONG_SHAPE, b"null"),
        (RefusalReason.WRONG_SHAPE, b'"heartbeat"'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","more":1}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":"1"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":-1}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":1.5}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","seq":' + b"9" * 300 + b"}"),
        (RefusalReason.NOT_A_NUMBER, b'{"v":1,"kind":"heartbeat","seq":' + b"9" * 5000 + b"}"),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","occurred_at":"2026-06-01T12:00:00"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","occurred_at":1780000000}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","text":"' + b"x" * 201 + b'"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"heartbeat","restores":"fire"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"restore"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"analog"}'),
        (RefusalReason.WRONG_SHAPE, b'{"v":1,"kind":"test","point":{}}'),
        (RefusalReason.IDENTITY_MISMATCH, b'{"v":1,"kind":"fire","unit_id":"U000002"}'),
    ],
)
def test_a_payload_that_cannot_be_used_is_refused_with_its_reason(reason: RefusalReason, payload: bytes) -> None:
    assert refuse(arrival(payload)).reason is reason


@pytest.mark.parametrize(
    ("reason", "topic", "gateway_id"),
    [
        (RefusalReason.BAD_TOPIC, "firenet/v1/G000001/up/xml", "G000001"),
        (RefusalReason.BAD_TOPIC, "firenet/v1/G000001/down/json", "G000001"),
        (RefusalReason.BAD_TOPIC, "firenet/v1/G000001/up/json/more", "G000001"),
        (RefusalReason.BAD_TOPIC, "firenet/v1/G000001/up", "G000001"),
        (RefusalReason.BAD_TOPIC, "firenet/v2/G000001/up/json", None),
        (RefusalReason.BAD_TOPIC, "firenet/v1//up/json", None),
        (RefusalReason.BAD_TOPIC, "firenet/v1/消防/up/json", None),
        (RefusalReason.BAD_TOPIC, "firenet/v1/" + "x" * 65 + "/up/json", None),
        (RefusalReason.BAD_TOPIC, "elsewhere", None),
        (RefusalReason.BAD_TOPIC, "", None),
        (RefusalReason.UNKNOWN_GATEWAY, "firenet/v1/G999999/up/json", "G999999"),
        (RefusalReason.UNKNOWN_GATEWAY, "firenet/v1/G000003/up/json", "G000003"),
        (RefusalReason.IDENTITY_MISMATCH, "firenet/v1/G000002/up/json", "G000002"),
        (RefusalReason.BAD_FRAME, "firenet/v1/G000001/up/gb26875", "G000001"),
    ],
)
def test_a_topic_that_cannot_be_used_is_refused_with_its_reason(
    reason: RefusalReason, topic: str, gateway_id: str | None
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
    ours = {RefusalReason.UNEXPECTED, RefusalReason.UNKNOWN_PROFILE}
    assert {path.stem for path in EXAMPLES.glob("*.yaml")} == set(REFUSAL_REASONS_IN_USE) - ours


def test_a_bug_of_ours_becomes_a_refusal_that_names_the_error_only() -> None:
    refused = refuse_unexpected(arrival(), ZeroDivisionError("secret"))
    assert refused.reason is RefusalReason.UNEXPECTED
    assert "ZeroDivisionError" in refused.detail
    assert "secret" not in refused.detail


def test_a_refusal_never_quotes_the_content() -> None:
    refused = refuse(arrival(b'{"v":1,"kind":"heartbeat","password":"hunter2"}'))
    assert "hunter2" not in refused.detail
    assert "password" not in refused.detail


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"v":1,"kind":"heartbeat"}', Message(SignalKind.HEARTBEAT)),
        (b' { "v" : 1 , "kind" : "heartbeat" , "seq" : 7 } ', Message(SignalKind.HEARTBEAT, 7)),
        (b'{"v":1,"kind":"heartbeat","text":"a\\"b"}', Message(SignalKind.HEARTBEAT, text='a"b')),
        (b'{"v":1,"kind":"heartbeat","text":"\\"kind\\":"}', Message(SignalKind.HEARTBEAT, text='"kind":')),
        (b'{"v":1,"kind":"heartbeat","text":"12:30"}', Message(SignalKind.HEARTBEAT, text="12:30")),
        (b'{"v":1,"kind":"heartbeat","text":null}', Message(SignalKind.HEARTBEAT)),
        (b'{"v":1,"kind":"restore","restores":"all"}', Message(SignalKind.RESTORE, restores=Restores.ALL)),
        (b'{"v":1,"kind":"fire","unit_id":"U000001"}', Message(SignalKind.FIRE, unit_id="U000001")),
    ],
)
def test_a_good_message_is_read_as_it_stands(payload: bytes, message: Message) -> None:
    assert accept(arrival(payload)).message == message


def test_a_signal_belongs_to_the_unit_that_the_registry_names() -> None:
    signal = accept(arrival())
    assert (signal.gateway_id, signal.unit_id) == ("G000001", "U000001")
    assert (signal.lane, signal.carrier) == (Lane.UP, Transport.MQTT_JSON)


@pytest.mark.parametrize(("state", "kind"), [("online", SignalKind.LINK_UP), ("offline", SignalKind.LINK_DOWN)])
def test_the_status_topic_tells_link_states(state: str, kind: SignalKind) -> None:
    signal = accept(arrival(f'{{"v":1,"state":"{state}"}}'.encode(), "firenet/v1/G000001/status"))
    assert (signal.message.kind, signal.lane) == (kind, Lane.STATUS)


def test_a_status_with_a_repeated_key_is_refused() -> None:
    payload = b'{"v":1,"state":"online","state":"offline"}'
    assert refuse(arrival(payload, "firenet/v1/G000001/status")).reason is RefusalReason.DUPLICATE_KEY


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
    twice = {"json": lambda *_: DecodedPayload((Message(SignalKind.HEARTBEAT), Message(SignalKind.FIRE)))}
    outcome = decide(arrival(topic=UP), directory(), twice)
    assert isinstance(outcome, Accepted)
    assert [(signal.message.kind, signal.part) for signal in outcome.signals] == [
        (SignalKind.HEARTBEAT, 0),
        (SignalKind.FIRE, 1),
    ]


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        (Message(SignalKind.FIRE), True),
        (Message(SignalKind.RESTORE, restores=Restores.FIRE), True),
        (Message(SignalKind.RESTORE, restores=Restores.ALL), True),
        (Message(SignalKind.RESTORE, restores=Restores.FAULT), False),
        (Message(SignalKind.HEARTBEAT), False),
        (Message(SignalKind.TEST), False),
    ],
)
def test_fire_and_its_end_concern_the_fast_lane(message: Message, wanted: bool) -> None:
    assert message.concerns_fire is wanted
