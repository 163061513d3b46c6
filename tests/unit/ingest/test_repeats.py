"""What the broker delivers again has one effect; an alarm is never taken for its own echo."""

from datetime import datetime, timedelta

import pytest

from services.ingest.domain.repeats import COUNTED, MAX_REMEMBERED, SOON, WINDOW, Repeats
from services.ingest.domain.values import Accepted, FramePart, Message, Refused, Signal
from services.kernel.words import Flag, Lane, RefusalReason, SignalKind, Transport
from tests.unit.ingest.build import NOON, arrival

HEAD = b"@@%c\x00\x01\x00......"


def frame(serial: int, content: bytes, kind: SignalKind = SignalKind.FIRE, parts: int = 2) -> list[Message]:
    raw = HEAD % serial + content + b"\x00##"
    return [
        Message(kind, frame=FramePart("standard", serial, 2, 2, None, (), raw, part, timed=True))
        for part in range(parts)
    ]


def said(
    messages: list[Message],
    at: datetime = NOON,
    *,
    payload: bytes = b"x",
    duplicate: bool = False,
    retained: bool = False,
    gateway: str = "G1",
    mid: int = 1,
    epoch: int | None = None,
) -> Accepted:
    """What came over the connection `epoch`: a delivery that is marked over the second, where nothing else is said."""
    came = arrival(
        payload, epoch=epoch or 1 + duplicate, mid=mid, received_at=at, duplicate=duplicate, retained=retained
    )
    flags = (Flag.REDELIVERED,) if duplicate else ()
    return Accepted(
        came,
        tuple(
            Signal(gateway, "U1", Lane.UP, Transport.MQTT_GB26875, message, flags, part)
            for part, message in enumerate(messages)
        ),
        replies=(b"confirm",),
    )


def tell(*told: Accepted) -> list[bool]:
    """Tell one after the other, each stored before the next; return which were taken for repetitions."""
    repeats = Repeats()
    found = []
    for each in told:
        decided = repeats.batch().once(each)
        repeats.stored([decided])
        found.append(decided.repeated)
    return found


def json(kind: SignalKind = SignalKind.FAULT, seq: int | None = None) -> list[Message]:
    return [Message(kind, seq)]


TROUBLES = pytest.mark.parametrize(
    "kind",
    [
        SignalKind.FIRE,
        SignalKind.FAULT,
        SignalKind.ISOLATION,
        SignalKind.SUPERVISORY,
        SignalKind.RESTORE,
        SignalKind.DUTY_ANSWER,
    ],
)


@TROUBLES
@pytest.mark.parametrize("seconds", [0, 5, 700])
def test_a_trouble_or_its_end_that_is_said_again_is_passed_on(kind: SignalKind, seconds: int) -> None:
    later = NOON + timedelta(seconds=seconds)
    assert tell(said(frame(5, b"x", kind)), said(frame(5, b"x", kind), later)) == [False, False]
    assert tell(said(json(kind, 5)), said(json(kind, 5), later)) == [False, False]


@TROUBLES
def test_of_what_the_broker_delivers_again_one_counts(kind: SignalKind) -> None:
    for messages in (frame(5, b"x", kind), json(kind, 5), json(kind)):
        assert tell(said(messages), said(messages, duplicate=True)) == [False, True]


def test_a_redelivery_is_a_sign_of_life_and_keeps_its_confirm() -> None:
    repeats = Repeats()
    first = repeats.batch().once(said(frame(5, b"fire")))
    repeats.stored([first])
    again = repeats.batch().once(said(frame(5, b"fire"), duplicate=True))
    (beat,) = again.signals
    assert (beat.message.kind, beat.flags, again.repeated) == (
        SignalKind.HEARTBEAT,
        (Flag.REDELIVERED, Flag.REPEATED),
        True,
    )
    assert again.replies == (b"confirm",)
    assert beat.message.frame == first.signals[0].message.frame


def test_a_marked_delivery_of_another_number_is_another_message_of_the_same_words() -> None:
    """The first was acknowledged long ago; the second died with the process that had it."""
    told = tell(said(json(SignalKind.FIRE, 1), mid=17), said(json(SignalKind.FIRE, 1), mid=42, duplicate=True))
    assert told == [False, False]


@TROUBLES
def test_on_one_connection_no_number_stands_for_the_same_delivery_twice(kind: SignalKind) -> None:
    """A device that boots says the very same, marked by a broker that passes marks on, and the number is free again."""
    for epoch in (1, 2):
        told = tell(said(json(kind, 1), epoch=epoch), said(json(kind, 1), epoch=epoch, duplicate=True))
        assert told == [False, False]


def test_the_brokers_mark_alone_proves_nothing_was_stored() -> None:
    assert tell(said(frame(0, b"fire"), duplicate=True)) == [False]
    other = said(frame(0, b"fire"), NOON + WINDOW * 1.01, duplicate=True)
    assert tell(said(frame(0, b"fire")), other) == [False, False]


def test_a_record_that_changes_no_state_is_kept_once_when_it_is_sent_again_soon() -> None:
    operated = frame(5, b"reset", SignalKind.OPERATION)
    assert tell(said(operated), said(operated)) == [False, True]
    assert tell(said(json(SignalKind.TEST, 5)), said(json(SignalKind.TEST, 5))) == [False, True]
    assert tell(said(json(SignalKind.TEST)), said(json(SignalKind.TEST))) == [False, False]


@pytest.mark.parametrize(
    "other",
    [
        said(frame(6, b"x", SignalKind.OPERATION)),
        said(frame(5, b"y", SignalKind.OPERATION)),
        said(frame(5, b"x", SignalKind.OPERATION), gateway="G2"),
        said(frame(5, b"x", SignalKind.OPERATION), NOON + SOON * 1.01),
    ],
)
def test_another_number_content_gateway_or_time_is_new(other: Accepted) -> None:
    assert tell(said(frame(5, b"x", SignalKind.OPERATION)), other) == [False, False]


def test_a_record_that_comes_after_newer_ones_is_new() -> None:
    first = said(frame(5, b"x", SignalKind.OPERATION))
    assert tell(first, said(frame(6, b"fire")), first) == [False, False, False]


def test_a_resend_stamped_anew_is_one_all_the_same() -> None:
    (message,) = frame(5, b"x", SignalKind.OPERATION, parts=1)
    assert message.frame is not None
    stamped = message.frame._replace(raw=message.frame.raw.replace(b"......", b"!!!!!!"))
    assert tell(said([message]), said([message._replace(frame=stamped)])) == [False, True]
    untimed = [message._replace(frame=each._replace(timed=False)) for each in (message.frame, stamped)]
    assert tell(*(said([each]) for each in untimed)) == [False, False]


@pytest.mark.parametrize("kind", [SignalKind.HEARTBEAT, SignalKind.LINK_UP, SignalKind.LINK_DOWN])
def test_what_says_how_it_is_now_is_always_new(kind: SignalKind) -> None:
    assert tell(*[said(json(kind, seq=5), duplicate=True)] * 3) == [False] * 3


def test_retained_messages_are_left_to_those_who_know_them() -> None:
    assert tell(said(json(seq=5)), said(json(seq=5), retained=True, duplicate=True)) == [False, False]


def test_of_several_frames_only_those_that_were_sent_before_lose_their_effect() -> None:
    repeats = Repeats()
    repeats.stored([repeats.batch().once(said(frame(5, b"key", SignalKind.OPERATION)))])
    mixed = repeats.batch().once(said(frame(5, b"key", SignalKind.OPERATION) + frame(6, b"calm", SignalKind.FAULT)))
    assert [signal.message.kind for signal in mixed.signals] == [
        SignalKind.HEARTBEAT,
        SignalKind.FAULT,
        SignalKind.FAULT,
    ]
    assert not mixed.repeated
    assert [signal.part for signal in mixed.signals] == [0, 2, 3]


def test_a_frame_that_holds_one_trouble_among_others_is_passed_on_whole() -> None:
    mixed = [*frame(5, b"x", SignalKind.OPERATION, parts=1), *frame(5, b"x", SignalKind.FIRE, parts=2)[1:]]
    assert tell(said(mixed), said(mixed)) == [False, False]


def test_within_a_batch_the_second_is_the_repetition() -> None:
    batch = Repeats().batch()
    assert [batch.once(said(frame(5, b"x", SignalKind.OPERATION))).repeated for _ in range(3)] == [False, True, True]
    marked = Repeats().batch()
    again = [marked.once(said(frame(5, b"x"), duplicate=True, epoch=epoch)).repeated for epoch in (1, 2, 3)]
    assert again == [False, True, True]


def test_what_was_not_stored_is_never_repeated() -> None:
    repeats = Repeats()
    decided = repeats.batch().once(said(frame(5, b"fire"), duplicate=True))
    repeats.stored([Refused(decided.arrival, RefusalReason.UNEXPECTED, "", "G1")])
    assert not repeats.batch().once(said(frame(5, b"fire"), duplicate=True)).repeated
    # another lane's batch is not stored yet either
    assert not repeats.batch().once(said(frame(5, b"fire"), duplicate=True)).repeated


def test_memory_of_a_gateway_is_bounded() -> None:
    repeats = Repeats()
    for serial in range(200):
        repeats.stored([said(frame(serial, b"x"))])
    assert len(repeats.newest_of("G1")) == MAX_REMEMBERED
    assert repeats.batch().once(said(frame(199, b"x"), duplicate=True)).repeated
    repeats.stored([said(frame(200, b"x"), NOON + WINDOW * 1.01)])
    assert len(repeats.newest_of("G1")) == 1


def dated(
    kind: SignalKind,
    seq: int,
    *flags: Flag,
    at: datetime = NOON,
    payload: bytes = b"x",
    mid: int = 1,
    duplicate: bool = False,
) -> Accepted:
    """A message that names its moment, unless `flags` say that its clock is not right."""
    accepted = said([Message(kind, seq, NOON)], at, payload=payload, mid=mid, duplicate=duplicate)
    return accepted._replace(signals=tuple(one._replace(flags=flags) for one in accepted.signals))


@pytest.mark.parametrize("duplicate", [False, True])
@pytest.mark.parametrize("seconds", [0.1, 25, 299])
def test_all_that_went_unanswered_is_sent_again_and_said_once(seconds: float, duplicate: bool) -> None:
    """The connection broke behind a fire, its end, another fire and its end; the broker had them all the same."""
    words = [(SignalKind.FIRE, 33), (SignalKind.RESTORE, 34), (SignalKind.FIRE, 35), (SignalKind.RESTORE, 36)]
    first = [dated(kind, seq, payload=b"%d" % seq) for kind, seq in words]
    later = NOON + timedelta(seconds=seconds)
    again = [dated(kind, seq, at=later, payload=b"%d" % seq, mid=50 + seq, duplicate=duplicate) for kind, seq in words]
    assert tell(*first, *again) == [False] * 4 + [True] * 4


@pytest.mark.parametrize("seq", [1, 2, COUNTED - 1])
def test_a_device_that_has_just_started_may_say_the_same_again_and_mean_it(seq: int) -> None:
    assert (
        tell(dated(SignalKind.FIRE, seq), dated(SignalKind.RESTORE, seq + 1), dated(SignalKind.FIRE, seq))
        == [False] * 3
    )


@pytest.mark.parametrize("flag", [Flag.CLOCK_BEHIND, Flag.CLOCK_AHEAD, Flag.NO_DEVICE_TIME, Flag.REPLAYED])
def test_a_clock_that_is_not_right_names_no_moment(flag: Flag) -> None:
    assert (
        tell(dated(SignalKind.FIRE, 99, flag), dated(SignalKind.RESTORE, 100, flag), dated(SignalKind.FIRE, 99, flag))
        == [False] * 3
    )


def test_other_words_of_the_same_moment_are_said_too() -> None:
    assert (
        tell(dated(SignalKind.FIRE, 99), dated(SignalKind.FIRE, 99, payload=b"y"), dated(SignalKind.FIRE, 98))
        == [False] * 3
    )


def test_a_number_that_stands_still_counts_nothing_and_a_moment_alone_names_no_message() -> None:
    stuck = [
        dated(kind, 99, payload=payload) for kind, payload in ((SignalKind.FIRE, b"f"), (SignalKind.RESTORE, b"r"))
    ]
    assert tell(*stuck, *stuck) == [False] * 4
