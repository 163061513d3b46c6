"""The message counters of one lane: every message is somewhere, and it is known where."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.ingest.domain.values import Accepted, Outcome
from services.kernel.words import REFUSAL_REASONS_IN_USE, RefusalReason


class MessageCounts(NamedTuple):
    """Counts of messages since the start; probes of our own are not among them. They always add up:

        received = stored + repeated + refused + handed_back + in_flight

    `repeated` are stored already and have no effect but to show that the gateway lives. `handed_back` were
    received and dropped unstored when the connection was lost with its session kept: the broker delivers them again,
    and then they are counted as received once more.
    """

    received: int
    stored: int
    repeated: int
    refused: Mapping[RefusalReason, int]
    handed_back: int
    in_flight: int


class MessageAccounting:
    """Keeps `MessageCounts`. `in_flight` is counted on its own, so that it proves something that they add up."""

    def __init__(self) -> None:
        self._received = 0
        self._stored = 0
        self._repeated = 0
        self._refused = dict.fromkeys(REFUSAL_REASONS_IN_USE, 0)
        self._handed_back = 0
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def received(self, messages: int) -> None:
        self._received += messages
        self._in_flight += messages

    def settled(self, outcomes: Iterable[Outcome]) -> None:
        """Take over what became of messages that Kafka has now, as a signal or as a refusal."""
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                if outcome.repeated:
                    self._repeated += 1
                else:
                    self._stored += 1
            else:
                self._refused[outcome.reason] += 1
            self._in_flight -= 1

    def handed_back(self, messages: int) -> None:
        self._handed_back += messages
        self._in_flight -= messages

    def counts(self) -> MessageCounts:
        return MessageCounts(
            self._received, self._stored, self._repeated, dict(self._refused), self._handed_back, self._in_flight
        )
