"""Where orders of people meet devices: keeps the exchanges going between the log and the carriers."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from services.ingest.domain.answers import Answer
from services.ingest.domain.controls import ExchangeEvent, Order, control_frame, encode
from services.ingest.domain.directory import Directory, Sender
from services.ingest.domain.exchanges import Exchanges, Try
from services.ingest.domain.gb26875 import PROFILES, STANDARD, Command, Envelope
from services.ingest.domain.return_paths import NOWHERE, ReturnPath, ReturnPaths
from services.ingest.domain.values import Accepted, Outcome, Signal
from services.ingest.metrics import ExchangeMetrics
from services.ingest.ports import ControlTransport, ExchangeLog
from services.kernel.words import ExchangeStep, SignalKind, Transport
from services.runtime.lifecycle import Stop
from services.runtime.logging import get_logger

LOOK_EVERY_S = 0.5
MAX_AT_ONCE = 200
"""Events appended together: a long request to Kafka would keep the first of them waiting for the last."""
_ANSWERS = (Command.CONFIRM, Command.DENY)


class CommandDispatcher:
    """Takes in orders, what the log says and what devices say; sends controls and reports to the log.

    Nothing here raises into its callers: the lanes and the followers go on whatever happens to one exchange.
    """

    def __init__(
        self,
        exchanges: Exchanges,
        carriers: Mapping[Transport, ControlTransport],
        log: ExchangeLog,
        directory: Directory,
        metrics: ExchangeMetrics,
        stamp: Callable[[], datetime],
        seen_until: Callable[[], datetime | None],
    ) -> None:
        """`carriers`: the ways that a control can go; where a gateway was not heard it goes over MQTT.

        `stamp` gives the instants that arrivals get; before `seen_until` nothing is missing.
        """
        self._exchanges = exchanges
        self._carriers = carriers
        self._log = log
        self._directory = directory
        self._metrics = metrics
        self._stamp = stamp
        self._seen_until = seen_until
        self._paths = ReturnPaths()
        self._unreported: deque[ExchangeEvent] = deque()
        self._wake = asyncio.Event()

    @property
    def open(self) -> int:
        """How many exchanges have not ended."""
        return len(self._exchanges)

    def stored(self, outcomes: Sequence[Outcome]) -> None:
        """Hear what devices said, once Kafka has it."""
        for outcome in outcomes:
            if isinstance(outcome, Accepted):
                try:
                    self._hear(outcome)
                except Exception:  # noqa: BLE001 - our bug about one message must not stop its lane
                    get_logger().exception("exchange_met_a_bug", topic=outcome.arrival.topic[:200])

    def ordered(self, order: Order, *, live: bool) -> None:
        now = self._stamp()
        near = self._paths.of(order.gateway_id) is not None
        known = isinstance(self._directory.sender(order.gateway_id, now), Sender)
        self._report(self._exchanges.ordered(order, now, live=live, near=near, known=known))

    def read(self, event: ExchangeEvent, *, live: bool) -> None:
        """Take in the next record of the exchanges topic."""
        ended = self._exchanges.read(event, live=live)
        if ended is not None:
            self._metrics.count(ended)
            _log(ended)
        if event.step is ExchangeStep.BEGAN:
            self.wake()

    def resume(self) -> None:
        """The log was read to its end: go on with what an earlier process of our name left open."""
        self._report(self._exchanges.resume(self._stamp()))

    def wake(self) -> None:
        """Look at once what is due."""
        self._wake.set()

    async def run(self, stop: Stop) -> None:
        """Send and report what is due until stop; then what is still unreported, if Kafka answers."""
        while not stop.is_set():
            self._work()
            if self._unreported:
                await self._append()
                await asyncio.sleep(0)  # the fire lane works in the same event loop
            else:
                await self._rest()
        while self._unreported and await self._append():
            pass

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await self._wake.wait()
        self._wake.clear()

    def _work(self) -> None:
        now = self._stamp()
        due = self._exchanges.due(now, self._seen_until())
        for one in due.tries:
            self._report(self._exchanges.tried(one.order.command_id, now, self._send(one, now)))
        self._report(due.events)
        self._metrics.open.set(len(self._exchanges))

    async def _append(self) -> bool:
        batch = [self._unreported[number] for number in range(min(MAX_AT_ONCE, len(self._unreported)))]
        if not await self._log.append(batch):
            return False
        for _ in batch:
            self._unreported.popleft()
        return True

    def _report(self, events: Sequence[ExchangeEvent]) -> None:
        self._unreported.extend(events)
        if events:
            self.wake()

    def _hear(self, accepted: Accepted) -> None:
        at = accepted.arrival.received_at
        for signal in accepted.signals:
            gateway_id, message, frame = signal.gateway_id, signal.message, signal.message.frame
            if frame is not None:
                self._paths.heard(gateway_id, signal.carrier, frame.raw)
                if frame.command in _ANSWERS:
                    confirmed = frame.command == Command.CONFIRM
                    events = self._exchanges.heard(
                        gateway_id, frame.serial, at, signal.carrier, confirmed=confirmed, label=message.occurred_at
                    )
                    self._report(events)
                elif frame.command == Command.SEND and message.occurred_at is not None and frame.part == 0:
                    self._exchanges.labelled(gateway_id, at, message.occurred_at, frame.serial)
            if message.kind is SignalKind.DUTY_ANSWER:
                self._report(self._exchanges.answered(gateway_id, _answer(accepted, signal)))

    def _send(self, one: Try, now: datetime) -> Transport | None:
        """Hand the control to the carrier over which the gateway was last heard; None when it does not take it."""
        gateway_id = one.order.gateway_id
        sender = self._directory.sender(gateway_id, now)
        if not isinstance(sender, Sender):
            return None
        device = sender.device
        path = self._paths.of(gateway_id) or ReturnPath(Transport.MQTT_GB26875, device.address or NOWHERE, NOWHERE)
        profile = PROFILES.get(device.profile, STANDARD)
        carrier = self._carriers.get(path.carrier)
        envelope = Envelope(one.serial, path.centre, path.device, now)
        control = encode(control_frame(one.order, envelope, profile), profile)
        return path.carrier if carrier is not None and carrier.send(gateway_id, control) else None


def _answer(accepted: Accepted, signal: Signal) -> Answer:
    arrival, message = accepted.arrival, signal.message
    serial = None if message.frame is None else message.frame.serial
    kept = arrival.retained or arrival.replayed_at is not None
    return Answer(arrival.received_at, signal.carrier, message.occurred_at, serial, kept)


def _log(end: ExchangeEvent) -> None:
    order = end.order
    why = {} if end.why is None else {"why": end.why}
    seconds = {} if end.seconds is None else {"seconds": round(end.seconds, 1)}
    get_logger().info(
        "exchange_ended",
        what=order.what,
        outcome=end.step,
        gateway_id=order.gateway_id,
        command_id=order.command_id,
        by=order.by,
        **why,
        **seconds,
    )
