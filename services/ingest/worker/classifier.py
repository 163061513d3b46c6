"""From an arrival to what becomes of it, whatever it meets on its way."""

from collections.abc import Callable, Mapping, Sequence

from services.ingest.domain.active_fires import ActiveFires
from services.ingest.domain.decide import MAX_PAYLOAD_BYTES, Decode, decide, refuse_unexpected, unusable_alarm_of
from services.ingest.domain.directory import Directory, Sender
from services.ingest.domain.errors import Unusable
from services.ingest.domain.repeats import Repeats
from services.ingest.domain.topics import split_topic
from services.ingest.domain.unusable_alarms import UnusableAlarmThrottle
from services.ingest.domain.values import Accepted, Arrival, Message, Outcome
from services.runtime.logging import get_logger


class Classifier:
    """Decides about arrivals, and turns an error of our own into one more refusal instead of a dead service.

    `repeats` and `active_fires` are those of all lanes: a device may send again, or end a fire, over another one.
    """

    def __init__(self, directory: Directory, decoders: Mapping[str, Decode]) -> None:
        self._directory = directory
        self._decoders = decoders
        self.repeats = Repeats()
        self.active_fires = ActiveFires()
        self._ringing = UnusableAlarmThrottle()

    def __call__(self, arrival: Arrival, compare: Callable[[Outcome], Outcome] | None = None) -> Outcome:
        """Return what becomes of `arrival`; `compare` looks at it beside what was heard before."""
        try:
            outcome = decide(arrival, self._directory, self._decoders)
            if compare is not None:
                outcome = compare(outcome)
        except Exception as error:  # noqa: BLE001 - one message that meets our bug must not stop all others
            get_logger().exception("message_met_a_bug", topic=arrival.topic[:200], bytes=len(arrival.payload))
            outcome = refuse_unexpected(arrival, error)
        return (
            outcome if isinstance(outcome, Accepted) and not outcome.undecodable else self._add_unusable_alarm(outcome)
        )

    def _add_unusable_alarm(self, outcome: Outcome) -> Outcome:
        """Return `outcome` with the unusable alarm that people must hear of, if it is one."""
        arrival = outcome.arrival
        unusable_alarm = unusable_alarm_of(outcome, self._directory, self._read_as_anybodys)
        if unusable_alarm is None:
            return outcome
        unusable_alarm = self._ringing.bound(unusable_alarm, arrival.received_at)
        if unusable_alarm.reported and not unusable_alarm.unit_id and not unusable_alarm.messages:
            unusable_alarm = unusable_alarm._replace(messages=tuple(self._read_as_anybodys(arrival)))
        return outcome._replace(unusable_alarm=unusable_alarm)

    def _read_as_anybodys(self, arrival: Arrival) -> Sequence[Message]:
        """Return what a payload seems to say when nobody knows how its sender speaks, nothing when it says nothing."""
        claim = arrival.claim
        found = split_topic(arrival.topic) if claim is None else (claim.gateway_id, claim.route)
        if found is None or not 0 < len(arrival.payload) <= MAX_PAYLOAD_BYTES:
            return ()
        try:
            return self._decoders[found[1].format](arrival.payload, Sender(""), arrival.received_at).messages
        except Unusable:
            return ()
        except Exception:  # noqa: BLE001 - it is reported all the same
            get_logger().exception("message_met_a_bug", topic=arrival.topic[:200], bytes=len(arrival.payload))
            return ()
