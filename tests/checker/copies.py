"""How often each notice was heard: once, and once more only where a kill or a freeze lay upon its delivery."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.checker import Account
from tests.checker.outbreaks import Note

SENDS = frozenset({"alerts", "alerts-fire", "PostgreSQL"})
"""Parts whose death or standstill may keep a delivered notice from being written down as such."""
BEFORE_S = 1.0
AFTER_S = 20.0
"""So long after a receiver has taken a notice alerts may still be trying to write that down."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A part was away, from the blow until it was ready again."""

    part: str
    began_at: float
    over_at: float


@dataclass(frozen=True, slots=True)
class Hearing:
    """A receiver took a copy. `answered` False: it never said so, because it was cut off or killed."""

    notice_id: str
    channel: str
    at: float
    answered: bool


def check_copies(notes: Sequence[Note], hearings: Iterable[Hearing], outages: Sequence[Outage]) -> list[Account]:
    """Hold every copy that a receiver took against the notices of alerts."""
    by_id: dict[str, list[Hearing]] = {}
    for one in hearings:
        by_id.setdefault(one.notice_id, []).append(one)
    known = {note.notice_id: note for note in notes}
    more: list[object] = []
    excused: list[object] = []
    for notice_id, heard in by_id.items():
        heard.sort(key=lambda one: one.at)
        left = list(outages)
        for copy, following in pairwise(heard):
            line = f"{known.get(notice_id, notice_id)}: taken {copy.at:.2f} and again {following.at:.2f}"
            (excused if _is_excused(copy, left) else more).append(line)
    unheard = [note for note in notes if note.state == "accepted" and note.notice_id not in by_id]
    waiting = [note for note in notes if note.state in ("pending", "sending")]
    return [
        Account("notices that a receiver took more than once for no reason", len(by_id), more),
        Account("... once more because of a kill, a freeze or a cut answer", len(by_id), excused, counts=False),
        Account("notices that count as accepted and nobody took", len(notes), unheard),
        Account("notices that were given up", len(notes), [note for note in notes if note.state == "dead"]),
        Account("notices that still wait at the end", len(notes), waiting),
    ]


def _is_excused(copy: Hearing, left: list[Outage]) -> bool:
    """Say whether the delivery of this copy may have stayed unknown to alerts, so that one more is right.

    An outage is good for one more copy of a notice: it is taken out of what is `left`.
    """
    if not copy.answered:
        return True
    parts = SENDS | {"centre" if copy.channel == "webhook" else "Mailbox"}
    for outage in left:
        if outage.part in parts and outage.began_at - BEFORE_S - AFTER_S <= copy.at <= outage.over_at + BEFORE_S:
            left.remove(outage)
            return True
    return False
