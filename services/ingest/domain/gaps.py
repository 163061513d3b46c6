"""How many messages of each gateway never came: its own numbering shows loss in front of us.

A broker's acknowledgement is not durability, so this is the only evidence there is of what it lost.
"""

WINDOW = 8
"""A number that is still missing when one this much higher has come is counted as lost: the fire lane overtakes."""

LARGEST_JUMP = 1_000_000
"""A jump beyond this is a gateway that was set anew, not a loss."""

_SEEN_ALL = (1 << WINDOW) - 1


class GapWatch:
    """Follows `seq` per gateway. Memory: one entry per gateway that was heard."""

    def __init__(self) -> None:
        self._heard: dict[str, tuple[int, int]] = {}

    def heard(self, gateway_id: str, seq: int) -> int:
        """Take in a number; return how many messages are known to be lost since the call before (mostly 0).

        A number that was seen, or that is older than the window but near, changes nothing. A number far back means
        that the gateway started its count anew; nothing is lost then.
        """
        known = self._heard.get(gateway_id)
        if known is None:
            self._heard[gateway_id] = (seq, _SEEN_ALL)
            return 0
        highest, seen = known
        step = seq - highest
        if step == 1 and seen == _SEEN_ALL:  # the common case, without arithmetic on the bits
            self._heard[gateway_id] = (seq, seen)
            return 0
        if step <= 0:
            self._behind(gateway_id, seq, highest, seen)
            return 0
        if step > LARGEST_JUMP:
            self._heard[gateway_id] = (seq, _SEEN_ALL)
            return 0
        return self._ahead(gateway_id, seq, step, seen)

    def _behind(self, gateway_id: str, seq: int, highest: int, seen: int) -> None:
        back = highest - seq
        if back < WINDOW:
            self._heard[gateway_id] = (highest, seen | 1 << back)
        elif back > 16 * WINDOW or seq == 0:
            self._heard[gateway_id] = (seq, _SEEN_ALL)

    def _ahead(self, gateway_id: str, seq: int, step: int, seen: int) -> int:
        """Shift the window on to `seq`; bit n of `seen` stands for the number n below the highest."""
        if step >= WINDOW:
            lost = WINDOW - seen.bit_count() + step - WINDOW
            self._heard[gateway_id] = (seq, 1)
            return lost
        shifted = (seen << step) | 1
        fallen = shifted >> WINDOW
        self._heard[gateway_id] = (seq, shifted & _SEEN_ALL)
        return step - fallen.bit_count()
