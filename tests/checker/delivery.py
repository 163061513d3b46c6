"""From the publisher's ledger to the signals topic: nothing acknowledged is lost, nothing is made up or reordered."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.checker import told


def name_of(gateway_id: str, lane: str, seq: object, kind: str) -> str:
    """Return what names a message of the publisher: it counts, and the id of a signal is that of one reception."""
    return f"{gateway_id}/{lane}/{seq}/{kind}"


@dataclass(frozen=True, slots=True)
class Sent:
    """One line of the ledger. `acked` None: the broker never answered, so the message may or may not have arrived."""

    name: str
    gateway_id: str
    seq: int
    kind: str
    lane: str
    sent_at: float
    acked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """One signal as it stands on the topic, in log order."""

    name: str
    gateway_id: str
    seq: int | None
    lane: str


def check_delivery(ledger: Iterable[Sent], stored: Sequence[Stored], refused: Iterable[str]) -> list[str]:
    """Hold the ledger against the signals topic. `refused` are the names of refused messages."""
    sent = {one.name: one for one in ledger}
    parked = set(refused)
    known = {one.name for one in stored}
    found = known | parked
    lost = [one for one in sent.values() if one.acked_at is not None and one.name not in found]
    return [
        *told("acknowledged, but neither stored nor refused", lost),
        *told("stored, but never sent", sorted(known - set(sent))),
        *told("refused although good", sorted(parked & set(sent))),
        *told("out of order", _reordered(stored)),
    ]


def _reordered(stored: Sequence[Stored]) -> Iterable[str]:
    """Yield where a gateway's first copies do not stand in the order of their numbers, lane by lane."""
    firsts: dict[tuple[str, str], list[int]] = {}
    met: set[str] = set()
    for one in stored:
        if one.seq is not None and one.name not in met:
            met.add(one.name)
            firsts.setdefault((one.gateway_id, one.lane), []).append(one.seq)
    for (gateway_id, lane), numbers in firsts.items():
        for before, after in pairwise(numbers):
            if after < before:
                yield f"{gateway_id}/{lane}: {after} after {before}"


def copies(stored: Sequence[Stored]) -> int:
    """Return how many records of the topic are repeats: allowed on the wire, without effect behind it."""
    return len(stored) - len({one.name for one in stored})


def check_account(samples: Mapping[tuple[str, str], float]) -> list[str]:
    """Check `received = stored + repeated + refused + handed back + in flight` of each lane. Keys: (metric, lane)."""
    wrong = []
    for lane in sorted({lane for _, lane in samples}):
        counters = {metric: value for (metric, of), value in samples.items() if of == lane}
        left = sum(counters[name] for name in ("stored", "repeated", "refused", "handed_back", "in_flight"))
        if counters["received"] != left:
            wrong.append(f"{lane}: {counters}")
    return told("ingest's counters do not balance", wrong)
