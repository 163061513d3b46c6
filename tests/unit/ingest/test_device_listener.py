"""A listener keeps what devices say, answers those that are believed, and ends what does not behave."""

import asyncio
import resource

import pytest

from services.ingest.adapters.device_listener import OTHER_FILES, open_files_for
from services.ingest.domain.connection_policy import EndReason, Limits
from services.ingest.domain.device_stream import DeviceStream
from services.ingest.domain.gb26875 import decode_frame
from services.ingest.domain.values import Accepted, Refused
from services.kernel.words import Flag
from tests.unit.ingest.build import balanced
from tests.unit.ingest.device_harness import ADDRESSES, DeviceHarness, frame, heard_out, spoilt, status, words

CONFIRM, DENY = 3, 6


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_frame_is_confirmed_when_it_is_settled_and_not_before() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(frame(serial=7))
    assert caller.wire.sent == b""
    assert words(await harness.settle()) == ["accepted"]
    answer = decode_frame(caller.wire.sent)
    assert (answer.command, answer.serial, answer.dest_raw) == (CONFIRM, 7, ADDRESSES["G000001"])


async def test_a_frame_may_come_byte_by_byte_and_many_may_come_at_once() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(*(bytes((byte,)) for byte in frame()))
    caller.say(frame() * 20)
    assert words(await harness.settle()) == ["accepted"] * 21
    assert balanced(harness.main.counts())


async def test_a_fire_waits_in_a_lane_of_its_own() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(frame() + frame(adu=status(3)) + frame())
    assert (harness.waiting("device"), harness.waiting("device_fire")) == (2, 1)


async def test_a_bad_frame_is_refused_and_denied_and_the_good_one_behind_it_is_confirmed() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(spoilt(frame(serial=1)) + frame(serial=2))
    assert words(await harness.settle()) == ["bad_frame", "accepted"]
    answers = [decode_frame(piece.raw) for piece in DeviceStream().feed(caller.wire.sent)]
    assert [(answer.command, answer.serial) for answer in answers] == [(DENY, 1), (CONFIRM, 2)]


async def test_a_profile_is_read_by_whoever_judges_not_by_the_connection() -> None:
    harness = DeviceHarness()
    harness.register("G000001", ["10.0.0.0/24"], profile="keepalive_command7")
    seven = frame(command=7, profile="keepalive_command7")
    caller, other = harness.call(), harness.call()
    caller.say(seven)
    other.say(frame("G000002", command=7, profile="keepalive_command7"))
    assert words(await harness.settle()) == ["accepted", "bad_frame"]


@pytest.mark.parametrize(
    ("networks", "trusting", "certificate", "words_of_it"),
    [
        (["10.0.0.0/24"], False, None, "accepted"),
        (["10.0.1.0/24"], True, None, "identity_mismatch"),
        ([], False, None, "identity_mismatch"),
        ([], True, None, "accepted"),
        ([], False, "G000001", "accepted"),
        ([], True, "G000002", "identity_mismatch"),
    ],
)
async def test_who_is_believed(networks: list[str], trusting: bool, certificate: str | None, words_of_it: str) -> None:
    harness = DeviceHarness(trusting=trusting)
    harness.register("G000001", networks)
    subject = ((("commonName", certificate),),)
    peercert = {"subject": subject, "serialNumber": "01"} if certificate else {}
    caller = harness.call(peercert=peercert)
    caller.say(frame())
    assert words(await harness.settle()) == [words_of_it]
    assert bool(caller.wire.sent) == (words_of_it == "accepted")


async def test_an_ipv4_caller_on_an_ipv6_socket_is_known_by_its_ipv4_address() -> None:
    harness = DeviceHarness()
    harness.call("::ffff:10.0.0.7").say(frame())
    assert words(await harness.settle()) == ["accepted"]


async def test_an_unknown_address_is_refused_without_an_answer_and_its_connection_ends() -> None:
    harness = DeviceHarness(Limits(unregistered=3))
    caller = harness.call()
    caller.say(frame("G000003") * 10)
    assert caller.wire.ended == "aborted"
    assert words(await harness.settle()) == ["unknown_gateway"] * 3
    caller.disconnect()
    assert (caller.wire.sent, harness.ended(EndReason.UNKNOWN_GATEWAY)) == (b"", 1)


async def test_a_second_address_on_a_connection_is_not_believed_and_three_times_in_a_row_end_it() -> None:
    harness = DeviceHarness(Limits(disbelieved=3))
    caller = harness.call()
    caller.say(frame("G000001"), frame("G000002"), frame("G000002"), frame("G000001"))
    assert words(await harness.settle()) == ["accepted", "identity_mismatch", "identity_mismatch", "accepted"]
    assert caller.wire.ended is None
    caller.say(frame("G000002") * 3)
    assert words(await harness.settle()) == ["identity_mismatch"] * 3
    caller.disconnect()
    assert harness.ended(EndReason.NOT_BELIEVED) == 1


async def test_a_gateway_that_calls_again_takes_over_once_it_is_believed() -> None:
    harness = DeviceHarness()
    old, impostor, new = harness.call(), harness.call("192.0.2.1"), harness.call()
    old.say(frame())
    await harness.settle()
    impostor.say(frame())
    await harness.settle()
    assert not old.wire.is_closing()
    new.say(frame())
    await harness.settle()
    old.disconnect()
    assert (old.wire.ended, new.wire.ended, harness.ended(EndReason.TAKEN_OVER)) == ("closed", None, 1)
    assert harness.listener.send("G000001", b"hello")
    assert new.wire.sent.endswith(b"hello")


async def test_what_is_settled_late_does_not_bring_an_older_connection_back() -> None:
    harness = DeviceHarness()
    old, new = harness.call(), harness.call()
    old.say(frame())
    new.say(frame(adu=status(3)))
    await harness.settle("device_fire")
    await harness.settle("device")
    assert (old.wire.ended, new.wire.ended) == (None, None)
    assert harness.listener.send("G000001", b"x")
    assert new.wire.sent.endswith(b"x")


async def test_nothing_is_sent_to_a_gateway_that_was_not_believed_or_is_gone() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(frame())
    assert not harness.listener.send("G000001", b"x")
    await harness.settle()
    caller.disconnect()
    assert not harness.listener.send("G000001", b"x")


async def test_an_answer_to_a_device_that_is_gone_is_dropped() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(frame())
    caller.disconnect(ConnectionResetError())
    assert words(await harness.settle()) == ["accepted"]
    assert (caller.wire.sent, harness.ended(EndReason.BROKEN)) == (b"", 1)


async def test_silence_from_the_start_half_a_frame_and_long_silence_each_have_a_limit() -> None:
    harness = DeviceHarness(Limits(first_frame_s=30, frame_s=20, idle_s=100))
    silent, half, well = harness.call(), harness.call(), harness.call()
    half.say(frame()[:20])
    well.say(frame())
    harness.clock.forward(20)
    harness.listener.sweep()
    assert [caller.wire.ended for caller in (silent, half, well)] == [None, "aborted", None]
    half.disconnect()
    harness.clock.forward(10)
    harness.listener.sweep()
    assert [caller.wire.ended for caller in (silent, well)] == ["aborted", None]
    silent.disconnect()
    harness.clock.forward(70)
    harness.listener.sweep()
    well.disconnect()
    reasons = (EndReason.UNFINISHED_FRAME, EndReason.NO_FRAME, EndReason.IDLE)
    assert [harness.ended(why) for why in reasons] == [1, 1, 1]
    assert words(await harness.settle()) == ["accepted", "bad_frame"]


async def test_a_drop_every_twenty_seconds_is_still_half_a_frame() -> None:
    harness = DeviceHarness(Limits(first_frame_s=1000, frame_s=30))
    caller = harness.call()
    for byte in frame()[:3]:
        caller.say(bytes((byte,)))
        harness.clock.forward(15)
        harness.listener.sweep()
    assert caller.wire.ended == "aborted"


async def test_rubbish_has_a_limit_and_single_bytes_of_it_count_more() -> None:
    harness = DeviceHarness(Limits(garbage_bytes=1024))
    much, drops = harness.call(), harness.call()
    for caller in (much, drops):
        caller.say(frame())
    much.say(b"x" * 1025)
    drops.say(*[b"x"] * 25)
    assert (much.wire.ended, drops.wire.ended) == ("aborted", "aborted")
    assert harness.waiting() == 2 + 1 + 1


async def test_rubbish_from_nobody_ends_as_a_stranger() -> None:
    harness = DeviceHarness(Limits(unregistered=3))
    caller = harness.call()
    caller.say(*[b"GET / HTTP/1.1\r\n" * 8] * 5)
    assert (caller.wire.ended, harness.waiting()) == ("aborted", 3)
    chatty = harness.call()
    chatty.say(*[b"GET / HTTP/1.1\r\n"] * 50)
    assert (chatty.wire.ended, harness.waiting()) == ("aborted", 4)


async def test_what_a_module_says_every_half_minute_is_kept_once_and_costs_no_connection() -> None:
    """Field case X2: `heart` between rare frames, and words of its own before the first one."""
    harness = DeviceHarness(Limits(first_frame_s=30, unregistered=3, garbage_bytes=1024))
    caller = harness.call()
    caller.say(b"IMEI:866123045678901", b"ICCID:89860", b"+++", b"READY")
    for beat in range(100):
        caller.say(b"heart")
        harness.clock.forward(30)
        harness.listener.sweep()
        if beat % 50 == 49:
            caller.say(frame(serial=beat))
    assert caller.wire.ended is None
    assert words(await harness.settle()).count("accepted") == 2
    assert harness.main.counts().received == 4 + 2 + 2, "heart once of nobody, once of the gateway"
    assert harness.metrics.device_texts._value.get() == 98


async def test_a_module_that_calls_again_says_nothing_new() -> None:
    harness = DeviceHarness()
    for call in range(20):
        caller = harness.call()
        caller.say(frame(serial=call), b"login 7")
        caller.disconnect()
    assert harness.main.counts().received == 20 + 1


async def test_the_first_frame_of_each_further_connection_says_that_its_device_has_called_anew() -> None:
    harness = DeviceHarness()
    said: list[list[Flag]] = []
    for call in range(3):
        caller = harness.call()
        caller.say(frame(serial=2 * call), frame(serial=2 * call + 1, adu=status(1)))
        for outcome in await harness.settle():
            assert isinstance(outcome, Accepted)
            said.append([flag for signal in outcome.signals for flag in signal.flags if flag is Flag.RECONNECTED])
        caller.disconnect()
    assert said == [[], [], [Flag.RECONNECTED], [], [Flag.RECONNECTED], []]


async def test_a_text_that_goes_on_is_kept_once_a_day_with_how_often_it_was_said() -> None:
    harness = DeviceHarness(Limits(idle_s=10**6))
    caller = harness.call()
    caller.say(frame())
    for _ in range(2900):
        caller.say(b"heart")
        harness.clock.forward(30)
    refused = [outcome for outcome in await harness.settle() if isinstance(outcome, Refused)]
    assert [outcome.detail.partition("; ")[2] for outcome in refused] == [
        "",
        "2879 more like it came before and were only counted",
    ]


async def test_a_fire_behind_a_false_start_is_heard_when_the_connection_breaks() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(b"@@" + bytes(22) + b"\x00\x04\x02" + frame(adu=status(3)))
    caller.disconnect(ConnectionResetError())
    assert (harness.waiting("device"), harness.waiting("device_fire")) == (1, 1)


async def test_silent_callers_are_bounded_in_all_and_from_one_address_and_the_oldest_makes_room() -> None:
    harness = DeviceHarness(Limits(connections=3, per_peer=2))
    wires = [harness.call(peer).wire for peer in ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3")]
    await heard_out()
    assert [wire.ended for wire in wires] == ["aborted", "aborted", None, None, None]


async def test_whoever_calls_together_with_too_many_is_heard_before_one_of_them_must_go() -> None:
    harness = DeviceHarness(Limits(connections=8, per_peer=2))
    silent = harness.call("10.0.0.1")
    device = harness.call("10.0.0.1")
    crowd = [harness.call("10.0.0.1") for _ in range(20)]
    device.say(frame())  # it lay in the socket while the others were accepted
    await heard_out()
    assert (silent.wire.ended, device.wire.ended) == ("aborted", None)
    assert sum(caller.wire.ended is None for caller in crowd) == 1


async def test_a_device_behind_an_address_full_of_silent_callers_gets_its_place_and_keeps_it() -> None:
    harness = DeviceHarness(Limits(connections=8, per_peer=4))
    crowd = [harness.call() for _ in range(4)]
    await heard_out()
    device = harness.call()
    device.say(frame(adu=status(3)))
    crowd += [harness.call() for _ in range(3)]
    await heard_out()
    assert device.wire.ended is None, "a whole frame of it waits for its verdict"
    assert words(await harness.settle("device_fire")) == ["accepted"]
    crowd += [harness.call() for _ in range(100)]
    await heard_out()
    assert device.wire.ended is None
    assert decode_frame(device.wire.sent).command == CONFIRM
    assert sum(caller.wire.ended is None for caller in crowd) == 4


async def test_one_that_is_not_believed_is_as_silent_as_the_others() -> None:
    harness = DeviceHarness(Limits(connections=8, per_peer=2))
    impostor, silent = harness.call("192.0.2.1"), harness.call("192.0.2.1")
    impostor.say(frame())
    harness.call("192.0.2.1")
    await heard_out()
    assert (impostor.wire.ended, silent.wire.ended) == (None, "aborted")
    await harness.settle()
    harness.call("192.0.2.1")
    harness.call("192.0.2.1")
    await heard_out()
    assert impostor.wire.ended == "aborted"


async def test_when_all_have_proven_themselves_there_is_still_a_place_for_one_that_calls_again() -> None:
    harness = DeviceHarness(Limits(connections=2, per_peer=1))
    old, other = harness.call(), harness.call("10.0.0.8")
    old.say(frame())
    other.say(frame("G000002"))
    await harness.settle()
    again = harness.call()
    again.say(frame())
    assert (words(await harness.settle()), old.wire.ended, again.wire.ended) == (["accepted"], "closed", None)


async def test_a_connection_that_ends_makes_room_for_another() -> None:
    harness = DeviceHarness(Limits(connections=1, per_peer=1))
    first = harness.call()
    first.disconnect()
    first.disconnect()
    second = harness.call()
    await heard_out()
    assert not second.wire.is_closing()
    assert harness.call().wire.ended is None
    await heard_out()
    second.disconnect()
    assert second.wire.is_closing()
    assert harness.ended(EndReason.MADE_ROOM) == 1


async def test_a_device_that_does_not_read_its_answers_is_cut_off() -> None:
    harness = DeviceHarness(Limits(unsent_bytes=100))
    caller = harness.call()
    caller.say(frame())
    caller.wire.unsent = 101
    await harness.settle()
    caller.disconnect()
    assert (caller.wire.ended, harness.ended(EndReason.DOES_NOT_READ)) == ("aborted", 1)


async def test_a_full_lane_stops_all_reading_until_it_is_half_empty() -> None:
    harness = DeviceHarness(hold=10)
    talker, other = harness.call(), harness.call()
    talker.say(frame() * 12)
    assert (talker.wire.reading, other.wire.reading) == (False, False)
    late = harness.call()
    assert not late.wire.reading
    await harness.settle(limit=6)
    assert not other.wire.reading
    await harness.settle(limit=2)
    assert [caller.wire.reading for caller in (talker, other, late)] == [True, True, True]
    assert balanced(harness.main.counts())


async def test_time_limits_do_not_run_while_we_do_not_read() -> None:
    harness = DeviceHarness(Limits(first_frame_s=30), hold=1)
    talker, other = harness.call(), harness.call()
    talker.say(frame())
    harness.clock.forward(1000)
    harness.listener.sweep()
    await harness.settle()
    harness.listener.sweep()
    assert (talker.wire.ended, other.wire.ended, other.wire.reading) == (None, None, True)


async def test_one_device_that_floods_is_not_read_until_its_own_frames_are_stored() -> None:
    harness = DeviceHarness(Limits(in_flight=5))
    flood, other = harness.call(), harness.call()
    flood.say(frame() * 8)
    assert (flood.wire.reading, other.wire.reading) == (False, True)
    await harness.settle(limit=3)
    assert not flood.wire.reading
    await harness.settle(limit=1)
    assert flood.wire.reading


async def test_a_probe_goes_behind_what_the_sockets_held() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    source = harness.lanes.sources["device"]
    source.probe()
    asyncio.get_running_loop().call_soon(caller.say, frame())  # a socket that is looked at in the next turn
    await turns()
    first, probe = await source.take(10)
    assert first.payload == frame()
    assert probe.probe_sent_at is not None
    assert probe.probe_sent_at <= first.received_at


async def test_no_probe_is_put_while_sockets_lie_unread() -> None:
    harness = DeviceHarness(hold=2)
    harness.call().say(frame() * 2)
    source = harness.lanes.sources["device"]
    source.probe()
    await turns(10)
    assert words(await harness.settle()) == ["accepted"] * 2
    await turns()
    async with asyncio.timeout(60):
        (probe,) = await source.take(10)
    assert probe.probe_sent_at is not None


async def test_an_error_of_ours_costs_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    harness = DeviceHarness()
    unlucky, other = harness.call(), harness.call()
    monkeypatch.setattr(unlucky.session._reader, "_stream", None)
    unlucky.say(frame())
    other.say(frame())
    assert (unlucky.wire.ended, other.wire.ended, harness.waiting()) == ("aborted", None, 1)


async def test_stopping_hands_out_what_was_heard_answers_it_and_hears_nothing_more() -> None:
    harness = DeviceHarness()
    caller = harness.call()
    caller.say(frame())
    for source in harness.lanes.sources.values():
        source.stop_receiving()
    assert not caller.wire.reading
    caller.session.data_received(frame())  # was already on its way up when reading stopped
    assert words(await harness.settle()) == ["accepted"]
    assert caller.wire.sent
    assert await harness.lanes.sources["device"].take(10) == []
    closing = asyncio.create_task(harness.listener.close())
    await turns()
    assert caller.wire.ended == "closed"
    caller.disconnect()
    async with asyncio.timeout(60):
        await closing
    counts = harness.main.counts()
    assert (counts.received, counts.in_flight, harness.ended(EndReason.STOPPING)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("soft", "hard", "fit", "asked"),
    [
        (1024, 20_000, 10_000, 10_000 + OTHER_FILES),
        (1024, 4096, 4096 - OTHER_FILES, 4096),
        (1024, -1, 10_000, 10_000 + OTHER_FILES),
    ],
)
def test_as_many_connections_as_files_may_be_open(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, fit: int, asked: int
) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: set_to.append(limits))
    assert open_files_for(10_000) == fit
    assert set_to == [(asked, hard)]
