"""What was refused is decided anew: as of when it came, with what is known now, with one effect however often."""

from datetime import date, timedelta
from ipaddress import IPv4Network

import pytest
from prometheus_client import CollectorRegistry

from schemas import codec
from schemas.refusal import Refusal, Replayed, ReplayedData
from schemas.signal import Signal
from services.ingest.adapters.refusal_log import stored_refusal
from services.ingest.adapters.wire import Encoder
from services.ingest.domain.decide import decide
from services.ingest.domain.directory import Device, Version
from services.ingest.domain.gb26875 import Envelope, duty_check, encode_frame
from services.ingest.domain.replays import LogPosition, Query, ReplayOrder, StoredRefusal, may_be_of
from services.ingest.domain.values import Arrival, Claim, Format, Refused, Route
from services.ingest.metrics import Metrics
from services.ingest.worker.replayer import Replayer
from services.kernel.words import Flag, Lane, Transport
from tests.fakes.ingest import MemoryRefusals, MemoryStore
from tests.unit.ingest.build import DECODERS, NOON, UP, after, arrival, directory

UNKNOWN = UP.replace("G000001", "G000009")
LATER = after(3600)
STANDARD = Device()


class Replays:
    """A shelf of refusals, and everything that a replay needs."""

    def __init__(self, *arrivals: Arrival) -> None:
        self.directory = directory()
        self.store = MemoryStore()
        self.kept = [self._refuse(offset, one) for offset, one in enumerate(arrivals)]
        self.metrics = Metrics(CollectorRegistry())
        self.replayer = Replayer(
            lambda one: decide(one, self.directory, DECODERS),
            self.directory,
            MemoryRefusals(self.kept),
            self.store,
            self.metrics,
        )

    def order(self, command_id: str = "c1") -> ReplayOrder:
        return ReplayOrder(command_id, "wang", LATER, tuple(one.position for one in self.kept))

    def register(self, gateway_id: str = "G000009", device: Device = STANDARD) -> None:
        self.directory.put(gateway_id, [Version(date(2026, 1, 1), "U000009", None, device)])

    def signals(self) -> list[Signal]:
        events = [codec.alarms.decode(value) for value in self.store.signals]
        return [event for event in events if isinstance(event, Signal)]

    def notes(self) -> list[Replayed]:
        events = [codec.refusals.decode(value) for value in self.store.refusals]
        assert not [one for one in events if isinstance(one, Refusal)], "nothing is refused a second time"
        return [one for one in events if isinstance(one, Replayed)]

    def _refuse(self, offset: int, came: Arrival) -> StoredRefusal:
        """Return what the log keeps of an arrival that today's directory refuses."""
        refused = decide(came, self.directory, DECODERS)
        assert isinstance(refused, Refused)
        event = codec.refusals.decode(Encoder("ingest-1").refusal(refused))
        assert isinstance(event, Refusal)
        return stored_refusal(event, 2, offset)


async def test_what_an_unknown_gateway_said_becomes_signals_once_it_is_registered() -> None:
    replays = Replays(arrival(b'{"v":1,"kind":"fire","occurred_at":"2026-06-01T11:59:59Z"}', UNKNOWN))
    replays.register()
    await replays.replayer.carry_out(replays.order())
    (signal,) = replays.signals()
    assert (signal.subject, signal.data.kind, signal.time) == ("U000009", "fire", LATER)
    assert (signal.data.first_received_at, signal.data.flags) == (NOON, (Flag.REPLAYED,))
    assert len(replays.store.alarms) == 1
    (note,) = replays.notes()
    assert (note.data.outcome, note.data.signals, note.data.by) == ("accepted", 1, "wang")
    assert (note.data.refusal_id, note.subject, note.time) == (replays.kept[0].position.refusal_id, "G000009", LATER)


async def test_a_replayed_signal_has_the_same_id_however_often_and_two_refusals_have_two() -> None:
    raw = b'{"v":1,"kind":"fault"}'
    replays = Replays(arrival(raw, UNKNOWN), arrival(raw, UNKNOWN)._replace(number=1))
    replays.register()
    for command in ("c1", "c1", "c2"):
        await replays.replayer.carry_out(replays.order(command))
    assert len({signal.id for signal in replays.signals()}) == 2
    assert len({note.id for note in replays.notes()}) == 4


async def test_what_is_still_unusable_says_why_and_is_not_refused_again() -> None:
    replays = Replays(arrival(b"hello"), arrival(b"", UNKNOWN))
    await replays.replayer.carry_out(replays.order())
    assert replays.signals() == []
    assert [(note.data.outcome, note.data.reason) for note in replays.notes()] == [
        ("refused", "not_json"),
        ("refused", "unknown_gateway"),
    ]
    assert replays.metrics.replays.labels("refused")._value.get() == 2


async def test_it_is_decided_as_of_the_day_on_which_it_came() -> None:
    replays = Replays(arrival(topic=UNKNOWN))
    replays.directory.put("G000009", [Version(date(2026, 6, 2), "U000009", None)])
    await replays.replayer.carry_out(replays.order())
    assert [note.data.reason for note in replays.notes()] == ["unknown_gateway"]


async def test_what_a_gateway_said_before_it_was_entered_counts_when_it_is_adopted() -> None:
    fire, end = (b'{"v":1,"kind":"fire","point":{"address":"1"}}', b'{"v":1,"kind":"restore","restores":"fire"}')
    replays = Replays(*(arrival(raw, UNKNOWN, received_at=after(at - 86_400)) for at, raw in ((5, end), (0, fire))))
    replays.directory.put("G000009", [Version(NOON.date(), "U000009", None)])
    assert all(may_be_of(one, "G000009", replays.directory, LATER) for one in replays.kept)
    assert not any(may_be_of(one, "G000001", replays.directory, LATER) for one in replays.kept)
    refused = replays.replayer.decide(replays.kept, LATER)
    assert all(isinstance(outcome, Refused) for _, outcome in refused)
    await replays.replayer.carry_out(replays.order()._replace(adopting=True))
    assert [(signal.data.kind, signal.subject) for signal in replays.signals()] == [
        ("fire", "U000009"),
        ("restore", "U000009"),
    ]


async def test_a_device_is_adopted_by_the_address_in_its_frames() -> None:
    address = bytes.fromhex("010203040506")
    frame = encode_frame(duty_check(Envelope(7, address, bytes(6), NOON), 5))
    claim = Claim("", Route(Lane.UP, Transport.TCP_GB26875, Format.GB26875), "10.0.0.7")
    replays = Replays(arrival(frame, "tcp/10.0.0.7", received_at=after(-86_400))._replace(claim=claim))
    device = Device(address=address, networks=(IPv4Network("10.0.0.0/24"),))
    replays.directory.put("G000009", [Version(NOON.date(), "U000009", None, device)])
    assert may_be_of(replays.kept[0], "G000009", replays.directory, LATER)
    await replays.replayer.carry_out(replays.order()._replace(adopting=True))
    assert {signal.subject for signal in replays.signals()} == {"U000009"}


async def test_bytes_that_the_log_cut_are_not_guessed() -> None:
    replays = Replays(arrival(b"hello"))
    replays.kept[0] = replays.kept[0]._replace(raw_bytes=6)
    await replays.replayer.replay(replays.kept, replays.order())
    (note,) = replays.notes()
    assert note.data.detail == "the log keeps only the first 5 of 6 bytes"


async def test_a_refusal_that_is_gone_is_counted() -> None:
    replays = Replays()
    await replays.replayer.carry_out(ReplayOrder("c1", "wang", LATER, (LogPosition("r1", 0, 7),)))
    assert replays.metrics.replays.labels("gone")._value.get() == 1
    assert replays.notes() == []


async def test_looking_what_would_become_of_it_stores_nothing() -> None:
    replays = Replays(arrival(b"hello"), arrival(topic=UNKNOWN, received_at=after(-1)))
    replays.register()
    decided = replays.replayer.decide(replays.kept, LATER)
    assert [type(outcome).__name__ for _, outcome in decided] == ["Accepted", "Refused"]
    assert (replays.store.signals, replays.store.refusals) == ([], [])


async def test_a_device_without_a_broker_is_found_under_the_address_in_its_frame() -> None:
    address = bytes.fromhex("010203040506")
    frame = encode_frame(duty_check(Envelope(7, address, bytes(6), NOON), 5))
    route = Route(Lane.UP, Transport.TCP_GB26875, Format.GB26875)
    came = arrival(frame, "tcp/10.0.0.7")._replace(claim=Claim("", route, "10.0.0.7"))
    replays = Replays(came)
    replays.register(device=Device(address=address, networks=(IPv4Network("10.0.0.0/24"),)))
    await replays.replayer.carry_out(replays.order())
    assert {(signal.subject, signal.data.carrier) for signal in replays.signals()} == {("U000009", "tcp_gb26875")}
    assert replays.notes()[0].data.outcome == "accepted"


@pytest.mark.parametrize(
    ("query", "held"),
    [
        (Query(), True),
        (Query(reason="not_json", gateway_id="G000001"), True),
        (Query(reason="empty"), False),
        (Query(gateway_id="G000002"), False),
        (Query(since=NOON, until=NOON + timedelta(microseconds=1)), True),
        (Query(until=NOON), False),
        (Query(ids=frozenset({"r1"})), False),
    ],
)
def test_a_query_means_what_it_says(query: Query, held: bool) -> None:
    (kept,) = Replays(arrival(b"hello")).kept
    assert query.holds(kept) is held


def test_undecodable_parts_that_were_noted_as_spoiled_are_read() -> None:
    data = {"refusal_id": "r1", "command_id": "c1", "by": "wang", "outcome": "accepted", "signals": 1, "spoiled": 2}
    assert ReplayedData.model_validate(data).undecodable == 2
