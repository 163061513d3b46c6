"""The quick way to read a heartbeat says what the wire model says, or nothing."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.adapters.json_decoder import JsonDecoder, read_by_schema
from services.ingest.adapters.plain_heartbeat import read_plain_heartbeat
from services.ingest.adapters.signal_json import optional_members
from services.ingest.domain.directory import Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.values import DecodedPayload
from tests.bench.mqtt_publisher import payload
from tests.unit.ingest.build import NOON

SENDER = Sender("U000001")
TIMES = st.one_of(
    st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
    st.from_regex(r"2026-01-01T00:00:00(\.123)?[+-][0-9]{2}:[0-9]{2}", fullmatch=True),
    st.from_regex(
        r"[0-2]\d{3}-[01]\d-[0-3]\dT[0-2]\d:[0-6]\d:[0-6]\d(\.\d{1,9})?(Z|[+-][0-2]\d:[0-6]\d)?", fullmatch=True
    ),
)
TEXTS = st.one_of(st.text(max_size=5), st.sampled_from(["火警", "a" * 64, "a" * 65, "é" * 200, "é" * 201, '"', "\\"]))
POINT = st.fixed_dictionaries({"address": TEXTS}, optional={"system": TEXTS, "type": TEXTS, "label": TEXTS})
BODIES = st.fixed_dictionaries(
    {"v": st.sampled_from([1, 1, 1, 1, 2, True]), "kind": st.sampled_from(["heartbeat"] * 4 + ["fire", "test"])},
    optional={
        "seq": st.one_of(st.integers(-1, 20), st.integers(2**53 - 1, 2**53 + 1), st.booleans(), st.floats()),
        "occurred_at": TIMES,
        "unit_id": st.sampled_from(["U000001", "_x", "", "a" * 64, "a" * 65]),
        "point": POINT,
        "text": TEXTS,
    },
)


def dumped(body: dict[str, Any], spaced: bool, escaped: bool) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(body, separators=separators, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


def said(decode: Callable[[], DecodedPayload]) -> DecodedPayload | tuple[str, str]:
    """Return what was read, or why nothing was."""
    try:
        return decode()
    except Unusable as unusable:
        return unusable.reason, unusable.detail


@given(body=BODIES, spaced=st.booleans(), escaped=st.booleans())
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-30T12:00:00Z"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T12:00:60Z"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "0000-02-20T12:00:00Z"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T12:00:00-00:00"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T12:00:00+24:00"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T12:00:00+00:60"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T12:00:00-14:99"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T12:00:00+23:59"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "occurred_at": "2026-02-20T24:00:00Z"}, spaced=False, escaped=False)
@example(body={"v": 1, "kind": "heartbeat", "text": "\ud800"}, spaced=False, escaped=False)
def test_what_it_reads_is_what_the_wire_model_reads(body: dict[str, Any], spaced: bool, escaped: bool) -> None:
    raw = dumped(body, spaced, escaped)
    message = read_plain_heartbeat(raw)
    if message is None:
        return
    (by_schema,) = read_by_schema(raw, SENDER).messages
    assert message == by_schema
    assert optional_members(message) == optional_members(by_schema), "the same bytes on the log"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"v":1,"kind":"heartbeat"}',
        b'{"v": 1, "kind": "heartbeat", "seq": 7}',
        payload(5, 17, NOON.isoformat()),
        payload(5, 17, "2026-06-01T20:00:00+08:00"),
        '{"v":1,"kind":"heartbeat","seq":0,"point":{"address":"1-1","label":"一层大厅"}}'.encode(),
    ],
)
def test_it_reads_the_usual_ones(raw: bytes) -> None:
    (message,) = JsonDecoder().decode(raw, SENDER, NOON).messages
    assert message == read_plain_heartbeat(raw) == read_by_schema(raw, SENDER).messages[0]


@pytest.mark.parametrize("hours", [*range(26), 60, 99])
def test_a_zone_counts_here_where_it_counts_there(hours: int) -> None:
    for at in (f"2026-01-01T00:00:00{sign}{hours:02}:{minutes:02}" for sign in "+-" for minutes in range(100)):
        raw = dumped({"v": 1, "kind": "heartbeat", "occurred_at": at}, spaced=False, escaped=False)
        quick = read_plain_heartbeat(raw)
        if quick is None:
            with pytest.raises(Unusable):
                read_by_schema(raw, SENDER)
        else:
            assert read_by_schema(raw, SENDER).messages == (quick,), at


@pytest.mark.parametrize(
    "raw",
    [
        b'{"v":1,"kind":"fire","seq":7}',
        b'{"kind":"heartbeat","v":1}',
        b'{"v":1,"kind":"heartbeat","seq":7,"seq":8}',
        b'{"v":1,"kind":"heartbeat","kind":"fire"}',
        b'{"v":1,"kind":"heartbeat","seq":01}',
        b'{"v":1,"kind":"heartbeat","text":"a\\u0041"}',
        b'{"v":1,"kind":"heartbeat","text":"\xff"}',
        b'{"v":1,"kind":"heartbeat"}{"v":1,"kind":"fire"}',
        b'{"v":1,"kind":"heartbeat"}\n',
        b"\xef\xbb\xbf" + b'{"v":1,"kind":"heartbeat"}',
        b"",
    ],
)
def test_whatever_is_odd_goes_the_careful_way(raw: bytes) -> None:
    assert read_plain_heartbeat(raw) is None
    assert said(lambda: JsonDecoder().decode(raw, SENDER, NOON)) == said(lambda: read_by_schema(raw, SENDER))
