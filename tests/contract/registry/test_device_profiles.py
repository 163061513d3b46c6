"""The registry and ingest name the same device profiles, and write the same addresses."""

import pytest

from services.ingest.domain.gb26875 import PROFILES, AddressForm
from services.ingest.domain.gb26875.values import address_bytes, ipv4_endpoint
from services.registry.domain import devices


def test_registry_offers_exactly_what_ingest_ships() -> None:
    assert set(devices.PROFILES) == set(PROFILES)
    assert len(devices.PROFILES) == len(PROFILES)


def test_the_profile_whose_addresses_are_endpoints_is_the_one_that_the_registry_shows_so() -> None:
    assert [name for name in PROFILES if PROFILES[name].address_form is AddressForm.IPV4_PORT] == [devices.IPV4_ADDRESS]


@pytest.mark.parametrize("number", [1, 100_001, (1 << 48) - 1])
def test_a_number_is_the_number_of_the_frame(number: int) -> None:
    assert devices.device_address(str(number)) == address_bytes(number).hex()


def test_an_endpoint_is_the_endpoint_of_the_frame() -> None:
    assert ipv4_endpoint(bytes.fromhex(devices.device_address("10.1.2.3:5200"))) == "10.1.2.3:5200"
