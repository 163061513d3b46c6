"""The short way of reading the registry says exactly what the codec says, and lets everything else go the long way."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.registry import GatewayRecord, GatewayVersion, RegistryData, RegistryEvent, UnitRecord, UnitVersion
from services.kernel.words import Construction
from services.rules.adapters.registry_plain import read, read_plain
from services.rules.adapters.registry_records import Gateways, Units, read_any
from tests.integration.rules.harness import gateway_record, pack_record, registry_event, unit_record

identifiers = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
instants = st.datetimes(
    min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
days = st.none() | st.dates()
phones = st.none() | st.from_regex(r"[0-9]{3,12}(-[0-9]{1,10}){0,2}", fullmatch=True)
exemptions = st.just((None, None, None)) | st.tuples(st.dates(), st.just(date.max), texts)


@st.composite
def unit_versions(draw: st.DrawFn) -> UnitVersion:
    begin, end, reason = draw(exemptions)
    values: dict[str, Any] = {name: draw(identifiers) for name in ("unit_id", "district", "town", "category")}
    values |= {name: draw(texts) for name in ("name", "name_en", "community", "address", "route_clause")}
    values |= {name: draw(days) for name in ("accepted_on", "commissioned_on", "retired_on")}
    values |= {name: draw(st.booleans()) for name in ("key_unit", "auto_fire_facilities", "crowded_place")}
    values |= {name: draw(st.booleans()) for name in ("flammable_place", "fire_alarm_system", "routed")}
    values |= {name: draw(st.lists(identifiers, max_size=3)) for name in ("also_told", "copy_departments")}
    values |= {name: draw(phones) for name in ("control_room_phone", "responsible_phone")}
    placed = draw(st.booleans())
    return UnitVersion(
        address_en=draw(texts),
        longitude=draw(st.floats(73, 136)) if placed else None,
        latitude=draw(st.floats(3, 54)) if placed else None,
        responsible_person=draw(st.none() | texts),
        valid_from=draw(st.dates()),
        recorded_at=draw(instants),
        construction=draw(st.sampled_from(Construction)),
        exempt_from=begin,
        exempt_until=end,
        exempt_reason=reason,
        profile=draw(st.none() | identifiers),
        lead_department=draw(identifiers),
        **values,
    )


@st.composite
def gateway_versions(draw: st.DrawFn) -> GatewayVersion:
    return GatewayVersion(
        valid_from=draw(st.dates()),
        recorded_at=draw(instants),
        gateway_id=draw(identifiers),
        unit_id=draw(identifiers),
        carrier=draw(identifiers),
        vendor=draw(texts),
        device_profile=draw(st.none() | identifiers),
        device_address=draw(st.none() | st.from_regex(r"[0-9a-f]{12}", fullmatch=True)),
        networks=draw(st.just([]) | st.just(["192.0.2.0/24"])),
        points=draw(st.none() | st.integers(0, 10**6)),
        retired_on=draw(days),
    )


records = st.builds(
    UnitRecord, id=identifiers, versions=st.lists(unit_versions(), min_size=1, max_size=3).map(tuple)
) | st.builds(GatewayRecord, id=identifiers, versions=st.lists(gateway_versions(), min_size=1, max_size=3).map(tuple))


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(record=records, name=texts.filter(bool), subject=st.none() | texts, at=instants)
def test_whatever_our_encoder_writes_both_ways_agree(
    record: UnitRecord | GatewayRecord, name: str, subject: str | None, at: datetime
) -> None:
    raw = codec.registry.encode(
        RegistryEvent(id=name, source="/registry", subject=subject, time=at, data=RegistryData(record=record))
    )
    assert read(raw, 1.0) == read_any(raw, 1.0)


def test_units_and_gateways_go_the_short_way() -> None:
    exempt = {"exempt_from": date(2026, 5, 1), "exempt_until": date(2026, 5, 9), "exempt_reason": "大修"}
    unit = unit_record("U1", copy_departments=("a", "b"), also_told=("c",), profile="CN-FAST", **exempt)
    unit = UnitRecord(id="U1", versions=unit.versions + unit_record("U1", construction="renovated").versions)
    for record, kind in ((unit, Units), (gateway_record("G", "U2"), Gateways)):
        raw = registry_event(record)
        assert isinstance(read_plain(raw), kind)
        assert read_plain(raw) == read_any(raw, 1.0)


def test_a_unit_of_before_there_were_telephones_goes_the_short_way_too() -> None:
    said = registry_event(unit_record("U1"))
    before = said.replace(b'"control_room_phone":null,"responsible_person":null,"responsible_phone":null,', b"")
    before = before.replace(b'"address_en":"","longitude":null,"latitude":null,', b"")
    assert before != said
    assert read_plain(before) == read_plain(said) is not None


def test_a_gateway_of_before_points_were_registered_goes_the_short_way_too() -> None:
    raw = registry_event(gateway_record("G", "U2"))
    before = raw.replace(b'"points":null,', b"")
    assert before != raw
    assert read_plain(before) == read_plain(raw) is not None


def test_a_pack_goes_the_long_way() -> None:
    assert read_plain(registry_event(pack_record())) is None


BENDS: list[tuple[str, str]] = [
    ('"1.0"', '"1.1"'),
    ('"/registry"', '"/rules"'),
    ('"2026-01-01"', '"2026-02-30"'),
    ('"2026-01-01"', '"0000-01-01"'),
    ('"2026-01-01T00:00:00Z"', '"2026-01-01T24:00:00Z"'),
    ('"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00.5Z"'),
    ('"2026-01-01T00:00:00Z"', '"2026-01-01T08:00:00+08:00"'),
    ('"2026-01-01T00:00:00Z"', '"2026-01-01T00:00:00"'),
    ('"unit_id":"U1"', '"unit_id":"-U1"'),
    ('"town":"town-1"', '"town":"镇"'),
    ('"name":"医院 U1"', '"name":"\\u533b"'),
    ('"name":"医院 U1"', '"name":"a\tb"'),
    ('"name":"医院 U1"', f'"name":"{"院" * 200}"'),
    ('"name":"医院 U1"', f'"name":"{"院" * 201}"'),
    ('"key_unit":true', '"key_unit":1'),
    ('"construction":"existing"', '"construction":"new"'),
    ('"exempt_from":null', '"exempt_from":"2026-01-01"'),
    ('"exempt_reason":null', '"exempt_reason":"x","exempt_reason":null'),
    ('"also_told":[]', '"also_told":["a",]'),
    ('"copy_departments":[]', '"copy_departments":["a" ]'),
    ('"routed":true', '"routed":true,"more":1'),
    ('"versions":[{', '"versions":[{},{'),
    ("}]}}", "},]}}"),
    ("}]}}", "}]}} "),
    ('.v1"}', '.v1"}}'),
    ('.v1"}', '.v2"}'),
]


@pytest.mark.parametrize(("old", "new"), BENDS)
def test_a_bent_record_is_taken_or_refused_alike(old: str, new: str) -> None:
    raw = registry_event(unit_record("U1"))
    bent = raw.replace(old.encode(), new.encode())
    assert bent != raw
    assert outcome(read, bent) == outcome(read_any, bent)


def test_an_exemption_that_ends_before_it_begins_is_refused() -> None:
    exempt = {"exempt_from": date(2026, 5, 1), "exempt_until": date(2026, 5, 9), "exempt_reason": "大修"}
    raw = registry_event(unit_record("U1", **exempt)).replace(b"2026-05-09", b"2026-04-09")
    assert outcome(read, raw) == outcome(read_any, raw) == "refused"


def test_bytes_that_are_not_utf8_are_refused() -> None:
    raw = registry_event(unit_record("U1")).replace("医".encode(), b"\xff")
    assert outcome(read, raw) == outcome(read_any, raw) == "refused"


def outcome(way: Any, raw: bytes) -> object:
    try:
        return way(raw, 1.0)
    except codec.BadRecord:
        return "refused"
