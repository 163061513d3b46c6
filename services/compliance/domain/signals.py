"""Signals as facts, and which of them count (R8 to R11)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.kernel.words import CountsAsTest, SignalKind

Pair = tuple[str, str]
"""(gateway id, unit id)"""


class SignalFact(NamedTuple):
    """`received`: the event's `time`. `key`: source and id. `address` is None for the whole gateway."""

    key: tuple[str, str]
    received: int
    pair: Pair
    kind: str
    flags: frozenset[str] = frozenset()
    seq: int | None = None
    occurred_at: int | None = None
    first_received_at: int | None = None
    system: str = ""
    address: str | None = None
    restores: str | None = None

    @property
    def is_proof(self) -> bool:
        return self.kind not in ("gap", "link_down") and not self.flags & {"retained", "replayed"}

    @property
    def is_last_will(self) -> bool:
        return self.kind == "link_down" and not self.flags & {"retained", "replayed"}

    def is_test(self, counts: CountsAsTest) -> bool:
        """Tell whether it meets a duty to test (R45)."""
        return counts.is_met_by(SignalKind(self.kind)) and not self.flags & {"retained", "replayed"}

    @property
    def is_heartbeat(self) -> bool:
        """Tell whether it counts for the completeness of data (R30)."""
        return self.kind == "heartbeat" and not self.flags & {"repeated", "replayed", "retained"}


def counting(facts: Iterable[SignalFact], watermark: int | None) -> Mapping[Pair, list[SignalFact]]:
    """Return, by pair, the earliest of each key, received before the watermark; none without a watermark."""
    earliest: dict[tuple[str, str], SignalFact] = {}
    for fact in facts:
        held = earliest.get(fact.key)
        if held is None or fact.received < held.received:
            earliest[fact.key] = fact
    found: dict[Pair, list[SignalFact]] = defaultdict(list)
    for fact in earliest.values():
        if watermark is not None and fact.received < watermark:
            found[fact.pair].append(fact)
    return found
