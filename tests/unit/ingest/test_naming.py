"""Names of processes: whatever the order in which they hear of each other, no two hold one name."""

import asyncio
import itertools
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import pytest
from prometheus_client import CollectorRegistry

from services.ingest import lanes
from services.ingest.adapters.broker_names import BrokerNames, end_session, read_claim
from services.ingest.adapters.mqtt_session import Broker as BrokerAddress
from services.ingest.app import DECODERS
from services.ingest.domain.accounting import MessageCounts
from services.ingest.domain.errors import NameLost
from services.ingest.domain.naming import (
    ADOPT_AFTER_S,
    LAPSES_S,
    MAX_SESSIONS,
    TRY_AGAIN_S,
    VALID_S,
    NameRegister,
    Naming,
    Say,
)
from services.ingest.domain.values import Accepted
from services.ingest.metrics import Metrics
from services.ingest.settings import IngestSettings
from services.kernel.words import SignalKind
from services.runtime.clock import SystemClock
from services.runtime.lifecycle import Stop, TaskDied
from tests.fakes.clock import ManualClock
from tests.unit.ingest.build import NOON, arrival, directory


@dataclass
class Member:
    naming: Naming
    ahead: deque[Say | None] = field(default_factory=deque)
    """What the broker has passed on and the member has not read yet; None: all records were heard."""
    connected: bool = False


class Broker:
    """Keeps records, passes each on to everybody in one order, and says the last will of whoever is cut off."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.kept: dict[tuple[str, str], Say] = {}
        self.members: list[Member] = []
        self._tokens = itertools.count()

    def member(self, wanted: str = "", *, slots: int = 8, adopts: bool = True) -> Member:
        self.members.append(Member(Naming(f"t{next(self._tokens)}", wanted, slots=slots, adopts=adopts)))
        self.connect(self.members[-1])
        return self.members[-1]

    def connect(self, member: Member) -> None:
        member.connected = True
        member.naming.joining(self.now)
        member.ahead.clear()
        member.ahead.extend([*self.kept.values(), None])

    def cut(self, member: Member) -> None:
        """The will comes at once; the member learns of it when it turns to the connection."""
        member.connected = False
        member.ahead.clear()
        self.publish(Say("members", member.naming.token))
        member.naming.cut()

    def publish(self, say: Say) -> None:
        if not (say.names or say.there or say.wants):
            self.kept.pop((say.kind, say.key), None)
        else:
            self.kept[say.kind, say.key] = say
        for member in self.members:
            if member.connected:
                member.ahead.append(say)

    def turn(self, member: Member) -> None:
        if member.connected:
            for say in member.naming.turn(self.now):
                self.publish(say)

    def read(self, member: Member) -> None:
        if not member.ahead:
            return
        say, naming = member.ahead.popleft(), member.naming
        if say is None:
            naming.joined(self.now)
        elif say.kind == "sessions":
            naming.heard_session(say.key, self.now, there=say.there)
        elif say.kind == "memory":
            naming.heard_memory(say.key)
        elif say.names or say.wants:
            naming.heard(say.key, say.names, f"host of {say.key}", self.now, say.wants)
        else:
            naming.gone(say.key)

    def pass_time(self, seconds: float, *but: Member) -> None:
        """Let everybody but these turn and read all the while."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.25
            for member in self.members:
                if member not in but:
                    self.turn(member)
                    while member.ahead:
                        self.read(member)

    def holders(self) -> dict[str, list[str]]:
        held: dict[str, list[str]] = {}
        for member in self.members:
            for name in {member.naming.own, member.naming.adopted} - {None}:
                if name is not None and member.naming.holds(name, self.now):
                    held.setdefault(name, []).append(member.naming.token)
        return held


@pytest.fixture
def broker() -> Broker:
    return Broker()


def test_a_process_alone_has_the_first_name_and_marks_its_session_before_it_connects(broker: Broker) -> None:
    one = broker.member()
    broker.pass_time(2)
    assert one.naming.own == "ingest-1"
    assert one.naming.problem(broker.now) == "ok"
    assert broker.kept["sessions", "ingest-1"].there


def test_a_second_process_of_one_name_waits_names_the_first_and_follows_it(broker: Broker) -> None:
    first = broker.member("site-a")
    broker.pass_time(2)
    second = broker.member("site-a")
    broker.pass_time(60)
    assert second.naming.waits_for() == ("site-a", "host of t0")
    assert "site-a is in use (host of t0)" in second.naming.problem(broker.now)
    assert broker.holders() == {"site-a": ["t0"]}
    broker.cut(first)
    broker.pass_time(1, first)
    assert broker.holders() == {"site-a": ["t1"]}
    assert second.naming.waits_for() is None


def test_without_a_share_group_the_second_process_stands_by(broker: Broker) -> None:
    broker.member(slots=1, adopts=False)
    broker.pass_time(2)
    second = broker.member(slots=1, adopts=False)
    broker.pass_time(2)
    assert second.naming.own is None
    assert "ingest-1 is in use" in second.naming.problem(broker.now)


def test_a_record_whose_process_died_with_the_broker_is_cleared_after_a_while(broker: Broker) -> None:
    broker.publish(Say("members", "dead", ("ingest-1",)))
    waits = broker.member("ingest-1")
    broker.pass_time(LAPSES_S)
    assert broker.holders() == {}
    broker.pass_time(2)
    assert waits.naming.own == "ingest-1"
    assert ("members", "dead") not in broker.kept


def test_who_stood_still_takes_nobody_for_dead(broker: Broker) -> None:
    still, other = broker.member(), broker.member()
    broker.pass_time(2)
    broker.now += 10 * LAPSES_S  # the whole machine, so no will
    broker.turn(still)
    assert still.naming.others == 1
    assert not still.naming.holds("ingest-1", broker.now), "but its own claim it must hear again first"
    broker.pass_time(1)
    assert broker.holders() == {"ingest-1": ["t0"], "ingest-2": ["t1"]}
    assert other.naming.own == "ingest-2"


def test_who_is_alone_has_every_message_also_none_waits_in_the_session_of_one_that_is_gone(broker: Broker) -> None:
    stays = broker.member()
    said = [stays.naming.alone]
    broker.pass_time(2)
    assert [*said, stays.naming.alone] == [None, True], "nothing was heard at first"
    goes, waits = broker.member(), broker.member("ingest-1")
    broker.pass_time(2)
    assert (stays.naming.alone, goes.naming.alone) == (False, False)
    for say in goes.naming.leaving():
        broker.publish(say)
    goes.connected = False
    broker.pass_time(1, goes)
    assert stays.naming.others == 0
    assert not stays.naming.alone, "its session is dealt its share on"
    broker.pass_time(ADOPT_AFTER_S, goes)
    stays.naming.emptied("ingest-2")
    broker.pass_time(1, goes)
    assert (stays.naming.alone, waits.naming.own) == (True, None), "one that waits for a name reads nothing"
    broker.cut(stays)
    assert stays.naming.alone is None


def test_without_a_share_group_every_name_has_every_message(broker: Broker) -> None:
    broker.publish(Say("sessions", "site-b", there=True))
    one = broker.member("site-a", adopts=False)
    broker.pass_time(2)
    assert one.naming.alone


def test_where_records_were_left_out_nobody_is_alone(broker: Broker) -> None:
    one = broker.member()
    for number in range(MAX_SESSIONS + 1):
        broker.publish(Say("sessions", f"s{number}", there=True))
    broker.pass_time(1)
    for number in range(MAX_SESSIONS + 1):
        broker.publish(Say("sessions", f"s{number}"))
    broker.pass_time(1)
    assert one.naming.alone is False


def test_a_session_that_nobody_reads_is_adopted_by_one_and_only_after_a_moment(broker: Broker) -> None:
    members = [broker.member() for _ in range(3)]
    broker.pass_time(2)
    gone = members[2]
    broker.cut(gone)
    broker.pass_time(ADOPT_AFTER_S / 2, gone)
    assert {one.naming.adopted for one in members[:2]} == {None}
    broker.pass_time(ADOPT_AFTER_S, gone)
    adopted = [one.naming.adopted for one in members[:2]]
    assert sorted(map(str, adopted)) == ["None", "ingest-3"]
    reader = members[adopted.index("ingest-3")]
    reader.naming.emptied("ingest-3")
    broker.pass_time(1, gone)
    assert ("sessions", "ingest-3") not in broker.kept, "an ended session leaves nothing behind"
    assert reader.naming.adopted is None
    assert reader.naming.own is not None


def test_a_member_whose_session_was_ended_meanwhile_ends_and_its_name_is_free(broker: Broker) -> None:
    reader, frozen = broker.member(), broker.member()
    broker.pass_time(2)
    broker.cut(frozen)
    broker.pass_time(ADOPT_AFTER_S + 1, frozen)
    reader.naming.emptied("ingest-2")
    broker.pass_time(1, frozen)
    broker.connect(frozen)
    broker.pass_time(1)
    assert frozen.naming.lost
    assert "ingest-2" not in broker.holders()
    broker.cut(frozen)
    again = broker.member()
    broker.pass_time(2, frozen)
    assert again.naming.own == "ingest-2"


def test_a_restarted_process_goes_on_with_the_session_that_waits(broker: Broker) -> None:
    first, second = broker.member(), broker.member()
    broker.pass_time(2)
    broker.cut(first)
    broker.cut(second)
    broker.publish(Say("sessions", "ingest-1", there=False))
    again = broker.member()
    broker.pass_time(1, first, second)
    assert again.naming.own == "ingest-2"


def test_a_cut_connection_keeps_the_name_and_allows_no_connection_meanwhile(broker: Broker) -> None:
    one = broker.member()
    broker.pass_time(2)
    broker.cut(one)
    assert not one.naming.holds("ingest-1", broker.now)
    assert one.naming.problem(broker.now) != "ok"
    broker.connect(one)
    broker.pass_time(1)
    assert one.naming.holds("ingest-1", broker.now)
    assert not one.naming.lost


def test_a_process_whose_claim_is_late_does_not_take_its_own_session_for_left(broker: Broker) -> None:
    one = broker.member()
    broker.pass_time(2)
    broker.cut(one)
    broker.connect(one)
    while one.ahead:
        broker.read(one)
    for _ in range(int(4 * (ADOPT_AFTER_S + 2))):  # the broker is slow to pass on what we say
        broker.now += 0.25
        broker.turn(one)
    broker.pass_time(1)
    assert one.naming.adopted is None
    assert broker.holders() == {"ingest-1": ["t0"]}


def test_a_claim_that_the_broker_does_not_pass_on_is_good_for_seconds_only(broker: Broker) -> None:
    one = broker.member()
    broker.pass_time(2)
    broker.now += VALID_S + 1
    assert not one.naming.holds("ingest-1", broker.now)


def test_a_broker_that_forgot_everything_is_told_again(broker: Broker) -> None:
    members = [broker.member("a"), broker.member("b")]
    broker.pass_time(2)
    waits = broker.member("a")
    broker.pass_time(2)
    broker.kept.clear()
    for member in (waits, *members):  # who waits is back first, and must not take what it knew to be held
        member.connected = False
        member.naming.cut()
    broker.connect(waits)
    broker.pass_time(2, *members)
    for member in members:
        broker.connect(member)
    broker.pass_time(2 * LAPSES_S)
    assert broker.holders() == {"a": ["t0"], "b": ["t1"]}
    assert broker.kept["sessions", "a"].there


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(60))
def test_in_every_order_of_starts_ends_and_cuts_no_two_hold_one_name(broker: Broker, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(4):
        broker.member(chance.choice(["", "", "ingest-1", "ingest-2"]))
    for _ in range(1500):
        member = chance.choice(broker.members)
        roll = chance.random()
        if roll < 0.01:
            (broker.cut if member.connected else broker.connect)(member)
        elif roll < 0.4:
            broker.turn(member)
        else:
            broker.read(member)
        if (name := member.naming.begin_reading(broker.now)) is not None and chance.random() < 0.1:
            member.naming.emptied(name)
        elif name is None and (closed := member.naming._reading) is not None and chance.random() < 0.1:
            member.naming.give_up(closed, broker.now)
        broker.now += chance.uniform(0, 0.05)
        assert all(one.naming.adopted is None or one.naming.adopted != one.naming.own for one in broker.members)
        assert all(len(tokens) == 1 for tokens in broker.holders().values()), broker.holders()
        for lost in [one for one in broker.members if one.naming.lost]:
            broker.cut(lost)
            broker.members.remove(lost)
            broker.member()  # started anew
    for member in broker.members:
        if not member.connected:
            broker.connect(member)
    broker.pass_time(3 * LAPSES_S)
    names = [one.naming.own for one in broker.members if one.naming.own and not one.naming.lost]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"?", b"null", b"[]", b'{"names": 1, "host": "h"}', b'{"names": [1], "host": "h"}', b'{"names": []}'),
        b'{"names": ["' + b"x" * 2000 + b'"], "host": "h"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_record_of_ours_is_nothing(body: bytes) -> None:
    assert read_claim(body) is None


def test_names_that_are_none_are_not_claimed(broker: Broker) -> None:
    broker.publish(Say("members", "odd", ("a/b", "+", "", "x" * 60)))
    one = broker.member()
    broker.pass_time(1)
    assert one.naming.own == "ingest-1"


def adopting(broker: Broker) -> tuple[Member, Member]:
    """Return a member that reads the session of one that is gone, and a third that waits."""
    reader, gone = broker.member(), broker.member("x")
    broker.pass_time(2)
    broker.cut(gone)
    broker.pass_time(ADOPT_AFTER_S + 1, gone)
    assert reader.naming.adopted == "x"
    return reader, gone


def test_who_was_cut_off_does_not_say_that_a_session_of_somebody_else_was_ended(broker: Broker) -> None:
    reader, gone = adopting(broker)
    broker.cut(reader)
    owner = broker.member("x")
    broker.pass_time(2, gone, reader)
    assert broker.holders() == {"x": [owner.naming.token]}
    reader.naming.emptied("x")  # it was on its way when the connection broke
    broker.connect(reader)
    broker.pass_time(2, gone)
    assert not owner.naming.lost
    assert broker.holders()["x"] == [owner.naming.token]


def test_a_session_is_ended_only_by_who_holds_its_name_at_that_moment(broker: Broker) -> None:
    reader, _ = adopting(broker)
    reader.naming.emptied("x")
    reader.naming.gone(reader.naming.token)  # our will, heard behind it
    says = reader.naming.turn(broker.now)
    assert not [say for say in says if say.kind == "sessions" and say.key == "x"]


class Held:
    """A register in which the name is ours for so many questions."""

    def __init__(self, times: int) -> None:
        self.times = times

    def holds(self, _: str) -> bool:
        self.times -= 1
        return self.times >= 0


@pytest.fixture
def adoption() -> Iterator[Callable[[object], lanes.Adoption]]:
    made: list[lanes.Adoption] = []

    def make(names: object) -> lanes.Adoption:
        register, metrics = cast(BrokerNames, names), Metrics(CollectorRegistry())
        made.append(lanes.Adoption(IngestSettings(), "x", register, directory(), DECODERS, metrics, SystemClock()))
        return made[-1]

    yield make
    for one in made:
        for source in one._sources.values():
            source._waker.close()


@pytest.mark.parametrize("times", [0, 1, 2])
async def test_no_session_is_ended_once_the_name_is_no_longer_ours(
    times: int, adoption: Callable[[object], lanes.Adoption], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []

    def end(_: object, client_id: str) -> bool:
        ended.append(client_id)
        return True

    monkeypatch.setattr(lanes, "end_session", end)
    one = adoption(Held(times))
    assert await one._end_sessions() is (times == 2)
    assert ended == ["firenet-x-main", "firenet-x-fire"][:times]


async def test_an_adoption_reads_only_while_its_claim_is_heard(adoption: Callable[[object], lanes.Adoption]) -> None:
    one = adoption(Held(0))
    working = asyncio.create_task(Stop().wait())
    async with asyncio.timeout(5):
        assert await one._until_empty(Stop(), working) is False
    working.cancel()


def test_whoever_ends_because_its_session_was_ended_has_it_looked_into_once_more(broker: Broker) -> None:
    """Its lanes may have been back, with a new session, before it heard of that."""
    reader, frozen = broker.member(), broker.member("x")
    broker.pass_time(2)
    broker.cut(frozen)
    broker.pass_time(ADOPT_AFTER_S + 1, frozen)
    reader.naming.emptied("x")
    broker.pass_time(ADOPT_AFTER_S + 1, frozen)
    assert reader.naming.adopted is None
    broker.connect(frozen)
    broker.pass_time(1)
    assert frozen.naming.lost
    for say in frozen.naming.leaving():
        broker.publish(say)
    frozen.connected = False
    broker.pass_time(ADOPT_AFTER_S + 1, frozen)
    assert reader.naming.adopted == "x"


def test_whoever_ends_in_order_says_nothing_of_its_session(broker: Broker) -> None:
    one = broker.member()
    broker.pass_time(2)
    assert one.naming.leaving() == [Say("members", one.naming.token)]


class Wire:
    """The broker's side of MQTT 3.1.1 on one connection, as far as the register needs it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def publications(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield what the client publishes; of that only its question is acknowledged."""
        while True:
            kind = (await self._reader.readexactly(1))[0]
            size = shift = 0
            more = True
            while more:
                byte = (await self._reader.readexactly(1))[0]
                size, shift, more = size | (byte & 127) << shift, shift + 7, byte > 127
            body = await self._reader.readexactly(size)
            if kind >> 4 == 1:
                self._writer.write(b"\x20\x02\x00\x00")
            elif kind >> 4 == 8:
                self._writer.write(b"\x90\x03" + body[:2] + b"\x01")
            elif kind >> 4 == 3:
                end = 2 + int.from_bytes(body[:2])
                if body[end + 2 :] == b"?":
                    self._writer.write(b"\x40\x02" + body[end : end + 2])
                yield body[2:end].decode(), body[end + 2 :]

    def pass_on(self, topic: str, body: bytes) -> None:
        said = len(topic).to_bytes(2) + topic.encode() + body
        assert len(said) < 128
        self._writer.write(bytes([0x30, len(said)]) + said)

    def close(self) -> None:
        self._writer.close()


class Wired(NamedTuple):
    names: BrokerNames
    naming: Naming
    connections: asyncio.Queue[Wire]
    stop: Stop
    running: asyncio.Task[None]


@pytest.fixture
async def wired() -> AsyncIterator[Wired]:
    """Yield a register whose broker is the test."""
    connections: asyncio.Queue[Wire] = asyncio.Queue()
    server = await asyncio.start_server(lambda *ends: connections.put_nowait(Wire(*ends)), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    naming, stop = Naming("t", "x"), Stop()
    metrics = Metrics(CollectorRegistry())
    names = BrokerNames(BrokerAddress(host, port, "3.1.1"), "g", naming, "here", metrics, SystemClock())
    running = asyncio.create_task(names.run(stop))
    async with asyncio.timeout(20):
        yield Wired(names, naming, connections, stop, running)
    stop.set()
    await asyncio.wait([running])
    naming.lost = False  # whoever lost its name waits a moment for its connection
    await names.close()
    server.close()


@pytest.mark.thorough
async def test_a_record_that_was_not_acknowledged_is_not_said_again_over_a_new_connection(wired: Wired) -> None:
    first = await wired.connections.get()
    async for topic, body in first.publications():
        if body != b"?":
            break  # our claim: it arrived, and we never hear that it did
        first.pass_on(topic, body)
    first.close()
    second = await wired.connections.get()
    _, said = await anext(second.publications())
    second.close()
    assert said == b"?", "the question comes before anything that was to be said earlier"


@pytest.mark.thorough
async def test_whoever_lost_its_name_says_so_with_its_last_words(wired: Wired) -> None:
    connection = await wired.connections.get()
    published = connection.publications()
    await anext(published)
    wired.naming.own, wired.naming.lost = "x", True
    await asyncio.wait([wired.running])
    assert isinstance(wired.running.exception(), NameLost)
    await wired.names.close()
    assert [await anext(published) for _ in range(2)] == [
        ("firenet/v1/$ingest/$names/g/sessions/x", b"1"),
        ("firenet/v1/$ingest/$names/g/members/t", b""),
    ]
    connection.close()


async def test_a_fire_of_an_adopted_session_is_no_echo_of_one_that_came_under_the_same_number_elsewhere(
    adoption: Callable[[object], lanes.Adoption],
) -> None:
    fire = arrival(b'{"v":1,"kind":"fire"}', duplicate=True, mid=7)  # the numbers are those of one session only
    first, second = adoption(Held(0)), adoption(Held(0))
    for one in (first, second):
        _, outcomes = await one._workers["fire"]._decide([fire])
        one.classifier.repeats.stored(outcomes)
        assert [signal.message.kind for signal in cast(Accepted, outcomes[0]).signals] == [SignalKind.FIRE]
    _, again = await second._workers["fire"]._decide([fire._replace(epoch=2)])
    assert cast(Accepted, again[0]).repeated, "in one session it is"


def test_however_many_names_were_used_before_a_process_has_one(broker: Broker) -> None:
    one = broker.member("mine")
    for number in range(MAX_SESSIONS + 100):
        one.naming.heard_session(f"ended-{number}", broker.now, there=False)
    for number in range(MAX_SESSIONS + 100):
        one.naming.heard_session(f"there-{number}", broker.now, there=True)
        one.naming.heard(f"u{number}", [f"there-{number}"], "host", broker.now)
    assert one.naming.left_out > 100
    broker.pass_time(2)
    assert one.naming.own == "mine"
    assert broker.holders() == {"mine": ["t0"]}


def test_what_is_known_is_followed_when_there_is_no_room_for_more() -> None:
    register = NameRegister("t")
    for number in range(MAX_SESSIONS):
        register.heard_session(f"n{number}", 0.0, there=True)
    register.heard_session("n7", 1.0, there=False)
    assert "n7" not in register.unread_since
    register.heard_session("more", 1.0, there=True)
    assert register.left_out == 0
    assert "more" in register.unread_since


def test_whoever_works_under_a_name_ends_when_it_hears_that_its_session_was_ended(broker: Broker) -> None:
    one, other = broker.member(), broker.member()
    broker.pass_time(2)
    broker.publish(Say("sessions", "ingest-1"))
    broker.pass_time(1)
    assert one.naming.lost
    assert not other.naming.lost


def test_a_broker_that_forgot_and_then_ended_a_session_is_not_taken_for_one_that_only_forgot(broker: Broker) -> None:
    reader, frozen = broker.member(), broker.member("x")
    for _ in range(2):
        broker.pass_time(2)
        broker.kept.clear()
        for member in (reader, frozen):
            broker.cut(member)
            broker.connect(member)
        broker.pass_time(2)
        assert not reader.naming.lost
        assert not frozen.naming.lost
    broker.cut(frozen)
    broker.pass_time(ADOPT_AFTER_S + 1, frozen)
    reader.naming.emptied("x")
    broker.pass_time(1, frozen)
    broker.connect(frozen)
    broker.pass_time(1)
    assert frozen.naming.lost


class Handing:
    """A register that hands out one name so many times."""

    def __init__(self, name: str, times: int) -> None:
        self._name, self._times = name, times
        self.came_of: list[str] = []

    async def adopted(self, _: Stop) -> str | None:
        return self._name if len(self.came_of) < self._times else None

    def emptied(self, _: str) -> None:
        self.came_of.append("emptied")

    def give_up(self, _: str) -> None:
        self.came_of.append("given up")


class Failing:
    """An adoption that fails as often as it is told to."""

    def __init__(self, *ends: bool | Exception) -> None:
        self._ends = list(ends)

    async def run(self, _: Stop) -> bool:
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


async def test_what_goes_wrong_with_the_leftovers_of_another_is_counted_and_tried_again() -> None:
    metrics, stop = Metrics(CollectorRegistry()), Stop()
    names = Handing("x", 4)
    attempts = Failing(OSError("no CA file"), TaskDied("adopt-fire"), False, True)
    await lanes.adopt_all(cast(BrokerNames, names), lambda _: cast(lanes.Adoption, attempts), metrics, stop)
    assert names.came_of == ["given up", "given up", "given up", "emptied"]
    assert metrics.adoptions_given_up._value.get() == 3


def test_a_session_that_could_not_be_read_is_tried_again_after_others_had_their_turn(broker: Broker) -> None:
    reader, _ = adopting(broker)
    broker.publish(Say("sessions", "y", there=True))
    reader.naming.give_up("x", broker.now)
    adopted = []
    for _ in range(int(4 * (TRY_AGAIN_S + ADOPT_AFTER_S + 1))):
        broker.pass_time(0.25)
        if (name := reader.naming.adopted) is not None:
            adopted.append(name)
            reader.naming.give_up(name, broker.now)
    assert adopted[:2] == ["y", "x"]


def test_a_broker_whose_certificate_cannot_be_checked_is_asked_to_end_nothing(tmp_path: Path) -> None:
    assert not end_session(BrokerAddress("127.0.0.1", 1, tls_ca=str(tmp_path / "gone.pem")), "firenet-x-fire")


def test_whoever_may_have_no_other_name_comes_before_an_adopter(broker: Broker) -> None:
    reader, gone = adopting(broker)
    assert reader.naming.begin_reading(broker.now) == "x"
    owner = broker.member("x")
    broker.pass_time(1, gone)
    assert not reader.naming.holds("x", broker.now), "it stops reading"
    assert owner.naming.own is None, "and lets go when its connections are closed"
    reader.naming.give_up("x", broker.now)
    broker.pass_time(1, gone)
    assert broker.holders()["x"] == [owner.naming.token]
    assert reader.naming.adopted is None


def test_a_name_that_is_not_being_read_yet_is_let_go_at_once(broker: Broker) -> None:
    _, gone = adopting(broker)
    owner = broker.member("x")
    broker.pass_time(2, gone)
    assert broker.holders()["x"] == [owner.naming.token]


def test_an_adoption_ends_with_the_connection_over_which_the_name_was_claimed(broker: Broker) -> None:
    reader, gone = adopting(broker)
    assert reader.naming.begin_reading(broker.now) == "x"
    broker.cut(reader)
    broker.connect(reader)
    broker.pass_time(3 * ADOPT_AFTER_S, gone)
    assert not reader.naming.holds("x", broker.now), "somebody may have had it meanwhile"
    reader.naming.give_up("x", broker.now)
    broker.pass_time(TRY_AGAIN_S + 1, gone)
    assert reader.naming.begin_reading(broker.now) == "x"


@pytest.mark.parametrize("settles", [True, False])
async def test_an_adoption_is_given_up_when_nothing_moves_on(
    settles: bool, adoption: Callable[[object], lanes.Adoption], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, clock, asked = adoption(Held(5)), ManualClock(NOON), 0
    source = one._sources["main"]

    def counts() -> MessageCounts:
        nonlocal asked
        asked += 1
        clock.seconds += lanes.STANDSTILL_S / 2 + 1
        return MessageCounts(2 * asked, asked if settles else 0, 0, {}, 0, asked if settles else 2 * asked)

    monkeypatch.setattr(source, "counts", counts)
    monkeypatch.setattr(one, "_clock", clock)
    monkeypatch.setattr(lanes, "LOOK_EVERY_S", 0.0)
    giving_up = Stop()
    async with asyncio.timeout(10):
        await one._watch(Stop(), giving_up)
    assert giving_up.is_set()
    assert asked == (5 if settles else 3), "as long as the name is ours, or until it has stood still for too long"


@pytest.mark.parametrize(
    ("body", "wants"),
    [
        (b'{"names": [], "host": "h"}', ""),
        (b'{"names": [], "host": "h", "wants": 1}', ""),
        (b'{"names": [], "host": "h", "wants": "x"}', "x"),
    ],
)
def test_what_a_process_waits_for_is_read_from_its_record(body: bytes, wants: str) -> None:
    claim = read_claim(body)
    assert claim is not None
    assert claim.wants == wants


def test_a_session_that_somebody_waits_for_is_adopted_only_when_that_process_is_gone(broker: Broker) -> None:
    reader = broker.member()
    broker.publish(Say("sessions", "x", there=True))
    broker.publish(Say("members", "slow", wants="x"))
    for _ in range(int(2 * LAPSES_S)):
        broker.pass_time(0.25)
        assert reader.naming.adopted is None
    broker.pass_time(LAPSES_S)
    assert reader.naming.adopted == "x"
