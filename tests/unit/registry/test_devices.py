"""Device columns of gateways: profile, address on the wire, networks; and that an address is one gateway's alone."""

from datetime import date
from ipaddress import ip_network

import pytest

from services.registry.domain.cells import BadCell
from services.registry.domain.crosscheck import shared_addresses
from services.registry.domain.devices import (
    IPV4_ADDRESS,
    MAX_POINTS,
    STANDARD,
    device_address,
    device_profile,
    networks,
    points,
    shown_address,
)
from services.registry.domain.entities import Gateway, Version
from services.registry.domain.rows import ParsedRow
from tests.unit.registry.builders import DAY, T0, gateway

JUNE = date(2026, 6, 1)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("1", "010000000000"),
        ("100001", "a18601000000"),
        ("281474976710655", "ffffffffffff"),
        ("10.1.2.3:5200", "0a0102031450"),
        ("raw:A18601000000", "a18601000000"),
    ],
)
def test_an_address_is_its_six_bytes_in_the_order_of_the_wire(text: str, address: str) -> None:
    assert device_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "0", "raw:000000000000", "281474976710656", "-1", "1.5", "a18601000000", "raw:a186", "10.1.2:5200",
        "10.1.2.256:5200", "10.1.2.3:65536", "10.1.2.3", "٣", "0.0.0.0:0", "9" * 4000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(BadCell, match="low byte first"):
        device_address(text)


def test_an_address_is_shown_as_its_profile_writes_it() -> None:
    assert shown_address(device_address("100001"), STANDARD) == "100001"
    assert shown_address(device_address("10.1.2.3:5200"), IPV4_ADDRESS) == "10.1.2.3:5200"


def test_a_profile_is_one_of_ours() -> None:
    assert device_profile("BCD_Time") == "bcd_time"
    with pytest.raises(BadCell, match="one of: standard, bcd_time"):
        device_profile("bcd")


def test_networks_are_separated_as_people_do_and_kept_once() -> None:
    found = networks("10.1.0.0/16；192.0.2.7; fd00::/8 10.1.0.0/16")
    assert found == tuple(ip_network(each) for each in ("10.1.0.0/16", "192.0.2.7/32", "fd00::/8"))


@pytest.mark.parametrize("text", ["10.1.2.3/16", "0.0.0.0/0", "::/0", "ten", "10.0.0.0/33", ";"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(BadCell):
        networks(text)


def test_more_networks_than_the_record_may_hold_are_refused() -> None:
    with pytest.raises(BadCell, match="1 to 16"):
        networks(";".join(f"10.{number}.0.0/16" for number in range(17)))


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("860", 860), ("１２０", 120), (str(MAX_POINTS), MAX_POINTS)])
def test_a_number_of_components_is_a_whole_one(text: str, number: int) -> None:
    assert points(text) == number


@pytest.mark.parametrize(
    "text",
    [
        str(MAX_POINTS + 1), "-1", "+1", "1.5", "120.0", "1e3", "1,200", "1 200", "1_200", "007", "0x10", "120个",
        "约120", "120/80", "=1+1", "NaN", "Infinity", "٣", "1²", "①", "一百", "1\u200b2", "1\n2", "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_number_of_components_is_refused(text: str) -> None:
    with pytest.raises(BadCell, match="whole number from 0 to 100000"):
        points(text)


def held(day: date = DAY, **facts: object) -> Version[Gateway]:
    return Version(gateway(**facts), day, T0)


def shared(*versions: Version[Gateway], row: Version[Gateway]) -> list[str]:
    """Return what is wrong with `row` beside `versions`, all timelines as they would be with it taken."""
    timelines: dict[str, list[Version[Gateway]]] = {}
    for version in (*versions, row):
        timelines.setdefault(version.facts.gateway_id, []).append(version)
    return [error.expected for error in shared_addresses([ParsedRow(2, row.facts, None)], timelines, DAY)]


ADDRESS = "a18601000000"
TAKEN = held(device_address=ADDRESS)


def test_two_gateways_with_one_address_on_one_day_are_refused() -> None:
    (sentence,) = shared(TAKEN, row=held(gateway_id="G2", device_address=ADDRESS))
    assert "G000001 has it" in sentence


@pytest.mark.parametrize(
    "other",
    [
        held(device_address="010000000000"),
        held(device_address=ADDRESS, retired_on=DAY),
        held(date(2026, 1, 1), device_address=ADDRESS, retired_on=JUNE),
    ],
)
def test_an_address_is_free_again_when_its_gateway_is_retired(other: Version[Gateway]) -> None:
    assert shared(other, row=held(JUNE, gateway_id="G2", device_address=ADDRESS)) == []


def test_an_address_may_move_on_a_day() -> None:
    moved = held(JUNE, device_address=None)
    assert shared(TAKEN, moved, row=held(JUNE, gateway_id="G2", device_address=ADDRESS)) == []
    assert shared(TAKEN, moved, row=held(gateway_id="G2", device_address=ADDRESS)) != []


def test_what_overlapped_only_in_the_past_does_not_matter() -> None:
    gone = [held(date(2026, 1, 1), device_address=ADDRESS), held(DAY, device_address=None)]
    assert shared(*gone, row=held(date(2026, 2, 1), gateway_id="G2", device_address=ADDRESS)) == []


def test_two_rows_of_one_file_are_both_told() -> None:
    rows = [ParsedRow(n, gateway(gateway_id=f"G{n}", device_address=ADDRESS), None) for n in (2, 3)]
    timelines = {row.facts.id: [held(gateway_id=row.facts.id, device_address=ADDRESS)] for row in rows}
    assert [error.row for error in shared_addresses(rows, timelines, DAY)] == [2, 3]
