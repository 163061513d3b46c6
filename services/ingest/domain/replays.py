"""Refusals that people look at, and have decided anew once what was wrong is put right."""

from datetime import datetime
from typing import NamedTuple

from services.ingest.domain.decide import SOURCE
from services.ingest.domain.directory import Directory
from services.ingest.domain.values import Accepted, Arrival, Outcome, Refused
from services.kernel.words import RefusalReason


class LogPosition(NamedTuple):
    """Where on the refusals topic a refusal stands."""

    refusal_id: str
    partition: int
    offset: int


class StoredRefusal(NamedTuple):
    """A refusal as the log keeps it. `arrival` is what came; of a huge payload only the beginning is kept.

    `reason` may be a word that no decoder uses any more.
    """

    position: LogPosition
    arrival: Arrival
    reason: str
    detail: str
    gateway_id: str | None
    instance: str
    raw_bytes: int

    @property
    def whole(self) -> bool:
        return len(self.arrival.payload) == self.raw_bytes


def in_time(refusal: StoredRefusal) -> tuple[datetime, LogPosition]:
    """Return what refusals are sorted by to stand in the order in which they came."""
    return refusal.arrival.received_at, refusal.position


class ReplayNote(NamedTuple):
    """What became of one refusal when it was decided anew. `reason` None: it was accepted, as so many `signals`."""

    position: LogPosition
    gateway_id: str | None
    command_id: str
    by: str
    at: datetime
    signals: int
    undecodable: int
    reason: str | None
    detail: str


class ReplayOrder(NamedTuple):
    """Somebody wants refusals decided anew. `at` is the time of what comes of it, so that the same order twice, or
    carried out by two processes, has the effect of once. `adopting`: a gateway was entered in the register after what
    it said was refused; it speaks as it does at `at`, then, for the time in which nobody knew it.
    """

    command_id: str
    by: str
    at: datetime
    positions: tuple[LogPosition, ...]
    adopting: bool = False


class Query(NamedTuple):
    """Which refusals are meant. `since` belongs to it, `until` does not; None means any. `ids` empty means any."""

    reason: str | None = None
    gateway_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: frozenset[str] = frozenset()

    def holds(self, refusal: StoredRefusal) -> bool:
        received_at = refusal.arrival.received_at
        return (
            (self.reason is None or refusal.reason == self.reason)
            and (self.gateway_id is None or refusal.gateway_id == self.gateway_id)
            and (self.since is None or received_at >= self.since)
            and (self.until is None or received_at < self.until)
            and (not self.ids or refusal.position.refusal_id in self.ids)
        )


def arrival_again(refusal: StoredRefusal, directory: Directory, at: datetime, *, adopting: bool = False) -> Arrival:
    """Return what came as it is to be decided about at `at`: as of the instant at which it was received.

    A device that nobody knew is looked for once more under the address in its frame.
    """
    arrival = refusal.arrival._replace(replayed_at=at, refusal_id=refusal.position.refusal_id, adopted=adopting)
    claim = arrival.claim
    if claim is None or claim.gateway_id:
        return arrival
    found = directory.gateway_at(arrival.payload[SOURCE], arrival.received_at)
    if found is None and adopting:
        found = directory.gateway_at(arrival.payload[SOURCE], at)
    return arrival._replace(claim=claim._replace(gateway_id=found or ""))


def may_be_of(refusal: StoredRefusal, gateway_id: str, directory: Directory, at: datetime) -> bool:
    """Say whether what was refused came from a gateway that nobody knew then and that is `gateway_id` at `at`."""
    if refusal.reason != RefusalReason.UNKNOWN_GATEWAY:
        return False
    claim = refusal.arrival.claim
    if claim is None or claim.gateway_id:
        return refusal.gateway_id == gateway_id
    return directory.gateway_at(refusal.arrival.payload[SOURCE], at) == gateway_id


def refuse_cut(refusal: StoredRefusal, at: datetime) -> Refused:
    """Return what becomes of a refusal whose bytes are not all there."""
    detail = f"the log keeps only the first {len(refusal.arrival.payload)} of {refusal.raw_bytes} bytes"
    return Refused(refusal.arrival._replace(replayed_at=at), RefusalReason.TOO_LARGE, detail, refusal.gateway_id)


def note_of(refusal: StoredRefusal, outcome: Outcome, order: ReplayOrder) -> ReplayNote:
    """Return what is written down about one replay."""
    who = (refusal.position, refusal.gateway_id, order.command_id, order.by, order.at)
    if isinstance(outcome, Accepted):
        detail = outcome.undecodable[0].detail if outcome.undecodable else ""
        return ReplayNote(*who, len(outcome.signals), len(outcome.undecodable), None, detail)
    return ReplayNote(*who, 0, 0, outcome.reason, outcome.detail)
