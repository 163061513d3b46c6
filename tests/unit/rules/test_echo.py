"""What a device says again: an alarm is never its own echo, and what the broker delivers again has one effect.

The bytes go the way that they go outside: ingest's judgement and encoder, then the decoder and the engine of rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.adapters.stamps import MICROSECOND
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Device, Directory, Version
from services.ingest.domain.gb26875 import STANDARD, Adu, Command, Frame, TimeLabel, bodies, encode_frame
from services.ingest.domain.gb26875.values import ComponentAddress, Text
from services.ingest.domain.repeats import Repeats
from services.ingest.domain.values import Accepted, Arrival, Claim, Format, Route
from services.kernel.words import FindingKind, Lane, Transport
from services.rules.adapters.decode import SignalDecoder
from tests.unit.ingest.build import DECODERS, QUICK
from tests.unit.rules.scenario import T0, Scenario

BOOT = datetime(2000, 1, 1, 0, 0, 5, tzinfo=UTC)
STARTS = datetime.fromtimestamp(T0 / 1_000_000, UTC)
BITS = {"fire": 0x02, "fault": 0x04, "isolation": 0x08}


@dataclass(frozen=True)
class Form:
    """How a device says things. The same thing is always said in the same bytes."""

    name: str
    topic: str
    clock: datetime | None = None
    seq: bool = False
    frames: bool = False
    carrier: Transport | None = None

    def words(self, kind: str, *, begin: bool) -> bytes:
        return self._frame(kind, begin=begin) if self.frames else self._json(kind, begin=begin)

    def claim(self) -> Claim | None:
        if self.carrier is None:
            return None
        return Claim("G1", Route(Lane.UP, self.carrier, Format.GB26875), "10.0.0.7", trusted=True)

    def _json(self, kind: str, *, begin: bool) -> bytes:
        said = f'"kind":"{kind}"' if begin else f'"kind":"restore","restores":"{kind}"'
        at = None if self.clock is None else self.clock + timedelta(seconds=0 if begin else 60)
        rest = f',"seq":{1 if begin else 2}' if self.seq else ""
        rest += "" if at is None else f',"occurred_at":"{at.isoformat()}"'
        return f'{{"v":1,{said}{rest},"point":{{"address":"3-017"}}}}'.encode()

    def _frame(self, kind: str, *, begin: bool) -> bytes:
        label = TimeLabel.of_instant(self.clock or BOOT, STANDARD)
        word = 0x01 | (BITS[kind] if begin else 0)
        body = bodies.ComponentStatus(1, 0, 40, ComponentAddress(bytes(4)), word, Text.of("", STANDARD, 31), label)
        return encode_frame(Frame(0, 1, 0, label, bytes(6), bytes(6), Command.SEND, Adu(2, (body,))), STANDARD)


FORMS = (
    Form("json, clock and count of a start", "firenet/v1/G1/alarm/json", BOOT, seq=True),
    Form("json, a clock that stands", "firenet/v1/G1/alarm/json", STARTS + timedelta(seconds=1), seq=True),
    Form("json, no time and no count", "firenet/v1/G1/up/json"),
    Form("frames over MQTT", "firenet/v1/G1/alarm/gb26875", BOOT, frames=True),
    Form("frames over TCP", "tcp/10.0.0.7:5", BOOT, frames=True, carrier=Transport.TCP_GB26875),
    Form("frames over UDP, a clock that stands", "udp/10.0.0.7:5", STARTS, frames=True, carrier=Transport.UDP_GB26875),
)
form = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
kinds = pytest.mark.parametrize("kind", list(BITS))


class Centre:
    """Ingest and rules, without Kafka between: records go on as they are written."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.scenario = Scenario()
        self.seconds = 0.0
        self._directory = Directory()
        self._directory.put("G1", [Version(date(2026, 1, 1), "U1", None, Device())])
        self._decoder = SignalDecoder()
        self._mid = self._number = 0
        self.restart()
        self.scenario.tick(0)
        self.scenario.beat(0)

    def restart(self) -> None:
        """Ingest ends without a word and begins anew, under the same name."""
        self._repeats, self._encoder, self._number = Repeats(), Encoder("ingest-1"), 0

    def say(self, kind: str, *, begin: bool, after_s: float = 5) -> Arrival:
        """Let the device say something; return how the broker delivered it."""
        self.seconds += after_s
        self._mid += 1
        came = Arrival(
            1, self._mid, self.form.topic, self.form.words(kind, begin=begin), self._now(), claim=self.form.claim()
        )
        self.hear(came)
        return came

    def deliver_again(self, came: Arrival) -> None:
        self.seconds += 1
        self.hear(came._replace(received_at=self._now(), duplicate=True))

    def hear(self, came: Arrival) -> None:
        self._number += 1
        outcome = decide(came._replace(number=self._number), self._directory, DECODERS)
        assert isinstance(outcome, Accepted), outcome
        decided = self._repeats.batch().once(outcome)
        self._repeats.stored([decided])
        for signal in decided.signals:
            self.scenario.feed(
                self._decoder.decode(self._encoder.signal(signal, decided.arrival), self.scenario.offset)
            )

    def is_open(self, kind: str) -> bool:
        return self.scenario.engine.units["U1"].condition.open_points(FindingKind(kind)) > 0

    def problems(self, kind: str) -> list[str]:
        return self.scenario.phases(kind)

    def _now(self) -> datetime:
        return STARTS + timedelta(seconds=self.seconds)


@form
@kinds
def test_the_same_trouble_after_its_end_is_another_and_ends_with_the_same_words(form: Form, kind: str) -> None:
    centre = Centre(form)
    for minutes in (1, 12, 1, 12):
        centre.say(kind, begin=True, after_s=minutes * 60)
        assert centre.is_open(kind)
        centre.say(kind, begin=False, after_s=minutes * 60)
        assert not centre.is_open(kind)
    assert centre.problems(kind) == ["began", "ended"] * 4
    assert len({one.finding_id for one in centre.scenario.findings(kind)}) == 4


@QUICK
@given(
    st.sampled_from(FORMS),
    st.sampled_from(list(BITS)),
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.001, 5.0, 40.0, 800.0])), max_size=12),
)
def test_the_last_word_counts_whatever_was_said_before(
    form: Form, kind: str, said: Sequence[tuple[bool, float]]
) -> None:
    """Only an end that comes before anything else is kept against a fault that claims to be older."""
    centre, opened, before = Centre(form), 0, False
    for begin, after_s in [(True, 1.0), *said]:
        centre.say(kind, begin=begin, after_s=after_s)
        assert centre.is_open(kind) is begin
        opened += begin and not before
        before = begin
    assert centre.problems(kind).count("began") == opened


@pytest.mark.thorough
@QUICK
@given(
    st.sampled_from([form for form in FORMS if form.carrier is None]),
    st.sampled_from(list(BITS)),
    st.lists(st.booleans(), min_size=1, max_size=12),
    st.data(),
)
def test_what_a_killed_ingest_gets_again_leaves_what_the_clean_stream_leaves(
    form: Form, kind: str, said: Sequence[bool], data: st.DataObject
) -> None:
    """Of the messages whose acknowledgement was lost some were stored, and the broker delivers all of them again."""
    said = [True, *said]
    acknowledged = data.draw(st.integers(0, len(said)))
    stored = data.draw(st.integers(acknowledged, len(said)))
    clean, killed = Centre(form), Centre(form)
    delivered = [clean.say(kind, begin=begin) for begin in said]
    for came in delivered[:stored]:
        killed.seconds = clean.seconds
        killed.hear(came)
    killed.seconds = clean.seconds
    for _ in range(data.draw(st.integers(1, 3))):
        killed.restart()
        for came in delivered[acknowledged:]:
            killed.deliver_again(came)
    assert killed.is_open(kind) is said[-1]
    assert killed.problems(kind) == clean.problems(kind)
    shown = [one.finding_id for one in killed.scenario.findings(kind)]
    assert len(set(shown)) == clean.problems(kind).count("began")


@form
def test_a_component_that_burns_is_told_once_however_often_it_is_said(form: Form) -> None:
    centre = Centre(form)
    for _ in range(5):
        centre.say("fire", begin=True, after_s=10)
    assert centre.problems("fire") == ["began"]


def test_a_fault_that_arrives_late_beside_its_resend_does_not_outlive_its_end() -> None:
    """What is said again of an open trouble keeps the time that it claims: the end is later than that."""
    centre = Centre(FORMS[1])
    for _ in range(2):
        centre.say("fault", begin=True, after_s=100)
    centre.say("fault", begin=False, after_s=1)
    assert centre.problems("fault") == ["began", "ended"]


@form
def test_what_was_read_together_is_kept_in_its_order(form: Form) -> None:
    centre = Centre(form)
    for begin in (True, False, True):
        centre.say("fire", begin=begin, after_s=MICROSECOND.total_seconds())
    assert centre.problems("fire") == ["began", "ended", "began"]


def test_a_heartbeat_of_always_the_same_bytes_is_a_sign_of_life_each_time() -> None:
    centre = Centre(FORMS[0])
    beat = b'{"v":1,"kind":"heartbeat","seq":0,"occurred_at":"2000-01-01T00:00:00Z"}'
    for number in range(1, 6):
        centre.seconds = number * 50.0
        centre.hear(Arrival(1, number, "firenet/v1/G1/up/json", beat, STARTS + timedelta(seconds=centre.seconds)))
        centre.scenario.tick(centre.seconds)
    assert centre.scenario.connection() == "online"
    counted = centre.scenario.engine.units["U1"].deduplication.beats
    centre.restart()
    again = Arrival(1, 5, "firenet/v1/G1/up/json", beat, STARTS + timedelta(seconds=260), duplicate=True)
    centre.hear(again)
    assert centre.scenario.engine.units["U1"].deduplication.beats == counted
