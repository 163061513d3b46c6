"""What the register knows of a device that speaks GB/T 26875.3: how it does, under which address, and from where."""

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network

from services.registry.domain.cells import SEPARATORS, BadCell, half_width
from services.registry.domain.words import Said

Network = IPv4Network | IPv6Network

STANDARD = "standard"
IPV4_ADDRESS = "ipv4_address"
PROFILES = (
    STANDARD, "bcd_time", "keepalive_empty_send", "keepalive_command7", "keepalive_type190", "handshake_version10",
    "zone_point", "point_zone", "circuit_node", "nul_terminated_text", "space_padded_text", "normal_bit_omitted",
    IPV4_ADDRESS,
)  # fmt: skip
"""Names of the device profiles that ingest ships. Services do not import each other: a contract test compares."""

MAX_NETWORKS = 16
MAX_POINTS = 100_000
"""Above every real gateway: a controller has at most 3 200 (GB 50116-2013, 3.1.5). A slip of the hand, such as two
numbers in one cell, would make every rate of this unit's points look good."""
_SIZE = 6
_ENDPOINT = re.compile(r"(\d{1,3}(?:\.\d{1,3}){3}):(\d{1,5})", re.ASCII)
_COUNT = re.compile(r"0|[1-9]\d{0,5}", re.ASCII)
_FULL_WIDTH_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")
_RAW = re.compile(r"raw:([0-9a-f]{12})")
_EXPECTED = Said(
    "a number up to 281474976710655 (low byte first), an address such as 10.1.2.3:5200, or raw: and 12 hex digits",
    "不超过 281474976710655 的数字（低字节在前）、10.1.2.3:5200 这样的地址，或 raw: 加 12 位十六进制数",
)


def device_profile(text: str) -> str:
    folded = text.casefold()
    if folded not in PROFILES:
        raise BadCell(Said(f"one of: {', '.join(PROFILES)}", f"以下之一：{'、'.join(PROFILES)}"))
    return folded


def device_address(text: str) -> str:
    """Return the six address bytes in the order of the wire, as hex.

    A number goes low byte first, an IPv4 address and port in the order in which they are written. Nothing but zeros
    is what a device sends that nobody has set up: it is nobody's own.
    """
    found = _address_bytes(half_width(text).casefold())
    if found is None or not any(found):
        raise BadCell(_EXPECTED)
    return found.hex()


def _address_bytes(text: str) -> bytes | None:
    if match := _RAW.fullmatch(text):
        return bytes.fromhex(match[1])
    if match := _ENDPOINT.fullmatch(text):
        try:
            return IPv4Address(match[1]).packed + int(match[2]).to_bytes(2, "big")
        except (ValueError, OverflowError):
            return None
    if text.isascii() and text.isdecimal() and len(text) <= 15 and int(text) < 1 << 8 * _SIZE:
        return int(text).to_bytes(_SIZE, "little")
    return None


def shown_address(address: str, profile: str) -> str:
    """Return an address as people write it for a device of that profile."""
    raw = bytes.fromhex(address)
    if profile == IPV4_ADDRESS:
        return f"{IPv4Address(raw[:4])}:{int.from_bytes(raw[4:], 'big')}"
    return str(int.from_bytes(raw, "little"))


def networks(text: str) -> tuple[Network, ...]:
    """Return networks in CIDR form, each once; an address alone is a network of one."""
    found: list[Network] = []
    for part in SEPARATORS.split(text):
        if part:
            found.append(_network(part))
    unique = tuple(dict.fromkeys(found))
    if not 1 <= len(unique) <= MAX_NETWORKS:
        raise BadCell(Said(f"1 to {MAX_NETWORKS} networks", f"1 至 {MAX_NETWORKS} 个网段"))
    return unique


def _network(text: str) -> Network:
    try:
        network = ip_network(text)
    except ValueError:
        network = None
    # The whole internet would vouch for nobody: ingest takes the place a call comes from for the caller's word.
    if network is None or network.prefixlen == 0:
        raise BadCell(
            Said(
                "networks such as 10.1.0.0/16; 192.0.2.7, without host bits and longer than /0",
                "网段或地址，例如 10.1.0.0/16；192.0.2.7（主机位为 0，且不能是 /0）",
            )
        )
    return network


def points(text: str) -> int:
    """Return how many components are registered: 0 to `MAX_POINTS`. Full-width digits are read as they are meant."""
    plain = text.translate(_FULL_WIDTH_DIGITS)
    if not _COUNT.fullmatch(plain) or int(plain) > MAX_POINTS:
        raise BadCell(
            Said(
                f"a whole number from 0 to {MAX_POINTS}, in digits alone; empty when not known",
                f"0 至 {MAX_POINTS} 的整数（只写数字；不清楚时留空）",
            )
        )
    return int(plain)
