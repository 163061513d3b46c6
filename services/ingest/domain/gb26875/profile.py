"""What real devices do differently, as data: a device profile is chosen by a person, never guessed.

Two tolerances are no option and hold for every profile: an impossible time label never costs the
frame (the label is None, its bytes are kept), and no status flag ever costs an alarm.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

MAX_ADU = 1024


class TimeCoding(StrEnum):
    """How each byte of a time label is written. The standard says binary."""

    BINARY = "binary"
    BCD = "bcd"


class ComponentOrder(StrEnum):
    """What the two low-byte-first words of a component address mean. The standard says nothing."""

    PLAIN = "plain"
    ZONE_POINT = "zone_point"
    POINT_ZONE = "point_zone"
    CIRCUIT_NODE = "circuit_node"


class AddressForm(StrEnum):
    """What the six address bytes hold: a number, or an IPv4 address and a port in wire order."""

    NUMBER = "number"
    IPV4_PORT = "ipv4_port"


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """How one make of device reads the standard.

    time_coding            bytes of every time label and clock
    utc_offset             zone of the device's clock; Beijing time in practice
    component_order        meaning of the words of a component address
    address_form           meaning of the six source and destination bytes
    text_pad               the byte to pad our texts with
    normal_bit_omitted     never sets bit 0 of a status: clear does not mean test
    keepalive_empty_send   command 2 without data unit is its keep-alive
    keepalive_commands     reserved command bytes that are its keep-alive
    registration_commands  reserved command bytes that are its registration
    keepalive_types        user data unit types (128-254) that are its keep-alive
    handshake_adus         whole data units of unassigned type that are its handshake
    main_versions          main version bytes expected; others are accepted and noted
    user_versions          user version bytes expected; None for any
    send_version           main and user version for frames that we begin
    adu_limit              bytes, at most 1024
    """

    name: str
    time_coding: TimeCoding = TimeCoding.BINARY
    utc_offset: timedelta = timedelta(hours=8)
    component_order: ComponentOrder = ComponentOrder.PLAIN
    address_form: AddressForm = AddressForm.NUMBER
    text_pad: bytes = b"\x00"
    normal_bit_omitted: bool = False
    keepalive_empty_send: bool = False
    keepalive_commands: frozenset[int] = frozenset()
    registration_commands: frozenset[int] = frozenset()
    keepalive_types: frozenset[int] = frozenset()
    handshake_adus: frozenset[bytes] = frozenset()
    main_versions: frozenset[int] = frozenset({1})
    user_versions: frozenset[int] | None = None
    send_version: tuple[int, int] = (1, 0)
    adu_limit: int = MAX_ADU

    def __post_init__(self) -> None:
        """Raise ValueError for a profile that would contradict the standard's assigned codes (5.3)."""
        if not 1 <= self.adu_limit <= MAX_ADU:
            raise ValueError(f"adu_limit must be 1 to {MAX_ADU}, got {self.adu_limit}")
        if self.text_pad not in {b"\x00", b" "}:
            raise ValueError(f"text_pad must be a NUL or a space, got {self.text_pad!r}")
        for command in self.keepalive_commands | self.registration_commands:
            if command != 0 and not 7 <= command <= 255:
                raise ValueError(f"command {command} has a meaning in the standard")
        for code in self.keepalive_types:
            if not 128 <= code <= 254:
                raise ValueError(f"type {code} is not a user-defined type")
        if not all(0 <= version <= 255 for version in self.send_version):
            raise ValueError(f"send_version must be two bytes, got {self.send_version}")
        if not all(1 <= len(adu) <= self.adu_limit for adu in self.handshake_adus):
            raise ValueError("a handshake data unit must have 1 to adu_limit bytes")

    def allows_command(self, command: int) -> bool:
        """Say whether a command byte is known: the standard's six, the user range, or one named here."""
        return (
            1 <= command <= 6
            or command >= 128
            or command in self.keepalive_commands
            or command in self.registration_commands
        )


STANDARD = DeviceProfile("standard")

PROFILES: Mapping[str, DeviceProfile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            STANDARD,
            DeviceProfile("bcd_time", time_coding=TimeCoding.BCD),
            DeviceProfile("keepalive_empty_send", keepalive_empty_send=True),
            DeviceProfile(
                "keepalive_command7",
                keepalive_commands=frozenset({7}),
                registration_commands=frozenset({0}),
                adu_limit=512,
            ),
            DeviceProfile("keepalive_type190", keepalive_types=frozenset({190})),
            DeviceProfile(
                "handshake_version10",
                handshake_adus=frozenset({b"\x16", b"\x17"}),
                main_versions=frozenset({0x10}),
                user_versions=frozenset({0}),
                send_version=(0x10, 0),
            ),
            DeviceProfile("zone_point", component_order=ComponentOrder.ZONE_POINT),
            DeviceProfile("point_zone", component_order=ComponentOrder.POINT_ZONE),
            DeviceProfile("circuit_node", component_order=ComponentOrder.CIRCUIT_NODE),
            DeviceProfile("nul_terminated_text"),  # reads like the standard; the register may name it
            DeviceProfile("space_padded_text", text_pad=b" "),
            DeviceProfile("normal_bit_omitted", normal_bit_omitted=True),
            DeviceProfile("ipv4_address", address_form=AddressForm.IPV4_PORT),
        )
    }
)


def profile_named(name: str) -> DeviceProfile:
    """Return a shipped profile. Raises KeyError for a name that is none: a typo must not become `standard`."""
    return PROFILES[name]
