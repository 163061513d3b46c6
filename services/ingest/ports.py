"""What the worker needs from outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.ingest.domain.controls import Control, ExchangeEvent, Order
from services.ingest.domain.directory import Sender
from services.ingest.domain.replays import LogPosition, ReplayNote, StoredRefusal
from services.ingest.domain.values import Arrival, DecodedPayload, Outcome, Tick


class Decoder(Protocol):
    """Reads the payloads of one format. To wire another carrier is one more entry in the registry of `app`."""

    def decode(self, payload: bytes, sender: Sender, received_at: datetime) -> DecodedPayload:
        """Return what is said in `payload` by `sender`.

        Raises:  Unusable with the reason and a sentence. Anything else it raises counts as our own error.
        """
        ...


class Source(Protocol):
    """One connection to the broker: deliveries in the order in which they came."""

    async def take(self, limit: int) -> list[Arrival]:
        """Wait for deliveries and return up to `limit` of them; empty once receiving has ended and all were taken."""
        ...

    def settle(self, arrivals: Sequence[Arrival], outcomes: Sequence[Outcome]) -> None:
        """Everything in `arrivals` (probes too) is stored: acknowledge in the order of arrival, without waiting.

        `outcomes` are those of the messages among them. Deliveries of an older connection are not acknowledged.
        """
        ...

    def answer(self, arrival: Arrival, replies: Sequence[bytes]) -> None:
        """Send `replies` to the device that `arrival` came from, without waiting.

        Called after `settle`. A device that is gone gets nothing: it asks again.
        """
        ...

    def stop_receiving(self) -> None:
        """Read nothing more from the broker; what was received is still handed out and acknowledged."""
        ...

    def probe(self) -> None:
        """Send a probe through the broker's queue for us; it comes back as an arrival with `probe_sent_at`."""
        ...


class SignalStore(Protocol):
    """Kafka as ingest sees it."""

    async def put(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """Return once everything is stored on all in-sync replicas: signals, fire on the fast lane too, refusals.

        Waits as long as it takes and loses nothing; after an error the whole batch is sent again, in order, with the
        same ids. Returns what each outcome became: one that could not be written as a signal comes back as refused
        with reason `unexpected`.
        """
        ...


class TickStore(Protocol):
    async def tick(self, tick: Tick) -> bool:
        """Write `tick` to every partition of the signals topic; False when Kafka did not confirm in time.

        A tick that was not confirmed may still be stored; what it claims stays true.
        """
        ...


class RefusalReader(Protocol):
    """The refusals topic, read at positions that somebody already knows."""

    async def at(self, positions: Sequence[LogPosition]) -> Sequence[StoredRefusal]:
        """Return the refusals that stand there; what is not there any more is left out. Raises LogUnavailable."""
        ...


class ReplayStore(Protocol):
    """Where the signals of a replay go, and what became of each refusal."""

    async def put(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        """As in `SignalStore`; what is replayed (`replayed_at`) and still unusable is not written a second time."""
        ...

    async def note(self, notes: Sequence[ReplayNote]) -> None:
        """Return once the notes stand behind their refusals on all in-sync replicas."""
        ...


class ControlTransport(Protocol):
    """A way to a device for what it did not ask for."""

    def send(self, gateway_id: str, control: Control) -> bool:
        """Hand `control` on without waiting; False when this way does not lead to the gateway now.

        A control goes now or never: one that would wait for a device that is away is not kept.
        """
        ...


class ExchangeLog(Protocol):
    """The exchanges topic: what all processes know of all exchanges."""

    async def append(self, events: Sequence[ExchangeEvent]) -> bool:
        """Return whether everything stands on the log now, in this order. After False some of it may, too."""
        ...


class OrderDispatcher(Protocol):
    """Who carries out the orders that stand on the log. Nothing here waits, and nothing raises on purpose."""

    @property
    def open(self) -> int:
        """How many exchanges have not ended."""
        ...

    def read(self, event: ExchangeEvent, *, live: bool) -> None:
        """Take in the next record of the exchanges topic; `live` once all that stood there at the start was read."""
        ...

    def resume(self) -> None:
        """All that stood on the exchanges topic at the start was read. Orders come only after this."""
        ...

    def ordered(self, order: Order, *, live: bool) -> None:
        """Take in the next order."""
        ...
