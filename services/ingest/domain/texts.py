"""What modules say on a line of their own accord: `heart`, a number of theirs, a greeting. Kept once, counted after.

A 4G module says such a word every half minute between the frames of the device behind it. It is no frame, so it is a
refusal; the same one for the three thousandth time tells nobody anything.
"""

import re
from collections import OrderedDict
from typing import NamedTuple

LONGEST = 64
MAX_TEXTS = 16
"""Texts that are told apart of one gateway; whoever says more different ones says rubbish."""
MAX_SENDERS = 10_000
AGAIN_AFTER_S = 24 * 3600
"""Once a day a text that goes on is kept again, with how often it was said."""

_NUMBERS = re.compile(rb"\d+")
_START = b"@@"


class TextDecision(NamedTuple):
    """`keep`: it is worth a refusal, which stands for `before` more that were only counted."""

    keep: bool
    before: int = 0


KEPT = TextDecision(keep=True)


class _KnownText:
    __slots__ = ("count", "kept_at")

    def __init__(self, kept_at: float) -> None:
        self.kept_at = kept_at
        self.count = 0


class ModuleTexts:
    """Remembers which texts each sender, a gateway or an address, has said. `now` is of a monotonic clock."""

    def __init__(self) -> None:
        self._said: OrderedDict[str, dict[bytes, _KnownText]] = OrderedDict()

    def hear(self, sender: str, raw: bytes, now: float) -> TextDecision:
        """Take in a text, and say whether it is to be kept."""
        texts = self._said.get(sender)
        if texts is None:
            texts = self._said[sender] = {}
            if len(self._said) > MAX_SENDERS:
                self._said.popitem(last=False)
        else:
            self._said.move_to_end(sender)
        name = _NUMBERS.sub(b"0", raw.strip())
        text = texts.get(name)
        if text is None:
            if len(texts) < MAX_TEXTS:
                texts[name] = _KnownText(now)
            return KEPT
        if now - text.kept_at < AGAIN_AFTER_S:
            text.count += 1
            return TextDecision(keep=False)
        before, text.count, text.kept_at = text.count, 0, now
        return TextDecision(keep=True, before=before)


def may_be_text(raw: bytes) -> bool:
    """Say whether bytes that are no frame may be what a module says: short, and nothing like a frame."""
    return len(raw) <= LONGEST and _START not in raw
