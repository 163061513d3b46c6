"""Who calls without a broker is believed by its network or its certificate, and by its word only where that was set."""

from datetime import date
from ipaddress import ip_network

import pytest

from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Device, Directory, Version
from services.ingest.domain.values import Accepted, Arrival, Claim, Format, Refused, Route
from services.kernel.words import Lane, RefusalReason, Transport
from tests.unit.ingest.build import DECODERS, NOON

ADDRESS = bytes.fromhex("a18601000000")
KEEPALIVE = bytes.fromhex("404001000100000c0f010601a186010000000a0000000000000002" + "00" + "2323")
ROUTE = Route(Lane.UP, Transport.TCP_GB26875, Format.GB26875)


def decided(claim: Claim, *networks: str) -> Accepted | Refused:
    known = Directory()
    device = Device("standard", ADDRESS, tuple(ip_network(network) for network in networks))
    known.put("G000001", [Version(date(2026, 1, 1), "U000001", None, device)])
    frame = bytearray(KEEPALIVE)
    frame[-3] = sum(frame[2:-3]) & 0xFF
    return decide(Arrival(1, 1, "tcp/10.0.0.7:4711", bytes(frame), NOON, claim=claim), known, DECODERS)


@pytest.mark.parametrize(
    ("claim", "networks"),
    [
        (Claim("G000001", ROUTE, "10.0.0.7"), ["10.0.0.0/24"]),
        (Claim("G000001", ROUTE, "10.0.0.7", certified="G000001"), []),
        (Claim("G000001", ROUTE, "10.0.0.7", certified="G000001"), ["10.0.0.0/24"]),
        (Claim("G000001", ROUTE, "10.0.0.7", trusted=True), []),
    ],
)
def test_a_device_is_believed_by_network_or_certificate_or_where_words_are_enough(
    claim: Claim, networks: list[str]
) -> None:
    assert isinstance(decided(claim, *networks), Accepted)


@pytest.mark.parametrize(
    ("claim", "networks", "why"),
    [
        (Claim("G000001", ROUTE, "10.0.0.7"), [], "anybody could be it"),
        (Claim("G000001", ROUTE, "10.0.1.7"), ["10.0.0.0/24"], "not registered to call from 10.0.1.7"),
        (Claim("G000001", ROUTE, "10.0.1.7", trusted=True), ["10.0.0.0/24"], "not registered to call from"),
        (Claim("G000001", ROUTE, "10.0.1.7", certified="G000001"), ["10.0.0.0/24"], "not registered to call from"),
        (Claim("G000001", ROUTE, "10.0.0.7", certified="G000002"), ["10.0.0.0/24"], "not that of gateway G000001"),
        (Claim("G000001", ROUTE, "10.0.0.7", certified="G000002", trusted=True), [], "not that of gateway G000001"),
    ],
)
def test_whoever_cannot_be_the_gateway_is_refused_with_the_reason(claim: Claim, networks: list[str], why: str) -> None:
    outcome = decided(claim, *networks)
    assert isinstance(outcome, Refused)
    assert (outcome.reason, outcome.replies) == (RefusalReason.IDENTITY_MISMATCH, ())
    assert why in outcome.detail


def test_an_address_that_nobody_has_is_an_unknown_gateway() -> None:
    outcome = decided(Claim("", ROUTE, "10.0.0.7"))
    assert isinstance(outcome, Refused)
    assert outcome.reason is RefusalReason.UNKNOWN_GATEWAY
