"""Decoration never costs the alarm, and nothing is made up: the careful reading of JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.adapters.json_decoder import JsonDecoder
from services.ingest.adapters.json_unwrapping import MAX_MESSAGES
from services.ingest.domain.decide import MAX_PAYLOAD_BYTES
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.values import Message, Point
from services.kernel.words import Flag, RefusalReason, Restores, SignalKind
from tests.fuzz.salvage_fuzz import check
from tests.unit.ingest.build import NOON

SALVAGED = Path(__file__).parents[3] / "schemas" / "examples" / "salvaged"
UNIT = Sender("U000001")
POINT = '"point":{"address":"3-017","system":"1","label":"三层烟感"}'
FIRE = f'{{"v":1,"kind":"fire",{POINT}}}'
END = f'{{"v":1,"kind":"restore","restores":"fire",{POINT}}}'
PLACE = Point("3-017", "1", None, "三层烟感")


def read(payload: str | bytes, sender: Sender = UNIT) -> list[Message]:
    raw = payload.encode() if isinstance(payload, str) else payload
    try:
        return list(JsonDecoder().decode(raw, sender, NOON).messages)
    except Unusable:
        return []


def only(payload: str | bytes) -> Message:
    (message,) = read(payload)
    assert message.flags == (Flag.SALVAGED,)
    assert message.salvage is not None
    assert message.salvage.raw == (payload.encode() if isinstance(payload, str) else payload)
    assert message.salvage.notes
    return message


def fire_with(member: str, kind: str = "fire") -> str:
    return f'{{"v":1,"kind":"{kind}",{POINT},{member}}}'


USELESS_MEMBERS = [
    '"occurred_at":"2026-06-01T12:00:00"',
    '"occurred_at":1780000000',
    '"occurred_at":1780000000123',
    '"occurred_at":""',
    '"occurred_at":"0000-00-00"',
    '"occurred_at":"2026-13-45T25:61:61Z"',
    '"occurred_at":"yesterday"',
    '"occurred_at":{"s":1}',
    '"occurred_at":true',
    '"seq":-1',
    '"seq":1.5',
    '"seq":1e400',
    '"seq":NaN',
    '"seq":-Infinity',
    '"seq":' + "9" * 5000,
    '"seq":9007199254740993000',
    '"seq":"many"',
    '"seq":[1]',
    '"level":3',
    '"extra":{"kind":"heartbeat","a":[1,2,{"b":null}]}',
    '"text":[1,2]',
    '"text":7',
    '"measurement":{"value":1,"unit":"MPa"}',
    '"restores":"fire"',
    '"v":1',
    '"v":"1"',
    '"text":"' + "长" * 500 + '"',
    '"text":"a\\u0000b\\ud83d"',
    '"text":"tab\there"',
    '"text":"bad \\escape"',
    '"unit_id":" U000001 "',
    '// a comment\n"a":1',
    '"a":1,,',
    "'a':'b'",
    "a:b",
]


@pytest.mark.parametrize("kind", ["fire", "fault", "isolation", "supervisory"])
@pytest.mark.parametrize("member", USELESS_MEMBERS)
def test_a_useless_member_costs_nothing_but_itself(member: str, kind: str) -> None:
    message = only(fire_with(member, kind))
    assert (message.kind, message.point) == (SignalKind(kind), PLACE)
    assert message.occurred_at is None
    assert message.restores is None


@pytest.mark.parametrize(
    ("seq", "number"), [('"731"', 731), ("731.0", 731), ('" 731 "', 731), ("+731", 731), ("0731", 731)]
)
def test_a_number_in_another_form_is_that_number(seq: str, number: int) -> None:
    assert only(fire_with(f'"seq":{seq}')).seq == number


@pytest.mark.parametrize(
    "v", ["", '"v":"1",', '"v":1.0,', '"v":true,', '"v":2,', '"v":null,', '"v":"v1",', '"V":1,', '"version":1,']
)
def test_the_version_costs_no_trouble(v: str) -> None:
    assert only(f'{{{v}"kind":"fire",{POINT}}}').point == PLACE


@pytest.mark.parametrize(
    "kind",
    ['"FIRE"', '"Fire"', '" fire\\u0000"', '"ＦＩＲＥ"', '"fire_alarm"', '"fire-alarm"', '"火警"', '["fire"]', "fire"],
)
def test_a_fire_by_another_spelling_is_a_fire(kind: str) -> None:
    assert only(f'{{"v":1,"kind":{kind},{POINT}}}').kind is SignalKind.FIRE


@pytest.mark.parametrize(
    ("point", "place"),
    [
        ('{"address":7032}', Point("7032", None, None, None)),
        ('{"address":7032.0}', Point("7032", None, None, None)),
        ('"3-017"', Point("3-017", None, None, None)),
        ("7032", Point("7032", None, None, None)),
        ('{"address":"3-017\\u0000"}', Point("3-017", None, None, None)),
        ('{"address":" 3-017","label":null}', Point("3-017", None, None, None)),
        ('{"address":"3-017","label":"a\\ud83d"}', Point("3-017", None, None, "a\ufffd")),
        ('{"address":"3-017","label":"' + "x" * 300 + '"}', Point("3-017", None, None, "x" * 200)),
        ('{"address":"3-017","system":1,"type":40}', Point("3-017", "1", "40", None)),
        ('{"address":"3-017","floor":3}', Point("3-017", None, None, None)),
        ('{"address":"3-017","label":{"zh":"x"}}', Point("3-017", None, None, None)),
        ('{"address":""}', None),
        ('{"address":"*"}', None),
        ('{"address":[1]}', None),
        ('{"addr":"3-017"}', None),
        ("[]", None),
        ("true7", Point("true7", None, None, None)),
    ],
)
def test_a_component_is_read_as_far_as_it_can_be(point: str, place: Point | None) -> None:
    message = only(f'{{"v":1,"kind":"fire","point":{point},"level":1}}')
    assert (message.kind, message.point) == (SignalKind.FIRE, place)


def test_a_name_that_is_too_long_stays_a_name_of_its_own() -> None:
    names = set()
    for end in ("a", "b", "a"):
        point = only(json.dumps({"v": 1, "kind": "fire", "point": {"address": "x" * 90 + end}})).point
        assert point is not None
        assert len(point.address) == 64
        names.add(point.address)
    assert len(names) == 2
    lone = {only(f'{{"v":1,"kind":"fire","point":{{"address":"a{text}"}}}}').point for text in ("\\ud83d", "\\ud83e")}
    assert len(lone) == 2


WRAPPINGS = [
    "{}\0",
    "{}\0\0\xff",
    "{}\r\n}}",
    "{} trailing",
    "\ufeff{}",
    "\0{}",
    "[{}]",
    '{{"data":{}}}',
    '{{"code":0,"payload":[{}]}}',
    '{{"params":{{"value":{}}}}}',
]


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_whatever_stands_around_a_message_costs_nothing(wrapping: str) -> None:
    assert only(wrapping.replace("{}", FIRE, 1).replace("{{", "{").replace("}}", "}") if "{{" in wrapping
                else wrapping.replace("{}", FIRE, 1)).point == PLACE  # fmt: skip


@pytest.mark.parametrize("name", ["gb18030", "gbk", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_message_in_another_encoding_is_read(name: str) -> None:
    assert only(FIRE.encode(name)).point == PLACE


def test_json_in_a_text_is_read() -> None:
    assert read(json.dumps({"topic": "x", "data": FIRE}))[0].point == PLACE
    assert read(json.dumps(FIRE))[0].point == PLACE


@pytest.mark.parametrize("cut", range(21, len(FIRE.encode())))
def test_a_message_cut_anywhere_behind_its_kind_is_a_fire_at_its_component_or_of_the_unit(cut: int) -> None:
    message = only(FIRE.encode()[:cut])
    assert message.kind is SignalKind.FIRE
    assert message.point is None or message.point.address == "3-017"


def test_bytes_that_are_no_text_cost_only_themselves() -> None:
    for junk in (b"\xff\xfe\xfd", b"\xe4\xb8", b"\x80", b"\xed\xa0\xbd", b"\xc8\xfd\xb2"):
        for near in (b"", "楼层".encode()):
            raw = b'{"v":1,"kind":"fire","point":{"address":"3-017","label":"' + near + junk + b'"}}'
            point = only(raw).point
            assert point is not None
            assert point.address == "3-017"


def test_several_messages_are_several_and_their_order_stays() -> None:
    kinds = [message.kind for message in read(FIRE + END + FIRE.replace("fire", "fault"))]
    assert kinds == [SignalKind.FIRE, SignalKind.RESTORE, SignalKind.FAULT]
    both = read(f'[{FIRE},{{"v":1,"kind":"heartbeat"}},{END}]')
    assert [message.kind for message in both] == [SignalKind.FIRE, SignalKind.RESTORE]
    assert [message.salvage is not None and message.salvage.raw is not None for message in both] == [True, False]
    assert len(read(f"[{','.join([FIRE] * 60)}]")) == MAX_MESSAGES


def test_of_two_kinds_the_graver_counts_and_never_an_end() -> None:
    for pair in ('"kind":"heartbeat","kind":"fire"', '"kind":"fire","kind":"restore","restores":"fire"'):
        message = only(f'{{"v":1,{pair},{POINT}}}')
        assert (message.kind, message.restores) == (SignalKind.FIRE, None)


NO_TROUBLES = [
    '{"v":1,"kind":"heartbeat","x":1}',
    '{"v":1,"kind":"heartbeat","text":"fire","x":1}',
    '{"v":1,"kind":"heartbeat","extra":{"kind":"fire"}}',
    '{"v":1,"kind":"heartbeat","data":{"kind":"fire"}}',
    '{"v":1,"kind":"no fire","x":1}',
    '{"v":1,"kind":"firewall","x":1}',
    '{"v":1,"kind":"fire drill","x":1}',
    '{"v":1,"kind":"test","text":"\\"kind\\":\\"fire\\"","x":1}',
    '{"v":1,"kind":"test","seq":-1,"text":"{\\"kind\\":\\"fire\\"}"}',
    '{"v":"1","kind":"heartbeat","x":"[{\\"kind\\":\\"fire\\"}]"}',
    '{"v":1,"kind":{"fire":1}}',
    '{"v":1,"kind":["fire","test"]}',
    '{"v":1,"kind":null,"type":"fire"}',
    '{"config":{"kind":"fire"}}',
    '{"v":1,"type":"fire"}',
    '"fire"',
    "fire",
    '{"kind":"fir',
    '{"v":1}"kind":"fire"',
    '{"v":1},{"x":"kind","fire":1}',
    '{"a":' * 20 + '{"kind":"fire"}' + "}" * 20,
    "",
    "{}",
    "[[[]]]",
]


@pytest.mark.parametrize("payload", NO_TROUBLES)
def test_what_names_no_trouble_becomes_none(payload: str) -> None:
    assert read(payload) == []


@pytest.mark.parametrize(
    "payload",
    [
        fire_with('"unit_id":"U000002","x":1'),
        fire_with('"unit_id":2'),
        fire_with('"unit_id":["U000001"]'),
        fire_with('"unitId":"U000002"'),
        fire_with('"unit_id":"u000001","x":1'),
        fire_with('"unit_id":"U000001","unit_id":"U000002"'),
        f'{{"head":{{"unit_id":"U000002"}},"data":{FIRE}}}',
        f'{{"unit_id":"U000002","data":[{FIRE}]}}',
        json.dumps({"data": fire_with('"unit_id":"U000002"')}),
    ],
)
def test_no_gateway_speaks_for_another_unit_however_odd_it_speaks(payload: str) -> None:
    with pytest.raises(Unusable) as refused:
        JsonDecoder().decode(payload.encode(), UNIT, NOON)
    assert refused.value.reason is RefusalReason.IDENTITY_MISMATCH


SURE_ENDS = [
    (END.replace('{"v":1', '{"v":1,"seq":"2"'), PLACE, Restores.FIRE),
    (END.replace('"v":1', '"v":"1"'), PLACE, Restores.FIRE),
    (END + "\0", PLACE, Restores.FIRE),
    (END.replace("三层烟感", "三层\\ud83d"), PLACE._replace(label="三层\ufffd"), Restores.FIRE),
    (END.replace("三层烟感", "三层").encode("gbk"), PLACE._replace(label="三层"), Restores.FIRE),
    (END.replace('"restores":"fire"', '"restores":"ALL"'), PLACE, Restores.ALL),
    (END.replace('{"v":1', '{"v":1,"occurred_at":"0000-00-00"'), PLACE, Restores.FIRE),
    (END.replace('{"v":1', '{"v":1,"level":3'), PLACE, Restores.FIRE),
    ('{"v":1,"kind":"restore","restores":"fault","point":{"address":7032}}', Point("7032", None, None, None),
     Restores.FAULT),
    ('{"v":1,"kind":"restore","restores":"fire","seq":"2"}', None, Restores.FIRE),
    ('{"v":1,"kind":"restore","restores":"all","seq":"2","point":{"address":"*","system":"1"}}',
     Point("*", "1", None, None), Restores.ALL),
]  # fmt: skip


@pytest.mark.parametrize(("payload", "place", "restores"), SURE_ENDS)
def test_an_end_is_taken_when_it_is_surely_one(payload: str | bytes, place: Point | None, restores: Restores) -> None:
    message = only(payload)
    assert (message.kind, message.point, message.restores) == (SignalKind.RESTORE, place, restores)


DOUBTFUL_ENDS = [
    *[END[:cut] for cut in range(5, len(END))],
    END.replace('"v":1', '"v":2'),
    END.replace('"restores":"fire"', '"restores":"smoke"'),
    END.replace('"restores":"fire"', '"restores":["fire","fault"]'),
    END.replace('"restores":"fire",', ""),
    END.replace('"restores":"fire"', '"restores":"fire","restores":"fault"'),
    END.replace("3-017", "3-01\ufffd7").replace('"v":1', '"v":"1"'),
    END.replace("3-017", "3-017\\u0000").replace('"v":1', '"v":"1"'),
    END.replace('"address"', '"adress"'),
    END.replace('"address":"3-017"', '"address":["3-017"]'),
    END.replace('"address":"3-017"', '"address":"3-017","address":"3-018"'),
    END.replace('"system":"1"', '"system":{"a":1}'),
    END.replace('"system":"1"', '"zone":"1"'),
    END.replace("3-017", "x" * 65),
    END.replace(POINT, f'{POINT},"point":{{"address":"3-018"}}'),
    END.replace(POINT, '"points":"3-017"'),
    END.replace(POINT, '"address":"3-017"'),
    END.replace(POINT, '"point":null'),
    END.replace(POINT, '"point":[]'),
    END.replace(POINT, '"point":{},"seq":"2"'),
    END.replace(POINT, '"point":{"address":"*"},"seq":"2"'),
    END.replace(POINT, '"point":"*"'),
    END.replace("3-017", "楼").encode()[:-20] + b'\xff"}}',
    b'{"v":1,"kind":"restore","restores":"fire","point":{"address":"\xff\xfe\xfd\xfc1"}}',
    '[{"v":1,"kind":"restore","restores":"fire"}]',
    '{"data":{"v":1,"kind":"restore","restores":"all"}}',
]


@pytest.mark.parametrize("payload", DOUBTFUL_ENDS)
def test_an_end_that_may_be_none_ends_nothing(payload: str | bytes) -> None:
    strict = '"point":null' in payload if isinstance(payload, str) else False
    if strict:  # the strict reading takes it as an end of the unit's fires, as it always did
        assert [message.salvage for message in read(payload)] == [None]
    else:
        assert read(payload) == []


def examples() -> list[Any]:
    return [pytest.param(path, id=path.stem) for path in sorted(SALVAGED.glob("*.yaml"))]


@pytest.mark.parametrize("path", examples())
def test_the_published_examples_are_read_as_they_say(path: Path) -> None:
    example = yaml.safe_load(path.read_text(encoding="utf-8"))
    told = [f"{message.kind} {message.point and message.point.address}" for message in read(example["payload"])]
    assert told == example["messages"]


HOSTILE = [
    "[",
    "{",
    '{"a":',
    '{"kind":"fire","data":',
    '"',
    "\\",
    "'",
    "/*",
    "//",
    '{"a":"\\u',
    "a:",
    "\ufeff",
    '{"data":"[\\"',
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_payloads_are_read_or_given_up_in_bounded_steps(piece: str) -> None:
    raw = (piece * MAX_PAYLOAD_BYTES).encode()[:MAX_PAYLOAD_BYTES]
    for payload in (raw, b'{"kind":"fire",' + raw[:-20], raw[:-40] + FIRE.encode()):
        check(payload[:MAX_PAYLOAD_BYTES])


PARTS = st.sampled_from(
    [*'{}[]":,\\\'\0 \n', '"kind"', '"fire"', '"restore"', '"restores"', '"all"', '"point"', '"address"', '"unit_id"',
     '"U000001"', '"U2"', '"3-017"', '"v":1', '"data"', "1", "null", "火警", "/*", "//", "\ufeff", '"kind":"fire"',
     '"kind":"heartbeat"', FIRE, END]
)  # fmt: skip


@pytest.mark.thorough
@settings(max_examples=150, deadline=None)
@given(
    st.lists(PARTS, max_size=40).map("".join) | st.text(max_size=60), st.sampled_from(["utf-8", "gb18030", "utf-16"])
)
def test_any_payload_is_read_without_harm(text: str, encoding: str) -> None:
    check(text.encode(encoding, "replace"))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([FIRE, END]), st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=4)), max_size=6))
def test_any_damage_is_read_without_harm(message: str, damage: list[tuple[int, bytes]]) -> None:
    raw = message.encode()
    for at, piece in damage:
        raw = raw[:at] + piece + raw[at + 1 :]
    check(raw)
