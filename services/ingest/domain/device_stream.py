"""What comes over one connection of a device, cut into pieces that can be decided about one by one.

Here only the envelope counts: marks, length, checksum, the shape of the data unit. Whose frame it is and how its
device profile reads it is decided later, for each piece alone; so a connection need not know its profile.
"""

from collections.abc import Iterable
from typing import NamedTuple

from services.ingest.domain.fire_first import carries_fire, may_end_fire
from services.ingest.domain.gb26875 import Decoded, DeviceProfile, Event, StreamDecoder, decode_all

ENVELOPE = DeviceProfile(
    "envelope",
    keepalive_commands=frozenset({0, *range(7, 128)}),
    handshake_adus=frozenset(bytes((code,)) for code in range(128)),
)
"""Lets every command byte and every handshake of one byte pass, since some device profile may allow them."""

_START = b"@@"
_SOURCE = slice(12, 18)


class Piece(NamedTuple):
    """A whole frame, or bytes that are none (`whole` false). Every byte received is in exactly one piece.

    `source`: the six bytes of the source address; of bytes that are no frame it is only what they seem to say, None
    when they are too short for that. `fire`: it goes before all others. `may_end_fire`: it must not be overtaken by
    a later fire, nor overtake an earlier one.
    """

    raw: bytes
    whole: bool
    source: bytes | None
    fire: bool
    may_end_fire: bool


class DeviceStream:
    """The bytes of one connection to pieces, in order. Between calls it holds less than one frame."""

    __slots__ = ("_burned", "_decoder")

    def __init__(self) -> None:
        self._decoder = StreamDecoder(ENVELOPE)
        self._burned = False

    @property
    def pending(self) -> int:
        """Bytes of a frame that has begun and not ended."""
        return self._decoder.pending

    def feed(self, data: bytes) -> list[Piece]:
        return [self._in_order(piece) for piece in _pieces(self._decoder.feed(data))]

    def finish(self) -> list[Piece]:
        """Give up the unfinished frame: return it, and whole frames that its false start hid."""
        return [self._in_order(piece) for piece in _pieces(self._decoder.finish())]

    def _in_order(self, piece: Piece) -> Piece:
        """After a fire, whatever may end one goes the way of the fires too."""
        if piece.fire:
            self._burned = True
        elif self._burned and piece.may_end_fire:
            return piece._replace(fire=True)
        return piece


def pieces_of(datagram: bytes) -> list[Piece]:
    """Return the pieces of one datagram: whole frames, nothing of them in another datagram."""
    return _pieces(decode_all(datagram, ENVELOPE))


def _pieces(events: Iterable[Event]) -> list[Piece]:
    """Return a piece for each frame and each rejection; a long rejection comes as several events, of one piece."""
    pieces: list[Piece] = []
    for event in events:
        if isinstance(event, Decoded):
            frame = event.frame
            pieces.append(Piece(event.raw, True, frame.source_raw, carries_fire(frame), may_end_fire(frame)))
        elif event.continued and pieces and not pieces[-1].whole:
            pieces[-1] = pieces[-1]._replace(raw=pieces[-1].raw + event.raw)
        else:
            seems = event.raw[_SOURCE] if event.raw.startswith(_START) and len(event.raw) >= _SOURCE.stop else None
            pieces.append(Piece(event.raw, False, seems, fire=False, may_end_fire=False))
    return pieces
