"""Makes of GB/T 26875.3 devices: how each reads the standard in its own way. The registry calls it a device profile."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class KeepAlive(StrEnum):
    """What a make sends to show that it lives; the standard has nothing for that."""

    STATUS = "status"
    CLOCK = "clock"
    EMPTY_SEND = "empty_send"
    COMMAND_7 = "command_7"
    TYPE_190 = "type_190"
    HANDSHAKE = "handshake"


@dataclass(frozen=True, slots=True)
class Make:
    """`point_first`: the low word of a component address is the point, not its zone.

    `pad` fills up a description, after `stray`: bytes that an older, longer text left. `announces`: says something
    when it has connected. `normal_bit`: sets bit 0 of a status while it is not under test.
    """

    name: str
    keepalive: KeepAlive = KeepAlive.STATUS
    announces: bool = False
    bcd: bool = False
    versions: tuple[int, int] = (1, 0)
    point_first: bool = False
    stray: bytes = b""
    pad: bytes = b"\x00"
    normal_bit: bool = True
    ipv4: bool = False

    def address(self, number: int) -> bytes:
        """Return the six address bytes, in the order of the wire, of this make's device `number` (24 bits)."""
        if self.ipv4:
            return b"\x0a" + number.to_bytes(3, "big") + (5200).to_bytes(2, "big")
        return number.to_bytes(6, "little")


MAKES: Mapping[str, Make] = {
    make.name: make
    for make in (
        Make("standard"),
        Make("bcd_time", bcd=True),
        Make("keepalive_empty_send", KeepAlive.EMPTY_SEND),
        Make("keepalive_command7", KeepAlive.COMMAND_7, announces=True),
        Make("keepalive_type190", KeepAlive.TYPE_190),
        Make("handshake_version10", KeepAlive.HANDSHAKE, announces=True, versions=(0x10, 0)),
        Make("zone_point"),
        Make("point_zone", point_first=True),
        Make("circuit_node", KeepAlive.CLOCK),
        Make("nul_terminated_text", stray=b"\x00old text"),
        Make("space_padded_text", pad=b" "),
        Make("normal_bit_omitted", normal_bit=False),
        Make("ipv4_address", ipv4=True),
    )
}
