"""Which of what a gateway sends is counted, and what a loss looks like. How numbers prove one: test_numbering."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

from services.ingest.domain.gaps import GapWatch
from services.ingest.domain.sequence_steps import SequenceStep
from services.ingest.domain.values import (
    Accepted,
    Claim,
    Format,
    FramePart,
    Message,
    Refused,
    Route,
    Signal,
    Undecodable,
)
from services.kernel.words import Flag, Lane, RefusalReason, SignalKind, Transport
from tests.unit.ingest.build import after, arrival

GRACE = timedelta(seconds=10)


class Listener:
    """Tells a watch one message a second; all that was sent before has come."""

    def __init__(self) -> None:
        self.watch = GapWatch(GRACE)
        self.steps = Counter[SequenceStep]()
        self.second = 0
        self.gaps: list[Signal] = []

    def follow(self, *told: Accepted, overtakes: bool = False) -> "Listener":
        for each in told:
            self.second += 1
            now = after(self.second)
            stamped = each._replace(arrival=each.arrival._replace(received_at=now))
            followed = self.watch.follow(stamped, self.steps, now, overtakes=overtakes)
            self.gaps += [signal for signal in followed.signals if signal.message.kind is SignalKind.GAP]
        return self

    def refuse(self, *told: Refused) -> "Listener":
        for each in told:
            self.second += 1
            now = after(self.second)
            self.watch.refused(each._replace(arrival=each.arrival._replace(received_at=now)))
        return self

    @property
    def missing(self) -> list[int]:
        return [signal.message.missing or 0 for signal in self.gaps]


def sent(serials: Sequence[int] | range, command: int = 2) -> Iterator[Accepted]:
    return (accepted(serial, command) for serial in serials)


def numbered(seq: int | None, flags: tuple[Flag, ...] = (), **of_arrival: bool) -> Accepted:
    message = Message(SignalKind.HEARTBEAT, seq)
    signal = Signal("G1", "U1", Lane.UP, Transport.MQTT_JSON, message, flags, 0)
    return Accepted(arrival()._replace(**of_arrival), (signal,))  # type: ignore[arg-type]


def refused(
    payload: bytes, reason: RefusalReason, topic: str = "firenet/v1/G1/up/json", claim: Claim | None = None
) -> Refused:
    return Refused(arrival(payload, topic)._replace(claim=claim), reason, "", "G1")


def accepted(serial: int, command: int = 2, parts: int = 1, flags: tuple[Flag, ...] = ()) -> Accepted:
    frames = [FramePart("standard", serial, command, 1, None, (), b"", part) for part in range(parts)]
    messages = [Message(SignalKind.FAULT, frame=frame) for frame in frames]
    return Accepted(
        arrival(),
        tuple(
            Signal("G1", "U1", Lane.UP, Transport.MQTT_GB26875, message, flags, at)
            for at, message in enumerate(messages)
        ),
    )


def test_a_loss_is_told_by_one_more_signal_of_the_frame_that_proves_it() -> None:
    ear = Listener().follow(*sent(range(1, 40)), *sent(range(43, 53)))
    assert ear.gaps == []
    (*own, gap) = ear.follow(accepted(53, parts=3)).gaps
    assert own == []
    assert (gap.message.kind, gap.message.missing, gap.part) == (SignalKind.GAP, 3, 3)
    assert gap.message.frame == accepted(53).signals[0].message.frame


def test_a_loss_that_was_none_is_taken_back_by_the_frame_that_came_after_all() -> None:
    ear = Listener().follow(*sent(range(1, 40)), *sent(range(43, 60)), accepted(41))
    told, back = ear.gaps
    assert (told.message.missing, told.message.reported_at) == (3, None)
    assert (back.message.missing, back.message.reported_at) == (-1, after(39 + 11))


def test_only_frames_that_the_device_begins_are_counted_and_each_once() -> None:
    answers = [accepted(serial, command) for command in (3, 5, 6) for serial in (700, 50)]
    ear = Listener().follow(*sent(range(30)), *answers, accepted(30, parts=4), *sent(range(31, 60)))
    assert (ear.missing, ear.steps.total()) == ([], 60)


def test_frames_of_a_makers_own_count_where_they_fit() -> None:
    counted_in = [accepted(serial, 7 if serial % 2 else 2) for serial in range(60)]
    apart = [frame for serial in range(60) for frame in (accepted(serial), accepted(0, 7))]
    for told in (counted_in, apart):
        ear = Listener().follow(*told)
        assert (ear.missing, set(ear.steps)) == ([], {SequenceStep.NEXT})


def test_a_late_frame_of_a_makers_own_is_no_loss_where_they_are_counted() -> None:
    regular = [accepted(serial, 2 if serial % 2 else 7) for serial in range(1, 41)]
    swapped = [accepted(41), accepted(43), accepted(42, 7), accepted(44, 7)]
    behind_a_loss = [accepted(48, 7), *sent(range(49, 80))]
    assert Listener().follow(*regular, *swapped, *behind_a_loss).missing == [3]


def test_frames_of_a_makers_own_that_fit_by_chance_prove_nothing() -> None:
    """Serial 100 in all of them, from a device that begins anew with 0: the very next number now and then."""
    then = [accepted(100, 7), *sent(range(100, 300)), accepted(100, 7), accepted(100, 7)]
    told = [*sent(range(100)), *then] * 4
    assert Listener().follow(*told, accepted(0), accepted(100, 7), *sent(range(1, 60))).missing == []


def test_a_makers_own_frame_fits_behind_a_fire_that_overtook() -> None:
    ear = Listener().follow(*sent(range(30))).follow(accepted(30), overtakes=True)
    assert ear.follow(*sent(range(31, 33), 7), *sent(range(33, 80))).missing == []


def test_a_known_resend_is_no_step_of_the_count() -> None:
    again = accepted(1, flags=(Flag.REPEATED,))
    assert Listener().follow(accepted(1), accepted(2), again).steps == Counter(
        {SequenceStep.NEXT: 2, SequenceStep.REPEATED: 1}
    )


def test_what_the_broker_kept_is_old() -> None:
    ear = Listener().follow(*map(numbered, range(200, 240)), *[numbered(5, retained=True)] * 3)
    assert ear.follow(*map(numbered, range(240, 280))).missing == []
    assert set(ear.steps) == {SequenceStep.NEXT}


# --- of several that share the messages each sees a part


def apart(ear: Listener, numbers: range) -> None:
    """Tell what one of several is dealt: pieces long enough to look like a count, and holes between them."""
    for first in numbers[::20]:
        ear.follow(*map(numbered, range(first, first + 15)))


def test_while_others_share_nothing_is_missing_and_nothing_of_it_is_missing_later() -> None:
    ear = Listener().follow(*map(numbered, range(40)))
    ear.watch.share(alone=False, now=after(ear.second))
    assert not ear.watch.counts
    apart(ear, range(60, 200))
    ear.watch.share(alone=True, now=after(ear.second))
    ear.follow(*map(numbered, range(205, 280)))
    assert (ear.missing, ear.watch.counts) == ([], True)
    assert ear.follow(*map(numbered, range(283, 320))).missing == [3]


def test_what_was_dealt_while_others_shared_is_read_later_and_proves_no_loss() -> None:
    ear = Listener()
    ear.watch.share(alone=False, now=after(0))
    ear.watch.share(alone=True, now=after(1000))  # proven is behind: a backlog of that time is still to be read
    apart(ear, range(60, 600))
    assert (ear.missing, ear.watch.counts) == ([], False)
    ear.second = 1000
    assert ear.follow(*map(numbered, range(600, 660)), *map(numbered, range(661, 700))).missing == [1]


def test_who_joins_before_all_of_the_time_before_is_read_stops_the_count_again() -> None:
    ear = Listener()
    for alone in (False, True, False):
        ear.watch.share(alone=alone, now=after(ear.second))
    apart(ear, range(60, 200))
    assert (ear.missing, ear.watch.counts) == ([], False)


def test_while_nobody_knows_who_is_there_a_loss_waits_and_is_forgotten_only_when_somebody_was() -> None:
    for alone, missing in ((True, [3]), (False, [])):
        ear = Listener().follow(*map(numbered, range(40)))
        ear.watch.share(alone=None, now=after(ear.second))
        ear.follow(*map(numbered, range(43, 80)))
        assert (ear.missing, ear.watch.counts) == ([], False)
        ear.watch.share(alone=alone, now=after(ear.second))
        assert ear.follow(*map(numbered, range(80, 120))).missing == missing


# --- what is refused came all the same


def whole(serial: int) -> bytes:
    return b"@@" + serial.to_bytes(2, "little") + bytes(22) + b"\x02" + bytes(3)


def test_a_number_of_a_refused_message_is_not_missing() -> None:
    for payload in (b'{"v":1,"kind":"odd","seq":40}', b'{"v":1,"kind":"fire","seq" : "40"}', b'{"seq":40'):
        ear = Listener().follow(*map(numbered, range(40)))
        ear.refuse(refused(payload, RefusalReason.WRONG_SHAPE)).follow(*map(numbered, range(41, 80)))
        assert ear.missing == []


def test_what_was_refused_and_cannot_be_numbered_excuses_one_that_is_missing() -> None:
    for payload in (b"\xff\xfe", b'{"seq":1,"seq":2}', b""):
        ear = Listener().follow(*map(numbered, range(40)))
        ear.refuse(refused(payload, RefusalReason.NOT_JSON)).follow(*map(numbered, range(42, 80)))
        assert ear.missing == [1]


def test_what_was_read_carefully_and_lost_its_number_excuses_one_too() -> None:
    ear = Listener().follow(*map(numbered, range(40)), numbered(None, ("salvaged",)))  # type: ignore[arg-type]
    assert ear.follow(*map(numbered, range(41, 80))).missing == []


def test_the_number_that_a_refused_frame_names_is_not_missing_and_junk_excuses_none() -> None:
    topic = "firenet/v1/G1/up/gb26875"
    ear = Listener().follow(*sent(range(40))).refuse(refused(whole(40), RefusalReason.BAD_DATA_UNIT, topic))
    assert ear.follow(*sent(range(41, 80))).missing == []
    ear.follow(*sent(range(82, 85))).refuse(
        refused(whole(81), RefusalReason.BAD_FRAME, topic), refused(b"@@", RefusalReason.BAD_FRAME)
    )
    assert ear.follow(*sent(range(85, 120))).missing == [1]
    undecodable = accepted(120)._replace(undecodable=(Undecodable(whole(121), RefusalReason.BAD_FRAME, ""),))
    assert ear.follow(undecodable, *sent(range(122, 160))).missing == [1]


def test_what_somebody_else_said_in_a_gateways_name_says_nothing_of_it() -> None:
    claim = Claim("G1", Route(Lane.UP, Transport.TCP_GB26875, Format.GB26875), "192.0.2.1")
    ear = Listener().follow(*sent(range(40)))
    ear.refuse(
        refused(whole(40), RefusalReason.IDENTITY_MISMATCH, "tcp", claim),
        refused(whole(40), RefusalReason.UNKNOWN_GATEWAY),
    )
    assert ear.follow(*sent(range(41, 80))).missing == [1]
