"""A resend has one effect; what is new, or was never stored, is never taken for one."""

from datetime import datetime

import pytest

from services.ingest.domain.repeats import KEPT, WINDOW, Repeats
from services.ingest.domain.values import (
    Accepted,
    Carrier,
    Flag,
    FramePart,
    Kind,
    Lane,
    Message,
    Reason,
    Refused,
    Restores,
    Signal,
)
from tests.unit.ingest.build import NOON, arrival

HEAD = b"@@%c\x00\x01\x00......"


def frame(serial: int, content: bytes, kind: Kind = Kind.FIRE, parts: int = 2) -> list[Message]:
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
) -> Accepted:
    came = arrival(payload, received_at=at, duplicate=duplicate, retained=retained)
    flags = (Flag.REDELIVERED,) if duplicate else ()
    return Accepted(
        came,
        tuple(
            Signal(gateway, "U1", Lane.UP, Carrier.MQTT_GB26875, message, flags, part)
            for part, message in enumerate(messages)
        ),
        replies=(b"confirm",),
    )


def tell(*told: Accepted) -> list[bool]:
    """Tell one after the other, each stored before the next; return which were taken for repetitions."""
    repeats = Repeats()
    found = []
    for each in told:
        judged = repeats.batch().once(each)
        repeats.stored([judged])
        found.append(judged.repeated)
    return found


def json(kind: Kind = Kind.FAULT, seq: int | None = None) -> list[Message]:
    return [Message(kind, seq)]


def test_a_resend_is_a_sign_of_life_and_keeps_its_confirm() -> None:
    repeats = Repeats()
    first = repeats.batch().once(said(frame(5, b"fire")))
    repeats.stored([first])
    again = repeats.batch().once(said(frame(5, b"fire")))
    (beat,) = again.signals
    assert (beat.message.kind, beat.flags, again.repeated) == (Kind.HEARTBEAT, (Flag.REPEATED,), True)
    assert again.replies == (b"confirm",)
    assert beat.message.frame == first.signals[0].message.frame


def test_a_resend_stamped_anew_is_one_all_the_same() -> None:
    (message,) = frame(5, b"fire", parts=1)
    assert message.frame is not None
    stamped = message.frame._replace(raw=message.frame.raw.replace(b"......", b"!!!!!!"))
    assert tell(said([message]), said([message._replace(frame=stamped)])) == [False, True]
    untimed = [message._replace(frame=each._replace(timed=False)) for each in (message.frame, stamped)]
    assert tell(*(said([each]) for each in untimed)) == [False, False]


def test_a_resend_that_comes_after_newer_frames_is_known_by_its_number() -> None:
    assert tell(said(frame(5, b"fire")), said(frame(6, b"calm")), said(frame(5, b"fire"))) == [False, False, True]


def test_what_a_device_that_does_not_count_says_again_after_something_else_is_new() -> None:
    assert tell(said(frame(0, b"fire")), said(frame(0, b"calm")), said(frame(0, b"fire"))) == [False] * 3


@pytest.mark.parametrize(
    "other",
    [
        said(frame(6, b"fire")),
        said(frame(5, b"calm")),
        said(frame(5, b"fire"), gateway="G2"),
        said(frame(5, b"fire"), NOON + WINDOW * 1.01),
    ],
)
def test_another_number_content_gateway_or_time_is_new(other: Accepted) -> None:
    assert tell(said(frame(5, b"fire")), other) == [False, False]


def test_json_is_repeated_under_its_number_and_without_one_only_by_the_brokers_word() -> None:
    assert tell(said(json(seq=5)), said(json(seq=5))) == [False, True]
    assert tell(said(json()), said(json())) == [False, False]
    assert tell(said(json()), said(json(), duplicate=True)) == [False, True]


def test_the_brokers_word_counts_beyond_the_number() -> None:
    redelivered = said(frame(0, b"fire"), duplicate=True)
    assert tell(said(frame(0, b"fire")), said(frame(0, b"calm")), redelivered) == [False, False, True]
    assert tell(redelivered) == [False]


@pytest.mark.parametrize("kind", [Kind.HEARTBEAT, Kind.LINK_UP, Kind.LINK_DOWN])
def test_what_says_how_it_is_now_is_always_new(kind: Kind) -> None:
    assert tell(*[said(json(kind, seq=5), duplicate=True)] * 3) == [False] * 3


def test_retained_messages_are_left_to_those_who_know_them() -> None:
    assert tell(said(json(seq=5)), said(json(seq=5), retained=True)) == [False, False]


def test_of_several_frames_only_those_that_were_sent_before_lose_their_effect() -> None:
    repeats = Repeats()
    repeats.stored([repeats.batch().once(said(frame(5, b"fire")))])
    mixed = repeats.batch().once(said(frame(5, b"fire") + frame(6, b"calm", Kind.FAULT)))
    assert [signal.message.kind for signal in mixed.signals] == [Kind.HEARTBEAT, Kind.FAULT, Kind.FAULT]
    assert not mixed.repeated
    assert [signal.part for signal in mixed.signals] == [0, 2, 3]
    repeats.stored([mixed])
    both = repeats.batch().once(said(frame(5, b"fire") + frame(6, b"calm", Kind.FAULT)))
    assert (len(both.signals), both.repeated) == (2, True)


def test_within_a_batch_the_second_is_the_repetition() -> None:
    batch = Repeats().batch()
    assert [batch.once(said(frame(5, b"fire"))).repeated for _ in range(3)] == [False, True, True]


def test_what_was_not_stored_is_never_repeated() -> None:
    repeats = Repeats()
    judged = repeats.batch().once(said(frame(5, b"fire")))
    repeats.stored([Refused(judged.arrival, Reason.UNEXPECTED, "", "G1")])
    assert not repeats.batch().once(said(frame(5, b"fire"))).repeated
    assert not repeats.batch().once(said(frame(5, b"fire"))).repeated  # another lane's batch is not stored yet either


def test_memory_of_a_gateway_is_bounded() -> None:
    repeats = Repeats()
    for serial in range(200):
        repeats.stored([said(frame(serial, b"x"))])
    assert len(repeats.newest_of("G1")) == KEPT
    assert repeats.batch().once(said(frame(199, b"x"))).repeated
    repeats.stored([said(frame(200, b"x"), NOON + WINDOW * 1.01)])
    assert len(repeats.newest_of("G1")) == 1


def test_an_end_under_the_same_number_as_the_fire_is_new() -> None:
    calm = [message._replace(kind=Kind.RESTORE, restores=Restores.ALL) for message in frame(5, b"calm")]
    assert tell(said(frame(5, b"fire")), said(calm)) == [False, False]
