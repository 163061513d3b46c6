"""Who speaks for which unit on which day."""

from datetime import UTC, date, datetime

import pytest

from services.ingest.domain.directory import Device, Directory, RegistrationStatus, Sender, Version
from services.kernel.synthetic import SYNTHETIC

MOVED = [
    Version(date(2026, 1, 1), "U1", None),
    Version(date(2026, 3, 1), "U2", None),
    Version(date(2026, 5, 1), "U2", date(2026, 6, 1)),
]


def unit_of(known: Directory, instant: datetime) -> str | RegistrationStatus:
    sender = known.sender("G1", instant)
    return sender if isinstance(sender, RegistrationStatus) else sender.unit_id


def at(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (datetime(2025, 12, 31, 15, 59, tzinfo=UTC), RegistrationStatus.NOT_YET),
        (datetime(2025, 12, 31, 16, 0, tzinfo=UTC), "U1"),  # midnight in Shanghai
        (at(2, 28, 15), "U1"),
        (at(2, 28, 16), "U2"),
        (at(5, 31, 15), "U2"),
        (at(5, 31, 16), RegistrationStatus.RETIRED),
    ],
)
def test_versions_change_at_midnight_in_shanghai(instant: datetime, expected: str | RegistrationStatus) -> None:
    known = Directory()
    known.put("G1", MOVED)
    assert unit_of(known, instant) == expected


def test_the_day_turns_while_it_is_asked() -> None:
    known = Directory()
    known.put("G1", MOVED)
    assert [unit_of(known, instant) for instant in (at(2, 28, 15), at(2, 28, 16), at(2, 28, 15))] == [
        "U1",
        "U2",
        "U1",
    ]


def test_a_new_record_counts_at_once_and_a_removed_one_no_more() -> None:
    known = Directory()
    known.put("G1", MOVED)
    assert unit_of(known, at(2, 1)) == "U1"
    known.put("G1", [Version(date(2026, 1, 1), "U9", None)])
    assert unit_of(known, at(2, 1)) == "U9"
    known.remove("G1")
    assert unit_of(known, at(2, 1)) is RegistrationStatus.UNKNOWN
    assert len(known) == 0


def test_of_two_versions_from_the_same_day_the_later_one_holds() -> None:
    known = Directory()
    known.put("G1", [Version(date(2026, 1, 1), "U1", None), Version(date(2026, 1, 1), "U2", None)])
    assert unit_of(known, at(2, 1)) == "U2"


def test_asking_for_strangers_costs_no_memory() -> None:
    known = Directory()
    for number in range(1000):
        known.sender(f"X{number}", at(2, 1))
    assert len(known._today) == 0


def device(number: int) -> Device:
    return Device(address=number.to_bytes(6, "little"))


def test_a_device_is_found_by_its_address_while_that_is_its_own() -> None:
    known = Directory()
    known.put(
        "G1", [Version(date(2026, 1, 1), "U1", None, device(1)), Version(date(2026, 3, 1), "U1", None, device(2))]
    )
    one, two = device(1).address or b"", device(2).address or b""
    assert (known.gateway_at(one, at(2, 1)), known.gateway_at(two, at(2, 1))) == ("G1", None)
    assert (known.gateway_at(one, at(4, 1)), known.gateway_at(two, at(4, 1))) == (None, "G1")
    known.remove("G1")
    assert known.gateway_at(two, at(4, 1)) is None
    assert known._addresses == {}


def test_an_address_that_two_gateways_hold_is_nobodys() -> None:
    known = Directory()
    for name in ("G1", "G2"):
        known.put(name, [Version(date(2026, 1, 1), "U1", None, device(1))])
    assert known.gateway_at(device(1).address or b"", at(2, 1)) is None


def test_the_synthetic_gateway_is_in_no_register_and_one_of_the_register_goes_before_it() -> None:
    known = Directory()
    assert known.sender(SYNTHETIC, at(2, 1)) == Sender(SYNTHETIC)
    assert len(known) == 0
    known.put(SYNTHETIC, MOVED)
    assert known.sender(SYNTHETIC, at(2, 1)) == Sender("U1")
    assert known.sender(SYNTHETIC.lower(), at(2, 1)) is RegistrationStatus.UNKNOWN
