"""The book of what devices said, matched with what stands on the signals topic: message by message, by content.

Ids are ingest's own; what a device said is known by its words alone. Devices whose counter and clock begin anew after
each boot say the very same words again: those are told apart by their order.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.checker import Account

SLACK_S = 0.5
"""Two clocks read at the two ends of one machine."""
LONGEST_WAY_S = 200.0
"""So long may a message be on its way, through brokers that stand still and an ingest that is away."""
BROKER_HOLDS = 400
"""Messages of a lane that may be stored out of their order around the moment at which the broker dies."""


@dataclass(frozen=True, slots=True)
class Words:
    """All that a message says. Equal words of one device can only be told apart by when they came."""

    gateway: str
    lane: str
    kind: str
    seq: int | None
    occurred_at: float | None
    point: str | None = None
    restores: str | None = None
    text: str | None = None


@dataclass(slots=True)
class Spoken:
    """One message of the book, in the order of publishing. Times are seconds since 1970.

    `due_at` is when the device said it, `sent_at` when it was handed to the connection, `acked_at` when the broker
    acknowledged it. `skipped` are the numbers left out right before it. `boots` says that its device begins anew,
    `again` that it was sent once more much later, by the device itself.
    """

    number: int
    unit: str
    words: Words
    due_at: float
    skipped: int = 0
    boots: bool = False
    sent_at: float | None = None
    acked_at: float | None = None
    again: bool = False

    def __str__(self) -> str:
        what = self.words
        about = "".join(f" {one}" for one in (what.restores, what.point) if one)
        return f"#{self.number} {what.gateway}/{what.lane} {what.kind}{about} seq {what.seq} due {self.due_at:.2f}"


@dataclass(frozen=True, slots=True)
class Kept:
    """One signal as it stands on the topic. `place` is partition and offset, `received_at` is ingest's time."""

    signal_id: str
    unit: str
    words: Words
    received_at: float
    place: tuple[int, int]


@dataclass(slots=True)
class Matched:
    """`copies` of each message by its number; `strangers` stand on the topic and were never said."""

    copies: dict[int, list[Kept]] = field(default_factory=dict)
    strangers: list[Kept] = field(default_factory=list)

    def ids(self, one: Spoken) -> list[str]:
        return [copy.signal_id for copy in self.copies.get(one.number, ())]

    def received_at(self, one: Spoken) -> float:
        return min(copy.received_at for copy in self.copies[one.number])


def match(book: Iterable[Spoken], kept: Iterable[Kept]) -> Matched:
    """Give each signal of the topic to the message that it is a copy of."""
    said: dict[Words, list[Spoken]] = defaultdict(list)
    for one in book:
        if one.sent_at is not None:
            said[one.words].append(one)
    matched = Matched()
    for copy in sorted(kept, key=lambda one: one.received_at):
        same = said.get(copy.words)
        if same is None or copy.unit != same[0].unit:
            matched.strangers.append(copy)
        else:
            matched.copies.setdefault(_which(same, copy, matched).number, []).append(copy)
    return matched


def _which(same: Sequence[Spoken], copy: Kept, matched: Matched) -> Spoken:
    """Return which of the messages of these words this is: the last that was sent by then and has no copy yet."""
    if len(same) == 1:
        return same[0]
    by_then = [one for one in same if (one.sent_at or 0.0) <= copy.received_at + SLACK_S] or [same[0]]
    fresh = [one for one in by_then if one.number not in matched.copies]
    late = [one for one in fresh if copy.received_at - (one.sent_at or 0.0) <= LONGEST_WAY_S]
    return late[-1] if late else by_then[-1]


@dataclass(frozen=True, slots=True)
class Lost:
    """Acknowledged and not stored: what the broker held in memory when it was killed, and the rest."""

    with_broker: Sequence[Spoken]
    by_us: Sequence[Spoken]

    @property
    def numbers(self) -> set[int]:
        return {one.number for one in (*self.with_broker, *self.by_us)}


def find_lost(book: Sequence[Spoken], matched: Matched, broker_kills: Sequence[float]) -> Lost:
    """Part what is missing. A broker that dies takes the end of each lane with it: nothing behind that was stored."""
    acked = [one for one in book if one.acked_at is not None]
    missing = [one for one in acked if one.number not in matched.copies]
    excused: set[int] = set()
    for killed_at in broker_kills:
        for lane in {one.words.lane for one in missing}:
            stored_behind = 0
            for one in sorted((o for o in acked if o.words.lane == lane and _by(o, killed_at)), key=_backwards):
                if one.number in matched.copies:
                    stored_behind += 1
                    if stored_behind > BROKER_HOLDS:
                        break
                else:
                    excused.add(one.number)
    return Lost(
        [one for one in missing if one.number in excused], [one for one in missing if one.number not in excused]
    )


def _by(one: Spoken, instant: float) -> bool:
    return one.acked_at is not None and one.acked_at <= instant + SLACK_S


def _backwards(one: Spoken) -> int:
    return -one.number


def check_kept(book: Sequence[Spoken], matched: Matched, lost: Lost, refused: Sequence[str]) -> list[Account]:
    """Every acknowledged message stands in Kafka as it was published, in the order of its device, and nothing else."""
    acked = [one for one in book if one.acked_at is not None]
    unanswered = [one for one in book if one.sent_at is not None and one.acked_at is None]
    return [
        Account("acknowledged messages that stand in Kafka as published", len(acked), lost.by_us),
        Account(
            "... that the embedded broker held in memory when it was killed", len(acked), lost.with_broker, counts=False
        ),
        Account("signals in Kafka that nobody published so", len(matched.copies), matched.strangers),
        Account("good messages that were refused", len(acked), refused),
        Account("first copies that stand out of their device's order", len(matched.copies), _reordered(book, matched)),
        Account("messages that the broker never acknowledged", len(book), unanswered),
    ]


def _reordered(book: Sequence[Spoken], matched: Matched) -> list[str]:
    """Return where the first copies of a device's lane do not stand in the order of publishing."""
    wrong: list[str] = []
    last: dict[tuple[str, str], tuple[tuple[int, int], Spoken]] = {}
    for one in book:
        copies = matched.copies.get(one.number)
        if not copies or one.boots or one.again:
            continue
        place = min(copy.place for copy in copies)
        key = (one.words.gateway, one.words.lane)
        if key in last and place < last[key][0]:
            wrong.append(f"{one} stands before {last[key][1]}")
        last[key] = place, one
    return wrong
